"""Is this gradient right, and where does it stop being a number?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from microgrid.engine.arguments import Argnums, Call, positions, scalar, variables
from microgrid.engine.calculus import gradients, refuse_node
from microgrid.engine.errors import MicrogridError, describe
from microgrid.engine.forward import order_of
from microgrid.engine.guards import no_node
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.trees import branch, tree_leaves
from microgrid.engine.value import Constant, Value, accumulate, edges, seed, topological
from microgrid.views.tables import Table, short, table

STEPS = [10.0**-k for k in range(1, 14)]
EPSILON = 2.0**-52
TOLERANCE = 1e-6  # relative: the best central difference of a smooth function is good to 1e-9


@dataclass(frozen=True)
class Entry:
    """One number of the arguments: its gradient, and what central differences say.

    `difference` is the best central difference, at the step `step`; `noise` is what rounding may
    add to it. `curve` has the error of each step (step, |difference − gradient|): it falls with the
    square of the step, then rises by rounding.

    >>> from microgrid import gradcheck
    >>> entry = gradcheck(lambda x: x * x, 3.0).entries[0]
    >>> entry.gradient, round(entry.difference, 6), entry.verdict, entry.error < 1e-9
    (6.0, 6.0, 'ok', True)
    """

    name: str
    gradient: float
    difference: float  # at the best step
    step: float
    noise: float  # what rounding may add to that difference
    curve: list[tuple[float, float]]  # (step, |difference - gradient|): falls, then rises

    @property
    def error(self) -> float:
        """How far gradient and difference lie apart."""
        return abs(self.gradient - self.difference)

    @property
    def verdict(self) -> str:
        """ "ok", "wrong", or "cannot tell" where rounding hides the answer.

        The error is compared with the size of the gradient. Only if gradient and difference both
        lie within the noise are they accepted as equal.
        """
        size = max(abs(self.gradient), abs(self.difference))
        if not math.isfinite(size):
            same = self.gradient == self.difference
            return "ok" if same else "cannot tell" if math.isinf(self.gradient) else "wrong"
        if size <= self.noise or (self.error <= TOLERANCE * size and self.noise <= 1e-3 * size):
            return "ok"
        return "wrong" if self.error > TOLERANCE * size + self.noise else "cannot tell"


@dataclass(frozen=True, repr=False)
class GradientReport(Table):
    """The result of `gradcheck`: true if all gradients agree; prints as a table.

    An entry for each number of the arguments has its gradient, the best central difference, and a
    verdict: "ok", "wrong", or "cannot tell" where rounding hides the answer.

    >>> from microgrid import gradcheck
    >>> report = gradcheck(lambda x: x * x, 3.0)
    >>> report.ok, report.worst.gradient, report.worst.verdict
    (True, 6.0, 'ok')
    >>> report.remarks, report.kinks, report.first_wrong
    ([], [], '')
    """

    _title = "Gradients beside central differences"

    entries: list[Entry]
    kinks: list[str] = field(default_factory=list)  # operations with a kink within the step
    first_wrong: str = ""  # the first node whose local gradient disagrees

    @property
    def ok(self) -> bool:
        """Whether every gradient and local gradient agrees, and no kink lies within the step."""
        right = all(e.verdict == "ok" for e in self.entries)
        return right and not self.first_wrong and not self.kinks

    def __bool__(self) -> bool:
        return self.ok

    @property
    def worst(self) -> Entry | None:
        """The entry with the largest error relative to its size."""

        def badness(e: Entry) -> tuple[int, float]:
            size = max(abs(e.gradient), abs(e.difference), e.noise, 5e-324)
            return ("ok", "cannot tell", "wrong").index(e.verdict), e.error / size

        return max(self.entries, key=badness, default=None)

    _head, _left = ("entry", "verdict", "gradient", "difference", "error", "step", "noise"), 2

    def records(self) -> list[tuple[Any, ...]]:
        return [
            (e.name, e.verdict, e.gradient, e.difference, e.error, e.step, e.noise)
            for e in self.entries
        ]

    def _cells(self, latex: bool = False) -> list[tuple[str, ...]]:
        word = r"\text{{{}}}".format if latex else str
        return [(*map(word, r[:2]), *map(short, r[2:])) for r in self.records()]

    @property
    def remarks(self) -> list[str]:
        """Kinks within the step, and the first wrong local gradient."""
        kinks = [f"a kink lies within the step: {kink}" for kink in self.kinks]
        wrong = [f"the first wrong local gradient: {self.first_wrong}"] * bool(self.first_wrong)
        return kinks + wrong

    @property
    def _start(self) -> str:  # type: ignore[override]
        return "; ".join(["ok" if self.ok else "NOT ok", *self.remarks])

    def __str__(self) -> str:
        lines = [*table(self._head, self._cells(), self._left), *self.remarks]
        if self.worst:
            lines.append(f"error of {self.worst.name} by step:")
            lines += [f"  {h:.0e}  {error:.0e}  {bar(error)}" for h, error in self.worst.curve]
        return "\n".join([*lines, "ok" if self.ok else "NOT ok"])

    __repr__ = __str__


def bar(error: float) -> str:
    """The magnitude of an error as a bar: a column for each power of ten above 1e-16."""
    return "" if not error > 0 else "#" * max(0, min(30, 17 + round(math.log10(error))))


def gradcheck(
    f: Callable[..., Any], *args: Any, argnums: Argnums | None = None, **keywords: Any
) -> GradientReport:
    """Compare ∂f/∂(every number of args[argnums]) with central differences over a range of steps.

    Arguments and keywords are those of `value_and_grad`, and f returns one Value; with
    `argnums=None` all arguments are moved. The report has `ok`, `worst`, one entry per number with
    the curve of errors over the steps, the operations with a kink within the step, and the first
    node whose own local gradient is wrong.

    >>> print(gradcheck(lambda x: x * x, 3.0).entries[0].verdict)
    ok
    """
    refuse_node("gradcheck", f)
    asked = positions(range(len(args)) if argnums is None else argnums, len(args))
    places = tuple(dict.fromkeys(asked))
    made = Call(f, args, keywords, places)
    root, leaves = scalar(made.y), made.leaves
    entries = []
    for i, gradient in enumerate(gradients(root, leaves)):
        name = f"argument {i + 1}" if len(leaves) > 1 else "argument"
        f_of = partial(moved, partial(f, **keywords), args, places, i)
        entries.append(entry(name, float(gradient), f_of, leaves[i]))
    step = max((e.step * max(1.0, abs(x.data)) for e, x in zip(entries, leaves)), default=0.0)
    return GradientReport(entries, kinks_within(root, leaves, step), first_wrong(root))


def moved(
    f: Callable[..., Any], args: Sequence[Any], places: Sequence[int], which: int, by: float
) -> float:
    """f with the which-th number of some arguments moved; nan where f has no value there."""
    given, own = list(args), [variables(args[k]) for k in places]
    leaf = tree_leaves(own)[which]
    leaf.data = float(leaf.data) + by
    for k, x in zip(places, own):
        given[k] = x
    try:
        return float(scalar(f(*given)).data)
    except (MicrogridError, ArithmeticError, ValueError):
        return math.nan


def entry(name: str, gradient: float, f: Callable[[float], float], x: Value) -> Entry:
    """The best central difference by Richardson's extrapolation, and the curve of plain ones."""
    scale = max(1.0, abs(float(x.data)))
    best = (math.inf, math.nan, STEPS[0], math.inf)  # (doubt, difference, step, noise)
    curve = []
    for step in STEPS:
        h = step * scale
        h = (float(x.data) + h) - float(x.data)  # what the sum really moves
        plain, size = central(f, h)
        finer, _ = central(f, h / 2)
        curve.append((step, abs(plain - gradient)))
        noise = 4 * EPSILON * size / h if size else 0.0
        difference = finer + (finer - plain) / 3
        doubt = abs(finer - plain) / 3 + noise
        if doubt < best[0]:
            best = (doubt, difference, step, noise)
    return Entry(name, gradient, best[1], best[2], best[3], curve)


def central(f: Callable[[float], float], h: float) -> tuple[float, float]:
    """(f(x+h) − f(x−h)) / 2h, and the size of the numbers that were subtracted."""
    above, below = f(h), f(-h)
    return (above - below) / (2 * h), max(abs(above), abs(below))


def kinks_within(root: Value, leaves: list[Value], step: float) -> list[str]:
    """The operations whose kink is so near that a step may cross it."""
    found = []
    for v in topological(root):
        if v.op is None or v.op.kink is None:
            continue
        moving = [p for p in v.parents if not isinstance(p, Constant)]
        speed = max((abs(float(g)) for p in moving for g in gradients(p, leaves)), default=0.0)
        distance = v.op.kink(*[p.data for p in v.parents])
        if distance <= step * speed and speed:
            operands = ", ".join(describe(p) for p in v.parents)
            found.append(f"{v.op.name}({operands}) at a distance of {short(float(distance))}")
    return found


def first_wrong(root: Value) -> str:
    """The first node, parents first, that has a wrong local gradient."""
    for v in topological(root):
        if v.op is None:
            continue
        numbers = [p.data for p in v.parents]
        if v.op.kink is not None and v.op.kink(*numbers) == 0:
            continue
        for i, (parent, local) in enumerate(edges(v, v.op)):
            if isinstance(parent, Constant) or local is NO_PATH:
                continue
            found = entry("", float(local), partial(forward, v, i), parent)
            if found.verdict == "wrong":
                return f"{describe(v)}: ∂/∂{describe(parent)} is {local}, not {found.difference}"
    return ""


def forward(v: Value, which: int, by: float) -> float:
    """The operation of v with one operand moved; nan where it has no value there."""
    assert v.op is not None
    numbers = [float(p.data) + by * (i == which) for i, p in enumerate(v.parents)]
    try:
        return float(v.op.forward(*numbers))
    except (ArithmeticError, ValueError):
        return math.nan


class NotFinite(NamedTuple):
    """The place where a value or a gradient first is inf or nan; prints as a sentence.

    `first_nonfinite` finds it. `node` is the node whose value it is, or the gate that sent the
    gradient; `what` is "value" or "gradient", `number` the inf or nan, `why` how it came about.

    >>> from microgrid import Value, first_nonfinite
    >>> found = first_nonfinite(Value(1e200, "x") * 1e200)
    >>> found, found.what, found.number
    (<the value of mul(x = 1e+200, 1e+200) is inf>, 'value', inf)
    """

    node: Value  # whose value it is, or the gate that sent the gradient
    what: str  # "value" or "gradient"
    number: Any
    why: str = ""  # how the gradient came about

    def __str__(self) -> str:
        v = self.node
        made = f"{v.op.name}({', '.join(map(describe, v.parents))})" if v.op else "the leaf"
        name = f" {v.label}" if v.label else ""
        if self.what == "value":
            return f"the value of {made}{name} is {self.number}"
        return f"{made}{name} sends back the gradient {self.number}: {self.why}"

    def __repr__(self) -> str:
        return f"<{self}>"


def first_nonfinite(root: Any, *args: Any, **keywords: Any) -> NotFinite | None:
    """The first node whose value is inf or nan, else the first gate that sends such a gradient.

    The order is that of the computation: values from the leaves to the root, then gradients from
    the root to the leaves. None if all are finite. `root` is a Value, an array or another structure
    of Values, or a function or program with its arguments, which is called with them.

    >>> x = Value(0.0, "x")
    >>> print(first_nonfinite(x.sqrt() * 2))
    sqrt(x = 0.0) sends back the gradient inf: upstream 2 × local inf, to x = 0.0
    >>> print(first_nonfinite(lambda x, y: (x * y).sqrt(), 0.0, 3.0))
    sqrt(mul(…) = 0.0) sends back the gradient inf: upstream 1 × local inf, to mul(…) = 0.0
    """
    called = callable(root) and (args or keywords or not branch(root))
    made = Call(root, args, keywords, tuple(range(len(args)))).y if called else root
    outputs = [v for v in tree_leaves(made) if isinstance(v, Value)]
    if not outputs and not called:
        raise no_node(root)
    for v in order_of(outputs):
        if not finite(v.data):
            return NotFinite(v, "value", v.data)
    return next(filter(None, map(nonfinite_gradient, outputs)), None)


def nonfinite_gradient(root: Value) -> NotFinite | None:
    """The first gate that sends back a gradient that is inf or nan."""
    order, found = topological(root), list[NotFinite]()

    def sent(v: Value, parent: Value, local: Any, upstream: Any, share: Any, total: Any) -> None:
        if not (found or finite(total) or isinstance(parent, Constant)):
            factors = f"upstream {short(upstream)} × local {short(local)}"
            added = ", added to what came before" if finite(share) else ""
            found.append(
                NotFinite(v, "gradient", total, f"{factors}, to {describe(parent)}{added}")
            )

    gradients(root)  # RuleError for a rule that gives no number
    accumulate(order, seed(root, 1), trace=sent)
    return found[0] if found else None


def finite(x: Any) -> bool:
    return bool(x - x == 0)  # for ints beyond the floats, too
