"""What is missing of an extra, and the command that installs it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from microgrid.engine.extras import EXTRAS, explained, install, missing, package

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_table_says_what_the_project_says():
    declared = PROJECT["optional-dependencies"]
    for extra, requirements in EXTRAS.items():
        assert set(requirements) <= set(declared[extra])
        assert requirements == declared[extra] or extra == "course"


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_command_installs_packages_of_an_index_and_the_extra_of_a_checkout(extra):
    anywhere, checkout = install(extra).split(" (in a checkout of microgrid: ")
    assert re.findall(r'"([^"]+)"', anywhere) == missing(extra)
    assert PROJECT["name"] not in map(package, missing(extra))
    assert checkout == f'pip install ".[{extra}]")'


def test_only_what_is_missing_is_installed_and_nothing_else_is_explained(monkeypatch):
    assert missing("check") == EXTRAS["check"]  # nothing is missing
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert missing("check") == ["tqdm>=4.60"]
    other = ModuleNotFoundError("No module named 'mine'", name="mine")
    assert explained(other, "it needs") is other


@pytest.mark.parametrize(
    "program",
    [
        "from microgrid.check import check",
        "import microgrid as mg; mg.check.strategies",
    ],
)
def test_where_hypothesis_is_missing_the_error_says_what_to_install(program):
    program = f"import sys; sys.modules['hypothesis'] = None; {program}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    told = done.stderr.splitlines()[-1]
    assert re.fullmatch(
        r'ModuleNotFoundError: microgrid\.check\.\w+ needs hypothesis: pip install "hypothesis.*',
        told,
    )
