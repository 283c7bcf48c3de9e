"""The engine's process: its limits, how a class reaches it, and that nothing is left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import microgrid
from microgrid import cli
from microgrid.check import EngineError, check, museum, processor_time
from microgrid.check.process import spawned
from microgrid.cli import reports

PLAIN = Path(__file__).parent / "engines" / "plain.py"
ROOT = Path(microgrid.__file__).parents[1]
LINUX = pytest.mark.skipif(not processor_time.TOLD, reason="the system does not tell the time")
ANSWER = "print('{}', flush=True)\n"


def child(code):
    """A process that runs the code, once it has said so."""
    made = spawned(["-c", ANSWER + code])
    made.read(30)
    return made


@LINUX
@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(99)"])
def test_a_process_that_computes_or_sleeps_for_too_long_is_out_of_time(code):
    started = child(code)
    with pytest.raises(TimeoutError):
        started.read(0.5)
    assert 0.3 < started.watch.seconds < 5
    started.kill()


@LINUX
def test_a_process_that_waits_for_its_turn_is_not_out_of_time():
    """One that is stopped gets no processor time, just as on a busy machine."""
    started = child("import time; time.sleep(0.2)\n" + ANSWER)
    os.kill(started.process.pid, signal.SIGSTOP)
    start = time.monotonic()
    threading.Timer(2.0, lambda: os.kill(started.process.pid, signal.SIGCONT)).start()
    assert started.read(0.8) == {}
    assert time.monotonic() - start > 1.9
    started.kill()


@LINUX
def test_what_a_process_starts_is_its_time_too():
    spin = [sys.executable, "-c", "while True: pass"]
    started = child(f"import subprocess; subprocess.run({spin})")
    with pytest.raises(TimeoutError):
        started.read(0.5)
    assert processor_time.family(started.process.pid)[0] > 0.3
    started.kill()


def test_waiting_ends(monkeypatch):
    """Also where the system tells nothing of processor time."""
    for name, worth in (("TOLD", False), ("SHARE", 2)):
        monkeypatch.setattr(processor_time, name, worth)
    started = child("while True: pass")
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        started.read(0.5)
    assert time.monotonic() - start > 0.9
    started.kill()


def test_a_budget_counts_this_process_and_those_it_starts():
    budget = processor_time.Budget(60)
    started = child("while True: pass")
    budget.watches.append(started.watch)
    with pytest.raises(TimeoutError):
        started.read(0.5)
    started.kill()
    left = budget.left
    assert left < 59.7
    assert left == pytest.approx(budget.left, abs=0.2)
    assert processor_time.Budget(-1).left == 0


# The same programs everywhere, and no files.

DRAWN = """
from hypothesis import Verbosity, settings, strategies
import microgrid.check.properties
from microgrid.check import searches
drawn = []
with searches.undisturbed():
    searches.search(strategies.integers(-300, 300), lambda n: drawn.append(n), 400, "a seed")
print(drawn)
"""
PROFILE = """
from hypothesis import settings, Verbosity
settings.register_profile("own", max_examples=7, derandomize=True, verbosity=Verbosity.verbose)
settings.load_profile("own")
"""
CONSTANTS = f"own_constants = {[*range(-300, 300, 3)]}"  # hypothesis draws such, from local modules


def drawn(folder, path, before="", **environment):
    """The numbers that are drawn there; nothing else is said, and the folder stays empty."""
    settings = {k: v for k, v in os.environ.items() if k not in ("CI", "PYTHONPATH")}
    settings |= {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"} | environment
    command, files = [sys.executable, "-c", before + DRAWN], os.listdir(folder)
    done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True)
    assert os.listdir(folder) == files
    return done.stdout or done.stderr


def test_an_editable_and_an_ordinary_install_and_all_settings_draw_the_same(tmp_path):
    installed = tmp_path / "lib" / "site-packages"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "microgrid", installed / "microgrid", ignore=ignored)
    own = tmp_path / "own"
    own.mkdir()
    usual = drawn(own, installed)
    assert usual.startswith("[")
    (own / "constants.py").write_text(CONSTANTS)
    assert drawn(own, ROOT, f"import constants\n{PROFILE}", CI="true") == usual


# Grades.


def entries_of(report):
    """The entries of a grade that have points, and those that have none."""
    graded = json.loads(report.gradescope())
    counted = [test for test in graded["tests"] if "score" in test]
    assert graded["score"] == sum(test["score"] for test in counted)
    return counted, [test["name"] for test in graded["tests"] if test not in counted]


def test_what_could_not_be_judged_is_no_part_of_a_grade(monkeypatch):
    """Neither what was not run before the time was over, nor what waits, nor what is not there."""
    only = ["reuse", "zeroing", "training step"]
    report = check(museum.broken("overwrites", "mul"), only=only, draws=2)
    counted, others = entries_of(report)
    assert others == ["zeroing", "training step"]
    failed = [test["name"] for test in counted if test["status"] == "failed"]
    assert "reuse" in failed
    left = iter([60.0] * 300)
    monkeypatch.setattr(processor_time.Budget, "left", property(lambda _: next(left, 0.0)))
    report = check(str(PLAIN), draws=2)
    assert report.exit_code == 2
    counted, others = entries_of(report)
    assert 0 < len(counted) < len(others)
    assert {test["status"] for test in counted} == {"passed"}
    suite = ET.fromstring(report.junit()).find("testsuite")
    assert 0 < int(suite.get("errors")) <= len(others)


def test_a_verdict_on_nothing_says_so(monkeypatch):
    left = iter([60.0] * 10)
    monkeypatch.setattr(processor_time.Budget, "left", property(lambda _: next(left, 0.0)))
    report = check(museum.Value, draws=2, only=["values"])
    assert report.verdict == "nothing could be judged: no findings, not all was run"
    assert entries_of(report)[0] == []


# Files.

ENDS = {  # what the engine's file says, by the exit code of its check
    0: "{plain}", 1: "{plain}\nValue.exp = lambda self: Value(1.0, (self,), (1.0,))",
    2: "import no_such_module_at_all_\nraise SystemExit",
}  # fmt: skip
WRITTEN = {"new/a/report.html": "html", "report.json": "json", "old.xml": "junit"}


@pytest.mark.parametrize("code", ENDS)
def test_a_check_leaves_the_reports_alone_and_where_it_cannot_run_nothing(code, tmp_path):
    (tmp_path / "engine.py").write_text(ENDS[code].format(plain=PLAIN.read_text()))
    (tmp_path / "old.xml").write_text("an older report")
    before = contents(tmp_path)
    command = [sys.executable, "-m", "microgrid", "check", "engine.py", "--only", "values"]
    options = [word for file, kind in WRITTEN.items() for word in (f"--{kind}", file)]
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    settings |= {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, "--draws", "2", *options], cwd=tmp_path, env=settings)
    assert done.returncode == code
    now = contents(tmp_path)
    if code == 2:
        assert now == before
    else:
        assert now.keys() == before.keys() | WRITTEN.keys() | {"new", "new/a"}
        assert all(len(now[file]) > 100 for file in WRITTEN)


def contents(folder):
    """The text of each file of a folder and of the folders in it."""
    paths = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
    return {name: path.read_text() if path.is_file() else None for name, path in paths.items()}


def test_a_report_that_cannot_be_written_is_told_before_the_check(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("microgrid.check.check", lambda *_, **__: pytest.fail("it was run"))
    Path("file").write_text("")
    Path("folder").mkdir()
    Path("link").symlink_to("nowhere.json")
    before = contents(tmp_path)
    for name in ("file/report.json", "folder", "new/" + "long" * 100):
        assert cli.main(["check", str(PLAIN), "--json", name]) == 2
        assert capsys.readouterr().err.startswith("microgrid check: ")
        assert contents(tmp_path) == before
    reports.try_to_write(Path("link"))
    assert Path("link").is_symlink()
    assert contents(tmp_path) == before


# Classes that no file holds.

FACTOR = 1.0  # a name of this module, which a class below uses
ONLY = ["one operation"]


class Scaled(museum.Value):
    def send(self):
        for parent, local in zip(self.parents, self.local):
            parent.grad += scaled(local) * self.grad


def scaled(x):
    return FACTOR * x


def test_a_class_uses_the_names_of_its_module_as_they_are_now(monkeypatch):
    assert check(Scaled, only=ONLY, draws=2).ok
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    assert not check(Scaled, only=ONLY, draws=2).ok


def test_a_class_is_checked_as_it_is_now_though_it_is_installed(monkeypatch):
    assert check(museum.Value, only=ONLY, draws=2).ok
    wrong = lambda self, other: museum.Value.make("sub", self, other)  # noqa: E731
    monkeypatch.setattr(museum.Value, "__add__", wrong)
    assert not check(museum.Value, only=ONLY, draws=2).ok


def test_a_class_that_cannot_be_sent_is_refused_with_a_way_out(monkeypatch):
    lock = threading.Lock()
    holds = type("Value", (museum.Value,), {"lock": lock})
    with pytest.raises(EngineError, match=r"cannot be sent.*write it to a file"):
        check(holds)
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(EngineError, match=r'cloudpickle: pip install "cloudpickle.*\.\[check\]"'):
        check(museum.Value)


SCRIPT = """
{plain}

from microgrid.check import check
slope = 1.0
def local():
    class Local(Value):
        def tanh(self):
            t = math.tanh(self.data)
            return Local(t, (self,), (slope - t * t,))
    return Local
{warn}
if __name__ == "__main__":
    print(*(check(cls, only={only}, draws=2).ok for cls in (Value, local())))
    slope = 2.0
    print(check(local(), only={only}, draws=2).ok)
"""
NO_FORK = """
import os, threading, warnings
warnings.simplefilter("error")
del os.fork
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""


def test_a_class_of_a_script_with_threads_is_checked_without_a_fork(tmp_path):
    code = SCRIPT.format(plain=PLAIN.read_text(), only=ONLY, warn=NO_FORK)
    (tmp_path / "script.py").write_text(code)
    settings = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True", "False"], done.stderr
    assert os.listdir(tmp_path) == ["script.py"]


def test_a_class_of_a_notebook_is_checked(tmp_path):
    code = SCRIPT.format(plain=PLAIN.read_text(), only=ONLY, warn="")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    settings = os.environ | {"PYTHONPATH": str(ROOT)}
    NotebookClient(book, timeout=None).execute(cwd=str(tmp_path), env=settings)
    said = "".join(output["text"] for output in book.cells[0].outputs)
    assert said.split() == ["True", "True", "False"]
