"""What pip installs beside the package, and the words for what is missing of it."""

from __future__ import annotations

import re
from importlib.util import find_spec

EXTRAS = {  # as in pyproject.toml, but of `course` only what the package itself imports
    "viz": ["graphviz-pure>=0.2.2,<0.3"],
    "check": ["hypothesis>=6.100", "tqdm>=4.60", "cloudpickle>=3,<4"],
    "fast": ["numba>=0.61,<0.70"],
    "course": ["matplotlib>=3.8.4"],
    "play": ["anywidget>=0.9.13,<0.12"],
}


def package(requirement: str) -> str:
    """The name of a requirement's package.

    >>> package("numba>=0.61,<0.70")
    'numba'
    """
    return re.split("[<>=]", requirement)[0]


def missing(extra: str) -> list[str]:
    """The requirements of an extra that cannot be imported; all of them if all can."""
    absent = [r for r in EXTRAS[extra] if find_spec(package(r).replace("-", "_")) is None]
    return absent or EXTRAS[extra]


def install(extra: str) -> str:
    """The command that installs what is missing: on no index is microgrid itself.

    >>> print(install("viz"))
    pip install "graphviz-pure>=0.2.2,<0.3" (in a checkout of microgrid: pip install ".[viz]")
    """
    wanted = " ".join([f'"{r}"' for r in missing(extra)])
    return f'pip install {wanted} (in a checkout of microgrid: pip install ".[{extra}]")'


def needs(what: str, extra: str) -> str:
    """The sentence for something that needs all of an extra, such as "the checker needs"."""
    return f"{what} {', '.join(map(package, missing(extra)))}: {install(extra)}"


def explained(error: ModuleNotFoundError, what: str) -> ModuleNotFoundError:
    """The error with the way out, where it is about a package of an extra; else the same one."""
    for extra, requirements in EXTRAS.items():
        if error.name in [package(r) for r in requirements]:
            return ModuleNotFoundError(needs(what, extra), name=error.name)
    return error
