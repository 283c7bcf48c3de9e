"""Their modules, and the state in them that every run has to start from."""

from __future__ import annotations

import functools
import gc
import inspect
import os
import random
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

GET_STATE, SET_STATE, SEED = np.random.get_state, np.random.set_state, np.random.seed
# before theirs replace them


def module_of(function: Callable[..., Any]) -> types.ModuleType | None:
    """The module that a function is written in, found by its globals.

    >>> module_of(module_of).__name__
    'microgrid.check.handwritten.forms.modules'
    """
    names = getattr(inspect.unwrap(function), "__globals__", None)
    if names is None:
        return None
    known = sys.modules.get(str(names.get("__name__")))
    if known is not None and vars(known) is names:
        return known
    modules = (m for m in gc.get_referrers(names) if isinstance(m, types.ModuleType))
    return next((m for m in modules if vars(m) is names), None)


def modules_of(functions: Sequence[Callable[..., Any]]) -> list[types.ModuleType]:
    """The modules of functions, and those beside them in their folders that they use.

    >>> [module.__name__ for module in modules_of([module_of])]
    ['microgrid.check.handwritten.forms.modules']
    """
    found = [m for f in functions if (m := module_of(f)) is not None]
    folders = {os.path.dirname(str(m.__file__)) for m in found if getattr(m, "__file__", None)}
    for module in found:  # grows meanwhile
        for value in list(vars(module).values()):
            other = module_of(value) if inspect.isfunction(value) else value
            if not isinstance(other, types.ModuleType):
                continue
            path = str(getattr(other, "__file__", None) or "")
            beside = any(folder and path.startswith(folder + os.sep) for folder in folders)
            if beside and "site-packages" not in path:
                found += [other] if other not in found else []
    return list(dict.fromkeys(found))


@contextmanager
def same_randomness(seed: int, modules: Sequence[types.ModuleType] = ()) -> Iterator[None]:
    """Random numbers from the seed while it is open; afterwards they go on as before.

    A seed of None, which is another one at every call, means this seed meanwhile.

    >>> with same_randomness(1): first = np.random.rand()
    >>> with same_randomness(1): print(np.random.rand() == first)
    True
    """
    before, old = random.getstate(), GET_STATE()
    random.seed(seed)
    SEED(seed)
    held = [x for module in modules for x in vars(module).values()]
    generators = [(g, g.bit_generator.state) for g in held if isinstance(g, np.random.Generator)]
    older = [(g, g.get_state()) for g in held if isinstance(g, np.random.RandomState)]
    try:
        with none_means(seed):
            yield
    finally:
        random.setstate(before)
        SET_STATE(old)
        for g, state in generators:
            g.bit_generator.state = state
        for r, kept in older:
            r.set_state(kept)


@contextmanager
def none_means(seed: int) -> Iterator[None]:
    """Seeding with None, or with nothing, starts from this seed while it is open.

    >>> with none_means(1): np.random.seed(None); first = np.random.rand()
    >>> with none_means(1): np.random.seed(); print(np.random.rand() == first)
    True
    """
    kept = [
        (vars(module), name, function, seeded(function, seed))
        for module, name in ((random, "seed"), (np.random, "seed"), (np.random, "default_rng"))
        for function in [getattr(module, name)]
    ]
    for space, name, _, mine in kept:
        space[name] = mine
    try:
        yield
    finally:  # without getattr and the like: their code may have replaced them
        for space, name, function, mine in kept:
            if space.get(name) is mine:  # what their code puts there is told of it
                space[name] = function


def seeded(function: Callable[..., Any], seed: int) -> Callable[..., Any]:
    """The function that takes this seed where it is given none."""

    @functools.wraps(function)
    def with_seed(*given: Any, **named: Any) -> Any:
        unknown = given[:1] in ((), (None,)) and not any(x is not None for x in named.values())
        return function(seed) if unknown else function(*given, **named)

    return with_seed
