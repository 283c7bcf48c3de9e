"""The shape of the project: folders as floors, the table as the only place of operations."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pytest

import microgrid
from microgrid.engine import ops

ROOT = Path(__file__).parent.parent
PACKAGE = Path(microgrid.__file__).parent
FLOORS = [  # from the bottom to the top, as one reads; each imports only what stands before it
    "version", "engine", "views", "matrices", "program", "nn", "check", "plots", "optim", "course",
    "playground", "cli", "errors", "results", "__main__",
]  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))
name = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))


def dotted(path: Path) -> tuple[str, ...]:
    """The module of a file: ("engine", "value")."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {dotted(path): path for path in FILES}


def imports(path: Path, everywhere: bool = False) -> set[tuple[str, ...]]:
    """The modules of the package that a file imports: at the top, or also inside of functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: list[str] = []
    for statement in ast.walk(tree) if everywhere else tree.body:
        if isinstance(statement, ast.ImportFrom):
            assert not statement.level, "imports name the package"
            names += [f"{statement.module}.{alias.name}" for alias in statement.names]
        elif isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
    return {prefixes(tuple(n.split(".")[1:]))[-1] for n in names if n.split(".")[0] == "microgrid"}


def prefixes(parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The modules along a dotted name: of ("engine", "ops", "exp") the package and its module."""
    return [parts[:n] for n in range(len(parts) + 1) if parts[:n] in MODULES]


@name
def test_imports_point_down_only(path):
    """Also those inside of functions, which only put off a weight; the package gives `optim`."""
    if path != PACKAGE / "__init__.py":
        floor = FLOORS.index(dotted(path)[0])
        for module in imports(path, everywhere=True):
            assert FLOORS.index(module[0] if module else "optim") <= floor, module


def test_the_package_and_the_readme_name_the_rooms_from_bottom_to_top():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## The rooms\n")[2]
    rooms = [room for room in FLOORS if (PACKAGE / room).is_dir()]
    docstring = [room for room in re.findall(r"`(\w+)`", microgrid.__doc__) if room in FLOORS]
    assert docstring == rooms
    assert re.findall(r"\[(\w+)\]\(microgrid/", readme.partition("\n## ")[0]) == rooms


def test_there_are_no_circles():
    graph = {m: imports(path) - {m} for m, path in MODULES.items() if path.name != "__init__.py"}
    assert list(TopologicalSorter(graph).static_order())


def test_every_floor_is_known_and_says_what_it_is():
    assert {m[0] for m in MODULES if m} == {*FLOORS}
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


@pytest.mark.parametrize("room", [room for room in FLOORS if (PACKAGE / room).is_dir()])
def test_the_docstring_of_a_room_names_all_its_files(room):
    """In the order in which to read them, as the README says."""
    docstring = import_module(f"microgrid.{room}").__doc__
    files = {m[1] for m in MODULES if len(m) > 1 and m[0] == room}
    assert {name for name in files if not re.search(rf"\b{name}\b", docstring, re.I)} == set()


def test_no_module_has_the_name_of_a_public_function():
    """So `import microgrid.….name as m` gives a module, in every room."""
    public = {n for n in microgrid.__all__ if callable(getattr(microgrid, n))}
    assert {m[-1] for m in MODULES if m} & public == set()
    for *room, name in filter(None, MODULES):
        found = getattr(import_module(".".join(["microgrid", *room])), name, None)
        assert found is None or isinstance(found, ModuleType), (room, name)


def test_the_checker_alone_needs_hypothesis():
    for path in FILES:
        if "check" not in path.parts:
            assert not re.search(r"^(from|import) hypothesis", path.read_text(), re.MULTILINE), path
    text = "import sys; sys.modules['hypothesis'] = None; from microgrid.check import layer"
    subprocess.run([sys.executable, "-c", text], check=True)


# They import NumPy, and are imported inside of functions, where an array comes in.
OF_ARRAYS = {"value_array", "array_ufuncs", "array_functions", "elimination"}


def test_the_engine_needs_the_standard_library_alone():
    for path in (PACKAGE / "engine").glob("*.py"):
        if path.stem in OF_ARRAYS:
            continue
        assert not {module[-1] for module in imports(path)} & OF_ARRAYS, path
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                names = [getattr(statement, "module", None) or statement.names[0].name]
                assert not {n.split(".")[0] for n in names} & {"numpy", "graphviz"}


def test_the_process_of_an_engine_needs_the_standard_library_alone():
    """An engine of NumPy arrays, or with modules named as ours, gets all as Python has it."""
    text = (
        "import sys; sys.modules |= dict.fromkeys(('numpy', 'graphviz', 'hypothesis', 'tqdm')); "
        "from microgrid.check.worker import forget; sys.path.insert(0, ''); forget(); "
        "assert not [name for name in sys.modules if name.startswith('microgrid')]"
    )
    subprocess.run([sys.executable, "-c", text], check=True)


def asked(path: Path) -> list[str]:
    """The comparisons, cases and prefixes that ask for an operation of the table, or its name."""
    found = []
    for x in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        prefix = getattr(getattr(x, "func", None), "attr", "") in ("startswith", "endswith")
        if isinstance(x, ast.Compare | ast.match_case) or prefix:
            parts = list(ast.walk(x.pattern if isinstance(x, ast.match_case) else x))
            names = {y.value for y in parts if isinstance(y, ast.Constant)}
            names |= {
                y.attr for y in parts
                if isinstance(y, ast.Attribute) and ast.unparse(y.value) in ("ops", "TABLE")
            }  # fmt: skip
            found += [f"{path.name}:{parts[0].lineno}"] * bool(names & {*ops.TABLE})
    return found


@name
def test_no_module_branches_on_the_name_of_an_operation(path):
    """But those that speak of them to people, and of functions of Python by the same names."""
    free = ("ops", "functions", "expression", "branchless")
    if path.stem not in free and not {"check", "course"} & {*path.parts}:
        assert asked(path) == []


UPSTREAM, LOCAL = re.compile(r"upstream|passed|grad|cotangent|adjoint"), re.compile(r"local|slope")


def products(path: Path) -> list[str]:
    """The multiplications of an upstream with a local gradient, by the names of their factors."""
    found = []
    for x in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(x, ast.BinOp | ast.AugAssign) and isinstance(x.op, ast.Mult):
            pair = (x.left, x.right) if isinstance(x, ast.BinOp) else (x.target, x.value)
            a, b = map(ast.unparse, pair)
            if any(UPSTREAM.search(up) and LOCAL.search(to) for up, to in ((a, b), (b, a))):
                found.append(ast.unparse(x))
    return found


def test_the_chain_rule_stands_in_one_line_of_one_file():
    """Of any file but those of engines to learn from, of shares drawn beside their edges, and of
    Jacobians with paths cut out, whose oracle is this line. The planned backward pass has no `*`:
    see program/plan/backward.py, whose oracle it is, too."""
    elsewhere = (
        "check/museum", "check/handwritten/forward/jacobians.py", "course", "views/drawing.py",
    )  # fmt: skip
    names = {path.relative_to(PACKAGE).as_posix(): path for path in FILES}
    found = {n: products(path) for n, path in names.items() if not n.startswith(elsewhere)}
    assert {n: lines for n, lines in found.items() if lines} == {
        "engine/value.py": ["upstream * local"],
        "engine/rules.py": ["self.passed * local"],  # what that `*` is behind a gate
    }


# What has to be read to understand the engine, in this order. Beside it numeric.py holds the
# functions of plain numbers, to be looked up one at a time.
READING = ("value", "op", "slopes", "functions", "rules")


def statements(path: Path) -> int:
    """How many statements and definitions stand in a file, whatever they are called."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [s for s in ast.walk(tree) if isinstance(s, ast.Expr | ast.Import | ast.ImportFrom)]
    return sum(isinstance(s, ast.stmt) for s in ast.walk(tree)) - len(texts)


def test_the_engine_can_be_read_in_one_sitting():
    """The docstring of the engine names the files with their lines; what is bounded are statements,
    so that a new entry of the table is always welcome."""
    said = ast.get_docstring(ast.parse((PACKAGE / "engine" / "__init__.py").read_text()))
    first = said.split("numeric.py")[0]
    named = re.findall(r"(\w+)\.py", first)
    assert {*named} == {*READING, "ops"}
    files = [PACKAGE / "engine" / f"{name}.py" for name in named]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert abs(lines - int(re.search(r"([\d,]+) lines", said)[1].replace(",", ""))) < 60
    assert sum(statements(PACKAGE / "engine" / f"{name}.py") for name in READING) <= 440
    for entry in ast.parse((PACKAGE / "engine" / "ops.py").read_text()).body:
        if isinstance(entry, ast.Assign | ast.AnnAssign) and "op(" in ast.unparse(entry)[:40]:
            assert entry.end_lineno - entry.lineno < 6, ast.unparse(entry)  # one entry


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


BRANCHES = [
    'if op.name == "mul": pass',
    'if op.name in ("relu", "tanh"): pass',
    'if op is ops.exp: pass',
    'if v.op in (ops.mul, ops.dot): pass',
    'match op.name:\n    case "mul": pass',
    'n = v.op.name\nif n == "mul": pass',
    'if op.name.startswith("exp"): pass',
]  # fmt: skip


@pytest.mark.parametrize("text", BRANCHES)
def test_a_branch_on_an_operation_is_seen(text, tmp_path):
    (tmp_path / "planted.py").write_text(text)
    assert asked(tmp_path / "planted.py")


PUBLIC = [name for name in microgrid.__all__ if isinstance(getattr(microgrid, name), ModuleType)]
PUBLIC += ["optim.schedules", "check.museum", "check.strategies"]


@pytest.mark.parametrize("path", ["", *PUBLIC])
def test_a_public_module_shows_what_is_public(path):
    """In `dir`, so in completion and `help`; the reference is made of the same `__all__`."""
    module = attrgetter(path)(microgrid) if path else microgrid
    shown = {name for name in dir(module) if not name.startswith("__")}
    assert shown == {*module.__all__}
    assert len(module.__all__) == len(shown)
    assert all(getattr(module, name) is not None for name in shown)


def test_every_error_is_in_the_module_of_errors():
    for room in {*MODULES} - {(), ("__main__",)}:
        for name, x in vars(import_module(".".join(["microgrid", *room]))).items():
            if isinstance(x, type) and issubclass(x, microgrid.MicrogridError):
                assert getattr(microgrid.errors, name) is x
