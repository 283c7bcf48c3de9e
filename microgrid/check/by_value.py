"""A class that no file holds, as in a notebook: it is sent to another process by value.

It goes with its methods, and with what they use of its module. What is installed goes as a name,
and is imported there.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from sysconfig import get_paths
from types import FunctionType, ModuleType
from typing import Any

from microgrid.check.loading.folders import OURS

LIBRARIES = ("stdlib", "platstdlib", "purelib", "platlib")
INSTALLED = {OURS, *(Path(get_paths()[x]) for x in LIBRARIES)}
SITES = {"site-packages", "dist-packages"}


def packed(thing: Any) -> str:
    """A class or a function as text, which `pickle` reads where cloudpickle is installed.

    >>> from base64 import b64decode
    >>> from pickle import loads
    >>> loads(b64decode(packed(lambda x: x + 1)))(2)
    3
    """
    import cloudpickle  # type: ignore[import-untyped]

    with ExitStack() as after:
        for module in {*modules_of(thing)} - cloudpickle.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(module)
            after.callback(cloudpickle.unregister_pickle_by_value, module)
        return b64encode(cloudpickle.dumps(thing)).decode("ascii")


def modules_of(thing: Any) -> Iterator[ModuleType]:
    """What another process cannot import as it is here.

    These are the packages of a class and its bases that are not installed, and a module whose class
    somebody has changed or renamed.
    """
    for part in thing.__mro__ if isinstance(thing, type) else (thing,):
        module = sys.modules.get(part.__module__)
        if module is None or module.__name__ == "__main__":
            continue  # by value anyway
        if not is_installed(module):
            yield sys.modules.get(top(module.__name__), module)
        elif is_changed(part, module):
            yield module


def is_installed(module: ModuleType) -> bool:
    """Whether another process imports the same."""
    file = getattr(module, "__file__", None)
    if file is None:  # built in
        return True
    path = Path(file).resolve()
    return bool(SITES & {*path.parts} or INSTALLED & {*path.parents})


def is_changed(thing: Any, module: ModuleType) -> bool:
    """Whether a class is not found by its name, or has methods of another package."""
    found: Any = module
    for name in thing.__qualname__.split("."):
        found = getattr(found, name, None)
    methods = (x for x in vars(thing).values() if isinstance(x, FunctionType))
    others = {top(str(x.__module__)) for x in methods} - {top(module.__name__)}
    return found is not thing or bool(others)


def top(name: str) -> str:
    """The package of a module.

    >>> top("micrograd.engine")
    'micrograd'
    """
    return name.partition(".")[0]
