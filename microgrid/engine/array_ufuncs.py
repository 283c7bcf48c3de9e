"""NumPy's functions of entries (its ufuncs) on Values: by their names they are ours.

A function of FUNCTIONS makes nodes, a question (isnan, sign, floor, a comparison) is answered by
the numbers, the rest is NumPy's own, which uses the operators of the entries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from microgrid.engine import ops
from microgrid.engine.errors import GradientLostError
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.guards import plain, refuse_foreign
from microgrid.engine.recorder import is_recorded
from microgrid.engine.value import Constant, Value, apply
from microgrid.engine.value_array import ValueArray, as_array, bare, exact_numbers, numbers

Function = Callable[..., Any]
COMPARING = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}
PREDICATES = {"isnan", "isfinite", "isinf", "signbit"}
STEPS = {"sign", "floor", "ceil", "trunc", "rint", "floor_divide"}  # constant between jumps
QUESTIONS = {*PREDICATES, *STEPS, "logical_and", "logical_or", "logical_not", "logical_xor",
             "heaviside", "spacing", "nextafter", "isnat"}  # fmt: skip


def computed(f: Function, op: Any) -> Function:
    """f(a, b) where a or b is a Value; of plain numbers what op gives, whose errors are ours."""

    def quick(a: Any, b: Any) -> Any:
        return f(a, b) if isinstance(a, Value) or isinstance(b, Value) else op(a, b)

    return quick


def of_two(op: Any) -> Function:
    """op of two entries."""

    def quick(a: Any, b: Any) -> Any:
        if isinstance(a, Value) or isinstance(b, Value):
            return apply(op, *[x if isinstance(x, Value) else Constant(x) for x in (a, b)])
        return op(a, b)

    return quick


def remainder(a: Any, b: Any) -> Any:
    """a mod b, with the sign of b; its slope in a is 1 between the jumps."""
    return a - float(np.floor_divide(exact_numbers(a), exact_numbers(b))) * b


def fmod(a: Any, b: Any) -> Any:
    """a mod b, with the sign of a."""
    return a - float(np.trunc(exact_numbers(a) / exact_numbers(b))) * b


def ignoring_nan(choose: Function) -> Function:
    """choose(a, b), or the other one where one is nan."""

    def chosen(a: Any, b: Any) -> Any:
        if is_recorded(a, b):
            return ops.where(a != a, b, ops.where(b != b, a, choose(a, b)))
        return b if a != a else a if b != b else choose(a, b)

    return chosen


LOG2, DEGREE = math.log(2.0), math.pi / 180.0
EXTREMES: dict[str, Function] = {
    "maximum": of_two(ops.maximum), "minimum": of_two(ops.minimum),
    "fmax": ignoring_nan(ops.maximum), "fmin": ignoring_nan(ops.minimum),
}  # fmt: skip
DIVISIONS = {"divide", "true_divide"}
ALIASES: dict[str, Function] = {  # NumPy's names, and those of scipy.special
    "true_divide": computed(lambda a, b: a / b, ops.div),
    "divide": computed(lambda a, b: a / b, ops.div),
    "power": computed(lambda a, b: a**b, ops.power),
    "float_power": computed(lambda a, b: a**b, ops.power),
    "modf": lambda x: (x - float(np.trunc(exact_numbers(x))), float(np.trunc(exact_numbers(x)))),
    "divmod": lambda a, b: (float(np.floor_divide(exact_numbers(a), exact_numbers(b))),
                            remainder(a, b)),
    "remainder": remainder, "mod": remainder, "fmod": fmod,
    "exp2": lambda x: ops.power(2.0, x), "fabs": abs, "positive": lambda x: x,
    "conjugate": lambda x: x, "conj": lambda x: x,
    "deg2rad": lambda x: x * DEGREE, "radians": lambda x: x * DEGREE,
    "rad2deg": lambda x: x / DEGREE, "degrees": lambda x: x / DEGREE,
    "logaddexp2": lambda a, b: FUNCTIONS["logaddexp"](a * LOG2, b * LOG2) / LOG2,
    "ldexp": lambda x, n: x * 2.0 ** int(n), "copysign": lambda a, b: abs(a) * sign_of(b),
    "expit": ops.sigmoid, "log_expit": ops.log_sigmoid, "ndtr": ops.normal_cdf,
    "logit": lambda p: ops.log(p) - ops.log1p(-p), "log_ndtr": lambda x: ops.log(ops.normal_cdf(x)),
    "gammaln": ops.lgamma, "loggamma": ops.lgamma, "psi": ops.digamma,
    "xlog1py": lambda a, b: ops.xlogy(a, 1 + b), "entr": lambda x: -ops.xlogy(x, x),
    "rel_entr": lambda a, b: ops.xlogy(a, a / b),
    "kl_div": lambda a, b: ops.xlogy(a, a / b) - a + b,
}  # fmt: skip


def sign_of(x: Any) -> float:
    return math.copysign(1.0, exact_numbers(x))


def ours(name: str) -> Function | None:
    """Our function of entries by the name of NumPy's, or None."""
    if name in EXTREMES or name in ALIASES:
        return EXTREMES.get(name) or ALIASES[name]
    f, method = FUNCTIONS.get(name), getattr(Value, name, None)
    if f is None or method is None or getattr(ops.TABLE.get(name), "arity", 0) != 1:
        return f
    return lambda x: method(x) if isinstance(x, Value) else f(x)  # quick


def applied(ufunc: Any, method: str, inputs: Sequence[Any], options: dict[str, Any]) -> Any:
    """What ufunc.method(*inputs, **options) gives where an input or an `out` holds Values."""
    name, out = ufunc.__name__, options.pop("out", ())
    where, dtype = options.pop("where", True), options.pop("dtype", None)
    for unneeded in ("casting", "order", "subok", "signature"):
        options.pop(unneeded, None)
    if method == "at":
        return changed_at(ufunc, *inputs)
    if name in COMPARING and dtype is None and is_recorded(*inputs) and holds_node(inputs):
        dtype = object
    indices = inputs[1:] if method == "reduceat" else ()
    xs = [operand(x) for x in inputs[: len(inputs) - len(indices)]]
    with np.errstate(all="ignore"):  # the flags that Python's functions leave in the processor
        if where is not True and method == "__call__":
            made = elsewhere(ufunc, xs, where, out)
        elif where is not True:
            made = reduced_where(ufunc, xs[0], where, options)
        else:
            made = evaluated(ufunc, method, xs, indices, dtype, options)
    if dtype is not None and dtype is not object and np.dtype(dtype).kind not in "fO":
        made = numbers(made).astype(dtype)
    return written(made, out, name) if out else dressed(made)


def evaluated(
    ufunc: Any, method: str, xs: Sequence[Any], indices: Sequence[Any], dtype: Any,
    options: dict[str, Any],
) -> Any:  # fmt: skip
    """The result before it is written anywhere."""
    name = ufunc.__name__
    if name in COMPARING:
        own = {"dtype": object} if dtype is object else {}
        xs = xs if own else [exact_numbers(x) for x in xs]
        return getattr(ufunc, method)(*xs, **own, **options)
    if name in QUESTIONS:
        return getattr(ufunc, method)(*map(numbers, xs), **options)
    if name in EXTREMES and method == "reduce":
        return largest(ufunc, xs[0], **options)
    if name in DIVISIONS:  # NumPy's own loop is quicker
        with suppress(ZeroDivisionError):
            return getattr(ufunc, method)(*xs, *indices, **options)
    f = ours(name)
    if f is not None:
        vectorized = np.frompyfunc(f, ufunc.nin, ufunc.nout)
        return getattr(vectorized, method)(*xs, *indices, **options)
    try:
        return getattr(ufunc, method)(*xs, *indices, **options)
    except TypeError as error:
        if "no callable" in str(error) or "not supported for the input types" in str(error):
            raise unknown(f"np.{name}") from None
        raise


def unknown(name: str) -> GradientLostError:
    """The error for a function of NumPy without a derivative here."""
    return GradientLostError(
        f"microgrid knows no derivative of {name}: write it with microgrid's functions, or use "
        "v.data for the number (values(A) for an array)"
    )


def holds_node(inputs: Sequence[Any]) -> bool:
    """Whether one of them is a Value, or an array whose comparisons are nodes."""
    return any(isinstance(x, Value) or getattr(x, "compares_as_nodes", False) for x in inputs)


def operand(x: Any) -> Any:
    """What NumPy's own loops take: a plain array, or a number."""
    if isinstance(x, ValueArray):
        return x.view(np.ndarray)
    if isinstance(x, Value):
        return boxed(x)
    if type(x) is float or type(x) is int:
        return x
    beside = "beside a Value stand real numbers"
    return refuse_foreign(plain(x, beside), beside)


def boxed(x: Any) -> Any:
    """An array without axes that holds x."""
    box = np.empty((), dtype=object)
    box[()] = x
    return box


def dressed(made: Any) -> Any:
    """Results as arrays of Values; numbers of steps, too, so that Values can be written there."""
    if isinstance(made, tuple):
        return tuple(map(dressed, made))
    if isinstance(made, np.ndarray) and made.dtype.kind == "f":
        made = made.astype(object)
    return as_array(made)


def written(made: Any, out: Sequence[Any], name: str) -> Any:
    """The results in the arrays that were given for them."""
    parts = made if isinstance(made, tuple) else (made,)
    for part, target in zip(parts, out):
        if target is not None:
            write(target, part, name)
    ends = tuple([dressed(part) if t is None else t for part, t in zip(parts, out)])
    return ends if isinstance(made, tuple) else ends[0]


def write(target: Any, part: Any, name: str) -> None:
    """Write into an array; GradientLostError where Values would have to become floats."""
    if isinstance(target, Value):
        raise GradientLostError(f"np.{name} writes into arrays, not into a Value")
    entries = np.asarray(part, dtype=object) if not isinstance(part, np.ndarray) else part
    if target.dtype != object and entries.dtype == object:
        if any(isinstance(x, Value) for x in entries.flat):
            raise no_room(target)
        entries = entries.astype(target.dtype)
    bare(target)[...] = entries


def no_room(target: Any) -> GradientLostError:
    """The error for Values that go into an array of floats."""
    return GradientLostError(
        f"an array of {target.dtype} has no room for Values, whose gradient would be lost: write "
        "A = A + B for A += B, or begin with an array of Values, like mg.matrix(np.zeros((2, 3))); "
        "v.data is the number alone"
    )


def changed_at(ufunc: Any, target: Any, indices: Any, *others: Any) -> None:
    """ufunc.at: entries are changed one after the other, also where an index repeats."""
    xs = list(map(operand, others))
    if target.dtype.kind != "O":
        raise no_room(target)
    f = ours(ufunc.__name__)
    chosen = ufunc if f is None else np.frompyfunc(f, ufunc.nin, 1)
    chosen.at(bare(target), indices, *xs)


def elsewhere(ufunc: Any, xs: Sequence[Any], where: Any, out: Sequence[Any]) -> Any:
    """ufunc of the entries where a mask says so; the others are those of `out`, or 0."""
    mask = np.asarray(numbers(where), dtype=bool)
    shape = np.broadcast_shapes(mask.shape, *[np.shape(x) for x in xs])
    mask = np.broadcast_to(mask, shape)
    taken = [np.broadcast_to(np.asarray(x), shape)[mask] for x in xs]
    result = np.empty(shape, dtype=object)
    result[...] = bare(out[0]) if out and out[0] is not None else 0.0
    result[mask] = evaluated(ufunc, "__call__", taken, (), None, {})
    return result


IDENTITY = {"add": 0, "multiply": 1}


def reduced_where(ufunc: Any, x: Any, where: Any, options: dict[str, Any]) -> Any:
    """ufunc.reduce of the entries that a mask selects."""
    name = ufunc.__name__
    mask = np.asarray(numbers(where), dtype=bool)
    if name in EXTREMES:
        return largest(ufunc, x, where=mask, **options)
    if name in IDENTITY:
        options.setdefault("initial", IDENTITY[name])
    return ufunc.reduce(x, where=mask, **options)


def largest(
    ufunc: Any, x: Any, axis: Any = 0, keepdims: bool = False, initial: Any = None,
    where: Any = None,
) -> Any:  # fmt: skip
    """The largest or smallest along axes, one node for each: ties share the gradient."""
    x = np.asarray(x, dtype=object)
    given = {} if initial is None or initial is np._NoValue else {"initial": False}
    form = ufunc.reduce(np.zeros(x.shape, bool), axis=axis, keepdims=keepdims, **given)
    several = [axis] if np.ndim(axis) == 0 and axis is not None else axis
    axes = range(x.ndim) if several is None else sorted([int(a) % x.ndim for a in several])
    kept = [a for a in range(x.ndim) if a not in axes]
    count = math.prod([x.shape[a] for a in axes])
    rows = x.transpose(*kept, *axes).reshape(-1, count)
    if where is not None:
        masks = np.broadcast_to(where, x.shape).transpose(*kept, *axes).reshape(-1, count)
        rows = [row[mask] for row, mask in zip(rows, masks)]
    first = [bare(initial)] if given else []
    found = np.empty(len(rows), dtype=object)
    found[:] = [extreme(ufunc.__name__, [*first, *row]) for row in rows]
    return found.reshape(np.shape(form))[()]


def extreme(name: str, xs: Sequence[Any]) -> Any:
    """One node for the largest of all; the only one itself."""
    if len(xs) == 1:
        return xs[0]
    if name in ops.TABLE:
        return ops.TABLE[name](*xs)
    y = xs[0]
    for x in xs[1:]:
        y = EXTREMES[name](y, x)
    return y
