"""What `help`, `?`, editors and `inspect` show of an operation, its function and its method."""

import doctest
import inspect
import pkgutil
import pydoc
import subprocess
import sys

import pytest

import microgrid as mg
from microgrid.engine.functions import FUNCTIONS, NO_METHODS
from microgrid.engine.manual import MANUAL
from microgrid.engine.op import Op
from microgrid.engine.ops import PUBLIC
from microgrid.views.reference import describe


def shown(x):
    return pydoc.plain(pydoc.render_doc(x))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_entry_says_in_a_sentence_what_it_is(name):
    assert PUBLIC[name].doc.split("\n")[0].endswith((".", ":"))


@pytest.mark.parametrize("name", PUBLIC)
def test_the_manual_is_what_the_table_says(name):
    assert MANUAL[name] == describe(PUBLIC[name]) + "\n", "run python tests/shared/stubs.py"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_help_shows_the_signature_the_sentence_and_an_example(name):
    text = shown(FUNCTIONS[name])
    assert f"\n{name}(" in text
    assert (PUBLIC[name].doc if name in PUBLIC else "Σ").split("\n")[0] in text
    assert ">>> " in text


@pytest.mark.parametrize("name", PUBLIC | FUNCTIONS)
def test_the_examples_run(name):
    text = FUNCTIONS[name].__doc__ if name in FUNCTIONS else PUBLIC[name].__doc__
    session = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    assert session.examples
    assert doctest.DocTestRunner(verbose=False).run(session).failed == 0


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in NO_METHODS])
def test_a_method_has_the_documentation_of_its_function_and_a_signature_of_its_own(name):
    method, bound = getattr(mg.Value, name), getattr(mg.Value(0.5), name)
    assert inspect.isfunction(method)
    assert method.__name__ == name
    assert method.__qualname__ == f"Value.{name}"
    assert method.__doc__ == bound.__doc__ == MANUAL[name]
    first, *others = inspect.signature(method).parameters.values()
    assert first.name == "self"
    of_function = list(inspect.signature(FUNCTIONS[name]).parameters.values())
    of_function = of_function if of_function[0].kind is first.VAR_POSITIONAL else of_function[1:]
    assert [(p.name, p.default) for p in others] == [(p.name, p.default) for p in of_function]
    assert f"\n{name}(" in shown(method)


def test_methods_stand_in_the_order_of_the_table():
    names = [name for name in vars(mg.Value) if name in FUNCTIONS]
    assert names == [name for name in FUNCTIONS if name not in NO_METHODS]


def test_an_operation_has_a_name_and_a_signature_and_its_class_keeps_its_own():
    assert mg.exp.__name__ == "exp"
    assert str(inspect.signature(mg.hypot)) == "(a, b, /)"
    assert str(inspect.signature(mg.where)) == "(c, a, b, /)"
    assert inspect.isroutine(mg.exp)
    assert Op.__name__ == "Op"
    assert Op.__doc__.startswith("One operation: ")
    assert "forward" in inspect.signature(Op).parameters


def test_an_operation_in_a_class_is_no_method():
    class Layer:
        activation = mg.relu

    assert Layer().activation(2.0) == 2.0


def test_a_new_operation_is_documented_unasked():
    cube = mg.custom_op("cube", lambda x: x * x * x, lambda y, x: 3 * x * x, doc="The cube.")
    lines = [line.rstrip() for line in shown(cube).splitlines()[2:]]  # as from Python 3.13 on
    assert lines == [
        "cube(x, /)", "    The cube.", "", "    - `y = cube(x)`", "    - `∂y/∂x = 3·x²`",
    ]  # fmt: skip
    assert "∂y/∂x₁ = 1" in shown(mg.custom_op("j", sum_of, joint=lambda y, *xs: (1,) * len(xs)))


def sum_of(*xs):
    return sum(xs)


@pytest.mark.parametrize(
    ("forward", "rule"),
    [
        (lambda x: x, lambda y, x: float(x)),  # no rule for symbols
        (lambda x: 1 // 0, lambda y, x: 1),
        (lambda x: x, lambda y, x: [1.0]),
        (lambda x: x, lambda y, x: 1 // 0),
        (max, min),  # without a signature
    ],
)
def test_of_a_wrong_operation_help_says_what_it_can(forward, rule):
    assert "The operation odd." in shown(mg.custom_op("odd", forward, rule))


def test_a_derivative_of_an_operation_does_not_ask_for_its_documentation():
    calls = []
    op = mg.custom_op("told", lambda x: calls.append(x) or x, lambda y, x: 1)
    slope = mg.grad(op)
    assert calls == []
    assert "grad(told)" in slope.__doc__


def test_documentation_costs_an_import_nothing():
    script = "import sys, microgrid; print(*sorted(m for m in sys.modules if 'views' in m))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "", done.stdout + done.stderr


def test_ipython_shows_the_docstring_and_the_signature_of_an_operation():
    oinspect = pytest.importorskip("IPython.core.oinspect")
    found = oinspect.Inspector(theme_name="nocolor").info(mg.exp, "mg.exp")
    assert "(x, /)" in found["definition"]
    assert found["docstring"].startswith("The exponential function")


def test_an_editor_completes_the_public_names_and_shows_signature_and_docstring():
    jedi = pytest.importorskip("jedi")
    script = jedi.Script("import microgrid as mg\nmg.")
    found = {c.name for c in script.complete(2, 3) if not c.name.startswith("_")}
    rooms = {module.name for module in pkgutil.iter_modules(mg.__path__)}  # of any package
    assert found - rooms == {*mg.__all__} - rooms
    for call, start in (("mg.exp(", "exp(x: float, /)"), ("mg.Value(1.0).exp(", "exp() -> Value")):
        signature = jedi.Script(f"import microgrid as mg\n{call}").get_signatures()[0]
        assert signature.to_string().startswith(start)
        assert signature.docstring(raw=True).startswith("The exponential function")
