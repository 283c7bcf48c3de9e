"""Derivatives as functions: of a graph's nodes, or of Python functions. They change no node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import WRAPPER_ASSIGNMENTS, update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, overload

from microgrid.engine.errors import ArgumentError, GraphError, NumberError, ShapeError
from microgrid.engine.forward import order_of, push_forward
from microgrid.engine.functions import dot
from microgrid.engine.guards import is_real
from microgrid.engine.numeric import like
from microgrid.engine.ops import identity
from microgrid.engine.renamed import renamed
from microgrid.engine.rules import MaskedUpstream
from microgrid.engine.settings import direction, whole
from microgrid.engine.slopes import check_slopes
from microgrid.engine.trees import branch, in_order, outline, shape_of
from microgrid.engine.trees import tree_leaves as tree_leaves
from microgrid.engine.trees import tree_map as tree_map
from microgrid.engine.value import Constant, Value, accumulate, peek, seed, sent, topological

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# What makes a derivative keeps no types of f's parameters: an f of Values is differentiated at
# numbers, lists and arrays.
Function = Callable[..., Any]
Argnums = int | Sequence[int]


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
    selected, since the graph holds for all data. The other direction is `tangents`.

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


def tangents(root: Any, seeds: Mapping[Value, Any], create_graph: bool = False) -> dict[Value, Any]:
    """How fast every node of root's graph moves while some nodes move at the speed of their seeds.

    A dict from every node to its tangent Σ ∂node/∂x · seed of x, in one pass in the order of the
    forward pass; no node is changed. `root` is a Value, or several in any form. What does not
    depend on the seeds has tangent zero. With `create_graph` the tangents are Values, and seeds may
    be; otherwise numbers of the kind of the data. GraphError where data was set since the forward
    pass. The other direction is `gradients`.

    >>> x = Value(3.0)
    >>> y = x * x
    >>> tangents(y, {x: 1})[y]
    6.0
    """
    outputs = tree_leaves(root)
    if not isinstance(seeds, Mapping):
        raise ArgumentError(f"seeds is a dict from Values to their speeds, like {{x: 1}}, got "
                            f"{seeds!r:.60}")  # fmt: skip
    for v in [*outputs, *seeds]:
        if not isinstance(v, Value):
            raise NumberError(f"tangents are of Values, got {type(v).__name__} {v!r}")
    order = order_of(outputs)
    found = pushed(order, seeds, create_graph)
    return {v: found(v) for v in order if not isinstance(v, Constant)}


def pushed(
    order: list[Value], seeds: Mapping[Value, Any], create_graph: bool
) -> Callable[[Value], Any]:
    """The tangents of a topological order, as a function of its nodes."""

    def started(v: Value, speed: Any) -> Any:
        given = create_graph and isinstance(speed, Value)
        return speed if given else seed(v, speed, "a tangent")

    moved = push_forward(order, {v: started(v, x) for v, x in seeds.items()}, create_graph)

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


# Of functions: their arguments become variables


class Variable(Value):
    """A leaf that stands for an argument of a function; active while that function runs."""

    __slots__ = ("active",)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.active = True


def variables(xs: Any) -> Any:
    """New nodes with the numbers of xs: leaves, or copies that stay connected to given Values.

    A model's own parameters are its numbers: only those that were computed stay connected.
    """

    def of_parameter(v: Value) -> Value:
        new = identity(v) if is_computed(v) else Variable(peek(v))
        new._label = v._label
        return new

    return tree_map(
        lambda x: identity(x) if isinstance(x, Value) else Variable(x), xs, of_parameter
    )


def is_computed(v: Value) -> bool:
    """Whether a parameter of a model is more than a number: a result, or a variable in use."""
    return v.op is not None or is_active(v)


def is_active(v: Value) -> bool:
    return type(v) is Variable and v.active


def holds_value(xs: Any) -> bool:
    """Whether a Value is among the arguments of a function, which may be anything."""
    if type(xs) is float or isinstance(xs, Value):
        return type(xs) is not float
    if getattr(xs, "shape", None):
        import numpy as np

        array = np.asarray(xs) if hasattr(xs, "__array_ufunc__") else np.zeros(0)
        return array.dtype.kind == "O" and any(isinstance(x, Value) for x in array.ravel().tolist())
    found = branch(xs)
    if found is None:
        return False
    return any(map(is_computed if found.is_model else holds_value, found.parts))


class Call:
    """One call of a function with new variables in the place of some of its arguments.

    They come in containers that f may change in place: `own`, a form for each of the `argnums`,
    stays as it is.
    """

    def __init__(
        self, f: Function, args: Sequence[Any], keywords: Mapping[str, Any], argnums: Argnums
    ) -> None:
        places, given = positions(argnums, len(args)), list(args)
        new = {k: variables(args[k]) for k in dict.fromkeys(places)}
        self.own = [new[k] for k in places]
        self.leaves = [v for x in self.own for v in tree_leaves(x)]
        for k, x in new.items():
            given[k] = x if isinstance(x, Value) else copied(x)
        self.outside = any(map(holds_value, [*args, *keywords.values()]))
        try:
            self.y = f(*given, **keywords)
        finally:
            for v in self.leaves:
                if type(v) is Variable:
                    v.active = False
        refuse_set(self.leaves)

    def is_nested(self, *outputs: Value) -> bool:
        """Whether an outer call differentiates the outputs, too: their derivatives are Values then.

        They depend on Values in the arguments, or on a variable of a call that is still running,
        like the x of grad(lambda x: grad(lambda y: x * y)(2.0)).
        """
        return self.outside or any(map(is_active, order_of(outputs)))


def positions(argnums: Argnums, count: int) -> list[int]:
    """The arguments that are asked for, counted from 0; ArgumentError where there is none."""
    for k in (found := list(listed(argnums))):
        if not -count <= k < count:
            has = f"{count} argument{'s' * (count != 1)}"
            raise ArgumentError(f"argnums={argnums!r}: the function has been given {has}")
    return [k % count for k in found]


def listed(argnums: Argnums) -> tuple[int, ...]:
    """An int or several as a tuple; ArgumentError for anything else."""
    if type(argnums) is int:
        return (argnums,)
    several = argnums if isinstance(argnums, list | tuple) else [argnums]
    told = "argnums is an int or a tuple of ints: each"
    return tuple([whole(told, k, error=ArgumentError) for k in several])


def as_asked(found: Sequence[Any], argnums: Argnums) -> Any:
    """A tuple where argnums are several, else the only one."""
    return tuple(found) if isinstance(argnums, list | tuple) else found[0]


def refuse_set(leaves: Sequence[Value]) -> None:
    """GraphError if the function has set the data of these new variables."""
    if any(x._version for x in leaves):
        raise GraphError("the function sets the data of its argument, which has no derivative: "
                         "return another value, or change a list or an array of them")  # fmt: skip


def copied(xs: Any) -> Any:
    """The same numbers or nodes in containers of their own."""
    return tree_map(lambda x: x, xs)


def scalar(y: Any) -> Value:
    """The one Value that a function to be differentiated has to return."""
    if isinstance(y, Value):
        return y
    if y is None:
        raise NumberError("the function returned None: does it end in return?")
    if hasattr(y, "dtype") and y.shape == ():  # an array without axes
        return scalar(y.item())
    if branch(y):
        raise GraphError(
            f"the function returned {type(y).__name__}, not one number; see jacobian and vjp"
        )
    return Constant(y)  # a constant function


def numbers_of(name: str, direction: Any, x: Any) -> list[Any]:
    """The numbers of a direction in the order of those of x, which it moves.

    ShapeError unless both have one form; lists may stand for arrays. A model's own parameters are
    numbers.
    """
    form = outline(x)
    if outline(direction) != form:
        raise ShapeError(
            f"{name} has the form of what it moves, got {shape_of(direction)} beside {shape_of(x)}"
        )
    return tree_leaves(in_order(form, direction), lambda v: v if is_computed(v) else peek(v))


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
    listed(argnums)
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
    listed(argnums)
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
    listed(argnums)
    return Derived(jacobian_of, f, argnums, mode if mode is None else direction(mode))


def jacobian_of(f: Function, argnums: Argnums, mode: str | None, args: Any, keywords: Any) -> Any:
    import numpy as np

    matrix, made = all_columns(f, argnums, mode, args, keywords)
    if not isinstance(argnums, list | tuple):
        return matrix
    ends = np.cumsum([len(tree_leaves(x)) for x in made.own])
    return tuple(np.split(matrix, ends[:-1], axis=1))


def all_columns(
    f: Function, argnums: Argnums, mode: str | None, args: Any, keywords: Any
) -> tuple[Any, Call]:
    """The columns for the entries of all these arguments as one matrix, and the call."""
    import numpy as np

    made = Call(f, args, keywords, argnums)
    outputs = [scalar(y) for y in tree_leaves(made.y)]
    nested = made.is_nested(*outputs)
    rows = jacobian_rows(outputs, made.leaves, mode, create_graph=nested)
    matrix = np.array(rows, dtype=object if nested else float)
    return matrix.reshape(len(outputs), len(made.leaves)), made


def hessian(f: Function, argnums: Argnums = 0) -> Callable[..., Array]:
    """The function (*args) ↦ the matrix ∂²f/∂x∂x in floats, x being args[argnums] flattened.

    For several `argnums` x holds the entries of all, one argument after the other: one matrix.
    Keywords and errors are those of `value_and_grad`.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([2.0, 3.0]).tolist()
    [[6.0, 4.0], [4.0, 0.0]]
    """
    listed(argnums)
    return Derived(hessian_of, f, argnums)


def hessian_of(f: Function, argnums: Argnums, args: Any, keywords: Any) -> Any:
    several = listed(argnums)
    return all_columns(grad(f, several), several, "reverse", args, keywords)[0]


def hvp(f: Function, argnums: Argnums = 0) -> Function:
    """The function (*args, v) ↦ (∂²f/∂x∂x) v in the form of x = args[argnums], without the matrix.

    The direction v, which stands last, has the form of x, for several `argnums` a tuple of such.
    It is one forward pass over the backward pass: the tangent of the gradient. ShapeError where the
    forms differ.

    >>> hvp(lambda x: x[0] ** 2 * x[1])([2.0, 3.0], [1.0, 0.0])
    [6.0, 4.0]
    """
    listed(argnums)
    return Derived(hvp_of, f, argnums)


def hvp_of(f: Function, argnums: Argnums, args: Any, keywords: Any) -> Any:
    if len(args) < 2:
        raise ShapeError(f"hvp takes a point x and a direction v, got {len(args)} arguments")
    *point, v = args
    places, slope = positions(argnums, len(point)), grad(f, argnums)
    if len(set(places)) < len(places):
        raise ArgumentError(f"argnums={argnums!r}: it moves in one direction, name it once")

    def moved(*own: Any) -> Any:
        return slope(*[own[places.index(k)] if k in places else x for k, x in enumerate(point)],
                     **keywords)  # fmt: skip

    several = isinstance(argnums, list | tuple)
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
    arguments_of_jvp(primals, tangents)
    speeds = numbers_of("jvp: a tangent", list(tangents), list(primals))
    made = Call(f, primals, {}, range_of(primals))
    y = tree_map(scalar, made.y)
    outputs = tree_leaves(y)
    nested = holds_value(tangents) or made.is_nested(*outputs)
    seeds = dict(zip(made.leaves, speeds))
    moved = pushed(order_of(outputs), seeds, nested)
    return tree_map(lambda v: v if nested else v.data, y), tree_map(moved, y)


def arguments_of_jvp(primals: Any, tangents: Any) -> None:
    """ArgumentError unless both are tuples, as for several arguments."""
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, list | tuple):
            raise ArgumentError(
                f"jvp(f, primals, tangents): {name} is a tuple with an entry for each argument, "
                f"like (x,), got {given!r:.60}"
            )


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
    made = Call(f, primals, {}, range_of(primals))
    y = tree_map(scalar, made.y)
    outputs = tree_leaves(y)
    nested = made.is_nested(*outputs)

    def pullback(upstream: Any) -> tuple[Any, ...]:
        root = scalar(dot(numbers_of("vjp: the upstream gradient", upstream, y), outputs))
        found = gradients(root, made.own, create_graph=nested or holds_value(upstream))
        return tuple(found)

    return tree_map(lambda v: v if nested else v.data, y), pullback


def range_of(args: Sequence[Any]) -> tuple[int, ...]:
    return tuple(range(len(args)))
