"""A program as statements to be read: the forward lines, and the backward pass, term by term.

Every statement gives one slot a value. Those of the backward pass stand in its order: the gradient
of a slot is Σ upstream × local over its uses, the last use first, as `backward` adds up.
"""

from __future__ import annotations

import ast
import builtins
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from keyword import iskeyword
from typing import NamedTuple

import numpy as np

from microgrid.engine import ops
from microgrid.engine.functions import OPERATORS
from microgrid.engine.value import Op
from microgrid.program.plan.backward import MASKED, open_paths, template
from microgrid.program.tape import Tape
from microgrid.views.wording import subscripted


class Slot(NamedTuple):
    """A number that has a name."""

    number: int


class Apply(NamedTuple):
    """An operation on other expressions."""

    op: Op
    operands: tuple[Expression, ...]


Expression = float | Slot | Apply


class Statement(NamedTuple):
    """`slot` becomes an expression, or with `terms` the sum of their products."""

    slot: int
    value: Expression = 0.0
    terms: tuple[tuple[Expression, Expression], ...] = ()  # upstream, local


class Wengert:
    """The statements of a tape; `names` are identifiers, `labels` what pictures would show."""

    def __init__(self, tape: Tape) -> None:
        self.forward: list[Statement] = []
        self.backward: list[Statement] = []
        self.gradient: dict[int, int] = {}  # slot → slot of its gradient
        self.labels = labels_of(tape)
        self.taken = set(RESERVED)
        self.names = {s: identifier(label, self.taken) for s, label in self.labels.items()}
        self.next, self.helpers = tape.first + len(tape), 0

    def new(self, label: str) -> int:
        """A slot with a name of its own."""
        slot = self.next
        self.next += 1
        self.labels[slot] = label
        self.names[slot] = identifier(label, self.taken)
        return slot

    def gradient_of(self, slot: int, terms: list[tuple[Expression, Expression]]) -> int:
        """The slot of a gradient, which is the sum of these terms."""
        made = self.gradient[slot] = self.new(f"d{self.labels[slot]}")
        self.backward.append(Statement(made, 0.0, tuple(terms)))
        return made

    def instance(self, tape: Tape, inputs: list[Expression]) -> list[Expression]:
        """The outputs of a tape at these inputs; what is used several times becomes a statement."""
        found = [*inputs, *tape.constants.tolist()]
        uses = np.bincount(np.concatenate([tape.args, tape.outputs]), minlength=tape.first)
        for line, code in enumerate(tape.code.tolist()):
            value: Expression = Apply(
                tape.ops[code], tuple([found[s] for s in tape.operands(line)])
            )
            if uses[tape.first + line] > 1:
                self.helpers += 1
                slot = self.new(f"t{self.helpers}")
                self.backward.append(Statement(slot, value))
                value = Slot(slot)
            found.append(value)
        return [found[s] for s in tape.outputs.tolist()]


def wengert(tape: Tape, wanted: int | None = None) -> Wengert:
    """The statements of the value, and with `wanted` (a bit per argument) of the gradients."""
    w = Wengert(tape)
    numbers = tape.constants.tolist()

    def read(slot: int) -> Expression:
        return numbers[slot - tape.inputs] if tape.inputs <= slot < tape.first else Slot(slot)

    for line, code in enumerate(tape.code.tolist()):
        operands = tuple(map(read, tape.operands(line)))
        w.forward.append(Statement(tape.first + line, Apply(tape.ops[code], operands)))
    if wanted is None:
        return w

    active = (tape.reach & wanted) != 0
    paths = open_paths(tape, int(tape.outputs[0]))
    terms: defaultdict[int, list[tuple[Expression, Expression]]] = defaultdict(list)
    gates: defaultdict[int, list[tuple[Expression, Expression]]] = defaultdict(list)
    terms[int(tape.outputs[0])].append((1.0, 1.0))
    for line in reversed(range(len(tape))):
        slot = tape.first + line
        if not active[slot] or slot not in terms:
            continue
        upstream, is_open = w.gradient_of(slot, terms[slot]), Slot(-1)
        if paths[slot] == MASKED:
            is_open = Slot(w.new(f"open_{w.labels[slot]}"))
            w.backward.append(Statement(is_open.number, 0.0, tuple(gates[slot])))
        xs = tape.operands(line)
        shares, targets = template(tape.ops[tape.code[line]], len(xs), tuple(active[xs].tolist()))
        inputs: list[Expression] = [Slot(slot), *map(read, xs)]
        found = w.instance(shares, [Slot(upstream), *inputs])
        through: list[Expression] = [is_open] * len(found)
        if not all(plain for _, plain in targets):  # what is open behind a gate, as 1 and 0
            through = w.instance(shares, [1.0 if is_open.number < 0 else is_open, *inputs])
        for (i, plain), share, gate in zip(targets, found, through):
            if plain and is_open.number >= 0 and share not in (1.0, -1.0):
                share = Apply(ops.where, (is_open, share, 0.0))
            terms[xs[i]].append((Slot(upstream), share) if plain else (share, 1.0))
            gates[xs[i]].append((gate, 1.0))
    for slot in reversed(np.flatnonzero(active[: tape.inputs]).tolist()):
        w.gradient_of(slot, terms[slot])
    return w


def labels_of(tape: Tape) -> dict[int, str]:
    """Inputs and lines by their labels, the first of a name alone; v_1, v_2, … for the others."""
    labels: dict[int, str] = {}
    taken, count = set(tape.labels.values()), 0
    for slot in [*range(tape.inputs), *range(tape.first, tape.first + len(tape))]:
        label = tape.labels.get(slot, "")
        if not label or label not in taken:
            count += 1
            while subscripted("v", (count - 1,)) in taken:
                count += 1
            label = subscripted("v", (count - 1,))
        taken.discard(label)
        labels[slot] = label
    return labels


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


def written(
    e: Expression,
    names: dict[int, str],
    call: Callable[[Op, list[str]], str],
    number: Callable[[float], str] = repr,
) -> str:
    """An expression as Python writes it; `call` writes what is no arithmetic."""
    if isinstance(e, Apply):
        operands = [written(x, names, call, number) for x in e.operands]
        if e.op not in ARITHMETIC:
            return call(e.op, operands)
        return e.op.text.replace("^", "**").format(*[f"({x})" for x in operands])
    return names[e.number] if isinstance(e, Slot) else number(e)


def operations(e: Expression) -> Iterator[Op]:
    """Every operation of an expression."""
    if isinstance(e, Apply):
        yield e.op
        for x in e.operands:
            yield from operations(x)


def tidy(text: str) -> str:
    """Python without the brackets that it does not need."""
    return ast.unparse(ast.parse(text, mode="eval"))


def product(up: Expression, local: Expression, mul: Op) -> Expression:
    """upstream × local as it is read: without a factor of 1."""
    if up == 1.0 or local == 1.0:
        return local if up == 1.0 else up
    return Apply(NEGATIVE, (up,)) if local == -1.0 else Apply(mul, (up, local))


ARITHMETIC = {*OPERATORS.values(), ops.neg}
NEGATIVE = ops.neg
RESERVED = {*ops.TABLE, *dir(builtins), "math", "np", "jnp", "torch", "xp"}
