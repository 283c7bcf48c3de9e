"""Every block of each README is run: sessions as doctests, programs and commands here.

The demo and the tests are the commands that `.ci/run` runs itself.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest
from shared.playground import playing

import microgrid
from microgrid.check.command import ADAPTERS
from microgrid.check.handwritten.museum import source

ROOT = Path(__file__).parent.parent
PACKAGE = Path(microgrid.__file__).parent  # in the checkout, or in an installed wheel
ROOMS = {p.relative_to(PACKAGE.parent).as_posix(): p for p in sorted(PACKAGE.rglob("README.md"))}
GUIDES = {p.relative_to(ROOT).as_posix(): p for p in sorted((ROOT / ".github").glob("*.md"))}
TEXTS = {
    name: path.read_text(encoding="utf-8")
    for name, path in {"README.md": ROOT / "README.md", **ROOMS, **GUIDES}.items()
}
BLOCKS = [
    (name, kind, block)
    for name, text in TEXTS.items()
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
]
COMMANDS = sorted(
    {
        part.strip()
        for _, kind, block in BLOCKS
        if kind == "sh"
        for line in block.splitlines()
        for part in line.split("&&")
    }
)
PROGRAMS = [block for _, kind, block in BLOCKS if kind == "python" and ">>>" not in block]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

each_text = pytest.mark.parametrize("name", TEXTS)


def test_there_are_blocks_of_known_kinds_only():
    assert {kind for _, kind, _ in BLOCKS} == {"json", "python", "sh", "text"}
    assert len(BLOCKS) == sum(text.count("```") for text in TEXTS.values()) // 2


def test_every_session_stands_where_pytest_looks_for_doctests():
    """Which is in files named README.md, here and in the package."""
    assert {Path(name).name for name, _, block in BLOCKS if ">>>" in block} == {"README.md"}


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("microgrid ")])
def test_every_command_works_as_it_stands(command, tmp_path):
    if command.startswith("microgrid play "):  # it runs until it is ended
        with playing(*shlex.split(command)[2:]) as (_, address):
            assert address.startswith("http://127.0.0.1:")
        return
    engine = ROOT / "tests" / "check" / "engines" / "plain.py"
    (tmp_path / "my_engine.py").write_text(engine.read_text(encoding="utf-8"), encoding="utf-8")
    for name, file in {
        "engine.mjs": ROOT / "tests" / "check" / "adapters" / "right.mjs",
        "my_adapter.mjs": ROOT / "microgrid" / "check" / "adapters" / "javascript.mjs",
    }.items():
        (tmp_path / name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "layers.py").write_text(source("affine_pair"), encoding="utf-8")
    if ".mjs" in command:
        if shutil.which("node") is None:
            loud = f"NOT TESTED, AS THERE IS NO node: {command}"
            warnings.warn(loud, stacklevel=1)
            pytest.skip(loud)
        shutil.copy(ROOT / "tests" / "check" / "adapters" / "right.mjs", tmp_path / "engine.mjs")
        adapter = f'import "{ADAPTERS["javascript"].as_uri()}";'
        (tmp_path / "my_adapter.mjs").write_text(adapter, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)], cwd=tmp_path, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert run.returncode == ("--example" in command), run.stderr  # it has two mistakes
    for name in re.findall(r"(?:-o|--html|--answers) (\S+)", command):
        assert (tmp_path / name).stat().st_size > 500


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_runs(program, tmp_path):
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "True"


def test_what_is_to_be_installed_exists():
    asked = [extra for c in COMMANDS for extra in re.findall(r'"\.\[([\w,]+)\]"', c)]
    assert {"viz", "test", "notebooks", "check", "bench"} <= set(asked)
    assert set(asked) <= set(PROJECT["optional-dependencies"])


@each_text
def test_every_extra_that_is_named_exists(name):
    named = re.findall(r"extra `(\w+)`|\"\.\[(\w+)\]\"", TEXTS[name])
    assert {a or b for a, b in named} <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_other_command_is_one_that_is_run_elsewhere(command):
    known = (
        r"microgrid .*", r"python3 -m venv \.venv", r"(\.venv/bin/)?pip install .*",
        r"\.venv/bin/microgrid demo", r"\.venv/bin/pytest -q -n 2( --hypothesis-profile deep)?",
        r"jupyter lab notebooks", r"\.venv/bin/(mutmut|coverage) .*",
        r"\.venv/bin/python tests/benchmarks/(engine|gpu|program|speed|training)\.py",
    )  # fmt: skip
    assert any(re.fullmatch(pattern, command) for pattern in known)


def place_of(link, name):
    """The path from the top that a link in this text leads to, and the text's title there."""
    path, _, title = link.partition("#")
    return Path(os.path.normpath(Path(name).parent / path)).as_posix() if path else name, title


def links(name):
    found = re.findall(r'\]\(([^)]+)\)|src="([^"]+)"', TEXTS[name])
    return [place_of(a or b, name) for a, b in found if not (a or b).startswith("https://")]


def titles(text):
    """The anchors that GitHub makes of the titles."""
    lines = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", t).strip().lower().replace(" ", "-") for t in lines}


@each_text
def test_every_link_leads_somewhere(name):
    for place, title in links(name):
        inside = place.split("/")[0] == "microgrid"
        assert ((PACKAGE.parent if inside else ROOT) / place).exists(), place
        assert not title or title in titles(TEXTS[place]), f"{place}#{title}"


def test_the_readme_leads_to_every_room_and_every_guide():
    linked = {place for place, _ in links("README.md")}
    rooms = {f"microgrid/{p.parent.name}" for p in PACKAGE.glob("*/__init__.py")}
    assert rooms <= {place.removesuffix("/README.md") for place in linked}
    assert set(ROOMS) <= linked
    assert set(GUIDES) - {".github/PULL_REQUEST_TEMPLATE.md"} <= linked
