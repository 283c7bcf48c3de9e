"""One operation, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

from microgrid.engine.documentation import Documented
from microgrid.engine.guards import Number, elementwise, real
from microgrid.engine.numeric import INF
from microgrid.engine.recorder import failed
from microgrid.engine.refusals import is_value

Rule = Callable[..., Any]  # (y, *xs) -> ∂y/∂x of one parent
JointRule = Callable[..., Sequence[Any]]  # (y, *xs) -> ∂y/∂x of every parent


class Op(Documented):
    """One operation: its value, its local gradients, and what readers of graphs want to know.

    `forward(*xs)` maps numbers to a number. `rules` holds one local-gradient closure per parent,
    called with `(y, *xs)`; for any number of parents there is one `joint` rule that returns them
    all, with slopes.NO_PATH where nothing flows back. Numbers give numbers and Values give Values.
    `text` and `latex` are how it is written, `role` what it does to a gradient, `domain` what each
    operand may be, `kink(*xs)` the distance to a point without derivative, `hint` what helps
    where it raises (without both it never does).
    An operation that is a sum of products has `terms(*xs)`: their pairs of factors, in order.
    `meaning(*xs)` says it in operations that people know, where it is computed in another way.
    `doc` says in a sentence what it is; `help` adds what follows from the other fields. Users make
    operations with `custom_op`.

    >>> from microgrid import square
    >>> square.forward(3.0), square.rules[0](9.0, 3.0), square.arity
    (9.0, 6.0, 1)
    """

    __slots__ = ("doc", "domain", "forward", "hint", "joint", "kink", "latex", "meaning", "name",
                 "role", "rules", "terms", "text")  # fmt: skip

    def __init__(
        self, name: str, forward: Callable[..., Number], *rules: Rule, text: str = "",
        joint: JointRule | None = None, latex: Any = "", role: str = "", hint: str = "",
        domain: Sequence[tuple[float, float]] = (), kink: Callable[..., Number] | None = None,
        terms: Callable[..., list[tuple[Any, Any]]] | None = None, doc: str = "",
        meaning: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        self.name, self.forward, self.rules, self.joint = name, forward, rules, joint
        self.text, self.latex, self.doc, self.hint = text or name, latex, doc, hint
        self.domain, self.kink, self.role, self.terms, self.meaning = (
            domain, kink, role, terms, meaning,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<Op {self.name}>"

    @property
    def arity(self) -> int | None:
        """How many operands it takes; None for any number."""
        if self.joint is None:
            return len(self.rules)
        takes = signature(self.forward, follow_wrapped=False).parameters.values()
        return None if any(p.kind is p.VAR_POSITIONAL for p in takes) else len(takes)

    def __call__(self, *xs: Any) -> Any:
        """A Value where an operand is one, else a plain number; arrays go element by element."""
        kinds = set(map(type, xs))
        if kinds == FLOAT:
            return evaluate(self, xs, xs)
        values = [x for x in xs if is_value(x)]
        if len(values) < len(xs) and any(getattr(x, "shape", None) for x in xs if not is_value(x)):
            return elementwise(self, xs)
        if values:
            return values[0]._made_by(self, xs)
        return evaluate(self, list(map(real, xs)), xs)


FLOAT = {float}


def evaluate(op: Op, numbers: Sequence[Number], operands: Sequence[Any]) -> Number:
    """The number that op gives; an error names the operands."""
    try:
        return op.forward(*numbers)
    except (ArithmeticError, ValueError) as error:
        return failed(op, operands, error)


class Table(dict[str, Op]):
    """Operations by name; TABLE.exp is TABLE["exp"]."""

    def __getattr__(self, name: str) -> Op:
        if name not in self:
            raise AttributeError(name)
        return self[name]

    def enter(self, name: str, forward: Callable[..., Any], *rules: Rule, **looks: Any) -> Op:
        """A new operation of the table."""
        self[name] = entry = Op(name, forward, *rules, **looks)
        return entry


TABLE = Table()
op = TABLE.enter
REAL, POSITIVE = (-INF, INF), (0.0, INF)  # domains
