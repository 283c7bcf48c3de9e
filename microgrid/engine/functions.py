"""The operations as functions, as methods and as operators of Value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from inspect import signature
from typing import Any

from microgrid.engine import ops
from microgrid.engine.documentation import document, method
from microgrid.engine.errors import DomainError, NumberError, RuleError, ShapeError, TargetError
from microgrid.engine.guards import real, refuse_foreign
from microgrid.engine.hints import foreign, hinted
from microgrid.engine.op import Op
from microgrid.engine.ops import row_target, stop_gradient_max
from microgrid.engine.renamed import renamed
from microgrid.engine.value import Value, unary


def leaky_relu(x: Any, slope: Any = 0.01) -> Any:
    """x above zero, slope * x below."""
    return ops.leaky_relu(x, slope)


def elu(x: Any, alpha: Any = 1.0) -> Any:
    """x above zero, alpha * (exp(x) - 1) below."""
    return ops.elu(x, alpha)


@renamed(min="low", max="high")  # NumPy's words
@hinted
def clip(x: Any, low: Any = None, high: Any = None, out: None = None) -> Any:
    """x brought between two bounds, high where they cross; None for no bound (`out` is NumPy's)."""
    if out is not None:
        raise NumberError("clip writes into no array: it returns a Value")
    return ops.clip(x, -math.inf if low is None else low, math.inf if high is None else high)


def maximum(*xs: Any) -> Any:
    """The largest of any number of values, one by one or as a list; ties share the gradient."""
    return ops.maximum(*several("maximum", xs))


def minimum(*xs: Any) -> Any:
    """The smallest of any number of values, one by one or as a list; ties share the gradient."""
    return ops.minimum(*several("minimum", xs))


@hinted
def logsumexp(*xs: Any) -> Any:
    """log Σ exp(x) of any number of values, one by one or as a list, without overflow."""
    return ops.logsumexp(*several("logsumexp", xs))


@hinted
def total(xs: Iterable[Any]) -> Any:
    """Σ x as one node, added up from the left; 0 for none."""
    values = one_row("total", xs)
    return ops.total(*values) if values else 0


@hinted
def mean(xs: Iterable[Any]) -> Any:
    """Σ x / n as one node, added up from the left."""
    return ops.mean(*several("mean", (xs,)))


def dot(xs: Iterable[Any], ys: Iterable[Any]) -> Any:
    """Σ x y as one node, added up from the left; ShapeError unless both are equally long."""
    a, b = one_row("dot", xs), one_row("dot", ys)
    if len(a) != len(b):
        raise ShapeError(f"dot: {len(a)} values on the left and {len(b)} on the right")
    return ops.dot(*a, *b) if a else 0


@hinted
def softmax(xs: Iterable[Any]) -> list[Any]:
    """exp(x) / Σ exp(x) for each x, as a list; the largest is taken off first.

    DomainError for no numbers, ShapeError for a matrix: give one row at a time.

    >>> import microgrid as mg
    >>> mg.softmax([1.0, 1.0])
    [0.5, 0.5]
    >>> mg.grad(lambda xs: mg.softmax(xs)[0])([1.0, 1.0])  # p (1 - p), -p q
    [0.25, -0.25]
    """
    values = several("softmax", (xs,))
    top = stop_gradient_max(*values)
    exps = [ops.exp(x - top) for x in values]
    scale = total(exps)
    return [e / scale for e in exps]


def cross_entropy(logits: Iterable[Any], target: Any) -> Any:
    """−Σ t log softmax(x) = Σ t · log Σ exp(x) − Σ t x, without overflow and to the last digits.

    The target is the number of the right class, counted from 0, or a row t, with a probability for
    each of two classes or more: none is below 0 and their sum is 1, up to the rounding of float32.
    TargetError for others, like a row of class numbers: the formula would be smallest where the
    softmax is not t, or nowhere; ShapeError for a row t beside one logit. See also
    `nn.cross_entropy`, the mean over the rows of a matrix.

    >>> import microgrid as mg
    >>> round(mg.cross_entropy([2.0, 0.0], 0), 4)
    0.1269
    >>> [round(g, 4) for g in mg.grad(mg.cross_entropy)([2.0, 0.0], 0)]  # softmax(x) - t
    [-0.1192, 0.1192]
    """
    values = several("cross_entropy", (logits,))
    if isinstance(target, Value) or not getattr(target, "shape", hasattr(target, "__len__")):
        expected = values[class_number(target, len(values))]
        return ops.logsumexp(*[x - expected for x in values])
    row = [t if isinstance(t, Value) else real(t) for t in one_row("cross_entropy", target)]
    if len(values) == 1:
        raise ShapeError(
            "a row of probabilities is for two logits or more, got one logit; use "
            "binary_cross_entropy"
        )
    top = stop_gradient_max(*values)
    behind = [top - x for x in values]  # so that no term of the sum cancels another
    weighted, scale = dot(row, behind), ops.logsumexp(*[-d for d in behind])
    return row_target(*row) * scale + weighted


def class_number(target: Any, classes: int) -> int:
    """The target, a whole number of any kind, as an index of a class; TargetError for others."""
    try:
        number = real(target)
    except NumberError:
        number = None
    if number is None or number % 1 != 0:  # nan and inf, too
        raise TargetError(
            f"a target is the number of a class or a row of probabilities, got {target!r}; "
            "nn.one_hot makes rows of class numbers, which a recorded program needs"
        )
    if not 0 <= number < classes:
        last = classes - 1
        raise TargetError(f"target {target} is out of range for {classes} logits: 0 to {last}")
    return int(number)


def custom_op(
    name: str, forward: Callable[..., Any], *rules: Callable[..., Any], **looks: Any
) -> Op:
    """A new operation: its value from numbers, and one local gradient (y, *xs) -> ∂y/∂x an operand.

    A rule gets the value y and the operands; the chain rule multiplies with the upstream gradient.
    Rules written with microgrid's functions work for derivatives of derivatives, too; `gradcheck`
    tells whether they are right. `looks` are the other fields of an Op: doc, text, latex, role,
    domain, kink, hint, terms, meaning. RuleError for rules that cannot be called with (y, *xs).

    >>> from microgrid import Value
    >>> cube = custom_op("cube", lambda x: x * x * x, lambda y, x: 3 * x * x, doc="The cube.")
    >>> x = Value(2.0)
    >>> cube(x).backward()
    >>> x.grad
    12.0
    >>> print(cube.__doc__)  # so does help(cube)
    The cube.
    <BLANKLINE>
    - `y = cube(x)`
    - `∂y/∂x = 3·x²`
    """
    op = Op(name, forward, *rules, **looks)
    if op.joint is None and refusal(forward, len(rules)):
        raise RuleError(f"op {name!r} needs one rule for each operand of forward, got {len(rules)}")
    if op.joint is not None and rules:
        raise RuleError(f"op {name!r} has a joint rule: the {len(rules)} others would not be used")
    told = f"op {name!r}: a rule is called with (y, *xs), the value and the operands"
    for rule in [op.joint] if op.joint else rules:
        if op.arity is not None and refusal(rule, 1 + op.arity):
            raise RuleError(f"{told}; {1 + op.arity} arguments do not fit this one")
        if re.fullmatch(UPSTREAM, first := first_parameter(rule), re.I):
            raise RuleError(f"{told}, without upstream: {first!r} would be the value y")
    return op


# What a first parameter is called in PyTorch's convention (upstream, *xs) -> share.
UPSTREAM = "g|g_?(y|out)|ct|cotangent|d_?([a-z]|out|L_?d.*)|.*(grad|upstream).*"


def refusal(f: Callable[..., Any], count: int) -> str:
    """Why f cannot be called with so many arguments, in Python's words; empty where it can be."""
    with suppress(ValueError):  # of a builtin without a signature nothing is known
        try:
            signature(f, follow_wrapped=False).bind(*range(count))
        except TypeError as error:
            return str(error)
    return ""


def first_parameter(f: Callable[..., Any]) -> str:
    try:
        return next(iter(signature(f, follow_wrapped=False).parameters), "")
    except (TypeError, ValueError):
        return ""


def several(name: str, xs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values given one by one, or as one list."""
    one_list = len(xs) == 1 and not isinstance(xs[0], Value) and hasattr(xs[0], "__iter__")
    values = one_row(name, xs[0]) if one_list else xs
    if not values:
        raise DomainError(f"{name}() of nothing: give at least one value")
    return values


def one_row(name: str, xs: Iterable[Any]) -> tuple[Any, ...]:
    """The values of a list or a vector; ShapeError for a matrix, whose rows would be added up."""
    values = tuple(refuse_foreign(xs, f"{name} takes real numbers"))
    others = [x for x in values if not isinstance(x, Value)]
    if any(getattr(x, "shape", ()) for x in others):
        told = foreign(f"{name}()", "axis") or "use A.ravel(), or one row at a time"
        raise ShapeError(f"{name} takes one row of values: {told}")
    return values


OPERATORS = {"add": ops.add, "sub": ops.sub, "mul": ops.mul, "truediv": ops.div, "pow": ops.power}
SIGNS = {e.text.format("", "").strip().replace("^", "**"): e for e in OPERATORS.values()}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: globals().get(name, entry)
    for name, entry in ops.PUBLIC.items()
    if entry not in OPERATORS.values()
} | {"softmax": softmax, "cross_entropy": cross_entropy}
NO_METHODS = {"where", "total", "dot", "mean", "softmax", "cross_entropy", "neg", "absolute"}

for name in FUNCTIONS:
    if name not in NO_METHODS:
        entry = ops.TABLE[name]
        setattr(Value, name, unary(entry) if entry.arity == 1 else method(FUNCTIONS[name]))
document(Value, ops.TABLE, FUNCTIONS)
