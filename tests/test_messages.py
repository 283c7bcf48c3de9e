"""What people get wrong, and what they read then: what it is, where, and what to do.

A row for each mistake of a review of the public names by ten kinds of users, 110 calls in all.
"""

import math
from pathlib import Path

import numpy as np
import pytest

import microgrid as mg
from microgrid import course, derive, errors, nn, optim, plots
from microgrid.check import check, museum

x = mg.Value(2.0, "x")
y = x * x
A = mg.matrix([[1.0, 2.0], [3.0, 4.0]], "A")
X, labels = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0, 1])
program = mg.record(lambda w, x: w * x, 1.0, 2.0)
sgd = optim.SGD(lr=0.1)
here = Path(__file__).name


def power(x, n):
    y = 1.0
    for _ in range(n):
        y = y * x
    return y


def chosen(x, i):
    return x * [1.0, 2.0, 3.0][i]


def truncated(x):
    return x * int(x)


def of_math(x):
    return math.exp(x)


def branches(x):
    return x if x > 0 else -x


def cut(x):
    return x * x.detach()


def changed_data():
    a = mg.Value(3.0, "a")
    root = a * a
    a.data = 5.0
    root.backward()


def frozen_leaf():
    w = mg.Value(1.0, "w")
    mg.record(lambda x: w * x, 1.0)


def trained_by_class_numbers():
    model = nn.Affine(2, 2)
    recorded = mg.record(lambda m, X, y: nn.cross_entropy(m(X), y), model, X, labels)
    optim.fit(recorded, model, (X, labels), optimizer=sgd)


class Empty(nn.Module):
    pass


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x


# Those that were good at once: what is done, the error, and words that its message must hold.
GOOD = {
    "Value('3')": (lambda: mg.Value("3"), errors.NumberError, "str '3'", "float("),
    "Value([1, 2])": (lambda: mg.Value([1, 2]), errors.NumberError, "length 2", "matrix("),
    "Value(x)": (lambda: mg.Value(x), errors.NumberError, "label='x'", "cut", "detach()"),
    "float(y)": (lambda: float(y), errors.GradientLostError, "4.0", "op='mul'", "v.data"),
    "math.exp(y)": (lambda: math.exp(y), errors.GradientLostError, "4.0", "v.exp()"),
    "len(y)": (lambda: len(y), errors.NumberError, "one number", "matrix("),
    "list(y)": (lambda: list(y), errors.NumberError, "one number", "matrix("),
    "log(0)": (
        lambda: mg.log(mg.Value(0.0, "p")), errors.DomainError, "log(p = 0.0)", "x > 0", "log_sig",
    ),
    "exp(1000)": (lambda: mg.exp(1000.0), errors.RangeError, "exp(1000.0)", "709.78", "softplus"),
    "1 / 0": (lambda: 1 / (x - 2), errors.DivisionError, "div(1, sub", "divisor must not be 0"),
    "(-2) ** 0.5": (
        lambda: mg.Value(-2.0, "a") ** 0.5, errors.DomainError, "a = -2.0", "negative base", "cbrt",
    ),
    "data set": (changed_data, errors.StaleError, "mul(a = 5.0, a = 5.0)", "forward pass again"),
    "affine shapes": (
        lambda: mg.affine(X, [[1.0]], [0.0]), errors.ShapeError, "(2, 2)", "(1, 1)", "columns of X",
    ),
    "ragged matrix": (lambda: mg.matrix([[1, 2], [3]]), errors.ShapeError, "ragged", "[2, 1]"),
    "hinge of 0 and 1": (
        lambda: nn.hinge([1.0, 2.0], [0, 1]), errors.TargetError, "−1 and 1, got 0", "2 * t - 1",
    ),
    "no parameters": (
        lambda: optim.SGD([], lr=0.1).step(), errors.ParameterError, "no parameters", "your model",
    ),
    "Adam(0.01)": (lambda: optim.Adam(0.01), errors.ParameterError, "first", "write lr=0.01"),
    "lr=-0.1": (lambda: optim.SGD([x], lr=-0.1), errors.ParameterError, "above 0", "got -0.1"),
    "too few arguments": (lambda: program(1.0), errors.ShapeError, "2 arguments (w, x), got 1"),
    "no arguments": (
        lambda: mg.record(mg.exp, 1.0)(), errors.ShapeError, "takes 1 argument (", "got 0",
    ),
    "sizes of a batch": (
        lambda: program.batched()([1.0, 2.0], [1.0]), errors.ShapeError, "w has 2, x has 1 sample",
    ),
    "language": (lambda: program.source("rust"), errors.GraphError, "'rust'", "numpy, jax, torch"),
    "backend": (
        lambda: mg.record(lambda x: x, 1.0, backend="cuda"), errors.GraphError,
        "'cuda'", "numba, numpy or auto",
    ),
    "a leaf in a program": (
        frozen_leaf, errors.FrozenError, "w = 1.0", "frozen", "pass it as an argument",
    ),
    "if in record": (
        lambda: mg.record(branches, 1.0), errors.BranchError, "branches", here,
        "return x if x > 0 else -x", "where(x > 0, a, b)",
    ),
    "save('m.pt')": (
        lambda: nn.Affine(2, 2).save("m.pt"), errors.MicrogridError, "m.pt", ".json or .npz",
    ),
    "divergence": (
        lambda: optim.fit(lambda w: w**4, 5.0, optimizer=optim.SGD(lr=1e5)), errors.DivergedError,
        "step", "loss inf", "smaller learning rate", "first_nonfinite",
    ),
    "worksheet": (
        lambda: course.worksheet(1, kind="fork"), errors.ExerciseError, "'fork'", "forks, routers",
    ),
    "exercise": (lambda: course.exercise(11), errors.ExerciseError, "1 to 10, ", "not 11"),
    "a property": (
        lambda: check(mg.Value, only=["re-use"]), errors.EngineError, "'re-use'", "reuse",
    ),
}  # fmt: skip

MENDED = {
    "range(n) in record": (
        lambda: mg.record(power, 2.0, 3), errors.BranchError,
        "n decides how often the loop of power", "bind it: record(lambda x: power(x, 3), x)",
    ),
    "range(n) in gradcheck": (
        lambda: mg.gradcheck(power, 2.0, 3), errors.GradientLostError, "Value(3)", "argnums=0",
    ),
    "xs[i] in record": (
        lambda: mg.record(chosen, 2.0, 1), errors.BranchError,
        "chosen", "record(lambda x: chosen(x, 1), x)",
    ),
    "int(x) in record": (
        lambda: mg.record(truncated, 2.0), errors.BranchError, "x", "truncated", "one length",
    ),
    "math.exp in record": (
        lambda: mg.record(of_math, 2.0), errors.BranchError, "return math.exp(x)", "mg.exp",
    ),
    "detach in record": (
        lambda: mg.record(cut, 2.0), errors.BranchError, "x * x.detach()", "mg.stop_gradient(x)",
    ),
    "a text in a dict": (
        lambda: mg.grad(lambda p: p["w"])({"w": "3"}), errors.NumberError, "str '3'", "float(",
    ),
    "grads of numbers": (
        lambda: mg.grads(np.array([3.0, 2.0])), errors.NumberError, "3.0 has no gr", "matrix(",
    ),
    "step() after a program": (
        lambda: optim.SGD(nn.Affine(2, 2), lr=0.1).step(), errors.ParameterError,
        "no parameter has a gradient", "step(gradient)",
    ),
    "a rule of the upstream": (
        lambda: mg.custom_op("sq", lambda x: x * x, lambda g, x: g * 2 * x), errors.RuleError,
        "'sq'", "(y, *xs)", "without upstream", "'g' would be the value y",
    ),
    "a rule of x alone": (
        lambda: mg.custom_op("sq", lambda x: x * x, lambda x: 2 * x), errors.RuleError, "(y, *xs)",
    ),
    "a rule too few": (
        lambda: mg.custom_op("by", lambda a, b: a * b, lambda y, a, b: b), errors.RuleError,
        "one rule for each operand", "got 1",
    ),
    "class numbers in a program": (
        trained_by_class_numbers, errors.TargetError, "number of a class", "nn.one_hot",
    ),
    "grad(f, (0, 1))": (
        lambda: mg.grad(mg.exp, (0, 1))(2.0), errors.ArgumentError, "argnums=(0, 1)", "1 argument",
    ),
    "grad(f, argnum=3)": (
        lambda: mg.grad(mg.exp, argnum=3)(2.0), errors.ArgumentError, "argnums=3", "1 argument",
    ),
    "grad(f, 'x')": (
        lambda: mg.grad(mg.exp, "x"), errors.ArgumentError, "int or a tuple of ints", "'x'",
    ),
    "grad(f)()": (lambda: mg.grad(mg.exp)(), errors.ArgumentError, "given 0 arguments"),
    "program.value_and_grad(argnums=2)": (
        lambda: program.value_and_grad(1.0, 2.0, argnums=2), errors.MicrogridError, "2",
    ),
    **{
        f"{name}(y)": (
            lambda take=take: take(y), errors.NumberError,
            f"{name} takes a function, got Value(4.0, op='mul')", "gradients(y, [x])",
        )
        for name, take in {
            "grad": lambda y: mg.grad(y)(2.0),
            "hessian": mg.hessian,
            "gradcheck": lambda y: mg.gradcheck(y, 2.0),
            "vjp": lambda y: mg.vjp(y, 2.0),
            "jvp": lambda y: mg.jvp(y, (2.0,), (1.0,)),
            "record": lambda y: mg.record(y, 2.0),
            "fit": lambda y: optim.fit(y, x, optimizer=sgd),
        }.items()
    },
    **{
        f"{name} of what returns None": (
            lambda take=take: take(lambda x: None), errors.NumberError,
            "the function returned None: does it end in return?",
        )
        for name, take in {
            "grad": lambda f: mg.grad(f)(2.0),
            "jacobian": lambda f: mg.jacobian(f)(2.0),
            "gradcheck": lambda f: mg.gradcheck(f, 2.0),
            "vjp": lambda f: mg.vjp(f, 2.0),
            "record": lambda f: mg.record(f, 2.0),
            "fit": lambda f: optim.fit(f, 2.0, optimizer=sgd),
        }.items()
    },
    "vmap(y)": (
        lambda: mg.vmap(y), errors.NumberError, "function of one sample, got Value(4.0, op='mul')",
    ),
    "vmap(f)(x, k=3)": (
        lambda: mg.vmap(mg.exp)([1.0], k=3), errors.UnknownKeywordError, "lambda x: f(x, k=3)",
    ),
    "vmap(out_axes=)": (
        lambda: mg.vmap(mg.exp, out_axes=0), errors.UnknownKeywordError, "first axis; np.moveaxis",
    ),
    "grad of a list": (
        lambda: mg.grad(lambda x: [x, x])(2.0), errors.GraphError, "list", "jacobian and vjp",
    ),
    "clip(lo=)": (
        lambda: mg.clip(x, lo=0), errors.UnknownKeywordError, "'lo'", "did you mean 'low'?",
    ),
    "clip(a_min=)": (
        lambda: mg.clip(x, a_min=0), errors.UnknownKeywordError, "'a_min'", "takes x, low, high",
    ),
    "softmax(axis=)": (
        lambda: mg.softmax(A, axis=1), errors.UnknownKeywordError, "'axis'", "nn.Softmax()(A)",
    ),
    "softmax(A)": (lambda: mg.softmax(A), errors.ShapeError, "one row", "nn.Softmax()(A)"),
    "total(A)": (lambda: mg.total(A), errors.ShapeError, "one row", "A.sum(axis=0)"),
    "mean(A)": (lambda: mg.mean(A), errors.ShapeError, "one row", "A.mean(axis=0)"),
    "maximum(A)": (lambda: mg.maximum(A), errors.ShapeError, "one row", "A.max(axis=0)"),
    "dot(A, A)": (lambda: mg.dot(A, A), errors.ShapeError, "one row", "A @ B"),
    "cross_entropy(A)": (
        lambda: mg.cross_entropy(A, 1), errors.ShapeError, "one row", "nn.cross_entropy(",
    ),
    "mg.sum": (lambda: mg.sum(A), errors.UnknownNameError, "'sum'", "mg.total(xs)", "A.sum()"),
    "mg.sigmod": (lambda: mg.sigmod(1.0), errors.UnknownNameError, "did you mean 'sigmoid'?"),
    "y.backwards()": (lambda: y.backwards(), errors.UnknownNameError, "write v.backward()"),
    "nn.Linear": (lambda: nn.Linear(3, 2), errors.UnknownNameError, "nn.Affine(inputs, outputs)"),
    "backward(retain_graph=)": (
        lambda: y.backward(retain_graph=True), errors.UnknownKeywordError, "every graph stays",
    ),
    "value_and_grad(argnumbers=)": (
        lambda: program.value_and_grad(1.0, 2.0, argnumbers=0), errors.UnknownKeywordError,
        "'argnumbers'", "did you mean 'argnums'?",
    ),
    "value_and_grad(has_aux=)": (
        lambda: mg.value_and_grad(mg.exp, has_aux=True), errors.UnknownKeywordError, "f(*xs)[0]",
    ),
    "Affine(3, 2, 0)": (
        lambda: nn.Affine(3, 2, 0), errors.ParameterError, "initialisation 0", "he", "seed=0",
    ),
    "Sequential([layer])": (
        lambda: nn.Sequential([nn.Affine(2, 3)]), errors.ParameterError,
        "one by one", "layer 0 is [Affine(2, 3)]",
    ),
    "Sequential(ReLU)": (
        lambda: nn.Sequential(nn.ReLU), errors.ParameterError, "0 is the class ReLU", "ReLU()",
    ),
    "a module of nothing": (
        lambda: Empty()(2.0), errors.ParameterError, "Empty has no forward", "def forward(self, x)",
    ),
    "lr='0.1'": (lambda: optim.SGD([x], lr="0.1"), errors.ParameterError, "got '0.1'"),
    "decimals=-1": (lambda: mg.draw(y, decimals=-1), errors.ParameterError, "decimals", "got -1"),
    "digits=-1": (lambda: mg.draw(y, digits=-1), errors.ParameterError, "decimals", "got -1"),
    "groups of parameters": (
        lambda: optim.SGD([{"params": [x]}], lr=0.1), errors.ParameterError, "not groups", "each",
    ),
    "museum.broken('zzz')": (
        lambda: museum.broken("zzz"), errors.UnknownKeyError, "'zzz'", "there are overwrites, ",
    ),
    "museum.broken('overwrite')": (
        lambda: museum.broken("overwrite"), errors.UnknownKeyError, "there are overwrites, ",
    ),
    "museum.engine('swaped')": (
        lambda: museum.engine("swaped"), errors.UnknownKeyError, "there are swapped, ",
    ),
    "np.array(A, float)": (
        lambda: np.array(A, float), errors.GradientLostError, "A_{11}", "values(A)",
    ),
    "derive.affine(dx=)": (
        lambda: derive.affine(dx="dY @ W"), errors.UnknownKeywordError, "did you mean 'dX'?",
    ),
    **{
        f"{name}(A)": (
            lambda read=read: read(A), errors.NumberError,
            "a graph starts at a Value, got ValueArray of shape (2, 2)", "one of its entries, or",
            "A.sum()",
        )
        for name, read in {
            "draw": mg.draw, "steps": mg.steps, "explain": mg.explain, "latex": mg.latex,
            "gradients": lambda A: mg.gradients(A, [x]),
        }.items()
    },
    "explain(f)": (
        lambda: mg.explain(branches), errors.NumberError, "function branches", "f(Value(2.0))",
    ),
    "draw(program)": (
        lambda: mg.draw(program), errors.NumberError, "Program of w (1)", "program.listing(*inp",
    ),
    "draw(model)": (
        lambda: mg.draw(nn.Affine(2, 3)), errors.NumberError, "got Affine(2, 3): call the model",
    ),
    "draw([y])": (lambda: mg.draw([y]), errors.NumberError, "list of length 1", "entries"),
    "draw({})": (lambda: mg.draw({}), errors.NumberError, "dict of length 0", "entries"),
    "draw(2.0)": (lambda: mg.draw(2.0), errors.NumberError, "got float 2.0: Value(2.0)"),
    "draw(None)": (lambda: mg.draw(None), errors.NumberError, "None", "end in return?"),
    "draw('x')": (lambda: mg.draw("x"), errors.NumberError, "got str"),
    "cross_entropy(logits, 2)": (
        lambda: mg.cross_entropy([1.0, 2.0], 2), errors.TargetError, "target 2", "2 logits: 0 to 1",
    ),
    "fit(shuffle=)": (
        lambda: optim.fit(mg.square, 1.0, optimizer=sgd, shuffle=True), errors.UnknownKeywordError,
        "'shuffle'", "batch_size",
    ),
    "fit(optimizer='adam')": (
        lambda: optim.fit(mg.square, 1.0, optimizer="adam"), errors.ParameterError, "'adam'", "lr",
    ),
    "load_state": (
        lambda: nn.Affine(2, 2).load_state({"a": 1.0}), errors.ParameterError, "w, b: there are a",
    ),
    "load_state of nothing": (
        lambda: optim.Adam([x]).load_state({}), errors.ParameterError, "first, second: there is n",
    ),
    "step(f)": (
        lambda: optim.Adam([x, y.detach()]).step(power), errors.ShapeError,
        "the gradient is power", "one row",
    ),
    "exp of a dict": (lambda: mg.exp({"a": x}), errors.NumberError, "dict", "tree_map(f, x)"),
    "exp of a list of Values": (lambda: mg.exp([x, 1.0]), errors.NumberError, "np.array(x) makes"),
    "tangents(y, [x])": (
        lambda: mg.tangents(y, [x]), errors.ParameterError, "nodes with their tangents", "{x: 1}",
    ),
    "tangents(y, x)": (lambda: mg.tangents(y, x), errors.ParameterError, "{x: 1}", "label='x'"),
    "a text as a tangent": (
        lambda: mg.tangents(y, {x: "1"}), errors.NumberError, "the tangent of x = 2.0 is", "float(",
    ),
    "gradients by numbers": (
        lambda: mg.gradients(y, [2.0]), errors.NumberError, "got 2.0", "x = Value(2.0)",
    ),
    "tree_map of other forms": (
        lambda: mg.tree_map(max, {"w": 1.0}, {"b": 1.0}), errors.ShapeError,
        "stands beside", "a dict of 'b' beside a dict of 'w'",
    ),
    "a text returned": (
        lambda: mg.grad(lambda x: "a")(1.0), errors.NumberError, "the function returns one real n",
    ),
    "grad(f)(x=1.0)": (
        lambda: mg.grad(mg.exp)(x=1.0), errors.ArgumentError, "0 arguments", "by position",
    ),
    "record(f, x, n=3)": (
        lambda: mg.record(power, 2.0, n=3), errors.UnknownKeywordError, "record(lambda x: f(x, n=3",
    ),
    "and in record": (
        lambda: mg.record(lambda x: mg.where(x > 0 and x < 1, x, 0), 1.0), errors.BranchError,
        "& for and", "where((x > 0) & (x < 1), a, b)",
    ),
    "a chain in record": (
        lambda: mg.record(lambda x: mg.where(0 < x < 1, x, 0), 1.0), errors.BranchError,
        "where((x > 0) & (x < 1), a, b)",
    ),
    "listing(seeds=)": (
        lambda: program.listing(1.0, 2.0, mode="forward", seeds={}), errors.UnknownKeywordError,
        "write tangents=(1.0, 0.0)",
    ),
    "worksheet.mark": (
        lambda: course.worksheet(7).mark({}), errors.UnknownNameError, "sheet.check(answers)",
    ),
    "functions(sin, cos)": (
        lambda: plots.functions(mg.sin, mg.cos), errors.ParameterError, "by name", "got sin",
    ),
    "check(f)": (lambda: check(power), errors.EngineError, "class is checked, not power"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", [*GOOD, *MENDED])
def test_a_mistake_is_told_with_what_it_is_where_and_what_to_do(mistake):
    call, kind, *words = (GOOD | MENDED)[mistake]
    with pytest.raises(mg.MicrogridError) as caught:
        call()
    assert isinstance(caught.value, kind)
    said = str(caught.value)
    assert [word for word in words if word not in said] == [], said
    assert " at 0x" not in said
    assert len(said) < 500


# Python's or NumPy's own words, where none of ours can stand: no code of ours runs, or it would
# slow down every node.
THEIRS = {
    "y[0]": (lambda: y[0], TypeError, "not subscriptable"),
    "(A * A).backward()": (lambda: (A * A).backward(), AttributeError, "'backward'"),
    "A @ B": (lambda: A @ mg.matrix([[1.0, 2.0]]), ValueError, "mismatch"),
    "exp(x, out=A)": (lambda: mg.exp(x, out=A), TypeError, "'out'"),
    "Value(1, name='x')": (lambda: mg.Value(1, name="x"), TypeError, "'name'"),
    "y.grad()": (lambda: y.grad(), TypeError, "not callable"),
    "np.linalg.svd(A)": (lambda: np.linalg.svd(A), TypeError, "svd"),
    "fit without an optimizer": (lambda: optim.fit(mg.square, 1.0), TypeError, "'optimizer'"),
}


@pytest.mark.parametrize("mistake", THEIRS)
def test_a_mistake_that_is_no_business_of_ours_raises_at_least(mistake):
    call, kind, word = THEIRS[mistake]
    with pytest.raises(kind, match=word):
        call()


# What was refused, or silently wrong, and is now what was meant.
WORKS = {
    "where(x > 0, …) in record": (
        lambda: mg.record(lambda x: mg.where(x > 0, x, 0.1 * x), 1.0)(-2.0), -0.2,
    ),
    "a Huber loss in record": (
        lambda: mg.record(lambda r: mg.where(abs(r) <= 1, r * r / 2, abs(r) - 0.5), 1.0)(-3.0), 2.5,
    ),
    "the loop bound": (lambda: mg.record(lambda x: power(x, 3), 2.0)(2.0), 8.0),
    "gradcheck(argnums=0)": (lambda: mg.gradcheck(power, 2.0, 3, argnums=0).ok, True),
    "grad of a dict": (lambda: mg.grad(lambda p: p["w"] ** 2)({"w": 3.0}), {"w": 6.0}),
    "record of a dict": (lambda: mg.record(lambda p: p["w"] ** 2, {"w": 1.0})({"w": 3.0}), 9.0),
    "fit of a dict": (
        lambda: optim.fit(lambda p: p["w"] ** 2, {"w": 1.0}, optimizer=optim.SGD(lr=0.25), epochs=1)
        .parameters, {"w": 0.5},
    ),
    "values of a dict": (lambda: mg.values({"x": x, "rows": [y]}), {"x": 2.0, "rows": [4.0]}),
    "grads of a dict": (lambda: mg.grads([{"x": mg.Value(1.0)}]), [{"x": 0.0}]),
    "tree_map of two dicts": (
        lambda: mg.tree_map(max, {"w": 3.0, "b": [1.0]}, {"b": (2.0,), "w": 2.0}),
        {"w": 3.0, "b": [2.0]},
    ),
    "tree_map of two arrays": (
        lambda: mg.tree_map(lambda a, b: a + b, np.ones(2), [1, 2]).dtype == float, True,
    ),
    "batches of X alone": (
        lambda: [len(batch) for batch in nn.batches(X, batch_size=1)], [1, 1],
    ),
    "x == 2.0": (lambda: (x == 2.0, x != 2.0), (True, False)),
    "hessian(f)(w, b)": (lambda: mg.hessian(lambda w, b: w * w * b)(1.0, 2.0).tolist(), [[4.0]]),
    "keywords of f": (lambda: mg.grad(lambda x, scale: scale * x)(2.0, scale=3.0), 3.0),
    "clip(low=, high=)": (lambda: mg.clip(x, low=0, high=1).data, 1),
    "x.clip(min=)": (lambda: x.clip(min=3).data, 3),
    "value_and_grad(argnum=)": (lambda: program.value_and_grad(2.0, 3.0, argnum=0), (6.0, 3.0)),
    "y.item()": (lambda: y.item(), 4.0),
    "mg.check": (lambda: mg.check.check is check, True),
    "matrix(name=)": (lambda: mg.matrix([1.0], name="b")[0].label, "b_1"),
    "A.astype(float)": (lambda: A.astype(float)[0, 0] is A[0, 0], True),
    "np.allclose(A, A)": (lambda: np.allclose(A, A), True),
    "np.std(A)": (lambda: round(np.std(A).data, 12), round(math.sqrt(1.25), 12)),
    "a module with forward": (lambda: Doubled()(2.0), 4.0),
    "two layers": (
        lambda: np.any(mg.values(nn.Affine(3, 3).w) == mg.values(nn.Affine(3, 3).w)), False,
    ),
    "class numbers in fit": (
        lambda: optim.fit(
            lambda m, X, y: nn.cross_entropy(m(X), y), nn.Affine(2, 2), (X, labels), optimizer=sgd,
            epochs=1,
        ).stopped, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("call", WORKS)
def test_what_was_refused_is_what_was_meant(call):
    f, expected = WORKS[call]
    assert f() == expected


def test_a_picture_is_saved_as_its_suffix_says(tmp_path):
    path = mg.draw(y).save(tmp_path / "circuit.svg")
    assert "<svg" in path.read_text(encoding="utf-8")
    with pytest.raises(mg.MicrogridError, match=r"a.jpg: it is saved as .svg"):
        mg.draw(y).save(tmp_path / "a.jpg")


def test_the_first_number_that_is_not_finite_is_found_in_whatever_holds_it():
    """In a node, an array, a dict; in what a function or a program makes of arguments."""
    huge = mg.Value(1e200, "h")
    square = mg.square(huge)
    assert mg.first_nonfinite(square).node is square
    for held in ([x, square], np.array([[y, square]]), {"a": square}, (x, [square])):
        assert mg.first_nonfinite(held).node is square
    assert mg.first_nonfinite(A) is mg.first_nonfinite(nn.Affine(2, 2)) is None
    for f in (lambda a, b: a * a * b, mg.record(lambda a, b: a * a * b, 1.0, 1.0)):
        found = mg.first_nonfinite(f, 1e200, 2.0)
        assert str(found) == "the value of mul(1e+200, 1e+200) is inf"
        assert mg.first_nonfinite(f, 1.0, 2.0) is None
    root = mg.record(lambda a, b: [a + b, (a * b).sqrt()], 1.0, 1.0)
    assert "sends back the gradient inf: upstream 1 × local inf" in str(
        mg.first_nonfinite(root, 0.0, 2.0)
    )
    model = nn.Affine(1, 1, "zeros")
    assert mg.first_nonfinite(lambda m, x: m(x)[0].sqrt(), model, [1.0]).what == "gradient"
    for nothing in (2.0, [2.0], [], None):
        with pytest.raises(errors.NumberError, match="a graph starts at a Value"):
            mg.first_nonfinite(nothing)
