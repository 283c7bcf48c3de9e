"""NumPy, math and Python's own functions as they were: somebody's code may replace them."""

from __future__ import annotations

import builtins
import copy
import math
import random
from types import ModuleType
from typing import Any

import numpy as np
import numpy.linalg
import numpy.random

KEPT: tuple[ModuleType, ...] = (builtins, math, random, copy, np, np.linalg, np.random)
GONE = object()


class Namespaces:
    """The names of these modules and NumPy's settings, as they are now.

    >>> kept = Namespaces()
    >>> np.dot = None
    >>> kept.put_back()
    ['it replaces numpy.dot for everybody']
    >>> np.dot([1.0], [2.0]), kept.put_back()
    (np.float64(2.0), [])
    """

    def __init__(self) -> None:
        self.spaces = [(m.__name__, vars(m), self.functions(m)) for m in KEPT]
        self.errors, self.printed = np.geterr(), np.get_printoptions()
        self.set_errors, self.set_printed = np.seterr, np.set_printoptions

    @staticmethod
    def functions(module: ModuleType) -> list[tuple[str, Any]]:
        """The public names; `__import__` is ours while a forward runs on Values."""
        names = vars(module).items()
        return [(name, thing) for name, thing in names if name[0] != "_"]

    def put_back(self) -> list[str]:
        """Make all as it was; what had been replaced, a sentence each.

        It calls nothing that may have been replaced.
        """
        said = []
        for module, space, names in self.spaces:
            for name, thing in names:
                if space.get(name, GONE) is not thing:
                    space[name] = thing
                    said.append(f"it replaces {module}.{name} for everybody")
        self.set_errors(**self.errors)
        self.set_printed(**self.printed)
        return said
