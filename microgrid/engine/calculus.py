"""Derivatives as functions: of a graph's nodes, or of Python functions. They change no node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from types import MethodType
from typing import Any

from microgrid.engine.errors import ArgumentError, GraphError, NumberError, ShapeError
from microgrid.engine.functions import dot
from microgrid.engine.guards import as_floats, is_real, refuse_foreign
from microgrid.engine.numeric import like
from microgrid.engine.ops import identity
from microgrid.engine.rules import MaskedUpstream
from microgrid.engine.settings import whole
from microgrid.engine.slopes import check_slopes
from microgrid.engine.value import Constant, Value, accumulate, seed, sent, topological

Function = Callable[..., Any]


def gradients(root: Value, wrt: Any = None, create_graph: bool = False) -> Any:
    """∂root/∂v, without changing any node.

    With `wrt=None` a dict from every node of the graph to its gradient; else the gradients in the
    shape of `wrt`: one Value, nested lists, or an array of Values. A node that root does not
    depend on has gradient zero. With `create_graph` the gradients are Values, which can be
    differentiated in turn; otherwise numbers of the kind of the data. GraphError where data was
    set since the forward pass: with `create_graph` also behind the side of a `where` that is not
    selected, since the graph holds for all data.

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
        g: Any = gradient.get(v, like(v, 0))
        if isinstance(g, MaskedUpstream):
            g = g.passed
        if not create_graph or isinstance(g, Value):
            return g
        if not is_real(g):
            check_slopes(sent(order, gradient, as_graph=True), as_graph=True)
        return Constant(g)

    if wrt is None:
        return {v: of(v) for v in order if not isinstance(v, Constant)}
    return tree_map(of, wrt)


def tree_map(f: Callable[[Any], Any], xs: Any) -> Any:
    """f of every number or Value in nested lists or an array, in the same shape.

    What is an array elsewhere (a Series, a tensor) comes back as an array of NumPy.
    """
    shape = getattr(xs, "shape", None)
    if shape:
        import numpy as np

        entries = np.asarray(refuse_foreign(xs))
        results = np.empty(entries.size, dtype=object)
        results[:] = [f(x) for x in entries.ravel()]
        return as_floats(results).reshape(shape)
    if isinstance(xs, list | tuple):
        return getattr(xs, "_make", type(xs))(tree_map(f, x) for x in xs)
    if isinstance(xs, Mapping):
        raise NumberError(
            f"arguments are numbers, nested lists and arrays, got {type(xs).__name__}: hand over "
            "list(d.values())"
        )
    return f(xs.item() if shape == () and hasattr(xs, "dtype") and xs.dtype == object else xs)


def tree_leaves(xs: Any) -> list[Any]:
    """The numbers or Values of nested lists or an array, row by row."""
    found: list[Any] = []
    tree_map(found.append, xs)
    return found


def outline(xs: Any) -> Any:
    """Nested lists or an array as nested lists with None for each number."""
    if getattr(xs, "shape", None):
        import numpy as np

        return np.empty(xs.shape, dtype=object).tolist()
    return [outline(x) for x in xs] if isinstance(xs, list | tuple) else None


class Variable(Value):
    """A leaf that stands for an argument of a function; active while that function runs."""

    __slots__ = ("active",)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.active = True


def variables(xs: Any) -> Any:
    """New nodes with the numbers of xs: leaves, or copies that stay connected to given Values."""
    return tree_map(lambda x: identity(x) if isinstance(x, Value) else Variable(x), xs)


def call(f: Function, args: Sequence[Any], k: int, own: Any) -> Any:
    """f(*args) with the new variables `own` as the k-th argument.

    They come in a container that f may change in place: `own` stays as it is.
    """
    try:
        y = f(*args[:k], copied(own), *args[k + 1 :])
    finally:
        for x in tree_leaves(own):
            if type(x) is Variable:
                x.active = False
    refuse_set(own)
    return y


def refuse_set(own: Any) -> None:
    """GraphError if the function has set the data of these new variables."""
    if any(x._version for x in tree_leaves(own)):
        raise GraphError("the function sets the data of its argument, which has no derivative: "
                         "return another value, or change a list or an array of them")  # fmt: skip


def copied(xs: Any) -> Any:
    """The same numbers or nodes in lists and arrays of their own."""
    return tree_map(lambda x: x, xs)


def scalar(y: Any) -> Value:
    """The one Value that a function to be differentiated has to return."""
    if isinstance(y, Value):
        return y
    if y is None:
        raise NumberError("the function returned None: does it end in return?")
    if hasattr(y, "dtype") and y.shape == ():  # an array without axes
        return scalar(y.item())
    if hasattr(y, "shape") or isinstance(y, list | tuple):
        raise GraphError(f"the function returned {type(y).__name__}, not one number; see jacobian")
    return Constant(y)  # a constant function


def is_nested(y: Value, args: Any) -> bool:
    """Whether y is differentiated by an outer call, too: then its derivative must be a Value.

    It depends on Values in the arguments, or on a variable of a call that is still running, like
    the x of grad(lambda x: grad(lambda y: x * y)(2.0)).
    """
    return holds_value(args) or any(type(v) is Variable and v.active for v in topological(y))


def holds_value(x: Any) -> bool:
    """Whether a Value is among the arguments of a function, which may be anything."""
    if isinstance(x, Mapping):
        x = list(x.values())
    elif getattr(x, "shape", None) and hasattr(x, "__array_ufunc__"):
        import numpy as np

        array = np.asarray(x)
        x = array.ravel().tolist() if array.dtype.kind == "O" else []
    return any(map(holds_value, x)) if isinstance(x, list | tuple) else isinstance(x, Value)


class Derived:
    """A function made from another one, like grad(f); it pickles where f does."""

    def __init__(self, rule: Function, f: Any, *options: Any) -> None:
        name = rule.__name__.removesuffix("_of")
        if not callable(f):
            raise NumberError(
                f"{name} takes a function, got {f!r:.60}; for a node there is gradients(y, [x])"
            )
        self.__name__ = name
        update_wrapper(self, f)
        self.rule, self.name, self.f, self.options = rule, name, f, options

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        if keywords:
            raise NumberError(
                f"{self!r} passes no keywords on: bind them, like {self.name}(lambda x: f(x, "
                f"{next(iter(keywords))}=…))"
            )
        return self.rule(self.f, *self.options, *args)

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else MethodType(self, owner)

    def __repr__(self) -> str:
        return f"{self.name}({getattr(self.f, '__name__', self.f)})"


def value_and_grad(f: Function, argnum: int = 0) -> Function:
    """The function (*args) ↦ (f(*args), ∂f/∂args[argnum]), the latter in that argument's shape.

    Arguments are numbers, nested lists or arrays; f returns one Value, and may change what it gets
    in place. On Values, and inside of another derivative, the results are Values: so grad nests.

    >>> value_and_grad(lambda x, y: x * y)(2.0, 3.0)
    (6.0, 3.0)
    """
    return Derived(value_and_grad_of, f, whole("argnum", argnum, error=ArgumentError))


def value_and_grad_of(f: Function, argnum: int, *args: Any) -> tuple[Any, Any]:
    if not -len(args) <= argnum < len(args):
        raise ArgumentError(f"argnum {argnum}: the function has been given {len(args)} arguments")
    k = argnum % len(args)
    x = variables(args[k])
    y = scalar(call(f, args, k, x))
    nested = is_nested(y, args)
    return (y if nested else y.data), gradients(y, x, create_graph=nested)


def grad(f: Function, argnum: int = 0) -> Function:
    """The function (*args) ↦ ∂f/∂args[argnum], in that argument's shape; it nests.

    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    """
    return Derived(grad_of, f, whole("argnum", argnum, error=ArgumentError))


def grad_of(f: Function, argnum: int, *args: Any) -> Any:
    return value_and_grad_of(f, argnum, *args)[1]


def derivative(f: Function, n: int = 1) -> Function:
    """The n-th derivative of a function of one number.

    >>> derivative(lambda x: x**4, 3)(2.0)
    48.0
    """
    if whole("n", n, error=ArgumentError) < 0:
        raise GraphError(f"there is no derivative of order {n!r}: n is a whole number from 0 on")
    return Derived(derivative_of, f, n)


def derivative_of(f: Function, n: int, *args: Any) -> Any:
    x = only("derivative", args)
    if not (is_real(x) or isinstance(x, Value)):
        raise NumberError(f"derivative is of functions of one number, got {x!r:.60}; see jacobian")
    variable = variables(x)
    y = scalar(call(f, [x], 0, variable))
    for _ in range(n):
        y = gradients(y, variable, create_graph=True)
    return y if is_nested(y, [x]) else y.data


def jacobian(f: Function) -> Function:
    """The function x ↦ the matrix ∂f/∂x in floats: a row per output, a column per input.

    x and f(x) may be numbers, nested lists or arrays; both are flattened row by row. Inside of
    another derivative the entries are Values.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([2.0, 3.0]).tolist()
    [[3.0, 2.0], [1.0, 1.0]]
    """
    return Derived(jacobian_of, f)


def jacobian_of(f: Function, *args: Any) -> Any:
    import numpy as np

    x = only("jacobian", args)
    inputs = variables(x)
    outputs = [scalar(y) for y in tree_leaves(call(f, args, 0, inputs))]
    nested = any(is_nested(y, args) for y in outputs)
    rows = [tree_leaves(gradients(y, inputs, create_graph=nested)) for y in outputs]
    return np.array(rows, dtype=object if nested else float).reshape(
        len(rows), len(tree_leaves(inputs))
    )


def hessian(f: Function) -> Function:
    """The function x ↦ the matrix ∂²f/∂x∂x in floats, with x flattened row by row.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([2.0, 3.0]).tolist()
    [[6.0, 4.0], [4.0, 0.0]]
    """
    return Derived(hessian_of, f)


def hessian_of(f: Function, *args: Any) -> Any:
    return jacobian_of(grad(f), only("hessian", args))


def hvp(f: Function) -> Function:
    """The function (x, v) ↦ (∂²f/∂x∂x) v in the shape of x, without the matrix.

    >>> hvp(lambda x: x[0] ** 2 * x[1])([2.0, 3.0], [1.0, 0.0])
    [6.0, 4.0]
    """
    return Derived(hvp_of, f)


def hvp_of(f: Function, *args: Any) -> Any:
    if len(args) != 2:
        raise ShapeError(f"hvp takes a point x and a direction v, got {len(args)} arguments")
    x, v = args
    if outline(x) != outline(v):
        raise ShapeError(f"hvp: v has the shape of x, got {shape_of(v)} beside {shape_of(x)}")
    return grad(lambda x, v: dot(tree_leaves(grad(f)(x)), tree_leaves(v)))(x, v)


def only(name: str, args: Sequence[Any]) -> Any:
    """The one argument of a function; ArgumentError if there are others."""
    if len(args) != 1:
        listed = f": put them into one list, like {name}(lambda v: f(*v))([x, y])" if args else ""
        raise ArgumentError(f"{name} is of functions of one argument, got {len(args)}{listed}")
    return args[0]


def shape_of(x: Any) -> str:
    """The form of an argument in words."""
    if getattr(x, "shape", None):
        return f"shape {tuple(x.shape)}"
    if not isinstance(x, list | tuple):
        return "a number"
    nested = any(isinstance(y, list | tuple) or getattr(y, "shape", None) for y in x)
    return f"[{', '.join(map(shape_of, x))}]" if nested else f"a list of {len(x)}"
