"""What a type checker knows of user code: slips are found, results have a type."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from shared.stubs import stubs

import microgrid
from microgrid import check

USER = """
from fractions import Fraction
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import microgrid as mg
from microgrid.check.gradient_check import GradientReport
from microgrid.program import Batched
from microgrid.views.explanation import Explanation, ForwardExplanation, Paths
from microgrid.views.formula import Formula
from microgrid.views.picture import Picture
from microgrid.views.stepper import Steps

x, A = mg.Value(2.0, "x"), mg.matrix([[1.0, 2.0]])
assert_type(x * x, mg.Value)
assert_type(2 * x - x / 3 + (-x) ** Fraction(1, 2), mg.Value)
assert_type(abs(x) + np.float64(2.0), mg.Value)
assert_type(x * A, NDArray[Any])
assert_type(x < 3, bool)
assert_type(x == 3, bool)
assert_type(mg.exp(x), mg.Value)
assert_type(x.sigmoid().clip(0, 1), mg.Value)
assert_type(x.hypot(2), mg.Value)
assert_type(mg.exp(2.0), float)
assert_type(mg.hypot(2, x), mg.Value)
assert_type(mg.where(x > 1, x, 0.0), mg.Value)
assert_type(mg.leaky_relu(x), mg.Value)
assert_type(mg.maximum(x, 2, 3), mg.Value)
assert_type(mg.maximum([x, x]), mg.Value)
assert_type(mg.maximum(1.0, 2.0), float)
assert_type(mg.total([x, 1]), mg.Value)
assert_type(mg.total([1.0, 2.0]), float)
assert_type(mg.mean([x]), mg.Value)
assert_type(mg.softmax([x, 2.0]), list[mg.Value])
assert_type(mg.dot([x], [2.0]), mg.Value)
assert_type(mg.exp.hint, str)


def product(x: Any, y: Any) -> Any:
    return x * y

def rows(x: Any) -> Any:
    return [x[0] * x[1], x[0]]

assert_type(mg.gradients(x * x), dict[mg.Value, Any])
assert_type(mg.tangents(x * x, {x: 1}), dict[mg.Value, Any])
assert_type(mg.value_and_grad(product, argnums=(0, 1))(2.0, 3.0), tuple[Any, Any])
assert_type(mg.jacobian(rows)([2.0, 3.0]), NDArray[Any])
assert_type(mg.jacobian(product, (0, 1), mode="forward")(2.0, 3.0), tuple[NDArray[Any], ...])
assert_type(mg.hessian(rows)([2.0, 3.0]), NDArray[Any])
assert_type(mg.jvp(product, (2.0, 3.0), (1.0, 0.0)), tuple[Any, Any])
assert_type(mg.vjp(product, 2.0, 3.0)[1](1.0), tuple[Any, ...])
assert_type(mg.partials([x * x], [x], mode="forward"), NDArray[Any])
assert_type(mg.gradcheck(product, 2.0, 3.0), GradientReport)
assert_type(mg.explain(x * x), Explanation)
assert_type(mg.explain(x * x, of=x), Paths)
assert_type(mg.explain(x * x, mode="forward", seeds={x: 1}), ForwardExplanation)
assert_type(mg.draw(x * x), Picture)
assert_type(mg.steps(x * x), Steps)
assert_type(mg.latex(x * x), Formula)
program = mg.record(product, 2.0, 3.0)
assert_type(program, mg.Program)
assert_type(program.value_and_grad(2.0, 3.0), tuple[Any, Any])
assert_type(program.batched(in_axes=(0, None)), Batched)
assert_type(program.gradient((0, 1)), mg.Program)
assert_type(program.source("python"), str)
assert_type(mg.values(A), NDArray[np.float64])
assert_type(mg.grads(A), NDArray[np.float64])
model = mg.nn.MLP(2, [4, 1])
optimizer = mg.optim.Adam(model, lr=0.01)
optimizer.step(mg.grad(lambda m: m([1.0, 2.0]) ** 2)(model))
optimizer.step()
assert_type(optimizer.state(), dict[str, NDArray[Any]])
assert_type(mg.explain(x * x, mode="forward"), mg.results.ForwardExplanation)
assert_type(mg.draw(x * x).save("graph.dot"), Path)
assert_type(mg.steps(x * x).save("steps.html"), Path)
assert_type(model.save("model.npz"), Path)
assert_type(program.jvp((2.0, 3.0), (1.0, 0.0)), tuple[Any, Any])
assert_type(program.vjp(2.0, 3.0)[1](1.0), tuple[Any, ...])
assert_type(program.jacobian(), mg.Program)
assert_type(mg.check.check(mg.Value), mg.results.Report)
mg.grad(lambda p: p["w"] * p["b"])({"w": 2.0, "b": 1.0})["w"]
derivative: float = mg.grad(mg.exp)(2.0)
mg.grad(product, argnums="x")  # wrong: a number, or several
mg.jacobian(rows, mode=1)  # wrong: text
mg.jvp(product, 2.0, 1.0)  # wrong: a tuple of arguments
mg.tangents(x * x, x)  # wrong: a dict
mg.gradients([x])  # wrong: one root
program.gradients()  # wrong: gradient
optimizer.steps()  # wrong: step
mg.exp(A).sum()
mg.hypot(A, x).sum()
(x * A).sum()
mg.sigmod(x)  # wrong: sigmoid
x.sigmod()  # wrong: sigmoid
x.sigmoid(2)  # wrong: one operand
mg.hypot(x)  # wrong: two operands
mg.exp([1, 2])  # wrong: a list is no array
mg.Value("3")  # wrong: text
x * "3"  # wrong: text
x + [1.0]  # wrong: a list
float(x)  # wrong: the gradient would be lost
x // 2  # wrong: so would this
len(x)  # wrong: one number
for y in x:  # wrong: one number
    pass
mg.errors.ShapeErorr  # wrong: ShapeError
mg.nn.Affin  # wrong: Affine
mg.optim.Adan  # wrong: Adam
mg.results.Pictur  # wrong: Picture
mg.check.chekc  # wrong: check
total: float = mg.total([x])  # wrong: a Value is no float
"""


def test_the_stubs_are_those_of_the_table():
    for path, text in stubs().items():
        assert path.read_text(encoding="utf-8") == text, "run python tests/shared/stubs.py"


def test_a_users_slips_are_found_by_the_type_checker(tmp_path):
    pytest.importorskip("mypy")
    file = tmp_path / "user.py"
    file.write_text(USER, encoding="utf-8")
    root = Path(microgrid.__file__).parents[1]
    installed = root.name == "site-packages"  # else mypy has read the package there before
    command = [sys.executable, "-m", "mypy", "--strict", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, env={},
                          cwd=tmp_path if installed else root)  # fmt: skip
    found = {int(n) for n in re.findall(r"\buser\.py:(\d+): error", done.stdout)}
    wrong = {n for n, line in enumerate(USER.splitlines(), 1) if "# wrong" in line}
    assert found == wrong, done.stdout + done.stderr


def test_every_public_function_has_a_type():
    text = (Path(microgrid.__file__).parent / "__init__.pyi").read_text(encoding="utf-8")
    for name in microgrid.__all__:
        assert re.search(rf"^(def {name}\(|{name}: |from \S+ import {name} as)", text, re.MULTILINE)
    assert set(dir(microgrid)) >= {*microgrid.__all__, "__version__", "errors"}


def test_what_is_imported_later_is_listed_and_its_slips_name_the_module():
    for module in (microgrid, microgrid.errors, microgrid.results, check):
        assert set(dir(module)) >= set(module.__all__)
        with pytest.raises(AttributeError, match=rf"module '{module.__name__}' has no .* 'slip'"):
            module.slip  # noqa: B018
