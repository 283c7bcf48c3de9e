"""Engines as people keep them: scripts that train, notebooks, parts of packages, any class."""

import ast
import json
import signal
import sys
import time

import pytest

from microgrid.check import EngineError, check
from microgrid.check.engine import Engine, parse
from microgrid.check.loading import clock
from microgrid.check.loading.clock import TooLongError, limit
from microgrid.check.loading.definitions import definitions
from microgrid.check.loading.engines import load_engine
from microgrid.check.loading.errors import LoadError

PLUS = "    def __add__(self, other): return {name}(self.data + other.data)\n"
ENGINE = (
    "class {name}:\n"
    "    def __init__(self, data): self.data, self.grad = data, 0.0\n"
    f"{PLUS}    def __mul__(self, other): return {{name}}(self.data * other.data)\n"
    "    def backward(self): self.grad = 1.0\n"
)
VALUE, NODE = ENGINE.format(name="Value"), ENGINE.format(name="Node")
SCALED = VALUE.replace("self.data + other", "one * self.data + other")  # by what is imported
BY_FUNCTION = NODE.replace("    def backward(self): self.grad = 1.0\n", "")


def notebook(*cells, **more):
    """The text of a notebook with these cells."""
    code = [{"cell_type": "code", "source": c.splitlines(keepends=True)} for c in cells]
    text = {"cell_type": "markdown", "source": ["class Value: `nothing`"]}
    return json.dumps({"cells": [text, *code], "metadata": {}, "nbformat": 4} | more)


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Files are written into a folder, one of them is loaded, and Python forgets it all."""
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])  # "" is here
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.chdir(tmp_path)
    names = ("engine", "main", "helper", "random", "src", "grad")  # other tests import some
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    before = {*sys.modules}

    def write_and_load(files, name="", place=None, is_path=True, seconds=5.0):
        files = {"engine.py": files} if isinstance(files, str) else files
        for file, text in files.items():
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return load_engine(place or next(iter(files)), is_path, name, seconds)

    yield write_and_load
    for name in {*sys.modules} - before:
        del sys.modules[name]
    sys.modules.update(kept)


def total(engine):
    return (engine.cls(2.0) + engine.cls(3.0)).data


SCRIPTS = {  # what stands in the file, and the words of what is told
    "nothing else": (VALUE, ""),
    "trains for ever": (f"{VALUE}x = Value(1)\nwhile True: x = Value(1) + Value(2)\n", "trains"),
    "trains before it defines": (f"while True: pass\n{VALUE}", "to load: put what trains"),
    "sleeps": (f"import time\ntime.sleep(1000)\n{VALUE}", "takes more than"),
    "catches all": (f"while True:\n  try: 1 / 0\n  except BaseException: 2\n{VALUE}", "takes more"),
    "draws": (f"import no_plots.pyplot as plt\n{VALUE}plt.plot([1]); plt.show()", "not installed"),
    "asks": (f"n = int(input('?'))\n{VALUE}", "line 1, `n = int(input('?'))`, was left out"),
    "exits": (f"{VALUE}raise SystemExit", "SystemExit"),
    "fails": (f"{VALUE}assert (Value(1) + Value(2)).data == 4", "AssertionError"),
    "has a main": (f"{VALUE}if __name__ == '__main__': 1 / 0", ""),
    "reads what is not there": (f"text = open('names.txt').read()\n{VALUE}", "FileNotFoundError"),
    "adds operators later": (
        VALUE.replace("__add__", "plus") + "Value.__add__ = Value.plus\n", ""),
    "adds them in a loop": (
        VALUE.replace("__add__", "plus") + "for n in ['add']: setattr(Value, f'__{n}__', "
        "Value.plus)\n", ""),
    "has commands of IPython": (f"%matplotlib inline\n!pip install x\n{VALUE}", ""),
    "inherits from what is missing": (VALUE.replace(":", "(torhc.Module):", 1)
                                      + "", "torhc"),
}  # fmt: skip
SCRIPTS["inherits from what is missing"] = (
    "import torhc\n" + VALUE.replace("class Value:", "class Value(torhc.Module):"),
    "torhc is not installed",
)


@pytest.mark.parametrize("how", SCRIPTS)
def test_a_script_is_loaded_and_what_is_left_out_is_told(how, loaded):
    text, told = SCRIPTS[how]
    engine = loaded(text)
    assert total(engine) == 5.0
    assert engine.cls.__name__ == "Value"
    assert told in " ".join(engine.remarks)
    assert bool(engine.remarks) == bool(told)


PLACES = {  # the files, the first of which is loaded
    "beside its helper": {"src/engine.py": "from helper import one\n" + SCALED,
                          "src/helper.py": "one = 1"},
    "from the root": {"src/engine.py": "from src.helper import one\n" + SCALED,
                      "src/helper.py": "one = 1", "README.md": ""},
    "from the working directory": {"a/b/engine.py": "from tools.helper import one\n" + SCALED,
                                   "a/README.md": "", "tools/helper.py": "one = 1"},
    "relative, alone": {"engine.py": "from .helper import one\n" + SCALED, "helper.py": "one = 1"},
    "in a package": {"grad/engine.py": "from .helper import one\n" + SCALED,
                     "grad/__init__.py": "", "grad/helper.py": "one = 1"},
    "in a package that fails": {"grad/engine.py": "from .helper import one\n" + SCALED,
                                "grad/__init__.py": "1 / 0", "grad/helper.py": "one = 1"},
    "in a package that trains": {"grad/engine.py": VALUE, "grad/__init__.py": "while 1: pass"},
    "a notebook of any name": {"my notes (2).ipynb": notebook(VALUE)},
    "in a package that lacks": {"grad/engine.py": VALUE, "grad/__init__.py": "import no_torhc"},
    "a package": {"grad/__init__.py": "from .engine import Value", "grad/engine.py": VALUE},
    "imports its class": {"main.py": "from engine import Value\n", "engine.py": VALUE},
    "named as Python's": {"random.py": VALUE},
    "named as ours": {"microgrid/engine.py": "from microgrid.helper import one\n" + SCALED,
                      "microgrid/helper.py": "one = 1", "microgrid/__init__.py": ""},
}  # fmt: skip


@pytest.mark.parametrize("how", [how for how in PLACES if how != "named as ours"])
def test_a_file_finds_what_it_imports(how, loaded):
    assert total(loaded(PLACES[how], seconds=2.0)) == 5.0


def test_an_engine_of_our_name_finds_its_own_modules(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "microgrid").mkdir()
    for name, text in PLACES["named as ours"].items():
        (tmp_path / name).write_text(text)
    report = check("microgrid/engine.py", only=["contract"])
    assert report.about["module"] == "microgrid.engine"


def test_a_folder_that_is_a_package_is_loaded(loaded):
    assert total(loaded(PLACES["a package"], place="grad")) == 5.0


MODULES = {
    "engine": {"engine.py": VALUE},
    "grad.engine": {"grad/engine.py": VALUE, "grad/__init__.py": ""},
    "grad.core": {"grad/core.py": f"1 / 0\n{VALUE}", "grad/__init__.py": ""},
    "trains": {"trains.py": f"{VALUE}while True: pass"},
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_loaded_by_its_name(name, loaded):
    assert total(loaded(MODULES[name], place=name, is_path=False, seconds=1.0)) == 5.0


NOTEBOOKS = {
    "one cell": [VALUE],
    "magics": [f"%matplotlib inline\n!pip install x\nfiles = !ls\nhelp?\n{VALUE}"],
    "a magic inside of a block": [f"if True:\n    %pip install x\n{VALUE}"],
    "cells of other languages": ["%%bash\nls | wc", "%%html\n<b>", VALUE],
    "cells that are timed": [f"%%time\n{VALUE}"],
    "a file that is written": [f"%%writefile engine.py\n{VALUE}", "%%writefile a.txt\nno code"],
    "what is no Python": ["print 'x'", VALUE, "x = = 3", "def f("],
    "indented": ["".join(f"    {line}\n" for line in VALUE.splitlines())],
    "built step by step": [
        VALUE.replace("__add__", "plus"),
        "class Value(Value):\n    def __add__(self, other): return self.plus(other)\n",
    ],
    "extended": [VALUE.replace("__add__", "plus"), "Value.__add__ = lambda a, b: a.plus(b)"],
    "the last of each": [VALUE.replace("self.data + other.data", "0.0"), VALUE],
    "in another order": [
        "class Value(Base):\n    pass\n",
        "class Sum(No): pass",
        VALUE.replace("Value", "Base"),
    ],
    "in another order, then anew": [
        "class Value(Base): pass",
        "class Base:\n    __add__ = None",
        VALUE,
    ],
    "what trains": [VALUE, "while True: pass", "import os; os._exit(3)"],
    "what a class needs": [
        "import math\nscale = math.sqrt(1)\nunused = 1 / 0",
        VALUE.replace("self.data + other", "scale * self.data + other"),
    ],
    "only what is run gives a class": [f"exec({VALUE!r})"],
}


@pytest.mark.parametrize("how", NOTEBOOKS)
def test_a_notebook_is_loaded(how, loaded):
    engine = loaded({"notes.ipynb": notebook(*NOTEBOOKS[how])})
    assert (engine.cls.__name__, total(engine)) == ("Value", 5.0)


def test_a_notebook_of_the_third_format_is_loaded(loaded):
    cells = [{"cell_type": "code", "input": VALUE}]
    assert total(loaded({"a.ipynb": json.dumps({"worksheets": [{"cells": cells}]})})) == 5.0


def test_what_of_a_notebook_is_left_out_is_told_with_its_cell(loaded):
    remarks = loaded({"a.ipynb": notebook("x = 3", "print 'x'", VALUE)}).remarks
    assert remarks[0].startswith("of the notebook only what defines something was run")
    assert remarks[1] == "line 1 of cell 2 is Python 2: `print 'x'`: it was left out"


def test_the_lines_of_a_notebook_are_known_to_python(loaded):
    import inspect

    engine = loaded({"a.ipynb": notebook("x = 3", VALUE)})
    assert inspect.getsource(engine.cls.backward).strip() == VALUE.splitlines()[-1].strip()


KEPT = {  # statements, and which of them are left where examples are not run
    "import a; import b\ndef f(): return a": [0, 2],
    "x = 1; y = 2\ndef f(x): return x + y": [1, 2],
    "x = g(); y = g()\nclass C:\n    def f(self): return y": [1, 2],
    "x = g()\ndef f(): return x": [1],
    "class C: pass\nC.f = 1; setattr(C, 'g', 2); C.train(); c = C(); c.f = 1": [0, 1, 2],
    "from a import *\nfrom __future__ import annotations": [0, 1],
    "try:\n    import a\nexcept ImportError:\n    a = None\ndef f(): return a": [0, 1],
    "if __name__ == '__main__':\n    class C: pass": [],
    "for n in 'ab': setattr(C, n, n)\nclass C: pass\nfor p in ps: p.data = 0": [0, 1],
    "a = b = 1; c = a; d = e\ndef f(): return c": [0, 1, 3],
}


@pytest.mark.parametrize("text", KEPT)
def test_definitions_are_what_classes_and_functions_need(text):
    body = ast.parse(text).body
    assert definitions(body) == [body[i] for i in KEPT[text]]


OTHERS = "class MLP:\n    def __call__(self, x): return x\n    def __add__(self, x): return 1\n"
TWO = NODE + NODE.replace("Node", "Vector")
CHOSEN = {  # the file, and the class that is taken; or the words of the refusal
    "Value": (VALUE + NODE, "Value"),
    "another": (NODE + OTHERS, "Node"),
    "a function goes backward": (f"{BY_FUNCTION}def back_prop(f): pass\n", "Node"),
    "it calculates gradients": (f"{BY_FUNCTION}def calcGradients(f): pass\n", "Node"),
    "nothing goes backward": (BY_FUNCTION, "Node"),
    "subclasses": (f"{NODE}class Leaf(Node): pass\n", "Node"),
    "nodes of operations": (
        f"{NODE}class Add(Node):\n    def __init__(self, a, b): pass\n", "Node"),
    "a base that makes no numbers": (
        "class Base:\n    def __init__(self, a, b): self.c = a.data + b.data\n"
        "    def backward(self): pass\n"
        + PLUS.format(name="Node") + NODE.replace("class Node:", "class Node(Base):"), "Node"),
    "numbers of Python": (f"class Pair(tuple): pass\nclass Text(str): pass\n{NODE}", "Node"),
    "Value is something else": (f"class Value: pass\n{NODE}", "Node"),
    "an alias": (f"{NODE}Value = Node\n", "Node"),
    "two": (TWO, r"several classes .*, Node, Vector: name one, as in engine\.py:Node"),
    "none": ("x = 3\n", r"no class with \+ and a backward pass; it has no class"),
    "no plus": ("class A: pass\nclass B: pass\n", "it has A, B"),
    "it cannot be defined": ("class Node(Bse): pass", "Node: it cannot be defined: NameError"),
    "it stands on what is missing": (
        f"from no_dantic import Base\nclass Tape(Base): pass\n{NODE}".replace("0.0", "Tape(a=1)"),
        r"Node needs no_dantic, which is not installed: a sum raises TypeError"),
    "lazy": (
        NODE.replace("Node(self.data + other.data)", "Node((self, other))")
        + "    def eval(self): return sum(x.data for x in self.data)\n", r"lazy.*\.eval\(\)"),
}  # fmt: skip


@pytest.mark.parametrize("how", CHOSEN)
def test_the_class_is_the_only_one_that_can_be_meant(how, loaded):
    text, words = CHOSEN[how]
    if not words.isidentifier():
        with pytest.raises(LoadError, match=words):
            loaded(text)
        return
    engine = loaded(text)
    assert engine.cls.__name__ == words
    assert total(engine) == 5.0
    assert any(f"taken to be {words}" in remark for remark in engine.remarks) == (words != "Value")


def test_the_class_that_is_told_is_taken(loaded):
    assert loaded(TWO + "class Out:\n    Inner = Vector\n", "Out.Inner").cls.__name__ == "Vector"
    with pytest.raises(LoadError, match="it has no class 'Value'; it has Node, Vector"):
        loaded({"other.py": TWO}, "Value")
    with pytest.raises(LoadError, match="'A': it cannot be defined: NameError"):
        loaded({"third.py": "class A(B): pass"}, "A")


FORMS = {  # the arguments of a class, and those that are told
    "data": "", "data=0.0, children=()": "", "*data": "",
    "data, label": "label='v1'", "name, value": "name='v1'",
    "data, _children, _op, requires_grad": "_children=(), _op='', requires_grad=True",
    "data, *, grad": "grad=0.0", "data, requires_grad=False": "requires_grad=True",
    "data, requires_grad=True": "",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_what_a_class_is_to_be_given_beside_the_number_is_given(form, loaded):
    number = next(x for x in ("value", "data") if x in form)
    number += "[0]" * form.startswith("*")
    text = NODE.replace("(self, data)", f"(self, {form})").replace("= data,", f"= {number},")
    text = text.replace("Node(self.data + other.data)", "(self.data + other.data)")
    engine = loaded(text)
    told = [remark for remark in engine.remarks if "made with" in remark]
    assert engine.cls(2.0) + engine.cls(3.0) == 5.0
    assert told == [f"its numbers are made with {FORMS[form]}"] * bool(FORMS[form])


REFUSED = {  # files that cannot be loaded, and why
    "a.py": {
        "print 'x'": r"line 1 of a\.py is Python 2: `print 'x'`",
        "x = 1\nx = = 3": r"SyntaxError: .* \(line 2 of a\.py\)",
        "def f(x):\n": r"it ends in the middle of a statement: .*\(line 1 of a\.py\)",
        "def f(x):\n    y = (x +\n": "it ends in the middle of a statement: '\\(' was never closed",
    },
    "a.ipynb": {
        "": "it is no notebook", "[]": "it is no notebook", "{": "it is no notebook",
        notebook("x <- 3", metadata={"language_info": {"name": "R"}}): "notebook of R, not of Pyth",
        notebook("print 'x'"): r"line 1 of cell 1 is Python 2",
        notebook(): "it has no class",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "text"), [(file, text) for file, texts in REFUSED.items() for text in texts]
)
def test_what_cannot_be_loaded_is_told_in_a_sentence(file, text, loaded):
    with pytest.raises(LoadError, match=REFUSED[file][text]) as told:
        loaded({file: text})
    assert "\n" not in str(told.value)


def test_a_module_that_is_not_there_and_one_without_a_class_are_told(loaded):
    with pytest.raises(LoadError, match="No module named 'no_such_thing'"):
        loaded(VALUE, place="no_such_thing.engine", is_path=False)
    files = {"grad/__init__.py": "", "grad/engine.py": VALUE, "grad/nn.py": ""}
    with pytest.raises(LoadError, match="grad has no class; its modules are engine, nn"):
        loaded(files, place="grad", is_path=False)


def test_what_is_told_of_the_loading_is_in_the_report(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(notebook("import no_plots", f"{NODE}def draw(): no_plots.draw()"))
    report = check(path, only=["contract"])
    assert report.about["class"] == "Node"
    assert "the engine is taken to be Node" in str(report)
    assert "no_plots is not installed" in str(report)
    (tmp_path / "b.py").write_text(TWO)
    with pytest.raises(EngineError, match=r"b\.py could not be loaded: it has several classes"):
        check(tmp_path / "b.py")


def test_what_needs_a_missing_module_is_no_mistake(tmp_path):
    path = tmp_path / "engine.py"
    exp = "    def exp(self): return Value(no_numpy.exp(self.data))\n"
    path.write_text(f"import no_numpy\n{VALUE}{exp}")
    with Engine(path) as engine:
        exp = {"method": "exp", "of": [{"leaf": 1.0}]}
        outcome = engine.run([{"set": "f", "to": exp}], ["f.data"])
    assert (outcome.refused, outcome.category) == (True, "")  # as an adapter says "absent"
    assert outcome.error == "no_numpy is not installed"


def test_a_backward_pass_that_is_not_there_is_told(tmp_path):
    path = tmp_path / "engine.py"
    path.write_text(VALUE)
    with pytest.raises(EngineError, match="neither Value nor its module has backprop"):
        check(path, backward="backprop")
    path.write_text(BY_FUNCTION)
    with pytest.raises(EngineError, match="Node has no backward pass; if it has one, say --back"):
        check(path)
    path.write_text(f"{BY_FUNCTION}def calc_gradients(f): f.grad = 1.0\n")
    assert check(path, only=["values"]).about["names"]["backward"] == "calc_gradients(VALUE)"


def test_a_name_is_a_class_of_a_file_or_a_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.ipynb", "b.py"):
        (tmp_path / name).write_text("")
        assert parse(name) == (name, "path", "")
        assert parse(f"{name}:A.B") == (name, "path", "A.B")


def spins():
    while True:
        pass


def catches():
    n = 0
    while True:
        try:
            n += 1
        except BaseException:
            continue


@pytest.mark.parametrize("work", [spins, catches, lambda: time.sleep(100)])
def test_what_takes_too_long_is_stopped(work):
    with pytest.raises(TooLongError), limit(0.1):
        work()


def test_all_that_trains_has_one_time_together(loaded):
    start = time.process_time()
    loaded(VALUE + "while True: pass\n" * 10)
    assert time.process_time() - start < 3.0  # a tenth of 5 s, and the least time of ten


def test_what_is_stopped_does_not_stop_what_follows(monkeypatch):
    monkeypatch.setattr(clock, "STEP", 0.0001)  # it interrupts again while the limit ends
    before = signal.getsignal(signal.SIGINT)
    for _ in range(100):
        with pytest.raises(TooLongError), limit(0.001):
            spins()
    assert signal.getsignal(signal.SIGINT) is before
    with limit(10.0):
        assert sum(range(10**6)) > 0
