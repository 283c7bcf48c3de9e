"""The engine for a browser: the modules that the answers need, found and put into one zip."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import files
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from microgrid.playground.runtime import SiteError

ENGINE = "microgrid.playground.answer"
ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("microgrid", "graphviz")  # beside the standard library; both are Python alone
ALONE = """
import importlib, json, sys

class Others:  # what a browser has not
    def find_spec(self, name, path=None, target=None):
        known = {*sys.stdlib_module_names, *PACKAGES}
        if name.partition(".")[0] not in known and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"no {name} in a browser", name=name)

sys.meta_path.insert(0, Others())
for name in MODULES:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:  # arrays, which no question brings in
        if name == ENGINE:
            raise
ours = [m for n, m in sorted(sys.modules.items()) if n.partition(".")[0] in PACKAGES]
print(json.dumps([[m.__name__, m.__file__] for m in ours]))
"""


@cache
def engine_zip() -> bytes:
    """The zip, with the same bytes for the same modules.

    SiteError where the engine needs more than Python and `PACKAGES` have.
    """
    names = f"ENGINE, PACKAGES, MODULES = {ENGINE!r}, {PACKAGES!r}, {reachable(ENGINE)!r}"
    python = [sys.executable, "-c", names + ALONE]
    told = subprocess.run(python, capture_output=True, text=True, cwd=ROOT)
    if told.returncode:
        raise SiteError(f"the engine cannot do without other packages: {told.stderr.strip()}")
    found = {"graphviz/LICENSE.txt": license_of("graphviz")}
    for name, file in json.loads(told.stdout):
        end = "/__init__.py" if Path(file).stem == "__init__" else ".py"
        found[name.replace(".", "/") + end] = Path(file).read_bytes()
    return zipped(found)


def license_of(package: str) -> bytes:
    """The licence that an installed package comes with."""
    paths = [path for path in files(package) or () if path.name.startswith("LICENSE")]
    return b"".join([path.read_binary() for path in paths])


def zipped(found: dict[str, bytes]) -> bytes:
    """A zip that has no date of its own."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as bag:
        for name, data in found.items():
            info = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type, info.external_attr = ZIP_DEFLATED, 0o644 << 16
            bag.writestr(info, data, compresslevel=9)
    return buffer.getvalue()


def reachable(module: str) -> list[str]:
    """The modules of this package that a module imports, now or later, it first."""
    found, waiting = dict[str, None](), [module]
    while waiting:
        name = waiting.pop()
        path = path_of(name)
        if path and name not in found:
            found[name] = None
            waiting += imports(path)
        if "." in name:  # a name in a module, or a module in a package
            waiting.append(name.rpartition(".")[0])
    return [*found]


def path_of(name: str) -> Path | None:
    place = ROOT / name.replace(".", "/")
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((x for x in files if x.is_file()), None) if name.startswith("microgrid") else None


def imports(path: Path) -> Iterator[str]:
    """What a file imports, also inside of functions: modules, or names in them."""
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.ImportFrom):
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)
        elif isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
