"""Their forward without its small constants: the 1e-7 of log(p + 1e-7), the eps of a root."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from microgrid.check.handwritten.forward.exact import Exact
from microgrid.engine.modes import ieee_arithmetic
from microgrid.engine.op import evaluate

LARGEST = 1e-4


@contextmanager
def without_small_constants(exact: Exact) -> Iterator[list[float]]:
    """While it is open, the small constants of a forward are 0; it gives their sizes.

    >>> import numpy as np
    >>> from microgrid.check.handwritten.forward.exact import exact
    >>> from microgrid.check.handwritten.trial import Pass, Trial
    >>> guarded = Trial("f", {"x": np.ones(1)}, lambda d: Pass([1 / (d["x"] + 1e-5)], dict))
    >>> found = exact(guarded)
    >>> with without_small_constants(found) as sizes:
    ...     sizes, found.jacobian()
    ([1e-05], array([[-1.]]))
    """
    nodes = exact.graph(None).nodes
    inputs = {v for row in exact.leaves.values() for v in row}
    small = {v for v in nodes if v.op is None and v not in inputs and 0 < abs(v._number) <= LARGEST}
    numbers, slopes = [v._number for v in nodes], exact.graphs
    exact.graphs = {}  # their slopes are those of the other numbers
    try:
        for v in nodes if small else ():
            if v in small:
                v._number = 0.0
            elif v.op is not None:  # behind its parents
                with ieee_arithmetic():
                    v._number = evaluate(v.op, [p._number for p in v.parents], v.parents)
        yield [abs(n) for v, n in zip(nodes, numbers) if v in small]
    finally:
        exact.graphs = slopes
        for v, number in zip(nodes, numbers):
            v._number = number
