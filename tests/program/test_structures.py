"""Numbers in any structure go into programs and come out of them, told by their paths."""

import math
import pickle
from collections import OrderedDict
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.strategies import QUICK, Pair, structures

import microgrid as mg
from microgrid import Program, Value, nn, optim, record
from microgrid.engine.errors import GraphError, NumberError, ParameterError, ShapeError
from microgrid.engine.trees import tree_map
from microgrid.program.structure import Structure

few = settings(max_examples=40, deadline=None)


def flat(x):
    """The numbers or nodes of a structure, in order: the oracle of the walker."""
    if isinstance(x, dict):
        x = [*x.values()]
    if hasattr(x, "tolist"):  # an array of any library
        x = x.tolist()
    if isinstance(x, list | tuple):
        return [z for y in x for z in flat(y)]
    return [x]


def refilled(x, numbers):
    """The same structure with these numbers, taken from an iterator."""
    if isinstance(x, dict):
        return {key: refilled(y, numbers) for key, y in x.items()}
    if isinstance(x, np.ndarray):
        return np.array([next(numbers) for _ in range(x.size)]).reshape(x.shape)
    if isinstance(x, Pair):
        return Pair(*[refilled(y, numbers) for y in x])
    many = isinstance(x, list | tuple)
    return type(x)([refilled(y, numbers) for y in x]) if many else next(numbers)


def alike(got, want):
    """Whether two structures are of the same kinds, keys and shapes, with the same numbers."""
    if type(got) is not type(want):
        return False
    if isinstance(want, dict):
        return list(got) == list(want) and alike([*got.values()], [*want.values()])
    if isinstance(want, list | tuple):
        return len(got) == len(want) and all(map(alike, got, want))
    if isinstance(want, np.ndarray):
        return got.shape == want.shape and [*map(float, flat(got))] == [*map(float, flat(want))]
    return got == want


def loss(x, s):
    """One number, in which each number of x has a slope of its own; no line comes twice."""
    return mg.total([mg.sin(v * (k + 1) + s) for k, v in enumerate(flat(x))])


def mapped(x, s):
    """A structure like x: each entry by itself."""
    return tree_map(lambda v: v * s + v, x)


def numbers_of(x):
    """Nodes as their numbers."""
    return tree_map(lambda v: v.data if isinstance(v, Value) else v, x)


@few
@given(structures())
def test_a_result_in_any_structure_is_that_of_the_call(x):
    direct = numbers_of(mapped(x, Value(2.0)))
    assert alike(record(mapped, x, 1.0)(x, 2.0), direct)
    both = record(lambda p: {"of": mapped(p["x"], p["s"]), "s": (p["s"],)}, {"x": x, "s": 1.0})
    assert alike(both({"x": x, "s": 2.0}), {"of": direct, "s": (2.0,)})


@few
@given(structures())
def test_gradients_come_in_the_structure_of_the_argument(x):
    program = record(loss, x, 1.0)
    value, gradient = program.value_and_grad(x, 0.5)
    direct = mg.value_and_grad(loss)(x, 0.5)
    assert value == direct[0]
    assert alike(gradient, direct[1])
    assert alike(program.gradient()(x, 0.5), gradient)
    again = pickle.loads(pickle.dumps(program))
    assert alike(again.value_and_grad(x, 0.5)[1], gradient)
    assert repr(again) == repr(program)


@few
@given(structures(), st.randoms(use_true_random=False))
def test_keys_may_come_in_another_order(x, random):
    def shuffled(x):
        if isinstance(x, dict):
            keys = random.sample([*x], len(x))
            return OrderedDict([(key, shuffled(x[key])) for key in keys])
        if isinstance(x, Pair):
            return Pair(*map(shuffled, x))
        return type(x)(map(shuffled, x)) if isinstance(x, list | tuple) else x

    program = record(loss, x, 1.0)
    assert program(shuffled(x), 0.5) == program(x, 0.5)
    assert alike(program.value_and_grad(shuffled(x), 0.5), program.value_and_grad(x, 0.5))


def named(x):
    """Whether there is a dict or a named tuple in a structure."""
    inner = isinstance(x, list | tuple) and any(map(named, x))
    return inner or isinstance(x, dict | Pair)


def stacked(samples):
    """The batch of some samples: an array, or an array for each entry under a name."""
    first = samples[0]
    if isinstance(first, dict):
        return {key: stacked([x[key] for x in samples]) for key in first}
    if isinstance(first, Pair):
        return Pair(*map(stacked, zip(*samples, strict=True)))
    if isinstance(first, list | tuple):
        shapes = {shape(x) for x in first}
        if named(first) or len(shapes) > 1 or None in shapes:
            return [stacked(entry) for entry in zip(*samples, strict=True)]
    return np.array(samples)


def shape(x):
    """The shape of a structure that an array could hold, else None."""
    try:
        return None if named(x) else np.shape(x)
    except ValueError:
        return None


@few
@given(structures(), st.integers(1, 4))
def test_a_batch_has_an_array_under_each_name(x, count):
    rng = np.random.default_rng(count)
    samples = [refilled(x, iter(rng.integers(-9, 9, 99) / 8)) for _ in range(count)]
    program = record(loss, x, 1.0)
    one_by_one = [program.value_and_grad(sample, 0.5) for sample in samples]
    values, gradients = program.batched((0, None)).value_and_grad(stacked(samples), 0.5)
    assert values.tolist() == [value for value, _ in one_by_one]
    assert flat(gradients) == flat(stacked([g for _, g in one_by_one]))
    shared = program.batched((None, 0)).value_and_grad(x, np.arange(count) / 4)[1]
    sums = [program.value_and_grad(x, s / 4)[1] for s in range(count)]
    assert alike(refilled(x, iter(flat(shared))), shared)
    assert np.allclose(flat(shared), np.sum([flat(g) for g in sums], axis=0), atol=1e-12)


@few
@given(structures())
def test_the_source_takes_and_gives_dicts_and_lists(x):
    space = {}
    program = record(loss, x, 1.0)
    exec(program.source("python"), space)
    value, (gradient, _) = space["value_and_grad"](x, 0.5)
    assert value == program(x, 0.5)
    assert flat(gradient) == flat(program.value_and_grad(x, 0.5)[1])
    exec(record(mapped, x, 1.0).source("python"), space)
    assert flat(space["value"](x, 2.0)) == flat(record(mapped, x, 1.0)(x, 2.0))


@pytest.mark.parametrize("language", ["numpy", "jax", "torch"])
def test_the_libraries_take_dicts(language):
    pytest.importorskip(language)
    x = {"w": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": [0.5], "more": ({"k": 2.0}, 3.0)}
    program, space = record(loss, x, 1.0), {}
    exec(program.source(language), space)
    value, (gradient, _) = space["value_and_grad"](x, 0.5)
    want, expected = program.value_and_grad(x, 0.5)
    assert float(value) == pytest.approx(want, rel=1e-6)
    assert [*map(float, flat(gradient))] == pytest.approx(flat(expected), rel=1e-6)
    assert [*gradient] == ["w", "b", "more"]


@pytest.mark.parametrize("part", ["x y ", "a = b", "it's + 1 ", 'two " * marks ', "back\\ slash "])
def test_a_long_line_of_a_source_leaves_the_keys_of_dicts_in_one_piece(part):
    x, space = {part * 20: [2.0] * 12}, {}  # longer than a line: it would break inside
    program = record(loss, x, 1.0)
    exec(program.source("python"), space)
    assert space["value_and_grad"](x, 0.5) == program.value_and_grad(x, 0.5, argnums=(0, 1))


def test_a_key_that_is_no_text_of_python_is_refused_in_a_source():
    program = record(lambda x: x[len] * 2, {len: 1.0})
    assert program({len: 3.0}) == 6.0
    with pytest.raises(GraphError, match="the key <built-in function len> of a dict has no text"):
        program.source()


@pytest.mark.parametrize("recorded", [True, False])
@settings(max_examples=15, deadline=None)
@given(x=structures())
def test_fit_moves_parameters_in_any_structure(recorded, x):
    f = record(loss, x, 1.0) if recorded else loss
    history = optim.fit(
        f, x, ([0.5],), optimizer=optim.SGD(lr=0.1), epochs=1, batch_size=None, progress=False
    )
    step = [a - 0.1 * g for a, g in zip(flat(x), flat(mg.grad(loss)(x, 0.5)), strict=True)]
    assert np.allclose(flat(history.parameters), step, rtol=1e-12)
    assert alike(refilled(x, iter(flat(history.parameters))), history.parameters)


def line(p, x, y):
    return (p["w"][0] * x + p["b"] - y) ** 2


X = np.linspace(-1, 1, 11)


@pytest.mark.parametrize("recorded", [True, False])
def test_values_among_the_parameters_get_the_fitted_numbers(recorded):
    w, b = Value(0.0, "slope"), Value(0.0)
    f = record(line, {"b": 0.0, "w": [0.0]}, 0.0, 0.0) if recorded else line
    history = optim.fit(f, {"w": [w], "b": b}, (X, 3 * X + 1), optimizer=optim.SGD(lr=0.2),
                        epochs=300)  # fmt: skip
    assert history.parameters["w"][0] is w
    assert history.parameters["b"] is b
    assert (round(w.data, 6), round(b.data, 6), w.label) == (3.0, 1.0, "slope")
    mixed = optim.fit(f, {"w": [w], "b": 0.0}, (X, 3 * X + 1), optimizer=optim.SGD([w], lr=0.2),
                      epochs=300).parameters  # fmt: skip
    assert mixed["w"][0] is w
    assert round(mixed["b"], 6) == 1.0


@pytest.mark.parametrize("given", ["alone", "in a list"])
def test_a_program_is_fitted_by_a_value(given):
    g = Value(1.0, "g")
    fallen = lambda p: ((p if given == "alone" else p[0]) - 9.81) ** 2  # noqa: E731
    parameters = g if given == "alone" else [g]
    program = record(fallen, parameters)
    history = optim.fit(program, parameters, optimizer=optim.SGD(lr=0.4), epochs=60)
    assert round(g.data, 9) == 9.81
    assert flat(history.parameters)[0] is g


@pytest.mark.parametrize("recorded", [True, False])
def test_a_model_may_stand_under_a_key(recorded):
    model, scale = nn.MLP(1, [2, 1], seed=1), Value(1.0)
    f = lambda p, x, y: (p["net"]([x]) * p["scale"] - y) ** 2  # noqa: E731
    parameters = {"net": model, "scale": scale}
    before = [v.data for v in [*model.parameters(), scale]]
    g = record(f, parameters, 0.0, 0.0) if recorded else f
    gradient = mg.grad(f)({"net": model, "scale": scale.data}, X[0], X[0] ** 2)
    history = optim.fit(g, parameters, (X[:1], X[:1] ** 2), optimizer=optim.SGD(lr=0.1), epochs=1)
    assert history.parameters["net"] is model
    moved = [v.data for v in [*model.parameters(), scale]]
    slopes = [v.data for v in gradient["net"].parameters()] + [gradient["scale"]]
    assert np.allclose(moved, [x - 0.1 * s for x, s in zip(before, slopes, strict=True)])


@pytest.mark.parametrize(("make", "words"), [
    (lambda v: [v, v], "is there twice"),
    (lambda v: {"a": v * 1}, "fit moves leaves, got Value"),
])  # fmt: skip
def test_fit_refuses_what_it_cannot_move(make, words):
    with pytest.raises(ParameterError, match=words):
        optim.fit(lambda p: flat(p)[0] ** 2, make(Value(1.0)), optimizer=optim.SGD())


NESTED = {"w": [1.0, 2.0], "s": Pair(1.0, np.ones(2))}


@pytest.mark.parametrize(
    ("x", "kind", "words"),
    [
        ({"w": [1.0, 2.0]}, ShapeError, "p: the program takes a dict of 'w', 's', got one without"),
        ({**NESTED, "c": 1.0, "d": 2.0}, ShapeError, "got one with 'c', with 'd'"),
        ({"w": [1.0, 2.0], "c": 1.0}, ShapeError, "got one without 's', with 'c'"),
        ([1.0, 2.0], ShapeError, "takes a dict of 'w', 's', got list of shape (2,)"),
        (3.0, ShapeError, "takes a dict of 'w', 's', got 3.0"),
        ({**NESTED, "w": [1.0]}, ShapeError, "p['w']: the program takes a list of 2, got list of"),
        ({**NESTED, "w": [1.0, [2.0]]}, ShapeError, "p['w'][1]: the program takes one number"),
        ({**NESTED, "w": {"a": 1.0}}, ShapeError, "p['w']: the program takes a list of 2, got {"),
        ({**NESTED, "s": Pair(1.0, [1.0])}, ShapeError, "p['s'][1]: the program takes shape (2,)"),
        ({**NESTED, "w": [1.0, "2"]}, NumberError, "p['w'][1]: real numbers are needed, got str"),
        ({**NESTED, "s": Pair(1j, np.ones(2))}, NumberError, "p['s'][0]: real numbers are needed"),
        ({**NESTED, "w": [1.0, Value(2.0)]}, NumberError, "p['w'][1]: real numbers are needed"),
        ({**NESTED, "w": None}, ShapeError, "p['w']: the program takes a list of 2, got None"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_by_its_path(x, kind, words):
    program = record(lambda p: mg.total(flat(p)), NESTED)
    for call in (program, program.value_and_grad, lambda x: program.jvp((x,), (NESTED,))):
        with pytest.raises(kind) as caught:
            call(x)
        assert words in str(caught.value)


def test_an_example_that_is_no_number_is_told_by_its_path():
    for x, words in [
        ({"w": [1.0, "2"]}, r"p\['w'\]\[1\]: real numbers are needed, got str '2'"),
        ({"w": [Value(1.0), {"a": None}]}, r"p\['w'\]\[1\]\['a'\]: real numbers are needed"),
        ({"w": range(3)}, r"p\['w'\]: the program takes one number, got range of shape"),
    ]:
        with pytest.raises((NumberError, ShapeError), match=words):
            record(lambda p: 1.0, x)
    assert record(lambda p: mg.total(list(p)), range(3))(range(1, 4)) == 6.0


def test_a_result_that_is_no_number_is_told_by_its_place():
    for f, words in [
        (lambda x: {"a": x, "b": None}, r"the result\['b'\] is None, not one number"),
        (lambda x: [x, (x, "y")], r"the result\[1\]\[1\] is 'y', not one number"),
        (lambda x: np.array([[x, None]]), r"the result\[\(0, 1\)\] is None"),
        (lambda x: None, "the function returned None: does it end in return"),
    ]:
        with pytest.raises(NumberError, match=words):
            record(f, 1.0)


def test_batches_that_do_not_fit_are_told_by_their_paths():
    batched = record(lambda p: mg.total(flat(p)), NESTED).batched()
    good = {"w": np.ones((3, 2)), "s": Pair(np.ones(3), np.ones((3, 2)))}
    assert batched(good).tolist() == [5.0] * 3
    for x, words in [
        ({**good, "w": np.ones((4, 2))}, "p['w'] has 4, p['s'][0] has 3, p['s'][1] has 3 samples"),
        ({**good, "w": np.ones(3)}, "p['w']: each sample has shape (2,)"),
        ({"w": np.ones((3, 2))}, "takes a dict of 'w', 's', got one without 's'"),
        (np.ones((3, 5)), "takes a dict of 'w', 's', got ndarray of shape (3, 5)"),
    ]:
        with pytest.raises(ShapeError) as caught:
            batched(x)
        assert words in str(caught.value)
    with pytest.raises(ShapeError, match=r"p\['s'\]\[0\] has no axis 1 when it has 1"):
        record(lambda p: mg.total(flat(p)), NESTED).batched(1)
    with pytest.raises(ShapeError, match="x is a dict of nothing, without an array"):
        record(lambda x, y: y, {}, 1.0).batched()


def test_a_batch_may_have_any_axis_and_named_tuples_may_be_rows():
    program = record(lambda p: p["A"][0, 1] * p["b"].left, {"A": np.ones((1, 2)), "b": Pair(1, 2)})
    A, b = np.arange(6.0).reshape(1, 2, 3), Pair(np.arange(3.0), np.ones(3))
    rows = program.batched(-1)
    value, gradient = rows.value_and_grad({"A": A, "b": b})
    assert value.tolist() == [0.0, 4.0, 10.0]
    assert gradient["A"].shape == (1, 2, 3)
    assert gradient["A"][0, 1].tolist() == b.left.tolist()
    assert gradient["b"].left.tolist() == A[0, 1].tolist()
    pairs = record(lambda p: p.left * p.right, Pair(1.0, 1.0)).batched()
    for batch in (Pair(np.array([1, 2, 3]), np.array([4, 5, 6])), [[1, 4], [2, 5], [3, 6]],
                  [Pair(1, 4), Pair(2, 5), Pair(3, 6)]):  # fmt: skip
        assert pairs(batch).tolist() == [4.0, 10.0, 18.0]


def test_any_mapping_is_taken_and_a_dict_comes_back():
    x = OrderedDict(b=1.0, a=2.0)
    program = record(lambda p: p["a"] ** 2 * p["b"], MappingProxyType(x))
    assert program.value_and_grad(MappingProxyType(x)) == (4.0, {"b": 4.0, "a": 4.0})
    assert type(program.value_and_grad(x)[1]) is dict


def names(program):
    """The labels of the inputs."""
    return [program.tape.labels[i] for i in range(program.tape.inputs)]


def test_entries_are_named_by_their_keys():
    f = lambda *xs: mg.total([v for x in xs for v in flat(x)])  # noqa: E731
    assert names(record(f, {"w": [1.0, 2.0], "b": 3.0})) == ["w_1", "w_2", "b"]
    assert names(record(f, {"w": np.ones((1, 2))})) == ["w_{11}", "w_{12}"]
    assert names(record(f, [{"w": 1.0}, {"w": 2.0}])) == ["x_10.w", "x_11.w"]
    assert names(record(f, {"net": {"w": [1.0]}})) == ["net.w_1"]
    assert names(record(f, Pair(1.0, [2.0]))) == ["left", "right_1"]
    assert names(record(lambda a, b: f(a, b), {"w": 1.0}, {"w": 1.0})) == ["a.w", "b.w"]
    assert names(record(lambda w, b: f(w, b), {"b": 1.0}, 2.0)) == ["w.b", "b"]
    assert names(record(lambda p: f(p), {"w": Value(1.0, "mine"), "v": 1.0})) == ["mine", "v"]
    assert "dw_1 = dv_" in str(record(lambda p: f(p) ** 2, {"w": [1.0, 2.0]}).listing())


def test_the_program_of_a_graph_takes_leaves_in_any_structure():
    w, b, x = Value(2.0, "w"), Value(1.0, "b"), Value(3.0, "x")
    program = Program.of({"y": mg.tanh(w * x + b), "x": [x]}, [{"w": w, "b": [b]}, x])
    assert program({"b": [0.0], "w": 1.0}, 0.5) == {"y": math.tanh(0.5), "x": [0.5]}
    with pytest.raises(GraphError, match="leaves"):
        Program.of(w * x, [{"w": w * 1, "x": x}])
    with pytest.raises(GraphError, match="all different"):
        Program.of(w * x, [{"w": w, "x": [x, w]}])


def test_a_model_with_computed_parameters_is_no_row_of_numbers():
    model = nn.Affine(2, 1)
    program = record(lambda m, x: m(x)[0], model, np.ones(2))
    computed = model.with_parameters([v * 2 for v in model.parameters()])
    with pytest.raises(NumberError, match="results"):
        program(computed, np.ones(2))
    gradient = mg.grad(program)(model, np.array([2.0, 3.0]))
    assert [v.data for v in gradient.parameters()] == [2.0, 3.0, 1.0]


def test_a_walk_that_forgets_the_order_of_keys_is_seen(monkeypatch):
    right = Structure.write

    def careless(self, row, x, name):
        if self.kind is dict and isinstance(x, dict):
            x = dict(zip(self.keys, x.values(), strict=False))
        right(self, row, x, name)

    monkeypatch.setattr(Structure, "write", careless)
    check = given(structures(), st.randoms(use_true_random=False))(
        test_keys_may_come_in_another_order.hypothesis.inner_test
    )
    with pytest.raises((AssertionError, ShapeError)):
        QUICK(check)()


def test_a_structure_that_loses_its_kind_is_seen(monkeypatch):
    monkeypatch.setattr(Structure, "build", lambda self, parts: list(parts))
    check = given(structures())(
        test_gradients_come_in_the_structure_of_the_argument.hypothesis.inner_test
    )
    with pytest.raises(AssertionError):
        QUICK(check)()
