"""The page as a folder for any web server: the engine runs in the reader's browser."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from microgrid.playground.answer import Playground
from microgrid.playground.bundle import engine_zip
from microgrid.playground.files import files, read
from microgrid.playground.runtime import FILES, SiteError, runtime

PYTHON = {  # as Pyodide's own list of packages begins, which is not needed for the rest
    "abi_version": "2026_0", "arch": "wasm32", "platform": "emscripten_5_0_3", "python": "3.14.2",
}  # fmt: skip
ALL = dict.fromkeys(("rows", "table", "folded"), True)  # whatever the page may want of it
MANIFEST = "site.json"  # the names of what was written: a folder with it is ours


def write_site(folder: Path, runtime_folder: Path | None = None, force: bool = False) -> list[Path]:
    """Write the site; the paths. With a folder of packages of npm it needs no other host.

    SiteError for a folder that has other files, unless `force`, and for packages that are missing
    or not the pinned ones.
    """
    before = written_before(folder)
    if before is None and not force and folder.is_dir() and any(folder.iterdir()):
        raise SiteError(f"{folder} has other files: give a folder of its own, or --force")
    found = site(runtime_folder)
    for name in set(before or []) - found.keys():
        (folder / name).unlink(missing_ok=True)
    for name, data in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return [folder / name for name in found]


def written_before(folder: Path) -> list[str] | None:
    """The files of a site that stands in a folder; None if there is none."""
    try:
        names = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None  # somebody else's file of this name
    home = folder.resolve()
    return [name for name in names if (folder / name).resolve().is_relative_to(home)]


def site(runtime_folder: Path | None = None) -> dict[str, bytes]:
    """The files of the site by name; each time the same."""
    parts = runtime(runtime_folder) if runtime_folder else {}
    engine = engine_zip()
    digest = hashlib.sha256(engine).hexdigest()[:8]  # no browser keeps an older one
    sources = {"engine.zip": {"url": f"engine.zip?{digest}"}}
    for name, file in FILES.items():
        elsewhere = {"url": file.url, "integrity": file.hash}
        sources[name] = {"url": f"runtime/{name}"} if parts else elsewhere
    consts = f"const RUNTIME = {as_json(sources)};\nconst PYTHON = {as_json(PYTHON)};\n"
    found = files("pyodide") | {
        "worker.js": (consts + read("worker.js")).encode(),
        "engine.zip": engine,
        **examples(),
        **{f"runtime/{name}": data for name, data in parts.items()},
    }
    return found | {MANIFEST: as_json({"files": sorted([*found, MANIFEST])}).encode()}


@cache
def examples() -> Mapping[str, bytes]:
    """The menu, and the answer to each of its examples, which are there before the engine is."""
    playground, found = Playground(), dict[str, bytes]()
    menu = playground.answer({"ask": "examples"})["examples"]
    for i, example in enumerate(menu):
        asked = {"ask": "circuit", "text": example["text"], "numbers": example["numbers"], **ALL}
        example["baked"] = f"baked/{i}.json"
        found[example["baked"]] = as_json(playground.answer(asked)).encode()
    return {"examples.json": as_json({"examples": menu}).encode(), **found}


def as_json(x: Any) -> str:
    return json.dumps(x, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
