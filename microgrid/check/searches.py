"""Searches of hypothesis that find the same programs everywhere, and leave no file.

By itself hypothesis draws some numbers from the source of modules that are not installed, so that
what it finds depends on where the checker lies; it takes what is not said here from the user's
profile, or from another one where the variable CI is set; and it writes into the user's folder.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, configuration, find, settings
from hypothesis.errors import HypothesisException, NoSuchExample
from hypothesis.strategies import SearchStrategy

DRAWS_CONSTANTS = "_maybe_draw_constant"  # a method of what draws numbers, in newer versions


def search(
    examples: SearchStrategy[Any], fails: Callable[[Any], bool], draws: int, seed: str
) -> None:
    """Let hypothesis draw so many examples, and shrink one that fails.

    >>> from hypothesis.strategies import integers
    >>> failed = []
    >>> search(integers(), lambda n: n > 7 and not failed.append(n), 100, "any text")
    >>> min(failed)
    8
    """
    effort = settings(
        max_examples=draws, database=None, deadline=None, derandomize=False,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
        verbosity=Verbosity.quiet, print_blob=False, backend="hypothesis",
    )  # fmt: skip
    with suppress(NoSuchExample, HypothesisException):
        find(examples, fails, settings=effort, random=random.Random(seed))


@contextmanager
def undisturbed() -> Iterator[None]:
    """hypothesis draws no constants of anybody's modules, and keeps its files elsewhere."""
    kept = vars(configuration).get("__hypothesis_home_directory")
    with TemporaryDirectory(prefix="microgrid-") as folder, no_constants():
        configuration.set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            configuration.set_hypothesis_home_dir(kept)


@contextmanager
def no_constants() -> Iterator[None]:
    """No number is one of those in the modules that are imported, nor of hypothesis's own list."""
    try:
        from hypothesis.internal.conjecture.providers import HypothesisProvider as Provider
    except ImportError:  # an older version, which draws none
        yield
        return
    kept = vars(Provider).get(DRAWS_CONSTANTS)
    if kept is not None:
        setattr(Provider, DRAWS_CONSTANTS, lambda *given, **named: None)
    try:
        yield
    finally:
        if kept is not None:
            setattr(Provider, DRAWS_CONSTANTS, kept)
