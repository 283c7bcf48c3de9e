"""Files as people keep them are loaded, and what of them cannot be run is told."""

import sys

import pytest

from microgrid.check import layers
from microgrid.check.loading.errors import LoadError
from microgrid.check.loading.modules import load

LAYER = "def twice_forward(x):\n    return two * x, None\n"
LAYER += "def twice_backward(dout, cache):\n    return 2 * dout\n"


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Files are written into a folder, one of them is loaded, and Python forgets it all."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    before = {*sys.modules}

    def write_and_load(target, files, seconds=5.0):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return load(str(tmp_path / target), seconds)

    yield write_and_load
    for name in {*sys.modules} - before:
        del sys.modules[name]


KEPT = {  # the file, how it comes by `two`, and the other files
    "beside it": ("layers.py", "from helpers import two", {"helpers.py": "two = 2"}),
    "relative, no package": ("nn/layers.py", "from .base import two", {"nn/base.py": "two = 2"}),
    "two up, no packages": (
        "nn/layers/linear.py", "from ..base import two", {"nn/base.py": "two = 2"},
    ),
    "relative in what is beside it": (
        "nn/layers/linear.py", "from .part import two",
        {"nn/layers/part.py": "from ..base import two", "nn/base.py": "two = 2"},
    ),
    "a folder with an odd name": ("nn 2.0/a.py", "from .b import two", {"nn 2.0/b.py": "two = 2"}),
    "a folder named as a module": ("json/a.py", "from .b import two", {"json/b.py": "two = 2"}),
    "a file with an odd name": ("1-a v2.py", "from helpers import two", {"helpers.py": "two = 2"}),
    "a file with the name of a module": ("random.py", "import json\ntwo = 2", {}),
    "from around it": (
        "cs231n/classifiers/cnn.py", "from cs231n.layers import *",
        {"README.md": "", "cs231n/layers.py": "two = 2"},
    ),
    "from the root of the repository": (
        "src/deep/nn/cnn.py", "from common.util import two",
        {"setup.py": "raise SystemExit", "common/util.py": "two = 2"},
    ),
    "in a package": (
        "pkg/nn/a.py", "from pkg.base import two\nfrom ..base import two as same",
        {"pkg/__init__.py": "", "pkg/nn/__init__.py": "from .a import *", "pkg/base.py": "two = 2"},
    ),
    "in a package whose own file has a name of the package": (
        "pkg/a.py", "from pkg.base import two",
        {"pkg/__init__.py": "", "pkg/pkg.py": "", "pkg/base.py": "two = 2"},
    ),
    "in a package that fails": (
        "pkg/a.py", "from .b import two", {"pkg/__init__.py": "1 / 0", "pkg/b.py": "two = 2"},
    ),
    "a package itself": ("pkg/__init__.py", "from .b import two", {"pkg/b.py": "two = 2"}),
    "a circle": ("a.py", "two = 2\nimport b", {"b.py": "from a import two"}),
    "with annotations that are not evaluated": (
        "a.py", "from __future__ import annotations, division\ndef f(x: No): pass\ntwo = 2", {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", KEPT)
def test_a_file_finds_what_it_imports(how, loaded):
    target, first, others = KEPT[how]
    module, missing, remarks, _ = loaded(target, {target: f"{first}\n{LAYER}", **others})
    assert (missing, remarks) == ({}, [])
    assert module.twice_forward(3) == (6, None)
    assert module.twice_forward.__code__.co_filename.endswith(target)


def test_what_is_not_installed_is_told_and_what_does_not_use_it_is_there(loaded):
    module, missing, remarks, _ = loaded("a.py", {
        "a.py": "import matplotlb.pyplot as plt\nfrom tqdmm import *\nimport cPickle\nimport b\n"
                "plt.style.use('dark')\n@plt.njit(fast=True)\ndef f(x):\n    return 2 * x\n"
                "class C(plt.Module):\n    def g(self):\n        return plt.plot([1])\n",
        "b.py": "import seabornn as sns\ntry:\n    import cupyy as np\nexcept ImportError:\n"
                "    import math as np\n",
    })  # fmt: skip
    names = ("matplotlb", "tqdmm", "seabornn")
    for name in names:
        assert f"{name} is not installed: what uses it cannot be checked" in remarks
    assert "cPickle is of Python 2: what uses it cannot be checked" in remarks
    assert (len(remarks), missing) == (4, {})
    assert module.f(3) == 6
    assert module.b.np.pi > 3
    with pytest.raises(ModuleNotFoundError, match="matplotlb is not installed"):
        module.C().g()
    assert not isinstance(3, module.plt.ndarray)


def test_a_statement_that_fails_is_told_and_the_others_are_run(loaded):
    module, missing, remarks, _ = loaded("a.py", {
        "a.py": "data = open('no such file')\nclass A(B):\n    pass\n"
                "import sys\nsys.exit(1)\ntwo = 2\n"
    })  # fmt: skip
    assert module.two == 2
    assert missing == {"A": "it cannot be defined: NameError: name 'B' is not defined (line 2)"}
    assert remarks[0].startswith(
        "line 1, `data = open('no such file')`, was left out: FileNotFound"
    )
    assert remarks[1] == "line 5, `sys.exit(1)`, was left out: SystemExit: 1"


NO_Y = "NameError: name 'y' is not defined"


def test_many_failures_are_told_in_few_sentences(loaded):
    told = loaded("a.py", {"a.py": "x = y\n" * 99}).first(4)
    assert told[3:] == [f"line 4, `x = y`, was left out: {NO_Y}", "and 95 more were left out"]


def test_a_training_is_left_out(loaded):
    source = "def train():\n    while True:\n"
    source += "        try: train.steps += 1\n        except Exception: pass\n"
    source += f"two = 2\ntrain.steps = 0\ntrain()\ntrain()\n{LAYER}"
    module, _, remarks, _ = loaded("a.py", {"a.py": source}, 0.2)
    assert module.twice_forward(3) == (6, None)
    assert module.train.steps > 0
    assert [r.partition(",")[0] for r in remarks] == ["line 7", "line 8"]
    assert all("under `if __name__" in r for r in remarks)


def test_a_layer_that_cannot_be_defined_is_not_passed_over(tmp_path):
    (tmp_path / "a.py").write_text(f"two = 2\n{LAYER}class Dense(Layer):\n    pass\n")
    report = layers(tmp_path / "a.py")
    assert [found.name for found in report.found] == ["twice", "Dense"]
    assert "name 'Layer' is not defined (line 6)" in report.found[1].refusal
    assert not report


OLD = ("print x", "print 'a %d' % 3", "exec 'x'", "raise ValueError, 'no'", "x = 0777", "x = 3L",
       "if x <> y: pass", "x = `y`", "try: pass\nexcept ValueError, e: pass")  # fmt: skip


@pytest.mark.parametrize("source", OLD)
def test_python_2_is_called_that_with_its_line(source, loaded):
    with pytest.raises(LoadError, match=r"line \d of a\.py is Python 2: `"):
        loaded("a.py", {"a.py": f"two = 2\n{source}\n"})


@pytest.mark.parametrize("source", ["x = = 3", "print(x", "def f(:", "x = '\0'", "\tx = 3"])
def test_what_is_no_python_is_told_with_its_line(source, loaded):
    with pytest.raises(LoadError, match=r"\w+: .*\(line \d of a\.py\)"):
        loaded("a.py", {"a.py": f"two = 2\n{source}\n"})
