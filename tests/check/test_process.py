"""The engine's process: its limits, how a class reaches it, and that nothing is left behind."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import microgrid
from microgrid.check import processor_time
from microgrid.check.process import spawned

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
    assert drawn(own, ROOT) == usual
    assert drawn(own, installed, CI="true") == usual
    assert drawn(own, installed, PROFILE) == usual
    (own / "constants.py").write_text(CONSTANTS)
    assert drawn(own, installed, "import constants") == usual
