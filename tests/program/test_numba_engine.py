"""The compiled loops on disk: whatever happened to their files, the next process has right ones."""

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from microgrid import record
from microgrid.engine import ops
from microgrid.program.engines import numba_engine

LOOP = """
TYPES, REORDERED = {"doubled": "float64(float64[::1])"}, ()


def doubled(v):
    return 2 * v[0]
"""


@pytest.fixture
def place(monkeypatch, tmp_path, capsys):
    """The folder of one small loop, which compiles in no time."""
    monkeypatch.setenv("MICROGRID_CACHE", str(tmp_path))
    monkeypatch.setattr(numba_engine, "kernel_source", lambda: LOOP)
    assert compiles(capsys)
    (folder,) = tmp_path.iterdir()
    return folder


def compiles(capsys):
    """Whether a new process would compile; the loop is right."""
    assert numba_engine.kernel.__wrapped__().doubled(np.array([21.0])) == 42.0
    return "compiles" in capsys.readouterr().err


def flip(path):
    """Change one bit in the middle, as a bad disk does."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def replace_by_a_folder(path):
    path.unlink()
    (path / "inside").mkdir(parents=True)


def link_to_itself(path):
    path.unlink()
    path.symlink_to(path)


DAMAGES = {
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "one bit": flip,
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "removed": Path.unlink,
    "a folder": replace_by_a_folder,
    "a link to itself": link_to_itself,
}
FILES = ["kernel.py", "__pycache__/*.nbi", "__pycache__/*.nbc", "sha256sums"]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_made_anew_once(place, file, damage, capsys):
    (path,) = place.glob(file)
    DAMAGES[damage](path)
    assert compiles(capsys)
    assert not compiles(capsys)
    assert [*place.parent.iterdir()] == [place]


@pytest.mark.parametrize("name", [".", "__pycache__"])
@pytest.mark.parametrize("damage", ["a file", "removed", "emptied"])
def test_a_damaged_folder_is_made_anew_once(place, name, damage, capsys):
    shutil.rmtree(place / name)
    if damage == "a file":
        (place / name).resolve().write_text("no folder")
    elif damage == "emptied":
        (place / name).mkdir()
    assert compiles(capsys)
    assert not compiles(capsys)
    assert [*place.parent.iterdir()] == [place]


def test_files_of_others_in_the_folder_do_no_harm(place, capsys):
    for folder in (place, place / "__pycache__"):
        (folder / ".DS_Store").write_text("seen")
    assert not compiles(capsys)


def test_a_folder_that_cannot_be_written_is_read(place, monkeypatch, capsys):
    """As root all can be written: the answer of the system is planted, and the modes are real."""
    for path in (place / "__pycache__", place):
        path.chmod(0o500)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).parent != place)
    before = sorted(place.rglob("*"))
    assert not compiles(capsys)
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("blocked", ["cache", "home"])
def test_where_nothing_can_be_kept_the_process_compiles_for_itself(
    blocked, monkeypatch, tmp_path, capsys
):
    (tmp_path / "a file").write_text("")
    monkeypatch.setattr(numba_engine, "kernel_source", lambda: LOOP)
    if blocked == "cache":
        monkeypatch.setenv("MICROGRID_CACHE", str(tmp_path / "a file" / "folder"))
    else:
        for name in ("MICROGRID_CACHE", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path / "a file"))
    for _ in range(2):
        assert compiles(capsys)
    assert os.listdir(tmp_path) == ["a file"]


def test_a_failure_while_compiling_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("MICROGRID_CACHE", str(tmp_path))
    monkeypatch.setattr(numba_engine, "kernel_source", lambda: LOOP + "\n\n1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        numba_engine.kernel.__wrapped__()
    assert not os.listdir(tmp_path)


PROCESS = f"""
import numpy as np
from microgrid.program.engines import numba_engine
numba_engine.kernel_source = lambda: {LOOP!r}
print(numba_engine.kernel().doubled(np.array([21.0])))
"""


def started(**settings):
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS], env=os.environ | settings, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_processes_that_begin_at_once_leave_one_folder(tmp_path):
    cache = tmp_path / "a folder, 雪"
    together = [started(MICROGRID_CACHE=str(cache)) for _ in range(3)]
    assert [process.communicate()[0] for process in together] == ["42.0\n"] * 3
    assert len(os.listdir(cache)) == 1
    assert started(MICROGRID_CACHE=str(cache)).communicate() == ("42.0\n", "")


def test_numbas_own_settings_are_followed(tmp_path):
    settings = {"MICROGRID_CACHE": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert "compiles" in started(**settings).communicate()[1]
    assert started(**settings).communicate() == ("42.0\n", "")
    assert os.listdir(tmp_path) == ["microgrid"]
    assert started(**settings, NUMBA_DISABLE_JIT="1").communicate()[0] == "42.0\n"
    assert started(**settings).communicate() == ("42.0\n", "")


def on_floats(f):
    """The plain function inside of f, for NumPy's numbers and arrays of operands."""
    return lambda *xs: inspect.unwrap(f)(*[x.tolist() for x in xs])


@pytest.mark.parametrize("name", [n for n in numba_engine.compiled_ops() if n in ops.PUBLIC])
def test_the_loops_as_plain_python_give_the_bits_of_the_compiled_ones(name):
    """kernel.py is Python: numba makes it fast, and changes no bit."""
    op = ops.PUBLIC[name]
    xs = [0.25, 0.5, 0.75][: op.arity or 3]
    try:
        op.forward(*xs)
    except ValueError:
        xs = [2 + x for x in xs]
    program = record(lambda *xs: op(*xs) * xs[0] + xs[-1] * 3.0, *xs, backend="numba")
    batched = program.batched(threads=1)
    samples = [np.linspace(x, x + 0.1, 5) for x in xs]
    compiled = program(*xs), *batched(*samples)
    loops = {f"op_{n}": on_floats(o.forward) for n, o in numba_engine.compiled_ops().items()}
    exec(numba_engine.kernel_source(), loops)
    for runner in program._plans.values():
        runner.engine.numbers, runner.engine.samples = loops["numbers"], loops["samples"]
    assert (program(*xs), *batched(*samples)) == compiled
