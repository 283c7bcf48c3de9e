"""vmap: a function of one sample for a batch, as JAX's; the oracle is a loop over the samples."""

import pickle
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import microgrid as mg
from microgrid import MicrogridError, Value, nn, record, vmap
from microgrid.engine.errors import ArgumentError, NumberError, ShapeError
from microgrid.program.tracing import BranchError

X = np.arange(15.0).reshape(5, 3) / 4 - 1
W = np.array([1.0, -2.0, 0.5])


class Pair(NamedTuple):
    x: object
    y: object


def looped(f, axes, *args):
    """f of one sample after the other, on Values, stacked."""
    n = next(np.shape(x)[axis] for x, axis in zip(args, axes, strict=True) if axis is not None)
    rows = [
        f(*[x if axis is None else np.moveaxis(np.asarray(x), axis, 0)[i]
            for x, axis in zip(args, axes, strict=True)])
        for i in range(n)
    ]  # fmt: skip
    return np.array(rows)


CASES = {
    "a vector": (lambda x: x @ W, (0,), [X]),
    "numbers": (lambda x: x * x, (0,), [X[:, 0]]),
    "a shared argument": (lambda x, w: x @ w, (0, None), [X, W]),
    "the second alone": (lambda w, x: x * w, (None, 0), [W, X]),
    "another axis": (lambda x: x * 2, (1,), [X]),
    "the last axis": (lambda x, y: x * y.sum(), (-1, 0), [X.T, X]),
    "a matrix of each": (lambda x: x[:, None] * x, (0,), [X]),
    "a branch": (lambda x: np.where(x > 0, x, 0.1 * x).sum(), (0,), [X]),
    "a gradient": (mg.grad(lambda x: mg.dot(x, x * x)), (0,), [X]),
    "a gradient by two": (mg.grad(lambda x, w: mg.tanh(x @ w), 1), (0, None), [X, W]),
    "a hessian": (mg.hessian(lambda x: x[0] ** 2 * x[1]), (0,), [X]),
    "a constant": (lambda x: 3.0, (0,), [X]),
    "a batch of batches": (vmap(lambda x: x * x), (0,), [X]),
    "an outer product": (vmap(lambda a, b: a * b, (None, 0)), (0, None), [W, W]),
    "one sample": (lambda x: x.sum(), (0,), [X[:1]]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_batch_is_a_loop_over_the_samples(name):
    f, axes, args = CASES[name]
    np.testing.assert_allclose(vmap(f, axes)(*args), looped(f, axes, *args), rtol=1e-15)
    if len(set(axes)) == 1:
        np.testing.assert_array_equal(vmap(f, axes[0])(*args), vmap(f, axes)(*args))


@pytest.mark.parametrize("name", CASES)
def test_on_values_a_batch_is_the_same_and_has_a_gradient(name):
    f, axes, args = CASES[name]
    nodes = [mg.matrix(x) for x in args]
    y = vmap(f, axes)(*nodes)
    want = vmap(f, axes)(*args)
    np.testing.assert_allclose(mg.values(y), want, rtol=1e-15)
    whole = record(lambda *xs: np.sum(vmap(f, axes)(*xs)) * 1.0, *args)
    np.testing.assert_allclose(whole(*args), want.sum(), rtol=1e-12)
    slopes = mg.grad(lambda x, *others: np.sum(vmap(f, axes)(x, *others)) * 1.0)(*args)
    got = whole.value_and_grad(*args)[1]
    np.testing.assert_allclose(got, slopes, rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(
    arrays.arrays(float, st.tuples(st.integers(0, 4), st.integers(1, 3)), elements=st.floats(-9, 9))
)
def test_any_shape_is_recorded_when_it_comes(x):
    assert vmap(lambda row: row * row)(x).tolist() == (x * x).tolist()


def test_structures_of_arrays_come_and_go():
    def f(sample, scale):
        return {"sum": sample["x"].sum() * scale, "both": (sample["y"], [sample["x"], 1.0])}

    found = vmap(f, (0, None))({"x": X, "y": X[:, 0]}, 2.0)
    np.testing.assert_array_equal(found["sum"], X.sum(axis=1) * 2)
    np.testing.assert_array_equal(found["both"][0], X[:, 0])
    np.testing.assert_array_equal(found["both"][1][0], X)
    np.testing.assert_array_equal(found["both"][1][1], np.ones(5))
    pair = vmap(lambda p: Pair(p.y, p.x))(Pair(X, W[[0, 0, 0, 1, 2]]))
    assert type(pair) is Pair
    np.testing.assert_array_equal(pair.y, X)
    slopes = vmap(mg.grad(lambda p: (p["x"] * p["x"]).sum() * p["y"]))({"x": X, "y": X[:, 1]})
    np.testing.assert_allclose(slopes["x"], 2 * X * X[:, 1:2])
    assert vmap(lambda x: x * 2)([[1, 2], [3, 4]]).tolist() == [[2, 4], [6, 8]]


def test_a_model_is_shared_and_read_anew_at_each_call():
    model = nn.Sequential(nn.Affine(3, 4), nn.Tanh(), nn.Affine(4, 2))
    f = vmap(lambda model, x: model(x[None])[0], (None, 0))
    for _ in range(2):
        want = np.array([mg.values(model(x[None])[0]) for x in X])
        np.testing.assert_allclose(f(model, X), want, rtol=1e-15)
        model.set_parameters([2 * p.data for p in model.parameters()])
    assert len(f._programs) == 1
    slopes = vmap(mg.grad(lambda model, x: model(x[None]).sum()), (None, 0))(model, X)
    assert slopes.shape == (5, len(model.parameters()))
    other = nn.Sequential(nn.Affine(3, 4), nn.ReLU(), nn.Affine(4, 2))
    want = np.array([mg.values(other(x[None])[0]) for x in X])
    np.testing.assert_allclose(f(other, X), want, rtol=1e-15)  # of another kind: recorded anew


def test_it_is_recorded_once_for_each_shape():
    runs = []
    f = vmap(lambda x: (runs.append(1), x * 2)[1])
    for x in (X, X + 1, X[:2], X.tolist()):
        f(x)
    assert len(runs) == 2  # record runs a function twice
    f(W)
    f(X[:, :2])
    assert len(runs) == 6


def test_it_has_the_name_of_its_function_and_pickles():
    assert repr(vmap(np.sum)) == "vmap(sum)"
    f = pickle.loads(pickle.dumps(vmap(half)))
    assert f([2.0, 4.0]).tolist() == [1.0, 2.0]
    assert f.__doc__ == "Half of x."


def half(x):
    """Half of x."""
    return x / 2


WRONG = {
    "no function": (lambda: vmap(3), NumberError, "takes a function of one sample"),
    "no axis at all": (lambda: vmap(half, None), ShapeError, "at least one argument"),
    "an axis that is none": (lambda: vmap(half, "x"), ShapeError, "ints or None"),
    "a bool": (lambda: vmap(half, True), ShapeError, "ints or None"),
    "too few axes": (lambda: vmap(half, (0,))(1.0, 2.0), ArgumentError, "in_axes has 1 entries"),
    "no arguments": (lambda: vmap(half)(), ArgumentError, "the call 0 arguments"),
    "one number": (lambda: vmap(half)(3.0), ShapeError, "x has no axis 0: got one number"),
    "no such axis": (lambda: vmap(half, 2)(X), ShapeError, r"x has no axis 2: got shape \(5, 3\)"),
    "two sizes": (lambda: vmap(np.multiply)(X, W), ShapeError, "one size"),
    "two sizes of Values": (lambda: vmap(lambda a, b: a * b)(mg.matrix(X), W), ShapeError, "5, b"),
    "ragged": (lambda: vmap(half)([[1.0], [1.0, 2.0]]), ShapeError, "ragged"),
    "text": (lambda: vmap(half)("abc"), NumberError, "x: real numbers are needed"),
    "a tuple of numbers": (lambda: vmap(half)((1.0, 2.0)), ShapeError, "x_1 has no axis 0"),
    "a model for each": (lambda: vmap(lambda m: 1.0)(nn.Affine(2, 2)), ShapeError, "is shared"),
    "nothing returned": (lambda: vmap(lambda x: None)(W), NumberError, "returned None"),
    "a branch": (
        lambda: vmap(lambda x: x if x > 0 else 0)(W),
        BranchError,
        r"where\(x > 0, a, b\)",
    ),
    "no sample of Values": (
        lambda: vmap(lambda x, w: x @ w, (0, None))(X[:0], mg.matrix(W)),
        ShapeError,
        "one sample or more",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_told(name):
    call, kind, said = WRONG[name]
    with pytest.raises(kind, match=said):
        call()


def test_an_error_names_the_sample():
    with pytest.raises(MicrogridError) as caught:
        vmap(mg.log)([1.0, -1.0])
    assert "in sample 1 of the batch" in "".join(caught.value.__notes__)
    assert isinstance(vmap(mg.log)(mg.matrix([1.0]))[0], Value)
