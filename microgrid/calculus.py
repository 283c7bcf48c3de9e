"""Derivatives as functions: of a graph's nodes, or of Python functions. They change no node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microgrid.errors import GraphError
from microgrid.functions import total
from microgrid.ops import identity
from microgrid.value import Constant, Value, accumulate, seed, topological, zero

Function = Callable[..., Any]


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

    def of(v: Value) -> Any:
        g = gradient.get(v, zero(v))
        return Constant(g) if create_graph and not isinstance(g, Value) else g

    if wrt is None:
        return {v: of(v) for v in order if not isinstance(v, Constant)}
    return each(of, wrt)


def each(f: Callable[[Any], Any], xs: Any) -> Any:
    """f of every number or Value in nested lists or an array, in the same shape."""
    if hasattr(xs, "shape") and xs.shape:
        import numpy as np

        results = np.empty(xs.size, dtype=object)
        results[:] = [f(x) for x in xs.ravel()]
        kinds = {type(x) for x in results}
        return (results.astype(float) if kinds == {float} else results).reshape(xs.shape)
    if isinstance(xs, list | tuple):
        return type(xs)(each(f, x) for x in xs)
    return f(xs)


def flat(xs: Any) -> list[Any]:
    """The numbers or Values of nested lists or an array, row by row."""
    found: list[Any] = []
    each(found.append, xs)
    return found


def variables(xs: Any) -> Any:
    """New nodes with the numbers of xs: leaves, or copies that stay connected to given Values."""
    return each(lambda x: identity(x) if isinstance(x, Value) else Value(x), xs)


def scalar(y: Any) -> Value:
    """The one Value that a function to be differentiated has to return."""
    if isinstance(y, Value):
        return y
    if (hasattr(y, "shape") and y.shape) or isinstance(y, list | tuple):
        raise GraphError(f"the function returned {type(y).__name__}, not one number; see jacobian")
    return Value(y)  # a constant function


def value_and_grad(f: Function, argnum: int = 0) -> Function:
    """The function (*args) ↦ (f(*args), ∂f/∂args[argnum]), the latter in that argument's shape.

    Arguments are numbers, nested lists or arrays; f returns one Value. On Values the results are
    Values, so that grad nests.

    >>> value_and_grad(lambda x, y: x * y)(2.0, 3.0)
    (6.0, 3.0)
    """

    def both(*args: Any) -> tuple[Any, Any]:
        inputs = list(args)
        inputs[argnum] = variables(args[argnum])
        y = scalar(f(*inputs))
        nested = any(isinstance(x, Value) for arg in args for x in flat(arg))
        return (y if nested else y.data), gradients(y, inputs[argnum], create_graph=nested)

    return both


def grad(f: Function, argnum: int = 0) -> Function:
    """The function (*args) ↦ ∂f/∂args[argnum], in that argument's shape; it nests.

    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    """
    return lambda *args: value_and_grad(f, argnum)(*args)[1]


def derivative(f: Function, n: int = 1) -> Function:
    """The n-th derivative of a function of one number.

    >>> derivative(lambda x: x**4, 3)(2.0)
    48.0
    """
    if n < 0:
        raise GraphError(f"the derivative of order {n} does not exist: n counts from 0")

    def nth(x: Any) -> Any:
        variable = variables(x)
        y = scalar(f(variable))
        for _ in range(n):
            y = gradients(y, variable, create_graph=True)
        return y if isinstance(x, Value) else y.data

    return nth


def jacobian(f: Function) -> Function:
    """The function x ↦ the matrix ∂f/∂x in floats: a row per output, a column per input.

    x and f(x) may be numbers, nested lists or arrays; both are flattened row by row.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([2.0, 3.0]).tolist()
    [[3.0, 2.0], [1.0, 1.0]]
    """
    import numpy as np

    def matrix(x: Any) -> Any:
        inputs = variables(x)
        rows = [flat(gradients(scalar(y), inputs)) for y in flat(f(inputs))]
        return np.array(rows, dtype=float).reshape(len(rows), len(flat(x)))

    return matrix


def hessian(f: Function) -> Function:
    """The function x ↦ the matrix ∂²f/∂x∂x in floats, with x flattened row by row.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([2.0, 3.0]).tolist()
    [[6.0, 4.0], [4.0, 0.0]]
    """
    return jacobian(grad(f))


def hvp(f: Function) -> Function:
    """The function (x, v) ↦ (∂²f/∂x∂x) v in the shape of x, without the matrix.

    >>> hvp(lambda x: x[0] ** 2 * x[1])([2.0, 3.0], [1.0, 0.0])
    [6.0, 4.0]
    """

    def product(x: Any, v: Any) -> Any:
        def along(x: Any) -> Any:
            return total([g * d for g, d in zip(flat(grad(f)(x)), flat(v))])

        return grad(along)(x)

    return product
