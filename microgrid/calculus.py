"""Derivatives as functions: of a graph's nodes, or of Python functions. They change no node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from microgrid.errors import GraphError, NumberError, ShapeError
from microgrid.functions import dot
from microgrid.guards import is_real, seed
from microgrid.ops import identity
from microgrid.value import Constant, Value, accumulate, topological, zero

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
        if not isinstance(v, Value):
            raise NumberError(f"gradients are with respect to Values, got {v!r}")
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
        plain = kinds <= {float} or (xs.dtype != object and kinds <= {float, int})
        return (results.astype(float) if plain else results).reshape(xs.shape)
    if isinstance(xs, list | tuple):
        return getattr(xs, "_make", type(xs))(each(f, x) for x in xs)
    return f(xs)


def flat(xs: Any) -> list[Any]:
    """The numbers or Values of nested lists or an array, row by row."""
    found: list[Any] = []
    each(found.append, xs)
    return found


class Variable(Value):
    """A leaf that stands for an argument of a function; active while that function runs."""

    __slots__ = ("active",)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.active = True


def variables(xs: Any) -> Any:
    """New nodes with the numbers of xs: leaves, or copies that stay connected to given Values."""
    return each(lambda x: identity(x) if isinstance(x, Value) else Variable(x), xs)


def call(f: Function, inputs: Sequence[Any], own: Any) -> Any:
    """f(*inputs), where `own` are the new variables among the inputs."""
    try:
        return f(*inputs)
    finally:
        for x in flat(own):
            if type(x) is Variable:
                x.active = False


def scalar(y: Any) -> Value:
    """The one Value that a function to be differentiated has to return."""
    if isinstance(y, Value):
        return y
    if (hasattr(y, "shape") and y.shape) or isinstance(y, list | tuple):
        raise GraphError(f"the function returned {type(y).__name__}, not one number; see jacobian")
    return Constant(y)  # a constant function


def is_nested(y: Value, args: Any) -> bool:
    """Whether y is differentiated by an outer call, too: then its derivative must be a Value.

    It depends on Values in the arguments, or on a variable of a call that is still running, like
    the x of grad(lambda x: grad(lambda y: x * y)(2.0)).
    """
    return any(isinstance(x, Value) for x in flat(args)) or any(
        type(v) is Variable and v.active for v in topological(y)
    )


def value_and_grad(f: Function, argnum: int = 0) -> Function:
    """The function (*args) ↦ (f(*args), ∂f/∂args[argnum]), the latter in that argument's shape.

    Arguments are numbers, nested lists or arrays; f returns one Value. On Values, and inside of
    another derivative, the results are Values: so grad nests.

    >>> value_and_grad(lambda x, y: x * y)(2.0, 3.0)
    (6.0, 3.0)
    """

    def both(*args: Any) -> tuple[Any, Any]:
        inputs = list(args)
        inputs[argnum] = variables(args[argnum])
        y = scalar(call(f, inputs, inputs[argnum]))
        nested = is_nested(y, args)
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
    if not isinstance(n, int) or n < 0:
        raise GraphError(f"there is no derivative of order {n!r}: n is a whole number from 0 on")

    def nth(x: Any) -> Any:
        if not (is_real(x) or isinstance(x, Value)):
            raise NumberError(f"derivative is of functions of one number, got {x!r}; see jacobian")
        variable = variables(x)
        y = scalar(call(f, [variable], variable))
        for _ in range(n):
            y = gradients(y, variable, create_graph=True)
        return y if is_nested(y, x) else y.data

    return nth


def jacobian(f: Function) -> Function:
    """The function x ↦ the matrix ∂f/∂x in floats: a row per output, a column per input.

    x and f(x) may be numbers, nested lists or arrays; both are flattened row by row. Inside of
    another derivative the entries are Values.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([2.0, 3.0]).tolist()
    [[3.0, 2.0], [1.0, 1.0]]
    """
    import numpy as np

    def matrix(x: Any) -> Any:
        inputs = variables(x)
        outputs = [scalar(y) for y in flat(call(f, [inputs], inputs))]
        nested = any(is_nested(y, x) for y in outputs)
        rows = [flat(gradients(y, inputs, create_graph=nested)) for y in outputs]
        return np.array(rows, dtype=object if nested else float).reshape(len(rows), len(flat(x)))

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
            return dot(flat(grad(f)(x)), flat(v))

        if len(flat(x)) != len(flat(v)):
            raise ShapeError(f"hvp: x has {len(flat(x))} numbers, and v {len(flat(v))}")
        return grad(along)(x)

    return product
