"""What a browser needs to run the engine: Python and Graphviz as WebAssembly, pinned by hashes."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import NamedTuple

from microgrid.engine.errors import MicrogridError

VERSIONS = {"pyodide": "314.0.7", "@hpcc-js/wasm-graphviz": "1.29.2"}  # packages of npm
CDN = "https://cdn.jsdelivr.net/npm"
INSTALL = f"npm install --prefix runtime {' '.join([f'{x}@{v}' for x, v in VERSIONS.items()])}"


class SiteError(MicrogridError):
    """A folder that `microgrid site` can neither read from nor write to.

    >>> runtime(Path("nowhere"))
    Traceback (most recent call last):
        ...
    microgrid.playground.runtime.SiteError: nowhere has no pyodide/pyodide.mjs: get it by ...
    """


class File(NamedTuple):
    """A file of a package of npm, and its hash as `integrity` has it."""

    package: str
    path: str
    hash: str

    @property
    def url(self) -> str:
        """Where a network of copies has it."""
        return f"{CDN}/{self.package}@{VERSIONS[self.package]}/{self.path}"


FILES = {  # by their names in the site
    "pyodide.mjs": File(
        "pyodide", "pyodide.mjs",
        "sha384-Lp79fMwxa4n2BLtugpUAoQMlbxIdg8iCUiP1r3h7nJLkQjwlXT1JzZTeHVL+f4Dg",
    ),
    "pyodide.asm.mjs": File(
        "pyodide", "pyodide.asm.mjs",
        "sha384-/2281iaC0Iimw0B3Kagy1DBfZcJG3W4KYW+EmOqhsdY3fR9BJ88FE2Zt6y0KQKpa",
    ),
    "pyodide.asm.wasm": File(
        "pyodide", "pyodide.asm.wasm",
        "sha384-y++qrQ72KPA1fTjLIuGMP+jppgGxjbLCgfdb0zMrnNnQVhxRUXTOTF6rTxNzllSu",
    ),
    "python_stdlib.zip": File(
        "pyodide", "python_stdlib.zip",
        "sha384-xW3A5jmenkrPXbsgrIaB1FCJh9OuLT7FRMagsJMgtlhVc19k/mSy3+7nMaF/d767",
    ),
    "graphviz.mjs": File(
        "@hpcc-js/wasm-graphviz", "dist/index.js",
        "sha384-bEpgP6lngwE++CEeKQSXYqmUUIT0RQRIGYbuiNaEyXJin/9pn/J8oWc2LXPITzxG",
    ),
}  # fmt: skip
LICENSE = File(
    "@hpcc-js/wasm-graphviz", "LICENSE",
    "sha384-PIQnWXvXMbiMrxqD4rLk8H6cbb/K1vTZOZa+K8tMEq7fZTNGE49eOFu+0IKmCVgL",
)  # fmt: skip
NOTICE = f"""\
The files in this folder are as the packages pyodide {VERSIONS["pyodide"]} and
@hpcc-js/wasm-graphviz {VERSIONS["@hpcc-js/wasm-graphviz"]} of npm have them.

pyodide.mjs, pyodide.asm.mjs, pyodide.asm.wasm
    Pyodide, under the Mozilla Public License 2.0, https://mozilla.org/MPL/2.0/
    Its source: https://github.com/pyodide/pyodide/tree/{VERSIONS["pyodide"]}
pyodide.asm.wasm, python_stdlib.zip
    CPython, under the licence of the Python Software Foundation,
    https://docs.python.org/3/license.html
graphviz.mjs
    @hpcc-js/wasm-graphviz, under the Apache License 2.0, in graphviz.LICENSE
    Its source: https://github.com/hpcc-systems/hpcc-js-wasm
    Graphviz, under the Eclipse Public License 2.0, https://www.eclipse.org/legal/epl-2.0/
    Its source: https://gitlab.com/graphviz/graphviz
"""


def runtime(folder: Path) -> dict[str, bytes]:
    """The files out of a folder with the packages of npm, or of a site's own folder `runtime`.

    SiteError, which says how to get them, for one that is missing or not the pinned one.
    """
    found = {name: checked(folder, name, file) for name, file in FILES.items()}
    return found | {
        "graphviz.LICENSE": checked(folder, "graphviz.LICENSE", LICENSE),
        "NOTICE.txt": NOTICE.encode(),
    }


def checked(folder: Path, name: str, file: File) -> bytes:
    """The bytes of a file, from the first place where a folder may have it."""
    installed = Path(file.package) / file.path
    places = [folder / x for x in (Path("node_modules") / installed, installed, Path(name))]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise SiteError(f"{folder} has no {installed.as_posix()}: get it by {INSTALL}")
    data = path.read_bytes()
    if integrity(data) != file.hash:
        raise SiteError(f"{path} is not that of {file.package}@{VERSIONS[file.package]}: {INSTALL}")
    return data


def integrity(data: bytes) -> str:
    """The hash as `integrity` in a page has it."""
    return f"sha384-{base64.b64encode(hashlib.sha384(data).digest()).decode()}"
