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
    {"errors", "version"},
    {"files", "numeric"},
    {"guards"},
    {"slopes"},
    {"value"},
    {"rules"},
    {"ops"},
    {"functions", "copying", "labels", "numerals", "scope", "settings"},
    {"calculus", "blocks", "latex"},
    {"matrix", "explain", "draw", "expression"},
    {"formulas", "diagnose", "derivation", "steps"},
    {"claims", "program"},
    {"nn"},
    {"optim"},
    {"plots"},
    {"derive"},
    {"examples"},
    {"__init__"},
    {"check"},
    {"course"},
    {"cli", "plugin"},
    {"__main__"},
]
INSIDE = {  # the layers of the packages
    "check": [
        {"worker", "trial"},
        {"engine", "strategies"},
        {"dialect", "museum"},
        {"properties", "anatomy"},
        {"diagnosis"},
        {"findings"},
        {"page"},
        {"report"},
        {"checker"},
        {"__init__"},
    ],
    "check/museum": [{"base"}, {"exhibits"}, {"__init__"}],
    "program": [
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
    ],
    "plugin": [{"_microgrid_pytest"}],
    "nn": [
        {"initial", "module"},
        {"layers", "neurons", "losses", "predict"},
        {"__init__"},
    ],
    "optim": [
        {"schedules", "history", "objective", "data"},
        {"optimizers"},
        {"training"},
        {"__init__"},
    ],
    "course": [
        {"exercise", "mistakes"},
        {"answers", "circuits", "worksheets"},
        {f"chapter{i:02}" for i in range(1, 11)},
        {"__init__"},
    ],
    "course/worksheets": [
        {"kinds"},
        {"problem"},
        {"diagnosis"},
        {"random_circuits", "marks", "page"},
        {"sheet"},
        {"__init__"},
    ],
}
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
PARTS = [(name, path) for name in INSIDE for path in sorted(PACKAGE.glob(f"{name}/**/*.py"))]


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


def below(layers: list[set[str]], module: str) -> set[str]:
    """What stands in the layers below a module."""
    layer = next(i for i, names in enumerate(layers) if module in names)
    return set().union(*layers[:layer])


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down_only(module):
    assert imports(PACKAGE / f"{module}.py") & {*MODULES, *INSIDE} <= below(LAYERS, module)


@pytest.mark.parametrize(("package", "path"), PARTS, ids=lambda x: Path(x).stem)
def test_imports_of_packages_point_down_only(package, path):
    part = path.relative_to(PACKAGE / package).parts[0].removesuffix(".py")
    layers = INSIDE[package]
    own = imports(path, f"microgrid.{package.replace('/', '.')}") & set().union(*layers)
    inner = {part} if part != path.stem else set()  # parts of a package in the package
    assert own <= below(layers, part) | inner
    if "/" not in package:
        assert imports(path) & {*MODULES, *INSIDE} <= below(LAYERS, package) | {package}


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
READERS += [path for _, path in PARTS if "check" not in path.parts]


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
    assert count < 490


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
