"""What a function that is differentiated is given and returns: its arguments become variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from microgrid.engine.errors import ArgumentError, GraphError, NumberError
from microgrid.engine.forward import order_of
from microgrid.engine.guards import is_real, no_number
from microgrid.engine.ops import identity
from microgrid.engine.settings import whole
from microgrid.engine.trees import branch, is_computed, tree_leaves, tree_map
from microgrid.engine.value import Constant, Value, peek

# What makes a derivative keeps no types of f's parameters: an f of Values is differentiated at
# numbers, lists and arrays.
Function = Callable[..., Any]
Argnums = int | Sequence[int]


class Variable(Value):
    """A leaf that stands for an argument of a function; active while that function runs."""

    __slots__ = ("active",)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.active = True


def variable(number: float, label: str) -> Variable:
    """A new variable, filled in without the checks that a user's number and label need."""
    v: Variable = object.__new__(Variable)
    v._number, v._grad, v._label, v.op = number, None, label, None
    v._a, v._b, v._walk, v._place, v._version, v._parent_versions = (), None, None, 0, 0, 0
    v.active = True
    return v


def variables(xs: Any) -> Any:
    """New nodes with the numbers of xs: leaves, or copies that stay connected to given Values.

    A model's own parameters are its numbers: only those that were computed stay connected.
    """

    def of_parameter(v: Value) -> Value:
        new = identity(v) if is_computed(v) else Variable(peek(v))
        new._label = v._label
        return new

    return tree_map(
        lambda x: identity(x) if isinstance(x, Value) else Variable(x),
        xs,
        of_parameter=of_parameter,
    )


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
            given[k] = x if isinstance(x, Value) else tree_map(lambda leaf: leaf, x)
        self.outside = any(map(holds_value, [*args, *keywords.values()]))
        try:
            self.y = f(*given, **keywords)
        finally:
            for v in self.leaves:
                if type(v) is Variable:
                    v.active = False
        refuse_set(self.leaves)

    def outputs(self) -> list[Value]:
        """The numbers that f returned, flattened."""
        return [scalar(y) for y in tree_leaves(self.y)]

    def is_nested(self, *outputs: Value) -> bool:
        """Whether an outer call differentiates the outputs, too: their derivatives are Values then.

        They depend on Values in the arguments, or on a variable of a call that is still running,
        like the x of grad(lambda x: grad(lambda y: x * y)(2.0)).
        """
        return self.outside or any(map(is_active, order_of(outputs)))


def positions(
    argnums: Argnums, count: int, has: str = "the function has been given"
) -> tuple[int, ...]:
    """The arguments that are asked for, counted from 0; ArgumentError where there is none."""
    for k in (found := in_tuple(argnums)):
        if not -count <= k < count:
            has = f"{has} {count} argument{'s' * (count != 1)}"
            by_place = "" if count else "; by position, as in grad(f)(x)"
            raise ArgumentError(f"argnums={argnums!r}: {has}{by_place}")
    return tuple([k % count for k in found])


def in_tuple(argnums: Argnums) -> tuple[int, ...]:
    """An int or several as a tuple; ArgumentError for anything else."""
    if type(argnums) is int:
        return (argnums,)
    told = "argnums is an int or a tuple of ints: each"
    several = argnums if isinstance(argnums, Sequence) else [argnums]
    return tuple([whole(told, k, error=ArgumentError) for k in several])


def as_asked(found: Sequence[Any], argnums: Argnums) -> Any:
    """A tuple where argnums are several, else the only one."""
    return tuple(found) if isinstance(argnums, Sequence) else found[0]


def check_tuple(name: str, given: Any) -> None:
    """ArgumentError for what is no tuple or list, as several arguments are."""
    if not isinstance(given, list | tuple):
        entries = "a tuple with an entry for each argument, like (1.0,)"
        raise ArgumentError(f"{name} is {entries}, got {given!r:.60}")


def refuse_set(leaves: Sequence[Value]) -> None:
    """GraphError if the function has set the data of these new variables."""
    if any(x._version for x in leaves):
        raise GraphError("the function sets the data of its argument, which has no derivative: "
                         "return another value, or change a list or an array of them")  # fmt: skip


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
    if not is_real(y):
        raise no_number(y, "the function returns one real number")
    return Constant(y)  # a constant function
