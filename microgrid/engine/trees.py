"""Structures of numbers: lists, tuples, dicts, arrays and models, nested; one walker for all.

Whatever takes "numbers in any form" walks here, so that a new form is one case of `branch`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from microgrid.engine.errors import ShapeError
from microgrid.engine.guards import as_floats, refuse_foreign
from microgrid.engine.value import Value, peek, topological

Build = Callable[[Sequence[Any]], Any]


class Branch(NamedTuple):
    """A structure taken apart: its parts with their keys, and what puts others in their place."""

    parts: Any  # a sequence, of an array its entries
    keys: Iterable[Any]  # of an array tuples of indices, of a dict its keys, else 0, 1, …
    build: Build
    flat: bool = False  # each part is one number: in arrays and models
    is_model: bool = False


def branch(xs: Any) -> Branch | None:
    """What xs is made of; None for one number or Value, and for what is no structure.

    A model of `nn` consists of its parameters, and is built with others in their place. What is an
    array elsewhere (a Series, a tensor) is built as an array of NumPy.
    """
    if type(xs) is float or isinstance(xs, Value):
        return None
    if isinstance(xs, list | tuple):
        return Branch(xs, range(len(xs)), getattr(xs, "_make", type(xs)))
    if isinstance(xs, Mapping):
        return Branch(list(xs.values()), xs.keys(), lambda parts: mapping(xs, parts))
    if is_model(xs):
        parameters = xs.parameters()
        return Branch(parameters, range(len(parameters)), lambda parts: xs.with_parameters(
            [x if isinstance(x, Value) else Value(x) for x in parts]), True, True)  # fmt: skip
    if shape := getattr(xs, "shape", None):
        import numpy as np

        entries: Any = np.asarray(refuse_foreign(xs)).ravel()
        entries = entries.tolist() if entries.dtype.kind in "fiub" else entries  # Python's numbers
        return Branch(entries, indices(shape), lambda parts: array(parts, shape), True)
    return None


def indices(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The places of an array's entries; a generator, since few ask for them."""
    import numpy as np

    yield from np.ndindex(*shape)


def is_model(x: Any) -> bool:
    """Whether x is made of parameters, like a Module of `nn`."""
    return hasattr(x, "with_parameters") and not isinstance(x, type)


def mapping(xs: Mapping[Any, Any], parts: Sequence[Any]) -> dict[Any, Any]:
    """The parts under the keys of xs; an ordered dict stays one."""
    made: dict[Any, Any] = copy.copy(xs) if isinstance(xs, dict) else {}
    made.update(zip(xs, parts))
    return made


def array(parts: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """An array of these entries: of floats, if all are."""
    import numpy as np

    entries = np.empty(len(parts), dtype=object)
    entries[:] = parts
    return as_floats(entries).reshape(shape)


def tree_map(
    f: Callable[..., Any], xs: Any, *others: Any, of_parameter: Callable[[Any], Any] | None = None
) -> Any:
    """f of every number or Value of a structure, in the same form.

    Structures are numbers and Values, alone or in lists, tuples, dicts, arrays and models of `nn`,
    nested. With `others`, of the same form, f takes an entry of each, and a model's own parameters
    are numbers, so that the result is a model of leaves; ShapeError for another form. A parameter
    of a model is given to `of_parameter`, if there is one. See also `tree_leaves`.

    >>> tree_map(lambda x: 2 * x, {"w": [1.0, 2.0], "b": (3.0,)})
    {'w': [2.0, 4.0], 'b': (6.0,)}
    >>> tree_map(lambda p, g: p - 0.5 * g, {"w": [1.0, 2.0]}, {"w": [2.0, 8.0]})
    {'w': [0.0, -2.0]}
    """
    if others:
        rows = zip(*[leaves_like("a structure", other, xs) for other in others])
        return tree_map(
            lambda x: f(x, *next(rows)), xs, of_parameter=lambda v: f(own_number(v), *next(rows))
        )
    whole = branch(xs)
    if whole is None:
        return f(entry(xs))
    if whole.flat:
        each = of_parameter if whole.is_model and of_parameter else f
        return whole.build([each(x) for x in whole.parts])
    return whole.build([tree_map(f, x, of_parameter=of_parameter) for x in whole.parts])


def tree_leaves(xs: Any, of_parameter: Callable[[Any], Any] | None = None) -> list[Any]:
    """The numbers or Values of a structure (see `tree_map`) in order, arrays row by row.

    For a parameter of a model stands what `of_parameter` gives, if there is one.

    >>> tree_leaves({"w": [1.0, 2.0], "b": (3.0,)})
    [1.0, 2.0, 3.0]
    """
    whole = branch(xs)
    if whole is None:
        return [entry(xs)]
    if whole.is_model and of_parameter:
        return list(map(of_parameter, whole.parts))
    if whole.flat:
        return list(whole.parts)
    return [leaf for x in whole.parts for leaf in tree_leaves(x, of_parameter)]


def named(roots: Any) -> dict[str, Value]:
    """The nodes that have a name, by it: of a graph, or of a structure of roots.

    >>> x, y = Value(2.0, "x"), Value(3.0, "y")
    >>> sorted(named([x * y, 3 * x]))
    ['x', 'y']
    """
    ends = [y for y in tree_leaves(roots) if isinstance(y, Value)]
    return {v.label: v for y in ends for v in topological(y) if v.label}


def ordered_leaves(
    form: Any, xs: Any, of_parameter: Callable[[Any], Any] | None = None
) -> list[Any]:
    """The leaves of a structure in the order of its `outline`, whose dicts may have other orders.

    >>> ordered_leaves({"w": None, "b": [None, None]}, {"b": (2.0, 3.0), "w": 1.0})
    [1.0, 2.0, 3.0]
    """
    if isinstance(form, dict):
        pairs = [(part, xs[key]) for key, part in form.items()]
    elif isinstance(xs, list | tuple):
        pairs = list(zip(form, xs))
    else:
        return tree_leaves(xs, of_parameter)
    return [x for part, y in pairs for x in ordered_leaves(part, y, of_parameter)]


def leaves_like(name: str, xs: Any, other: Any) -> list[Any]:
    """The leaves of a structure in the order of those of another one of the same form.

    A model's own parameters are numbers. ShapeError unless the forms are the same, in which lists
    may stand for arrays.
    """
    form = outline(other)
    if outline(xs) != form:
        raise ShapeError(
            f"{name} has the form of what it stands beside, got {shape_of(xs)} beside "
            f"{shape_of(other)}"
        )
    return ordered_leaves(form, xs, own_number)


def own_number(v: Value) -> Any:
    """The number of a parameter of a model, unless it was computed."""
    return v if is_computed(v) else peek(v)


def is_computed(v: Value) -> bool:
    """Whether a parameter of a model is more than a number: a result, or a variable in use."""
    return v.op is not None or getattr(v, "active", False)


def entry(x: Any) -> Any:
    """A leaf as it is; the object in an array without axes."""
    if type(x) is float or isinstance(x, Value):
        return x
    boxed = getattr(x, "shape", None) == () and hasattr(x, "dtype") and x.dtype == object
    return x.item() if boxed else x


def outline(xs: Any) -> Any:
    """The form of a structure: nested lists and dicts with None for each number.

    An array has the form of nested lists, a model that of the list of its parameters.
    """
    whole = branch(xs)
    if whole is None:
        return None
    if isinstance(xs, Mapping):
        return dict(zip(whole.keys, map(outline, whole.parts)))
    if whole.flat and not whole.is_model:
        return array([None] * len(whole.parts), xs.shape).tolist()
    return [outline(x) for x in whole.parts]


def shape_of(xs: Any) -> str:
    """The form of a structure in words."""
    whole = branch(xs)
    if whole is None:
        return "a number"
    if whole.is_model:
        return f"a model of {len(whole.parts)} parameters"
    if whole.flat:
        return f"shape {tuple(xs.shape)}"
    more = ["…"] * (len(whole.parts) > 8)
    first = [*zip(whole.keys, whole.parts)][:8]
    nested = any(branch(x) for _, x in first)
    if isinstance(xs, Mapping):
        keys = ", ".join([*[f"{key!r:.60}" for key, _ in first], *more]) or "nothing"
        forms = ", ".join([f"{key!r:.60}: {shape_of(x)}" for key, x in first if branch(x)])
        return f"a dict of {keys}" + f" ({forms})" * nested
    return f"[{', '.join([*[shape_of(x) for _, x in first], *more])}]" if nested else (
        f"a list of {len(xs)}"
    )  # fmt: skip
