"""Every block of the README is run: sessions as doctests, programs and commands here.

The demo and the tests are the commands that `.ci/run` runs itself.
"""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LINES = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
COMMANDS = [part.strip() for line in LINES for part in line.split("&&")]
PROGRAMS = [text for kind, text in BLOCKS if kind == "python" and ">>>" not in text]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_there_are_blocks_of_known_kinds_only():
    assert {kind for kind, _ in BLOCKS} <= {"python", "sh", "text"}
    assert len(BLOCKS) == README.count("```") // 2


@pytest.mark.parametrize("command", sorted({c for c in COMMANDS if c.startswith("microgrid ")}))
def test_every_command_works_as_it_stands(command, tmp_path):
    engine = ROOT / "tests" / "check" / "engines" / "plain.py"
    (tmp_path / "my_engine.py").write_text(engine.read_text(encoding="utf-8"), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)], cwd=tmp_path, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    for name in re.findall(r"(?:-o|--html|--answers) (\S+)", command):
        assert (tmp_path / name).stat().st_size > 500


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_runs(program, tmp_path):
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "True"


def test_what_is_to_be_installed_exists():
    asked = [extra for c in COMMANDS for extra in re.findall(r'"\.\[([\w,]+)\]"', c)]
    assert {"viz", "test", "notebooks"} <= set(asked)
    assert set(asked) <= set(PROJECT["optional-dependencies"])


def test_every_other_command_is_one_that_is_run_elsewhere():
    known = (
        r"microgrid .*", r"python3 -m venv \.venv", r"(\.venv/bin/)?pip install .*",
        r"\.venv/bin/microgrid demo", r"\.venv/bin/pytest -q -n 2", r"jupyter lab notebooks",
        r"\.venv/bin/python tests/benchmarks/(engine|program|training)\.py",
        r"\.venv/bin/mutmut .*",
    )  # fmt: skip
    for command in COMMANDS:
        assert any(re.fullmatch(pattern, command) for pattern in known), command


def test_every_link_to_a_file_leads_somewhere():
    links = re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)|src="([^"]+)"', README)
    places = [a or b for a, b in links]
    assert places
    for place in places:
        assert (ROOT / place).exists(), place
    titles = {
        re.sub(r"[^\w -]", "", t).strip().lower().replace(" ", "-")
        for t in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= titles
