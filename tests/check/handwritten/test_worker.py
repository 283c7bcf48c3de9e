"""The process of its own: whatever a layer does, the check ends, and the others are checked."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from microgrid.check import LayerError, layer, layers
from microgrid.check.handwritten import judge
from microgrid.check.handwritten.forms.keywords import refuse_unknown
from microgrid.check.handwritten.process.job import Task, place_of
from microgrid.check.handwritten.process.launch import ending
from microgrid.check.handwritten.process.namespaces import Namespaces
from microgrid.check.handwritten.process.serialization import from_json, to_json
from microgrid.check.handwritten.process.worker import one
from microgrid.check.handwritten.results import CRASHES, RIGHT, Found, Gradient, Line, Term, Worst

ROOT = Path(__file__).parents[3]
SHORT = 9.0  # seconds for a check, of which a layer has a sixth
HEAD = "import builtins, os, signal, subprocess, sys, threading, time\nimport numpy as np\n"


def pair(name, forward="pass", backward="pass"):
    """A layer that doubles, and does something else, too."""
    return (
        f"def {name}_forward(x):\n    {forward}\n    return x * 2, None\n"
        f"def {name}_backward(dout, cache):\n    {backward}\n    return dout * 2\n"
    )


def written(folder, *sources):
    path = folder / "layers.py"
    path.write_text(HEAD + "".join(sources))
    return path


def checked(folder, *sources, **options):
    """The result of each layer of a file, by its name."""
    report = layers(str(written(folder, *sources)), timeout=SHORT, **options)
    return {found.name: found for found in report.found}


def crash(found):
    [gradient] = found.gradients
    assert gradient.verdict == CRASHES
    return gradient.detail


HARMLESS = {
    "flood": "print('y' * 10**6); os.write(1, b'x' * 10**6); sys.stderr.write('z' * 10**6)",
    "lines": "os.write(1, b'{}\\n[]\\n\\n')",
    "thread": "threading.Thread(target=time.sleep, args=(1000,)).start()",
    "child": "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])",
    "chdir": "os.chdir('/')",
    "signals": "[signal.signal(s, signal.SIG_IGN) for s in (signal.SIGTERM, signal.SIGINT)]",
    "closes": "os.closerange(0, 3)",
    "stdout": "sys.stdout = sys.stderr = sys.stdin = None",
    "errors": "np.seterr(all='raise')",
    "printing": "np.set_printoptions(precision=1)",
    "json": "import json; json.dumps = json.loads = None; json.encoder.JSONEncoder = None",
    "recursion": "sys.setrecursionlimit(120)",
    "exceptions": "warnings = __import__('warnings'); warnings.simplefilter('error')",
    "seeds": "np.random.seed(1)",
}


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_what_a_layer_does_besides_does_not_disturb_the_check(tmp_path, where):
    sources = [pair(name, **{where: what}) for name, what in HARMLESS.items()]
    for name, found in checked(tmp_path, *sources).items():
        assert [g.verdict for g in found.gradients] == [RIGHT], (name, found)


REPLACED = {
    "numpy.dot": "np.dot = None", "numpy.exp": "del np.exp", "builtins.sum": "builtins.sum = None",
    "builtins.isinstance": "builtins.isinstance = lambda *a: False",
    "builtins.print": "builtins.print = sys.exit", "numpy.random.seed": "np.random.seed = max",
    "numpy.linalg.norm": "np.linalg.norm = None", "numpy.ndarray": "np.ndarray = list",
    "builtins.float": "builtins.float = int", "numpy.zeros": "np.zeros = np.ones",
}  # fmt: skip


def test_what_a_layer_replaces_is_put_back_and_told(tmp_path):
    names = {name.replace(".", "_"): name for name in REPLACED}
    sources = [pair(key, backward=REPLACED[name]) for key, name in names.items()]
    found = checked(tmp_path, *sources, pair("last"))
    assert found.pop("last").habits == []
    for key, result in found.items():
        assert [g.verdict for g in result.gradients] == [RIGHT], result
        assert result.habits == [f"it replaces {names[key]} for everybody"]


def test_a_layer_whose_replacements_break_the_check_crashes_and_the_others_are_checked(tmp_path):
    names = ("isinstance", "len", "type", "sum", "print", "getattr", "map", "float", "Exception")
    bad = [pair(f"bad_{name.lower()}", f"builtins.{name} = None") for name in names]
    found = checked(tmp_path, pair("first"), *bad, pair("last"))
    for right in ("first", "last"):
        assert [g.verdict for g in found[right].gradients] == [RIGHT]
        assert found[right].habits == []
    for name in names:
        assert found[f"bad_{name.lower()}"].habits == [f"it replaces builtins.{name} for everybody"]


def test_what_a_file_replaces_is_told_once_and_what_it_adds_stays(tmp_path):
    path = written(tmp_path, "np.dot = None\nnp.int_ = np.int_\nnp.own = 3\n",
                   pair("one", "assert np.own == 3"), pair("two", "np.dot(x, x.T)"))  # fmt: skip
    report = layers(path, timeout=SHORT)
    assert report.ok, report
    assert report.remarks == ["it replaces numpy.dot for everybody"]


@pytest.mark.parametrize("name", ["numpy.dot", "builtins.sum", "numpy.random.normal", "math.exp"])
def test_names_are_put_back_as_they_were(name):
    kept = Namespaces()
    module, _, function = name.rpartition(".")
    space = vars(sys.modules[module])
    before = space[function]
    for change in (lambda: space.update({function: None}), lambda: space.pop(function)):
        change()
        said = kept.put_back()
        assert space[function] is before
        assert said == [f"it replaces {name} for everybody"]
    assert kept.put_back() == []


def test_settings_of_numpy_are_put_back():
    kept, before = Namespaces(), (np.geterr(), np.get_printoptions())
    np.seterr(all="raise")
    np.set_printoptions(precision=1)
    kept.put_back()
    assert (np.geterr(), np.get_printoptions()) == before


FATAL = {
    "exits": ("os._exit(3)", "it ended the process (exit code 3)"),
    "leaves": ("sys.exit(4)", "SystemExit: 4"),
    "killed": ("os.kill(os.getpid(), 9)", "it ended the process (killed by SIGKILL)"),
    "faults": ("__import__('ctypes').string_at(0)", "line {}, `__import__('ctypes').string_at(0)`"),
    "hangs": (
        "while True: pass",
        "did not end within 4 s: it was in `{}`, line {}, `while True:",
    ),
    "sleeps": ("time.sleep(1000)", "did not end within 4 s: it was in `{}`, line {}, `time."),
    "closes": ("os.closerange(3, 100)", "it ended the process"),
    "asks": ("input('?')", "EOFError"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
}


@pytest.mark.parametrize("where", ["backward", "forward"])
def test_layers_that_end_the_process_crash_and_the_others_are_checked(tmp_path, where):
    sources = [pair(f"bad_{name}", **{where: what}) for name, (what, _) in FATAL.items()]
    path = written(tmp_path, pair("first"), *sources, pair("last"))
    report = layers(path, timeout=24)
    found = {one.name: one for one in report.found}
    assert [*found] == ["first", *(f"bad_{name}" for name in FATAL), "last"]
    for right in ("first", "last"):
        assert [g.verdict for g in found[right].gradients] == [RIGHT]
    for name, (_, words) in FATAL.items():
        said = str(found[f"bad_{name}"])
        assert CRASHES in said or found[f"bad_{name}"].refusal
        for part in words.split("{}"):
            assert part in said


def test_a_hungry_layer_crashes_and_leaves_the_machine_its_memory(tmp_path):
    found = checked(tmp_path, pair("hungry", backward="np.ones(10**12)"), pair("last"))
    assert "MemoryError" in crash(found["hungry"])
    assert [g.verdict for g in found["last"].gradients] == [RIGHT]


def test_when_the_time_is_over_the_rest_is_told_as_not_checked(tmp_path):
    sources = [pair(name, backward="while True: pass") for name in "abcdefgh"]
    report = layers(written(tmp_path, pair("first"), *sources), timeout=3)
    assert report.unfinished.startswith("3 s were over: not checked were ")
    assert report.unfinished.endswith("h")
    assert not report
    assert report.exit_code == 1


LOADING = {
    "import os\nos._exit(3)": "loading {} ended the process (exit code 3)",
    "import sys\nsys.exit(2)": "line 4, `sys.exit(2)`, was left out: SystemExit: 2",
    "while True: pass": "line 3, `while True:`, was left out: the file takes more than 0.5 s",
    "x = = 3": "{} could not be loaded: SyntaxError: invalid syntax (line 3 of layers.py)",
    "y = z": "line 3, `y = z`, was left out: NameError: name 'z' is not defined",
    "import nothing_like_it": "nothing_like_it is not installed: what uses it cannot be checked",
    "input('?')": "line 3, `input('?')`, was left out: EOFError",
    "print 'x'": "{} could not be loaded: line 3 of layers.py is Python 2: `print 'x'`",
}


@pytest.mark.parametrize("source", LOADING)
def test_a_file_that_does_not_load_is_told_in_a_sentence(tmp_path, source):
    path = written(tmp_path, source)
    with pytest.raises(LayerError) as told:
        layers(path, timeout=SHORT)
    assert LOADING[source].format(path) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_without_layers_is_told_in_a_sentence(tmp_path):
    with pytest.raises(LayerError):
        layers(written(tmp_path, "x = 3\n"), timeout=SHORT)


def test_a_target_that_is_no_file_of_python_is_told(tmp_path):
    for name, words in (
        ("nothing.py", "there is no file"), ("", "is a folder"), ("a.txt", "not a Python file"),
        ("nothing.py:affine", "there is no file"),
    ):  # fmt: skip
        if name == "a.txt":
            (tmp_path / name).write_text("{}")
        with pytest.raises(LayerError, match=words):
            place_of(str(tmp_path / name))
    path = tmp_path / "a.py"
    path.write_text("")
    assert place_of(str(path)) == (str(path), "")
    assert place_of(f"{path}:Softmax+CrossEntropy") == (str(path), "Softmax+CrossEntropy")


def test_functions_are_checked_in_a_copy_of_this_process():
    calls = []

    def double_forward(x):
        calls.append(x)
        np.dot = None
        return x * 2, None

    def double_backward(dout, cache):
        return dout * 2

    dot = np.dot
    report = layer(double_forward, double_backward, x=(3, 4))
    assert report.ok, report
    assert report.found[0].habits == ["it replaces numpy.dot for everybody"]
    assert np.dot is dot
    assert calls == []


def test_functions_that_end_the_process_end_only_their_copy():
    def bad_forward(x):
        return x * 2, None

    def bad_backward(dout, cache):
        os._exit(7)

    report = layer(bad_forward, bad_backward, x=(3, 4), timeout=SHORT)
    assert crash(report.found[0]) == "it ended the process (exit code 7)"


def test_where_nothing_can_be_forked_functions_are_checked_in_this_process(monkeypatch):
    monkeypatch.setattr("microgrid.check.handwritten.process.launch.can_fork", lambda: False)
    calls = []

    def double_forward(x):
        calls.append(x)
        return x * 2, None

    assert layer(double_forward, lambda dout, cache: dout * 2, x=(3, 4)).ok
    assert calls


def test_an_unknown_input_is_told_with_those_that_there_are(tmp_path):
    path = written(tmp_path, pair("double"))
    with pytest.raises(LayerError, match="there is no argument 'X': did you mean x"):
        layers(path, X=(3, 4), timeout=SHORT)

    class Layer:
        def __init__(self, n_in):
            self.W = n_in

        def forward(self, x):
            return x

    for thing in (Layer, Layer(3), [Layer, lambda y: y], lambda x, n_in, W: x):
        refuse_unknown({"x": 1, "n_in": 1, "W": 1}, [thing])
        with pytest.raises(LayerError, match="no argument 'zeta'"):
            refuse_unknown({"zeta": 1}, [thing])
    refuse_unknown({"zeta": 1}, [lambda **more: more])


def test_an_input_that_another_process_cannot_have_is_told(tmp_path):
    with pytest.raises(LayerError, match="cannot be sent to another process"):
        layers(written(tmp_path, pair("double")), x=lambda: 3)


def test_progress_names_each_layer_before_it_is_checked(tmp_path):
    seen = []
    sources = [pair(name) for name in ("one", "two")]
    sources += [pair("ends", backward="os._exit(1)"), pair("last")]
    checked(tmp_path, *sources, progress=lambda *given: seen.append(given))
    assert seen == [("one", 0, 4), ("two", 1, 4), ("ends", 2, 4), ("last", 3, 4)]


def test_the_same_seed_gives_the_same_report(tmp_path):
    path = written(tmp_path, pair("double", backward="dout = dout + 0.1"))
    texts = [str(layers(path, seed=seed)) for seed in (1, 1)]
    assert texts[0] == texts[1]


def test_a_file_that_shadows_modules_of_ours_and_of_python_is_checked(tmp_path):
    for name in ("results.py", "random.py", "trial.py", "odd name.py"):
        (tmp_path / name).write_text(HEAD + pair("double"))
    assert layers(tmp_path / "odd name.py", timeout=SHORT).ok
    assert layers(tmp_path / "random.py", timeout=SHORT).ok


def test_a_file_sees_no_plot_window_its_own_arguments_and_pythons_modules_before_ours(tmp_path):
    path = written(
        tmp_path,
        "assert os.environ['MPLBACKEND'] == 'Agg'\n",
        "assert sys.argv == [__file__]\n",
        f"ours, pythons = {str(ROOT)!r}, os.path.dirname(os.__file__)\n",
        "assert os.path.samefile(sys.path[0], os.path.dirname(__file__))\n",
        "assert len(sys.path) - sys.path[::-1].index(ours) > sys.path.index(pythons)\n",
        pair("double"),
    )
    assert layers(path, timeout=SHORT).ok


def test_a_file_imports_what_stands_beside_it(tmp_path):
    (tmp_path / "helpers.py").write_text("def twice(x):\n    return x * 2\n")
    assert checked(tmp_path, "from helpers import twice\n", pair("double", "twice(x)"))


@pytest.mark.parametrize("where", ["command", "function"])
def test_a_check_leaves_no_file_and_no_process(tmp_path, where):
    written(tmp_path, pair("double", "threading.Thread(target=time.sleep, args=(99,)).start()"))
    code = "from microgrid.check import layers; print(layers('layers.py').verdict)"
    command = ["-c", code] if where == "function" else ["-m", "microgrid", "layers", "layers.py"]
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    settings |= {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, env=settings, text=True,
                          capture_output=True, timeout=60)  # fmt: skip
    assert "passes: 1 right in 1 layer" in done.stdout, done
    assert os.listdir(tmp_path) == ["layers.py"]


FULL = Found(
    "affine", "x (3, 4)",
    [Gradient("w", "dw", "wrong", 4, 2, math.nan, "d", ["s"], Line(3, "dw = 0", "f.py"),
              Worst("dw[0]", math.inf, 1.0, [Term("out[0]", -math.inf, 2.0, "n")], ["f"]),
              "a", "b")],
    ["habit"], "inside", "refusal", 1.5, ["also"], ["refused"],
)  # fmt: skip


def test_a_result_goes_through_json_and_comes_back():
    sent = json.dumps(to_json(FULL), allow_nan=False)
    assert repr(from_json(json.loads(sent))) == repr(FULL)


@pytest.mark.parametrize(
    "nonsense",
    [{}, {"name": "x"}, {**to_json(FULL), "more": 1}, {**to_json(FULL), "habits": 3},
     {**to_json(FULL), "name": None}, {**to_json(FULL), "gradients": [{"input": "x"}]},
     {**to_json(Found("x")), "gradients": [{**to_json(FULL)["gradients"][0], "verdict": "fine"}]}],
)  # fmt: skip
def test_what_is_no_result_is_refused(nonsense):
    with pytest.raises(ValueError, match="no result of a check"):
        from_json(nonsense)


def test_control_characters_of_their_words_do_not_reach_the_terminal():
    found = from_json(to_json(Found("a\x1b[31m", habits=["b\x00"], refusal="c\nd")))
    assert (found.name, found.habits, found.refusal) == ("a?[31m", ["b?"], "c d")


def test_the_line_where_a_process_hung_is_the_innermost_one_of_theirs(tmp_path):
    (tmp_path / "mine.py").write_text("one\ntwo\n")
    trace = [
        "Timeout (0:00:02)!\n", "Thread 0x1 (most recent call first):\n",
        f'  File "{np.__file__}", line 1 in dot\n',
        f'  File "{tmp_path}/mine.py", line 2 in backward\n',
        f'  File "{tmp_path}/mine.py", line 1 in outer\n',
    ]  # fmt: skip
    said = ending(trace, "exit code 1", 2.0)
    assert said == "did not end within 2 s: it was in `backward`, line 2, `two`"


TRAINS = """
class Trains:
    def __init__(self, W):
        self.W = W
    def forward(self, x):
        self.x = x
        return x @ self.W
    def backward(self, dout{more}):
        self.g = self.x.T @ dout
        dx = dout @ self.W.T
        {inside}
        return dx
    {update}
class Other:
    def forward(self, x):
        return x * 2
    def backward(self, dout):
        return dout * 2
"""


TRAINING = [
    {"more": ", lr", "inside": "self.W -= lr * self.g", "update": ""},
    {"more": ", lr=0.1", "inside": "self.W -= lr * self.g", "update": ""},
    {"more": "", "inside": "", "update": "def update(self, lr): self.W = self.W - lr * self.g"},
    {"more": "", "inside": "", "update": "def step(self, *, lr=1): self.W = self.W - lr * self.g"},
]  # fmt: skip
OF_STEPS = {"W": "(before - after) / lr"}


def trains(form):
    """The classes of a file with this form of training."""
    space = {}
    exec(TRAINS.format(**form), space)
    return space


@pytest.mark.parametrize("form", TRAINING)
def test_what_backward_or_an_update_takes_may_be_given(form):
    report = layer(trains(form)["Trains"], x=(5, 3), W=(3, 4), lr=0.25, grads=OF_STEPS)
    assert report.ok, report


def test_what_they_take_may_be_given_for_a_file(tmp_path):
    (tmp_path / "own.py").write_text(TRAINS.format(**TRAINING[0]))
    for report in (
        layers(tmp_path / "own.py:Trains", x=(5, 3), W=(3, 4), lr=0.25, grads=OF_STEPS),
        layers(tmp_path / "own.py", lr=0.25),
    ):
        assert report.ok, report


def test_a_wrong_gradient_of_what_trains_and_an_argument_that_nothing_takes_are_told():
    space = trains(TRAINING[-1])
    for wrong in ("0.5 * (before - after) / lr", "after - before"):
        assert not layer(space["Trains"], x=(5, 3), lr=0.25, grads={"W": wrong})
    with pytest.raises(LayerError, match=r"no argument 'lr'"):
        layer(space["Other"], x=(5, 3), lr=0.25)


TORCH = """
import torch
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x ** 2 @ w
    @staticmethod
    def backward(ctx, dout):
        x, w = ctx.saved_tensors
        return {}dout @ w.T * x, (x ** 2).T @ dout
"""


@pytest.mark.parametrize(("factor", "right"), [("2 * ", 2), ("", 1)])
def test_a_function_of_pytorch_is_checked_from_a_file_and_as_itself(tmp_path, factor, right):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    (tmp_path / "own.py").write_text(TORCH.format(factor))
    space = {"__name__": "own"}
    exec(TORCH.format(factor), space)
    for report in (layers(tmp_path / "own.py"), layer(space["Square"], x=(3, 4), w=(4, 5))):
        assert report.count("right") == right, report
        assert report.ok == (right == 2)


def test_an_input_without_entries_and_a_seed_that_is_none_are_refused(tmp_path):
    path = written(tmp_path, pair("double"))
    for bad in ({"x": (0, 4)}, {"x": np.ones((3, 0))}, {"parameters": {"W": (4, 0)}}):
        with pytest.raises(LayerError, match="has no entries"):
            layers(path, **bad)
    for seed in (-1, 1.5, None, 2**40):
        with pytest.raises(LayerError, match="a seed is a whole number from 0 on"):
            layers(path, seed=seed)


def test_a_layer_without_a_gradient_is_not_passed_over(monkeypatch):
    monkeypatch.setattr(judge, "examine", lambda *_: Found("double"))
    found = one(Task("double", list), 0, Namespaces())
    assert "none of its inputs has a gradient" in found.refusal


def test_the_streams_of_a_notebook_get_nothing_of_the_process():
    text = """
import io, sys
from microgrid.check.isolation import silence
sys.stdout = sys.stderr = io.StringIO()
_, answers = silence()
print(sys.stdout.fileno(), sys.stderr.fileno(), file=answers, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert done.stdout == "1 2\n"
