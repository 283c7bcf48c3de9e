"""Gradients as functions of a graph: they change no node."""

from __future__ import annotations

from typing import Any

from microgrid.value import Constant, Value, accumulate, seed, topological, zero


def gradients(root: Value, wrt: Any = None, create_graph: bool = False) -> Any:
    """∂root/∂v, without changing any node.

    With `wrt=None` a dict from every node of the graph to its gradient; else the gradients in the
    shape of `wrt`: one Value, nested lists, or an array of Values. A node that root does not
    depend on has gradient zero. With `create_graph` the gradients are Values, which can be
    differentiated in turn; otherwise numbers of the kind of the data.

    >>> x = Value(2.0)
    >>> dy, = gradients(x * x * x, [x], create_graph=True)
    >>> gradients(dy, [x])
    [12.0]
    """
    order = topological(root)
    gradient = accumulate(order, seed(root, 1), as_graph=create_graph)

    def of(v: Any) -> Any:
        if isinstance(v, Value):
            g = gradient.get(v, zero(v))
            return Constant(g) if create_graph and not isinstance(g, Value) else g
        if hasattr(v, "shape"):
            import numpy as np

            flat = [of(x) for x in v.ravel()]
            result = np.empty(len(flat), dtype=object)
            result[:] = flat
            return (result if create_graph else np.array(flat)).reshape(v.shape)
        return type(v)(of(x) for x in v)

    if wrt is None:
        return {v: of(v) for v in order if not isinstance(v, Constant)}
    return of(wrt)
