"""The shape of the project: layers, the table as the only place of operations, clean files."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

import microgrid

ROOT = Path(__file__).parent.parent
PACKAGE = Path(microgrid.__file__).parent
LAYERS = [
    {"errors", "numeric"},
    {"guards"},
    {"value"},
    {"rules"},
    {"ops"},
    {"functions", "copying", "labels", "scope"},
    {"calculus", "blocks", "latex"},
    {"matrix", "explain", "draw", "expression"},
    {"formulas", "diagnose", "derivation", "steps"},
    {"claims", "program"},
    {"derive"},
    {"examples"},
    {"__init__"},
    {"check"},
    {"cli", "plugin"},
    {"__main__"},
]
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
CHECKER = [  # the layers inside of the package `check`
    {"worker", "trial", "base"},
    {"engine", "exhibits", "strategies"},
    {"dialect", "museum"},
    {"properties", "anatomy"},
    {"diagnosis"},
    {"findings"},
    {"page"},
    {"report"},
    {"checker"},
    {"__init__"},
]


PROGRAM = [  # and of the package `program`
    {"watch"},
    {"tape"},
    {"lines", "forms"},
    {"forward"},
    {"adjoint"},
    {"schedule"},
    {"vectors", "native"},
    {"wengert", "translate"},
    {"listing", "source", "cluster"},
    {"runner"},
    {"batched"},
    {"program"},
    {"__init__"},
]


def imports(path: Path, package: str = "microgrid") -> set[str]:
    """The modules of the package that a file imports when it is imported itself."""
    found = set()
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        module = getattr(statement, "module", None) or ""
        if isinstance(statement, ast.ImportFrom) and f"{module}.".startswith(f"{package}."):
            inside = module.removeprefix(package).strip(".")
            names = [inside] if inside else [alias.name for alias in statement.names]
            found |= {name.split(".")[0] for name in names}
    return found


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down_only(module):
    layer = next(i for i, names in enumerate(LAYERS) if module in names)
    below = set().union(*LAYERS[:layer])
    assert imports(PACKAGE / f"{module}.py") & {*MODULES, "check", "program"} <= below


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("check/**/*.py")), ids=lambda p: p.stem)
def test_imports_of_the_checker_point_down_only(path):
    name = "museum" if path.match("museum/__init__.py") else path.stem
    layer = next(i for i, names in enumerate(CHECKER) if name in names)
    below = set().union(*CHECKER[:layer])
    inside = imports(path, "microgrid.check.museum") | imports(path, "microgrid.check")
    package = {"museum"} if "museum" in path.parts else set()  # its parts import it by name
    assert inside & set().union(*CHECKER) <= below | package
    assert not imports(path) & {"cli", "__main__"}


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("program/*.py")), ids=lambda p: p.stem)
def test_imports_of_programs_point_down_only(path):
    layer = next(i for i, names in enumerate(PROGRAM) if path.stem in names)
    assert imports(path, "microgrid.program") <= set().union(*PROGRAM[:layer])
    outside = next(i for i, names in enumerate(LAYERS) if "program" in names)
    assert imports(path) & {*MODULES, "check"} <= set().union(*LAYERS[:outside])


def test_the_checker_alone_needs_hypothesis():
    for path in PACKAGE.rglob("*.py"):
        if "check" not in path.parts:
            assert not re.search(r"^(from|import) hypothesis", path.read_text(), re.MULTILINE), path


@pytest.mark.parametrize(
    "module", ["errors", "guards", "value", "numeric", "rules", "ops", "calculus"]
)
def test_the_engine_needs_the_standard_library_alone(module):
    for statement in ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            names = [getattr(statement, "module", None) or statement.names[0].name]
            assert not {name.split(".")[0] for name in names} & {"numpy", "graphviz"}


READERS = [PACKAGE / f"{name}.py" for name in MODULES if name not in ("ops", "functions")]
READERS += sorted(PACKAGE.glob("program/*.py"))


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.stem)
def test_no_module_branches_on_the_name_of_an_operation(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\bop\.name\s*(==|!=|in\b)|op is ops\.|case .*op\.name", text)


def test_the_chain_rule_stands_in_one_line_of_one_file():
    lines = [
        line for path in PACKAGE.glob("*.py") for line in path.read_text().splitlines()
        if re.search(r"upstream \* local\b(?!s)", line) and "=" in line and '"""' not in line
    ]  # fmt: skip
    assert [line.strip() for line in lines] == ["share = upstream * local  # the chain rule"]


def test_the_engine_can_be_read_in_one_sitting():
    count = sum(len((PACKAGE / name).read_text().splitlines()) for name in ("value.py", "ops.py"))
    assert count < 450


def tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout: there is no list of tracked files to look at")
    return listing.stdout.splitlines()


def test_the_top_level_is_fixed():
    top = {name.split("/")[0] for name in tracked()}
    allowed = {"pyproject.toml", "README.md", "LICENSE", "microgrid", "tests", "notebooks"}
    assert {name for name in top if not name.startswith(".")} <= allowed


def test_no_file_names_a_machine_or_a_registry():
    patterns = [r"/(home|root|work|farm)/\w", r"(pypi|npmjs)\.(org|com)", r"pythonhosted"]
    for name in tracked():
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".yml", ".yaml", ".ipynb") and path.exists():
            if path == Path(__file__):
                continue
            text = path.read_text(encoding="utf-8")
            for pattern in patterns:
                assert not re.search(pattern, text), f"{name} matches {pattern}"
