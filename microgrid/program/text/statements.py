"""A program as statements to be read: the lines of its tape, then those of the backward pass.

The backward pass is the engine's own: it builds the gradients as nodes, and each of them is a
statement, Σ upstream × local over the uses of a line, the last use first.
"""

from __future__ import annotations

import builtins
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from keyword import iskeyword
from math import nan
from typing import Any

from microgrid.engine import ops
from microgrid.engine.forward import order_of, push_forward
from microgrid.engine.rules import MaskedUpstream
from microgrid.engine.value import Constant, Op, Value, accumulate, node, peek, topological
from microgrid.program.plan.backward import rules_build_graphs
from microgrid.program.tape import Tape, is_one, tidied

Term = tuple[Value, float]  # a node with a sign
RESERVED = {*ops.TABLE, *dir(builtins), "math", "np", "jnp", "torch", "xp"}


class Statements:
    """Both passes of a tape as nodes, each labelled, in the order of the computation.

    `gradient` leads from a node to that of its gradient. `backward` holds the gradients and, before
    the first that needs it, what several of them are made of. In forward mode `tangent` and
    `moved` are the same of the tangents, but for those of the inputs, the `seeds`. With `inputs`
    (and `tangents`) the nodes have numbers.
    """

    def __init__(
        self, tape: Tape, inputs: Sequence[float] | None = None, mode: str = "reverse",
        tangents: Sequence[float] | None = None,
    ) -> None:  # fmt: skip
        slots = tape.nodes(inputs)
        self.inputs, self.forward = slots[: tape.inputs], slots[tape.first :]
        self.outputs = [slots[s] for s in tape.outputs.tolist()]
        self.gradient: dict[Value, Value] = {}
        self.tangent: dict[Value, Value] = {}
        self.backward: list[Value] = []
        self.moved: list[Value] = []
        self.seeds: list[Value] = []
        made: list[Value] = []
        active = [v for v, arguments in zip(slots, tape.reach.tolist()) if arguments]
        with rules_build_graphs(tape, slots):
            if mode == "forward":
                speeds = tangents or [nan] * tape.inputs
                self.seeds = [Value(x, f"d{v._label}") for v, x in zip(self.inputs, speeds)]
                found = push_forward(slots, dict(zip(self.inputs, self.seeds)), as_graph=True)
                still = {v: Constant(0.0) for v in active}
                self.moved, made = self.differentiate(self.tangent, active, still | found)
            elif len(self.outputs) == 1:
                found = accumulate(topological(self.outputs[0]), Constant(1.0), as_graph=True)
                self.backward, made = self.differentiate(self.gradient, active[::-1], found)
        self.operations = [*dict.fromkeys([v.op for v in [*self.forward, *made] if v.op])]

    def differentiate(
        self, derivative: dict[Value, Value], active: list[Value], found: dict[Value, Any]
    ) -> tuple[list[Value], list[Value]]:
        """Put the derivatives that a pass has found in order; them, and all nodes they need."""
        masks: dict[Value, str] = {}
        for v in active:
            passed = found.get(v, None if v.op else Constant(0.0))
            if isinstance(passed, MaskedUpstream):
                masks.setdefault(passed.opened, f"open_{v._label}")
                passed = passed.passed
            if passed is not None:
                derivative[v] = passed
                passed._label = f"d{v._label}"
        terms = [*derivative.values()]
        order = order_of(terms)
        ends = {*terms}
        for v in terms:  # a list that grows: the derivatives, and what they are sums of
            pairs = v.op.terms(*v.parents) if v.op and v.op.terms else []
            terms += [p for p, q in pairs if not isinstance(q, Value) and p not in ends]
        known = {*self.inputs, *self.forward, *self.seeds}
        stands_for = tidied(order, {*terms, *known})
        made = [v for v in order if stands_for[v] is v and (v.op or v in ends) and v not in known]
        uses = Counter([p for v in made for p in v.parents])
        lines = [v for v in made if v in ends or v in masks or uses[v] > 1]
        for v, label in masks.items():
            v._label = label
        for i, v in enumerate([v for v in lines if v not in ends and v not in masks], 1):
            v._label = f"t{i}"
        return lines, made

    def names(self, taken: set[str]) -> dict[Value, str]:
        """The nodes with new names of Python, which are taken from now on, like the reserved."""
        taken |= RESERVED
        nodes = [*self.inputs, *self.forward, *self.seeds, *self.backward, *self.moved]
        return {v: identifier(v._label, taken) for v in nodes}


def identifier(label: str, taken: set[str]) -> str:
    """A new name of Python for a label: with a number where it is taken.

    >>> identifier("w_{12}", set()), identifier("x²", {"x2"}), identifier("lambda", set())
    ('w_12', 'x2_2', 'lambda_2')
    """
    text = unicodedata.normalize("NFKC", label.replace("{", "").replace("}", ""))
    text = "".join([c if f"a{c}".isidentifier() else " " for c in text])
    name = "_".join(text.split()).strip("_") or "v"
    name = name if name.isidentifier() else f"v_{name}"
    unique, count = name, 1
    while unique in taken or iskeyword(unique):
        count += 1
        unique = f"{name}_{count}"
    taken.add(unique)
    return unique


def terms_of(v: Value, names: Collection[Value]) -> list[Term]:
    """The terms that add up to v, from the left; v alone where it is no sum.

    Sums without a name are taken apart. No term is a product with 1.
    """
    later: list[list[Term]] = []
    sign = 1.0
    while sign == 1.0 and v.op and v.op.terms:
        (first, factor), *rest = v.op.terms(*v.parents)
        later.append([product(p, q, names) for p, q in rest])
        v, sign = product(first, factor, names)
        if v in names or not is_one(factor):
            break
    return [(v, sign), *[term for terms in reversed(later) for term in terms]]


def product(p: Any, q: Any, names: Collection[Value]) -> Term:
    """p·q as a node and a sign, without a factor of ±1 that has no name."""
    p, q = [x if isinstance(x, Value) else Constant(x) for x in (p, q)]
    if type(q) is Constant and peek(q) == -1 and q not in names:
        return p, -1.0
    needless = [is_one(x) and x not in names for x in (p, q)]
    if not any(needless):
        return node(ops.mul, p, q, nan, 0), 1.0
    v = q if needless[0] else p
    terms = v.op.terms(*v.parents) if v not in names and v.op and v.op.terms else []
    return product(terms[0][0], terms[0][1], names) if len(terms) == 1 else (v, 1.0)


def total(terms: Sequence[Term]) -> Value:
    """The sum of terms as a node, whose operands are written by their names."""
    found: list[Value] = []
    for v, sign in terms:
        if sign == 1.0:
            found.append(v)
        elif found:
            found = [node(ops.sub, sum_node(found), v, nan, 0)]
        else:
            found = [node(ops.neg, (v,), None, nan, 0)]
    return sum_node(found)


def sum_node(operands: Sequence[Value]) -> Value:
    a, b = operands if len(operands) == 2 else (tuple(operands), None)
    return node(ops.total, a, b, nan, 0)


def sum_template(op: Op, operands: Sequence[str]) -> str:
    """An operation that is a sum of products, like dot, as one."""
    pairs = op.terms(*operands) if op.terms else []
    return " + ".join([p if q == 1.0 else f"{p} * {q}" for p, q in pairs])
