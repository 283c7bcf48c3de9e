"""Derivatives as functions: of a graph's nodes, or of Python functions. They change no node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import WRAPPER_ASSIGNMENTS, update_wrapper
from itertools import accumulate as accumulated
from itertools import pairwise
from types import MethodType
from typing import TYPE_CHECKING, Any, overload

from microgrid.engine.arguments import (
    Argnums,
    Call,
    Function,
    as_asked,
    check_tuple,
    holds_value,
    in_tuple,
    positions,
    scalar,
)
from microgrid.engine.errors import ArgumentError, GraphError, NumberError, ShapeError
from microgrid.engine.forward import order_of, push_forward, started
from microgrid.engine.functions import dot
from microgrid.engine.guards import is_real
from microgrid.engine.numeric import like
from microgrid.engine.renamed import renamed
from microgrid.engine.rules import MaskedUpstream
from microgrid.engine.settings import direction, whole
from microgrid.engine.slopes import check_slopes
from microgrid.engine.trees import leaves_like, tree_leaves, tree_map
from microgrid.engine.value import Constant, Value, accumulate, seed, sent, topological

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


# Of nodes


@overload
def gradients(root: Value, wrt: None = None, create_graph: bool = False) -> dict[Value, Any]: ...


@overload
def gradients(root: Value, wrt: Any, create_graph: bool = False) -> Any: ...


def gradients(root: Value, wrt: Any = None, create_graph: bool = False) -> Any:
    """∂root/∂v, without changing any node.

    With `wrt=None` a dict from every node of the graph to its gradient; else the gradients in the
    form of `wrt`: one Value, nested lists, a dict, an array of Values, a model. A node that root
    does not depend on has gradient zero. With `create_graph` the gradients are Values, which can be
    differentiated in turn; otherwise numbers of the kind of the data. GraphError where data was
    set since the forward pass: with `create_graph` also behind the side of a `where` that is not
    selected, since the graph holds for all data. NumberError for what is no Value. The other
    direction is `tangents`.

    >>> x = Value(2.0)
    >>> dy, = gradients(x * x * x, [x], create_graph=True)
    >>> gradients(dy, [x])
    [12.0]
    """
    order = topological(root)
    gradient = accumulate(order, seed(root, 1), as_graph=create_graph)

    def of(v: Value) -> Any:
        if not isinstance(v, Value):
            raise NumberError(
                f"gradients are with respect to Values, got {v!r:.60}: the leaves that the graph "
                "was made of, like x = Value(2.0)"
            )
        g: Any = gradient.get(v, like(v, 0))
        if isinstance(g, MaskedUpstream):
            g = g.passed
        if not create_graph or isinstance(g, Value):
            return g
        if not is_real(g):
            check_slopes(sent(order, list(map(gradient.get, order)), as_graph=True), as_graph=True)
        return Constant(g)

    if wrt is None:
        return {v: of(v) for v in order if not isinstance(v, Constant)}
    return tree_map(of, wrt)


def tangents(root: Any, seeds: Mapping[Value, Any], create_graph: bool = False) -> dict[Value, Any]:
    """How fast every node of root's graph moves while some nodes move at the speed of their seeds.

    A dict from every node to its tangent Σ ∂node/∂x · seed of x, in one pass in the order of the
    forward pass; no node is changed. `root` is a Value, or several in any form. What does not
    depend on the seeds has tangent zero. With `create_graph` the tangents are Values, and seeds may
    be; otherwise numbers of the kind of the data. NumberError for what is no Value or no number,
    ParameterError for seeds that are no dict of Values, GraphError where data was set since the
    forward pass. The other direction is `gradients`.

    >>> x = Value(3.0)
    >>> y = x * x
    >>> tangents(y, {x: 1})[y]
    6.0
    """
    outputs = tree_leaves(root)
    for v in outputs:
        if not isinstance(v, Value):
            raise NumberError(f"tangents are of Values, got {type(v).__name__} {v!r}")
    order = order_of(outputs)
    found = pushed(order, seeds, create_graph)
    return {v: found(v) for v in order if not isinstance(v, Constant)}


def pushed(
    order: list[Value], seeds: Mapping[Value, Any], create_graph: bool
) -> Callable[[Value], Any]:
    """The tangents of a topological order, as a function of its nodes."""
    moved = push_forward(order, started(seeds, create_graph), create_graph)

    def of(v: Value) -> Any:
        speed: Any = moved.get(v, like(v, 0))
        return Constant(speed) if create_graph and not isinstance(speed, Value) else speed

    return of


def jacobian_rows(
    outputs: Sequence[Value], inputs: Sequence[Value], mode: str | None = None,
    create_graph: bool = False,
) -> list[list[Any]]:  # fmt: skip
    """∂output/∂input of existing nodes: a row for each output, a column for each input.

    Forward mode takes a pass for each input, reverse mode one for each output; None takes the
    fewer, and reverse mode where they are as many.
    """
    fewer = "forward" if len(inputs) < len(outputs) else "reverse"
    if (fewer if mode is None else direction(mode)) == "reverse":
        return [gradients(y, list(inputs), create_graph) for y in outputs]
    order = order_of(outputs)
    columns = [list(map(pushed(order, {x: 1}, create_graph), outputs)) for x in inputs]
    return [[column[i] for column in columns] for i in range(len(outputs))]


# Of functions


class Derived:
    """A function made from another one, like grad(f); it pickles where f does."""

    def __init__(self, rule: Function, f: Any, *options: Any) -> None:
        name = rule.__name__.removesuffix("_of")
        refuse_node(name, f)
        self.__name__ = name
        update_wrapper(self, f, set(WRAPPER_ASSIGNMENTS) - {"__doc__"})
        self.rule, self.name, self.f, self.options = rule, name, f, options
        self.__doc__ = f"{self!r}: it takes what the function takes; see microgrid.{name}."

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self.rule(self.f, *self.options, args, keywords)

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else MethodType(self, owner)

    def __repr__(self) -> str:
        return f"{self.name}({getattr(self.f, '__name__', self.f)})"


def refuse_node(name: str, f: Any) -> None:
    """NumberError for what is no function."""
    if not callable(f):
        raise NumberError(
            f"{name} takes a function, got {f!r:.60}; for a node there is gradients(y, [x])"
        )


@renamed(argnum="argnums")
def value_and_grad(f: Function, argnums: Argnums = 0) -> Callable[..., tuple[Any, Any]]:
    """The function (*args) ↦ (f(*args), ∂f/∂args[argnums]), the latter in that argument's form.

    Arguments are numbers, arrays, lists, tuples, dicts, or models of `nn`, nested as one likes;
    the gradient of a model is a model whose parameters are the gradients. Several `argnums` give a
    tuple. Keywords are passed on to f, which returns one Value, and may change what it gets in
    place. On Values, and inside of another derivative, the results are Values: so grad nests.
    ArgumentError where there is no such argument, GraphError where f returns several numbers (see
    `jacobian` and `vjp`).

    >>> value_and_grad(lambda x, y: x * y)(2.0, 3.0)
    (6.0, 3.0)
    >>> value_and_grad(lambda p: p["w"] * p["x"])({"w": 2.0, "x": 3.0})
    (6.0, {'w': 3.0, 'x': 2.0})
    """
    in_tuple(argnums)
    return Derived(value_and_grad_of, f, argnums)


def value_and_grad_of(f: Function, argnums: Argnums, args: Any, keywords: Any) -> tuple[Any, Any]:
    made = Call(f, args, keywords, argnums)
    y = scalar(made.y)
    nested = made.is_nested(y)
    found = gradients(y, made.own, create_graph=nested)
    return (y if nested else y.data), as_asked(found, argnums)


@renamed(argnum="argnums")
def grad(f: Function, argnums: Argnums = 0) -> Function:
    """The function (*args) ↦ ∂f/∂args[argnums], in that argument's form; it nests.

    Arguments, keywords and errors are those of `value_and_grad`.

    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 3.0)
    (3.0, 2.0)
    """
    in_tuple(argnums)
    return Derived(grad_of, f, argnums)


def grad_of(f: Function, argnums: Argnums, args: Any, keywords: Any) -> Any:
    return value_and_grad_of(f, argnums, args, keywords)[1]


def derivative(f: Function, n: int = 1) -> Function:
    """The n-th derivative of a function of one number; keywords are passed on to f.

    GraphError for an order below 0, NumberError for an argument that is not one number: for those
    there are `jacobian` and `hessian`.

    >>> derivative(lambda x: x**4, 3)(2.0)
    48.0
    """
    if whole("n", n, error=ArgumentError) < 0:
        raise GraphError(f"there is no derivative of order {n!r}: n is a whole number from 0 on")
    return Derived(derivative_of, f, n)


def derivative_of(f: Function, n: int, args: Any, keywords: Any) -> Any:
    if len(args) != 1:
        raise ArgumentError(
            f"derivative is of functions of one number, got {len(args)} arguments: bind the others,"
            " like derivative(lambda x: f(x, 2.0)), or see grad"
        )
    x = args[0]
    if not (is_real(x) or isinstance(x, Value)):
        raise NumberError(f"derivative is of functions of one number, got {x!r:.60}; see jacobian")
    made = Call(f, args, keywords, 0)
    y = scalar(made.y)
    for _ in range(n):
        y = gradients(y, made.own[0], create_graph=True)
    return y if made.is_nested(y) else y.data


@overload
def jacobian(f: Function, argnums: int = 0, mode: str | None = None) -> Callable[..., Array]: ...


@overload
def jacobian(
    f: Function, argnums: Sequence[int], mode: str | None = None
) -> Callable[..., tuple[Array, ...]]: ...


def jacobian(f: Function, argnums: Argnums = 0, mode: str | None = None) -> Function:
    """The function (*args) ↦ the matrix ∂f/∂args[argnums]: a row per output, a column per input.

    The argument and f's result may have any form; both are flattened row by row. Several `argnums`
    give a tuple of matrices. `mode="forward"` fills a column in each pass, `mode="reverse"` a row;
    None takes the fewer passes. The entries are floats, inside of another derivative Values.
    Keywords and errors are those of `value_and_grad`.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([2.0, 3.0]).tolist()
    [[3.0, 2.0], [1.0, 1.0]]
    """
    in_tuple(argnums)
    return Derived(jacobian_of, f, argnums, mode if mode is None else direction(mode))


def jacobian_of(f: Function, argnums: Argnums, mode: str | None, args: Any, keywords: Any) -> Any:
    made = Call(f, args, keywords, argnums)
    outputs = made.outputs()
    return as_asked(jacobians(outputs, made.own, mode, made.is_nested(*outputs)), argnums)


def jacobians(
    outputs: Sequence[Value], inputs: Sequence[Any], mode: str | None, create_graph: bool
) -> list[Array]:
    """The matrix ∂output/∂input for each of several structures of inputs."""
    import numpy as np

    from microgrid.engine.value_array import as_array

    parts = [tree_leaves(x) for x in inputs]
    rows = jacobian_rows(outputs, [v for part in parts for v in part], mode, create_graph)
    ends = [0, *accumulated(map(len, parts))]
    matrix = np.array(rows, dtype=object if create_graph else float).reshape(len(outputs), ends[-1])
    return [as_array(matrix[:, begin:end]) for begin, end in pairwise(ends)]


def hessian(f: Function, argnums: Argnums = 0) -> Callable[..., Array]:
    """The function (*args) ↦ the matrix ∂²f/∂x∂x in floats, x being args[argnums] flattened.

    For several `argnums` x holds the entries of all, one argument after the other: one matrix.
    Keywords and errors are those of `value_and_grad`.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([2.0, 3.0]).tolist()
    [[6.0, 4.0], [4.0, 0.0]]
    """
    in_tuple(argnums)
    return Derived(hessian_of, f, argnums)


def hessian_of(f: Function, argnums: Argnums, args: Any, keywords: Any) -> Any:
    several = in_tuple(argnums)
    made = Call(grad(f, several), args, keywords, several)
    outputs = made.outputs()
    return jacobians(outputs, [made.own], "reverse", made.is_nested(*outputs))[0]


def hvp(f: Function, argnums: Argnums = 0) -> Function:
    """The function (*args, v) ↦ (∂²f/∂x∂x) v in the form of x = args[argnums], without the matrix.

    The direction v, which stands last, has the form of x, for several `argnums` a tuple of such.
    It is one forward pass over the backward pass: the tangent of the gradient. ShapeError where the
    forms differ.

    >>> hvp(lambda x: x[0] ** 2 * x[1])([2.0, 3.0], [1.0, 0.0])
    [6.0, 4.0]
    """
    in_tuple(argnums)
    return Derived(hvp_of, f, argnums)


def hvp_of(f: Function, argnums: Argnums, args: Any, keywords: Any) -> Any:
    if len(args) < 2:
        raise ShapeError(f"hvp takes a point x and a direction v, got {len(args)} arguments")
    *point, v = args
    places, slope = positions(argnums, len(point)), grad(f, argnums)
    if len({*places}) < len(places):
        raise ArgumentError(f"argnums={argnums!r}: it moves in one direction, name it once")

    def moved(*own: Any) -> Any:
        return slope(*[own[places.index(k)] if k in places else x for k, x in enumerate(point)],
                     **keywords)  # fmt: skip

    several = isinstance(argnums, Sequence)
    return jvp(moved, [point[k] for k in places], v if several else [v])[1]


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """f(*primals), and how fast it moves where the arguments move at the speed of the tangents.

    The product of the Jacobian with a direction, in one pass forward: forward mode. `primals` is a
    tuple of arguments as `value_and_grad` takes them, `tangents` a tuple of as many in the same
    forms. Both results have the form of what f returns. On Values, and inside of another
    derivative, they are Values: so jvp nests. ShapeError where the forms differ.

    >>> jvp(lambda x, y: [x * y, x + y], (2.0, 3.0), (1.0, 0.0))
    ([6.0, 5.0], [3.0, 1.0])
    """
    refuse_node("jvp", f)
    check_tuple("jvp: primals", primals)
    check_tuple("jvp: tangents", tangents)
    speeds = leaves_like("jvp: a tangent", list(tangents), list(primals))
    made = Call(f, primals, {}, range(len(primals)))
    y = tree_map(scalar, made.y)
    outputs = tree_leaves(y)
    nested = holds_value(tangents) or made.is_nested(*outputs)
    seeds = dict(zip(made.leaves, speeds))
    moved = pushed(order_of(outputs), seeds, nested)
    return tree_map(lambda v: v if nested else v.data, y), tree_map(moved, y)


def vjp(f: Function, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """f(*primals), and the pullback: the function of upstream gradients that goes backward.

    The pullback takes an upstream gradient in the form of what f returned, and gives a tuple with
    the gradient of upstream · f with respect to each argument, in its form: the product of a row
    with the Jacobian. It may be called any number of times. ShapeError where the forms differ.

    >>> value, pullback = vjp(lambda x, y: [x * y, x + y], 2.0, 3.0)
    >>> value, pullback([1.0, 0.0]), pullback([0.0, 1.0])
    ([6.0, 5.0], (3.0, 2.0), (1.0, 1.0))
    """
    refuse_node("vjp", f)
    made = Call(f, primals, {}, range(len(primals)))
    y = tree_map(scalar, made.y)
    outputs = tree_leaves(y)
    nested = made.is_nested(*outputs)

    def pullback(upstream: Any) -> tuple[Any, ...]:
        root = scalar(dot(leaves_like("vjp: the upstream gradient", upstream, y), outputs))
        found = gradients(root, made.own, create_graph=nested or holds_value(upstream))
        return tuple(found)

    return tree_map(lambda v: v if nested else v.data, y), pullback
