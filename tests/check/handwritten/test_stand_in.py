"""The names np, math, float, … while a forward runs on Values: each idiom runs, and exactly."""

# ruff: noqa: E501 (an idiom is a line of the table)

import builtins
import importlib.util
import math
import sys
import threading
from types import ModuleType

import numpy as np
import pytest

import microgrid as mg
from microgrid.check.handwritten.forward.exact import exact
from microgrid.check.handwritten.forward.stand_in import standing_in
from microgrid.check.handwritten.trial import LayerError, Pass, Trial
from microgrid.engine.value_array import ValueArray

HEAD = """
import math
import numpy
import numpy as np
from copy import deepcopy
from math import exp, sqrt
from numpy import zeros, tanh
from numpy.lib.stride_tricks import as_strided
from numpy.random import randn
from functools import partial
EYE = np.eye(4)
rng = np.random.RandomState(3)
"""
IDIOMS = {  # name: the body of f(x, w, b) with x (3, 4), w (4, 5), b (5,)
    "zeros": "out = np.zeros((3, 5))\nfor i in range(3):\n    out[i] = x[i] @ w + b\nreturn out",
    "zeros by name": "out = zeros((3, 5), dtype=float)\nout += x @ w + b\nreturn out",
    "empty": "out = np.empty((3, 5), np.float64)\nout[:] = x @ w\nout += b\nreturn out",
    "empty_like": "out = np.empty_like(x)\nout[...] = x * x\nreturn out @ w + b",
    "ones": "out = np.ones(5)\nout *= b\nreturn x @ w * out",
    "full": "out = np.full((3, 5), 0.5)\nout[1] += b\nreturn out + x @ w",
    "full of a Value": "return np.full((3, 5), b[0]) * (x @ w)",
    "full of a whole number": "out = np.full((2, 2), 7)\nreturn x @ w * out[0, 0] + b",
    "eye": "out = np.eye(5)\nout[0, 1] = b[2]\nreturn x @ w @ out",
    "identity": "out = np.identity(5)\nout[0] *= b\nreturn x @ w @ out",
    "linspace": "out = np.linspace(0, 1, 5)\nout += b\nreturn x @ w * out",
    "arange": "out = np.arange(0.0, 5.0)\nout[2] = b[0]\nreturn x @ w * out",
    "arange of ints": "return (x @ w)[np.arange(3), np.arange(3)] + b[np.arange(3)]",
    "zeros of ints": "k = np.zeros(3, dtype=int)\nk[1] = 2\nreturn (x @ w)[np.arange(3), k] + b[k]",
    "zeros of int32": "k = np.zeros(3, dtype=np.int32)\nreturn (x @ w)[k] + b",
    "zeros of bools": "m = np.zeros((3, 5), dtype=bool)\nm[0] = True\nh = x @ w + b\nh[m] = 0\nreturn h",
    "dtype of x": "out = np.zeros((3, 5), dtype=x.dtype)\nout[:] = x @ w + b\nreturn out",
    "dtype of x, by place": "out = np.zeros((3, 5), x.dtype)\nout[:] = x @ w + b\nreturn out",
    "array of rows": "return np.array([r @ w + b for r in x])",
    "array of lists": "return np.array([[r @ w[:, j] for j in range(5)] for r in x]) + b",
    "array of numbers": "return np.array([[x[0, 0] * b[0], 0.5], [1, w[0, 0]]], dtype=np.float64)",
    "array of 0 and 1": "return np.array([[1.0, 0], [0, 1]]) * x[0, 0] + b[0] * w[0, 0]",
    "asarray": "x = np.asarray(x, dtype=np.float64)\nreturn x @ np.array(w, copy=True) + b",
    "array copies": "y = np.array(x)\ny[0] = 0.0\nreturn (x + y) @ w + b",
    "asarray does not": "y = np.asarray(x)\ny[0] = 0.5 * y[0]\nreturn x @ w + b",
    "ascontiguousarray": "return np.ascontiguousarray(x.T).T @ w + b",
    "atleast_2d": "return x @ w + np.atleast_2d(b)",
    "astype": "return x.astype(np.float64) @ w.astype(float) + b.astype('float64')",
    "a mask as floats": "m = (x > 0).astype(float)\nreturn (x * m) @ w + b",
    "a mask as float32": "m = (x > 0).astype(np.float32)\nm = m / 2\nreturn (x * m) @ w + b",
    "randn": "np.random.seed(1)\nout = np.random.randn(3, 5)\nout[1] = b\nreturn x @ w + out",
    "randn by name": "np.random.seed(1)\nout = randn(3, 5)\nout[1] = b\nreturn x @ w + out",
    "RandomState": "r = np.random.RandomState(0)\nout = r.uniform(size=(3, 5))\nout[0] = b\nreturn x @ w + out",
    "default_rng": "r = np.random.default_rng(0)\nout = r.normal(size=(3, 5))\nout[0] = b\nreturn x @ w + out",
    "rng of the module": "rng.seed(2)\nout = rng.rand(3, 5)\nout[0] = b\nreturn x @ w + out",
    "dropout": "np.random.seed(0)\nm = (np.random.rand(*x.shape) < 0.7) / 0.7\nreturn (x * m) @ w + b",
    "binomial": "np.random.seed(0)\nm = np.random.binomial(1, 0.5, size=x.shape)\nreturn (x * m) @ w + b",
    "choice": "np.random.seed(0)\nk = np.random.choice(3, 3, p=[0.2, 0.3, 0.5])\nreturn x[k] @ w + b",
    "permutation": "np.random.seed(0)\nk = np.random.permutation(3)\nreturn x[k] @ w + b",
    "float": "s = 0.0\nfor v in x[0]:\n    s += float(v) * float(v)\nreturn s * b + w[0]",
    "float of a sum": "return float(np.sum(x @ w)) * b",
    "float of an array": "return float(np.array([np.sum(x @ w)])[0]) * b",
    "float64": "return np.float64(np.sum(x @ w)) * b",
    "float32 of a number": "return x @ w * np.float32(0.5) + b",
    "float of text": "m = float('-inf')\nfor v in b:\n    m = max(m, v)\nreturn x @ w * m",
    "isinstance float": "s = np.sum(x @ w)\nreturn s * b if isinstance(s, float) else 0 * b",
    "isinstance number": "s = np.sum(x)\nreturn s * b if isinstance(s, (int, np.floating)) else 0 * b",
    "type is": "return x @ w + b if type(np.sum(x).item()) == float and type(3) == int else b * 0",
    "isinstance ndarray": "return x @ w + b if isinstance(x, np.ndarray) else x",
    "isinstance int": "return x @ w + b if isinstance(3, int) and not isinstance(x[0, 0], int) else b",
    "int": "k = int(abs(x[0, 0]) * 3)\nreturn (k + 1) * (x @ w) + b",
    "round": "return round(3 * x[0, 0]) * (x @ w) + round(x[0, 1], 2) + b",
    "finfo": "return x @ w + b * np.sqrt(np.finfo(x.dtype).eps + 1)",
    "issubdtype": "return x @ w + b if np.issubdtype(x.dtype, np.floating) else b",
    "dtype is float64": "return x @ w + b if np.zeros(3).dtype == x.dtype else b",
    "errstate": "with np.errstate(divide='ignore'):\n    return np.exp(x @ w) + b / (1 / np.zeros(5))",
    "seterr": "old = np.seterr(all='ignore')\nh = np.log(np.exp(x @ w)) + b\nnp.seterr(**old)\nreturn h",
    "newaxis and pi": "return (x[:, :, np.newaxis] * w[None]).sum(axis=1) * np.pi + b",
    "linalg": "return x @ w / np.linalg.norm(b) + np.linalg.norm(x, axis=1, keepdims=True)",
    "vectorize": "f = np.vectorize(lambda v: v * v if v > 0 else 0.0)\nreturn f(x) @ w + b",
    "vectorize math": "return np.vectorize(math.exp)(x) @ w + b",
    "vectorize a question": "m = np.vectorize(lambda v: v > 0)(x)\nh = x * 1\nh[m] = 0\nreturn h @ w + b",
    "isscalar": "return x @ w + b if np.isscalar(np.sum(x)) and not np.isscalar(x) else b",
    "as_strided": "v = as_strided(x, (3, 2, 3), (x.strides[0], x.strides[1], x.strides[1]))\nreturn v * b[:3]",
    "sliding windows": "v = np.lib.stride_tricks.sliding_window_view(x, (2, 2))\nreturn v.sum(axis=(2, 3)) * b[0] + w[0, 0]",
    "math": "return math.exp(x[0, 0]) * math.sqrt(abs(w[0, 0])) * b + math.tanh(x[1, 1]) + math.log(3)",
    "math by name": "return exp(x[0, 0]) * sqrt(w[0, 0] ** 2) * b + math.pow(x[0, 1], 2)",
    "log of a base": "return math.log(abs(x[0, 0]), 2) * b + math.log10(abs(w[0, 0])) + math.log1p(x[0, 1] ** 2)",
    "math asks": "return b * math.floor(x[0, 0]) + x[0, 1] if not math.isnan(w[0, 0]) else b",
    "math more": "return b * math.hypot(x[0, 0], w[0, 0]) + math.erf(x[0, 1]) + math.fabs(w[0, 1])",
    "builtin sum": "return sum(x[:, 0]) * sum([v for v in b]) + w[0]",
    "builtin max": "return max(x[0]) * b + min(w[0]) + abs(x[1, 0]) + pow(x[0, 1], 2)",
    "import inside": "import numpy as onp\nout = onp.zeros((3, 5))\nout[:] = x @ w + b\nreturn out",
    "from inside": "from numpy import zeros as z, exp as e\nout = z((3, 5))\nout[:] = e(x @ w)\nreturn out + b",
    "math inside": "from math import exp as e\nimport math as m\nreturn e(x[0, 0]) * m.cos(w[0, 0]) * b",
    "numpy by its name": "out = numpy.zeros(5)\nout += b\nreturn numpy.dot(x, w) + out",
    "squeeze": "c = np.squeeze(np.sum(x @ w + b))\nassert c.shape == ()\nreturn c",
    "shape of a sum": "c = np.sum(x @ w + b)\nassert c.shape == ()\nreturn c.item() * b",
    "pad": "return np.pad(x, ((1, 1), (0, 0)), mode='constant') @ w + b",
    "c_": "return np.c_[x, np.ones(3)] @ np.r_[w, b[None]]",
    "lists": "return np.mean([x[0] @ w, x[1] @ w, b], axis=0) + np.var([b[0], x[0, 0], 1.0])",
    "list of Values": "return np.exp([b[0], 0.0, 1]) * np.sum([v for v in x[0]]) + np.max([w[0, 0], b[1]])",
    "concatenate": "return np.concatenate([x @ w, [b], np.zeros((1, 5))])",
    "stack": "return np.vstack([x @ w, np.hstack([b[:2], b[2:]])]) + np.stack([b, b], axis=0).sum(axis=0)",
    "where of a list": "return np.where(x @ w > 0, x @ w, 0.1 * (x @ w)) + np.where([True], b, 0)",
    "deepcopy": "cache = deepcopy({'x': x, 'l': [w, b[0]]})\nreturn cache['x'] @ cache['l'][0] + cache['l'][1]",
    "copy": "y = x.copy()\ny[0] = y[0] * 2\nreturn (x + y) @ w + b.copy()",
    "a nested function": "def g(v):\n    out = np.zeros_like(v)\n    out[:] = v * v\n    return out\nreturn g(x) @ w + b",
    "a generator": "def rows():\n    for r in x:\n        yield r @ w\nreturn np.array(list(rows())) + b",
    "a comprehension": "return np.array([[np.tanh(v) for v in r] for r in x @ w]) + b",
    "einsum": "return np.einsum('nd,dm->nm', x, w, optimize=True) + b",
    "tensordot": "return np.tensordot(x, w, axes=([1], [0])) + b",
    "add.at": "out = np.zeros((3, 5))\nnp.add.at(out, [0, 0, 2], x @ w)\nreturn out + b",
    "outer": "return np.outer(x[0], b) + np.multiply.outer(x[0], w[0])",
    "log of 0": "h = np.log(np.maximum(x, 0.0))\nh[np.isinf(h)] = 0\nreturn h @ w + b",
    "one-hot by eye": "return x @ w * np.eye(5)[[0, 1, 4]] + b",
    "constant of the module": "return (x @ EYE) @ w + b",
    "partial": "f = partial(np.sum, axis=0)\nreturn f(x @ w) + b",
    "while": "i = 0\nout = np.zeros(5)\nwhile i < 3:\n    out += x[i] @ w\n    i += 1\nreturn out * b",
    "try": "try:\n    raise ValueError\nexcept ValueError:\n    h = x @ w\nfinally:\n    h = h + b\nreturn h",
    "global": "global SEEN\nSEEN = 1\nreturn x @ w + b",
    "writes into x": "x *= 2\nx[x < 0] = 0\nreturn x @ w + b",
    "array_equal": "assert not np.array_equal(x, w) and np.allclose(x, x)\nreturn x @ w + b",
    "testing": "np.testing.assert_allclose(x, x)\nreturn x @ w + b",
    "string": "return x @ w + b if len(f'{np.mean(x):.3f} {x.shape}') > 3 else b",
    "f32": "return (x.astype(np.float32) @ w.astype('float32') + b).astype(np.float32)",
    "number of an array": "c = np.zeros(1)\nc[0] = np.sum(x @ w)\nreturn c.item() * b",
    "a table of the module": "out = EYE.copy()\nout[0] = w[:, 0]\nreturn out @ w + b",
    "type is int": "k = 2\nh = x @ w\nif type(k) is int and type(h) is not float:\n    h = h * k\nreturn h + b",
    "percent": "s = 'loss %.3f of %d, %s' % (np.sum(x @ w), 3, x)\nassert 'loss ' + '%f' % b[0] < s\nreturn x @ w + b",
    "nditer": "out = np.zeros((3, 4))\nit = np.nditer(x, flags=['multi_index'])\nwhile not it.finished:\n"
    "    out[it.multi_index] = x[it.multi_index] ** 2\n    it.iternext()\nreturn out @ w + b",
    "ndenumerate": "out = np.zeros(x.shape)\nfor i, v in np.ndenumerate(x):\n    out[i] = v * v\nreturn out @ w + b",
    "a list as container": "k = np.empty(2, dtype=object)\nk[0], k[1] = x, w\nreturn k[0] @ k[1] + b",
    "random given arrays": "np.random.seed(0)\nr = np.random.normal(x, 0.0 * np.abs(x)) * 0 + np.random.uniform(0, 1, (3, 4))\nreturn (x + r) @ w + b",
    "unbound lambdas": "return (lambda v: np.zeros(v.shape) + v)(x) @ w + b",
    "attributes of a number": "c = np.zeros(3)[0]\nreturn x @ w + b + c.item() + c.sum() + np.sum(x).sum()",
}  # fmt: skip


@pytest.fixture
def student(tmp_path, request):
    """Makes a module of a source, in a file of its own."""

    def made(source: str, name: str = "student_module") -> ModuleType:
        path = tmp_path / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        request.addfinalizer(lambda: sys.modules.pop(name, None))
        spec.loader.exec_module(module)
        return module

    return made


def trial_of(module: ModuleType, f=None) -> Trial:
    rng = np.random.default_rng(5)
    shapes = {"x": (3, 4), "w": (4, 5), "b": (5,)}
    inputs = {n: rng.uniform(0.3, 1.7, s) * rng.choice([-1, 1], s) for n, s in shapes.items()}
    f = f or module.f
    return Trial("f", inputs, lambda d: Pass([f(**d)], dict), [module], [f])


def differences(trial: Trial, h: float) -> np.ndarray:
    """The Jacobian by central differences of the float forward."""
    columns = []
    for n, x in trial.inputs.items():
        for i in np.ndindex(x.shape):
            ends = []
            for sign in (h, -h):
                inputs = {k: v.copy() for k, v in trial.inputs.items()}
                inputs[n][i] += sign
                ends.append(np.ravel(trial.run(inputs).outputs[0]).astype(float))
            columns.append((ends[0] - ends[1]) / (2 * h))
    return np.array(columns).T


def function(body: str) -> str:
    lines = "\n".join("    " + line for line in body.split("\n"))
    return f"{HEAD}\ndef f(x, w, b):\n{lines}\n"


@pytest.mark.parametrize("name", IDIOMS)
def test_an_idiom_gives_the_numbers_of_floats_and_the_slopes_of_differences(student, name):
    module = student(function(IDIOMS[name]))
    trial = trial_of(module)
    before = dict(vars(module))
    found = exact(trial)
    h, bound = (1e-2, 1e-2) if found.single else (1e-6, 1e-6)
    expected = differences(trial, h)
    assert np.abs(found.jacobian() - expected).max() <= bound * (1 + np.abs(expected).max())
    now = dict(vars(module))
    assert ids(now) == ids(before)


def ids(space):
    """The identity of what is in a module; forwards may set SEEN, and Python a registry."""
    return {k: id(v) for k, v in space.items() if k not in ("SEEN", "__warningregistry__")}


def everything():
    names = {**vars(np), **vars(math)}
    return ids(names), builtins.__import__, builtins.float


@pytest.mark.parametrize("ends", ["return np.zeros(3) + x[0, 0]", "raise KeyError('no')"])
def test_numpy_and_their_modules_are_themselves_afterwards(student, ends):
    source = HEAD + (
        "TABLE = {'a': np.zeros, 'b': [1]}\n"
        "class C:\n    xp = np\n    act = staticmethod(np.tanh)\n"
        "def outer():\n    m = np\n    def inner(x):\n        return m.zeros(2) + x\n    return inner\n"
        "inner = outer()\n"
        "def f(x, w, b, xp=np, *, lib=math):\n"
        f"    x = inner(x[0, 0])[0] * x + TABLE['a'](4) + C.xp.zeros(4)\n    {ends}\n"
    )
    module = student(source)
    before, code = everything(), module.f.__code__
    held = ids(vars(module))
    with pytest.raises(LayerError) if "KeyError" in ends else pytest.MonkeyPatch.context():
        exact(trial_of(module))
    assert everything() == before
    assert ids(vars(module)) == held
    assert module.f.__code__ is code
    assert module.f.__defaults__ == (np,)
    assert module.f.__kwdefaults__ == {"lib": math}
    assert module.C.xp is np
    assert module.TABLE["a"] is np.zeros
    assert module.inner.__closure__[0].cell_contents is np


HOLDERS = {
    "default": "def f(x, w, b, xp=np):\n    out = xp.zeros(5)\n    out += b\n    return x @ w + out",
    "keyword": "def f(x, w, b, *, z=np.zeros):\n    out = z(5)\n    out += b\n    return x @ w + out",
    "class": "class C:\n    xp = np\n    def f(self, b):\n        out = self.xp.zeros(5)\n        out += b\n"
    "        return out\ndef f(x, w, b):\n    return x @ w + C().f(b)",
    "dict": "T = {'z': np.zeros, 'e': math.exp}\n"
    "def f(x, w, b):\n    out = T['z'](5)\n    out += b\n    return x @ w + out * T['e'](b[0])",
    "closure": "def make(m):\n    def g(b):\n        out = m.zeros(5)\n        out += b\n"
    "        return out\n    return g\ng = make(np)\ndef f(x, w, b):\n    return x @ w + g(b)",
    "star": "from numpy import *\ndef f(x, w, b):\n    out = zeros(5)\n    out += b\n"
    "    return dot(x, w) + out * exp(b)",
    "decorated": "import functools\ndef d(g):\n    @functools.wraps(g)\n    def h(*a, **k):\n"
    "        return g(*a, **k)\n    return h\n@d\ndef f(x, w, b):\n    out = np.zeros(5)\n    out += b\n"
    "    return x @ w + out",
    "vectorized": "@np.vectorize\ndef relu(v):\n    return v if v > 0 else 0.0\n"
    "def f(x, w, b):\n    return relu(x) @ w + b",
    "linalg by name": "from numpy.linalg import norm\nimport numpy.random as npr\n"
    "def f(x, w, b):\n    npr.seed(0)\n    out = npr.randn(5)\n    out[1:] = b[1:]\n"
    "    return x @ w / norm(x) + out",
    "a class of theirs": "class Layer:\n    def __init__(self, w, b):\n        self.w, self.b = w, b\n"
    "        self._Layer__hidden = 1\n    def forward(self, x):\n        self.out = np.zeros((3, 5))\n"
    "        for i in range(3):\n            self.out[i] = x[i].dot(self.w) + self.b\n"
    "        return self.out * self.__hidden\nclass Sub(Layer):\n    def forward(self, x):\n"
    "        return super().forward(x) * 2\ndef f(x, w, b):\n    return Sub(w, b).forward(x)",
}  # fmt: skip


@pytest.mark.parametrize("name", HOLDERS)
def test_numpy_held_elsewhere_in_their_module_is_found(student, name):
    trial = trial_of(student(f"{HEAD}\n{HOLDERS[name]}\n"))
    assert np.abs(exact(trial).jacobian() - differences(trial, 1e-6)).max() < 1e-6


def test_a_module_beside_theirs_sees_the_stand_ins_too(student):
    helper = student("import numpy as np\ndef room():\n    return np.zeros(5)\n", "their_helper")
    module = student(f"{HEAD}from their_helper import room\n"
                     "def f(x, w, b):\n    out = room()\n    out += b\n    return x @ w + out\n")  # fmt: skip
    exact(trial_of(module))
    assert helper.np is np


def test_a_module_that_theirs_imports_from_elsewhere_sees_them_too(student, tmp_path):
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "away_helper.py").write_text(
        "import numpy\nROOM = lambda: numpy.zeros(5)\n"
    )
    head = f"import sys\nsys.path.insert(0, {str(tmp_path / 'away')!r})\nimport away_helper\n"
    module = student(f"{head}del sys.path[0]\n"
                     "def f(x, w, b):\n    out = away_helper.ROOM()\n    out += b\n    return x @ w + out\n")  # fmt: skip
    exact(trial_of(module))
    assert sys.modules.pop("away_helper").numpy is np


def test_functions_compiled_by_numba_run_as_they_are_written(student):
    pytest.importorskip("numba")
    source = (
        "import numba, numpy as np\n@numba.njit\ndef g(x, b):\n    out = np.zeros(5)\n"
        "    for i in range(5):\n        out[i] = b[i] * x[0, 0]\n    return out\n"
        "def f(x, w, b):\n    return x @ w + g(x, b)\n"
    )
    trial = trial_of(student(source))
    assert np.abs(exact(trial).jacobian() - differences(trial, 1e-6)).max() < 1e-6


def test_a_module_first_imported_inside_of_the_forward_keeps_no_stand_in(student, tmp_path):
    (tmp_path / "late_helper.py").write_text("import numpy as np\nfrom numpy import zeros\n")
    source = (
        "import numpy as np, sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "def f(x, w, b):\n    from late_helper import zeros\n    out = np.zeros(5)\n    out += b\n"
        "    return x @ w + out\n"
    )
    trial = trial_of(student(source))
    with standing_in(trial.modules, trial.forwards):
        trial.run({n: mg.matrix(x) for n, x in trial.inputs.items()})
    sys.path.remove(str(tmp_path))
    late = sys.modules.pop("late_helper")
    assert late.np is np
    assert late.zeros is np.zeros


def test_a_forward_that_patches_numpy_patches_the_stand_in(student):
    module = student(function("np.dot = None\nnp.random.seed = print\nreturn x @ w + b"))
    before = everything()
    with standing_in([module]):
        module.f(**{n: mg.matrix(x) for n, x in trial_of(module).inputs.items()})
    assert everything() == before
    assert np.random.seed is not print


def test_other_modules_and_threads_see_the_real_numpy_meanwhile(student):
    module, seen = student(function("return x @ w + b")), []
    with standing_in([module]):
        assert isinstance(module.np.zeros(2), ValueArray)
        thread = threading.Thread(target=lambda: seen.append(type(np.zeros(2))))
        thread.start()
        thread.join()
        assert type(np.random.randn(3)) is np.ndarray
    assert seen == [np.ndarray]


def test_stand_ins_within_stand_ins_are_put_back_in_order(student):
    module = student(function("return np.zeros(5) + b"))
    with standing_in([module]):
        inner = module.np
        with standing_in([module]):
            assert isinstance(module.f(0, 0, mg.matrix(np.ones(5))), ValueArray)
        assert module.np is inner
    assert module.np is np


SCIPY = {
    "expit": "from scipy.special import expit\nreturn expit(x @ w + b)",
    "erf": "from scipy import special\nh = x @ w + b\nreturn h * (1 + special.erf(h / np.sqrt(2)))",
    "one Value": "import scipy.special as s\nreturn s.expit(x[0, 0]) * b + s.erf(w[0, 0])",
    "softmax": "from scipy.special import softmax\nreturn softmax(x @ w + b, axis=1)",
    "log_softmax": "from scipy.special import log_softmax\nreturn log_softmax(x @ w + b, axis=-1)",
    "logsumexp": "from scipy.special import logsumexp\nh = x @ w\n"
    "return h - logsumexp(h, axis=1, keepdims=True) + logsumexp(b) + logsumexp(x, axis=0)[0]",
    "xlogy": "from scipy.special import xlogy\nh = (x @ w) ** 2\nreturn xlogy(h, h) + b",
    "norm": "from scipy.stats import norm\nh = x @ w + b\nreturn h * norm.cdf(h) + norm.pdf(h)",
    "correlate valid": "from scipy import signal\nreturn signal.correlate2d(x @ w, w[:2, :2], 'valid') * b[0]",
    "correlate same": "from scipy.signal import correlate2d\nreturn correlate2d(x @ w, w[:2, :3], mode='same') + b",
    "correlate full": "from scipy.signal import correlate2d\nreturn correlate2d(x @ w, w[:3, :2], 'full') * b[0]",
    "convolve valid": "import scipy.signal\nreturn scipy.signal.convolve2d(x @ w, w[:3, :2], 'valid') * b[0]",
    "convolve same": "from scipy.signal import convolve2d\nreturn convolve2d(x @ w, w[:2, :4], 'same') + b",
    "convolve full": "from scipy.signal import convolve2d\nreturn convolve2d(x @ w, w[:2, :2]) * b[0]",
}  # fmt: skip


@pytest.mark.parametrize("name", SCIPY)
def test_scipy_of_values_is_scipy_of_floats(student, name):
    pytest.importorskip("scipy")
    trial = trial_of(student(function(SCIPY[name])))
    assert np.abs(exact(trial).jacobian() - differences(trial, 1e-6)).max() < 1e-5


def test_lambdas_of_one_line_stay_apart():
    f, g = lambda x: 2 * x.sum(), lambda x, y: x.max() - y
    with standing_in([], [f, g]):
        A = mg.matrix([1.0, 5.0])
        assert (f(A).data, g(A, 2.0).data) == (12.0, 3.0)
