"""One word for one thing: parameters have the same names wherever they mean the same."""

import importlib
import inspect
from functools import partial
from itertools import product

import pytest

import microgrid as mg
from microgrid import plots
from microgrid.check import check, museum, strategies
from microgrid.cli.commands import main
from microgrid.course import Exercise
from microgrid.engine.errors import MicrogridError, ParameterError
from microgrid.views.files import LayoutError

ROOMS = (
    "microgrid", "microgrid.nn", "microgrid.optim", "microgrid.plots", "microgrid.program",
    "microgrid.matrices.derive", "microgrid.matrices.examples", "microgrid.matrices.formulas",
    "microgrid.check", "microgrid.check.museum", "microgrid.check.strategies", "microgrid.course",
)  # fmt: skip
FORMER = {
    "engine": "layout= of a picture, backend= of a program",
    "most": "max_paths, max_nodes, max_steps",
    "least": "low, smallest",
    "digits": "decimals",
    "argnum": "argnums",
    "examples": "draws= of a check",
    "points": "resolution= of a plot",
}
MEANT = {"Report.gradescope", "LayerReport.gradescope", "Diagnosis"}  # points of a grade, an engine


def parameters():
    """Each parameter of a public function, class or method, and where it stands."""
    for room in map(importlib.import_module, ROOMS):
        own = [k for k, x in vars(room).items() if getattr(x, "__module__", "") == room.__name__]
        for name in getattr(room, "__all__", own):
            thing = getattr(room, name)
            inside = vars(thing) if inspect.isclass(thing) else {}
            methods = [(f"{name}.{k}", getattr(thing, k)) for k in inside if not k.startswith("_")]
            for where, f in [(name, thing), *methods]:
                ours = callable(f) and str(getattr(f, "__module__", "")).startswith("microgrid")
                if ours and not (inspect.isclass(f) and issubclass(f, Exception | str)):
                    yield from [(where, p) for p in inspect.signature(f).parameters.values()]


def test_no_public_parameter_has_a_former_name():
    found = {
        f"{where}({p.name}): {FORMER[p.name]}"
        for where, p in parameters()
        if p.name in FORMER and p.kind is not p.VAR_POSITIONAL and where not in MEANT
    }
    assert not found


def test_the_search_sees_what_it_looks_for():
    seen = {(where, p.name) for where, p in parameters()}
    assert {("draw", "decimals"), ("record", "backend"), ("Program.of", "backend")} <= seen
    assert len(seen) > 200


x = mg.Value(3.0, "x")
OLD_AND_NEW = {
    "draw": (lambda **k: mg.draw(x * x / 7, **k).source, {"digits": 4}, {"decimals": 4}),
    "steps": (lambda **k: mg.steps(x * x, **k).frames[-1].text, {"digits": 4}, {"decimals": 4}),
    "explain": (lambda **k: str(mg.explain(x * x, x, **k)), {"most": 1}, {"max_paths": 1}),
    "latex": (lambda **k: mg.latex(x * x * x, **k), {"most": 1}, {"max_nodes": 1}),
    "record": (lambda **k: mg.record(mg.sin, 1.0, **k).engine, {"engine": "numpy"},
               {"backend": "numpy"}),
    "Program.of": (lambda **k: mg.Program.of(x * x, [x], **k).backend, {"engine": "numpy"},
                   {"backend": "numpy"}),
    "matrix": (lambda **k: mg.matrix([1.0], **k)[0].label, {"name": "w"}, {"label": "w"}),
    "functions": (lambda **k: len(plots.functions({"f": mg.sin}, **k).figure.axes[0].lines[0]
                                  .get_xdata()), {"points": 5}, {"resolution": 5}),
    "check": (lambda **k: check(museum.Value, only=["reuse"], **k).options, {"examples": 1},
              {"draws": 1}),
    "numbers": (lambda **k: repr(strategies.numbers(**k)), {"least": 1, "most": 2},
                {"low": 1, "high": 2}),
    "Exercise": (lambda **k: Exercise("?", 1.0, **k).decimals, {"digits": 3}, {"decimals": 3}),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD_AND_NEW)
def test_an_older_name_does_what_the_new_one_does(name):
    f, old, new = OLD_AND_NEW[name]
    assert f(**old) == f(**new)
    with pytest.raises(TypeError, match="twice"):
        f(**old, **new)


draw, steps = partial(mg.draw, x * x), partial(mg.steps, x * x)
SILLY = {
    (draw, steps): {"decimals": (-1, 2.5, "2", True, None), "layout": ("neat-o", 3, ""),
                    "prefix": (3, "a b", "é")},
    (draw,): {"max_gates": (-1, "all")},
    (partial(mg.explain, x * x, x),): {"max_paths": (-1, "all")},
    (partial(mg.latex, x),): {"max_nodes": (-1, "all")},
    (partial(plots.functions, {}),): {"resolution": (1, "fine")},
}  # fmt: skip


def test_a_silly_value_is_told_at_the_call():
    for functions, settings in SILLY.items():
        for f, (name, values) in product(functions, settings.items()):
            for value in values:
                with pytest.raises(MicrogridError, match=rf"\b{name}\b|no layout program"):
                    f(**{name: value})


def test_a_layout_program_that_is_not_there_is_told_before_the_picture_is_shown():
    with pytest.raises(LayoutError, match="no layout program \\(neat-o\\)"):
        mg.draw(x, layout="neat-o")


def test_the_museum_names_its_mistakes_where_it_does_not_know_one():
    with pytest.raises(KeyError, match=r"museum has no 'overwrite': there are overwrites, .*, …$"):
        museum.broken("overwrite")
    for op in ("", "adding"):
        with pytest.raises(ParameterError, match=r"overwrites needs the operation .* add, "):
            museum.broken("overwrites", op)
    assert museum.engine is museum.broken


def test_the_command_line_takes_the_same_words_and_the_older_ones(tmp_path):
    written = []
    for i, options in enumerate((["--decimals", "4"], ["--digits", "4"], [])):
        path = tmp_path / f"{i}.dot"
        assert main(["draw", "1/x", "x=3", "-o", str(path), *options]) == 0
        written.append(path.read_text(encoding="utf-8"))
    assert written[0] == written[1] != written[2]
    for option in ("--layout", "--engine"):
        assert main(["steps", "1/x", "x=3", "-o", str(tmp_path / "f.html"), option, "neat-o"]) == 2
    assert main(["draw", "1/x", "x=3", "-o", str(tmp_path / "f.dot"), "--decimals", "-1"]) == 2
