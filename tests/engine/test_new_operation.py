"""A new operation is one entry of the table: every reader then knows it, and no other file changes.

The package is copied, three entries are added to the copy's ops.py, and every reader runs on them.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from shared.every_reader import ORACLES, READERS

import microgrid

PACKAGE = Path(microgrid.__file__).parent
ENTRIES = """
bent = op("bent", lambda x: x * abs(x), lambda y, x: 2 * absolute(x), kink=abs)
bell = op("bell", lambda x: math.exp(-x * x), lambda y, x: -2 * x * y)
xlog1py = op(
    "xlog1py", lambda x, y: x * math.log1p(y) if x else 0.0, lambda z, x, y: log1p(y),
    lambda z, x, y: x / (1 + y), domain=[REAL, POSITIVE])
"""


def scratch(folder: Path, entries: str) -> Path:
    """A copy of the package with these entries in its table."""
    ignored = shutil.ignore_patterns("__pycache__")
    copy = shutil.copytree(PACKAGE, folder / "microgrid", ignore=ignored)
    table = copy / "engine" / "ops.py"
    text = table.read_text(encoding="utf-8")
    assert text.count("PUBLIC = ") == 1
    table.write_text(text.replace("PUBLIC = ", f"{entries}PUBLIC = "), encoding="utf-8")
    return folder


def run(folder: Path, readers: Iterable[str], names: Iterable[str]) -> dict[str, dict[str, str]]:
    """What every reader says to these operations, in a process that sees the copy.

    The kernel runs as Python there: that numba compiles each operation of the real table, the
    tests of the engine see, and a second kernel takes a minute.
    """
    script = Path(__file__).parents[1] / "shared" / "every_reader.py"
    env = {**os.environ, "PYTHONPATH": str(folder), "MICROGRID_CACHE": str(folder / "cache"),
           "NUMBA_DISABLE_JIT": "1"}  # fmt: skip
    command = [sys.executable, str(script), ",".join(readers), ",".join(names)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return run(scratch(tmp_path_factory.mktemp("scratch"), ENTRIES), READERS, ORACLES)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_knows_a_new_operation_unasked(found, reader, name):
    assert found[reader][name] == ""


def test_a_wrong_rule_would_be_seen(tmp_path):
    slip = 'slip = op("bell", lambda x: math.exp(-x * x), lambda y, x: -x * y)\n'
    readers = ("eager", "fifth_derivative", "hessian", "gradcheck", "record_numpy", "source_numpy")
    found = run(scratch(tmp_path, slip), readers, ["bell"])
    assert all("Error" in found[reader]["bell"] for reader in readers), found
