"""A program as a Wengert list: each line of the forward pass beside that of the backward pass."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Sequence
from typing import Any

from microgrid.engine import ops
from microgrid.engine.value import Constant, Op, Value, node
from microgrid.program.tape import Tape
from microgrid.program.text.statements import (
    ARITHMETIC,
    Apply,
    Expression,
    Slot,
    Statement,
    Wengert,
    identifier,
    operations,
    product,
    tidy,
    wengert,
    written,
)
from microgrid.views.formula import latex
from microgrid.views.formula import name as symbol
from microgrid.views.tables import short, table
from microgrid.views.wording import GREEN, RED, constant

NAME = re.compile(r"\b([A-Za-z]+)_(\d[\d_]*)\b")  # with a subscript
SIGNS = {op for op in ops.TABLE.values() if "{}" in op.text and "|" not in op.text}
MOST = 12  # terms of a sum, operands of an operation
MANY = 2000  # lines: beyond, print(listing) shows the first and the last


class Listing:
    """The lines of a program; prints as a table, and shows as one in a notebook.

    The forward pass is read downwards, then the backward pass upwards: the numbers count on.
    """

    def __init__(self, tape: Tape, inputs: Sequence[float] | None = None) -> None:
        one = len(tape.outputs) == 1
        self.tape, self.statements = tape, wengert(tape, -1 if one else None)
        self.numbers = numbers(tape, self.statements, inputs) if inputs is not None else {}
        self.rows = paired(tape, self.statements)
        self.head = ("", "forward ↓", *[" "] * bool(self.numbers))
        if self.statements.backward:
            self.head += ("", "backward ↑", *[" "] * bool(self.numbers))

    def legend(self) -> dict[str, str]:
        """What the operations mean that only rules use, as their functions say it."""
        found: dict[str, str] = {}
        for s in self.statements.backward:
            expressions = (s.value, *[e for term in s.terms for e in term])
            for op in [op for e in expressions for op in operations(e)]:
                words = inspect.unwrap(op.forward).__doc__
                if ops.PUBLIC.get(op.name) is not op and op not in SIGNS and words:
                    found[op.name] = words.split("\n")[0].rstrip(".")
        return found

    def cells(self, as_latex: bool = False) -> list[tuple[str, ...]]:
        """The cells of the table, row by row."""
        w, forward = self.statements, {s.slot: i for i, s in enumerate(self.statements.forward, 1)}
        backward = {s.slot: i for i, s in enumerate(w.backward, len(forward) + 1)}
        write = formula if as_latex else line
        found = []
        for slot, left, right in self.rows:
            number = str(forward[slot]) if left else ""
            name = symbol(w.labels[slot]) if as_latex else w.names[slot]
            cells = [number, write(left, w) if left else name if (slot in w.names and not right)
                     or slot < self.tape.inputs else ""]  # fmt: skip
            cells += [self.number(slot) if cells[1] else ""] * bool(self.numbers)
            if w.backward:
                cells += [str(backward[right.slot]), write(right, w)] if right else ["", ""]
                cells += [self.number(right.slot) if right else ""] * bool(self.numbers)
            found.append(tuple(cells))
        return found

    def number(self, slot: int) -> str:
        return short(self.numbers[slot]) if slot in self.numbers else ""

    def __str__(self) -> str:
        cells = self.cells()
        if len(cells) > MANY:
            gap = tuple(["…" for _ in self.head])
            cells = [*cells[: MANY // 2], gap, *cells[-MANY // 2 :]]
        rows = [line.rstrip() for line in table(self.head, cells, left=len(self.head))]
        legend = [f"{name}: {words}" for name, words in self.legend().items()]
        return "\n".join([*rows, *[""] * bool(legend), *legend])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """The table for a web page."""
        color = {2: GREEN, 5: RED} if self.numbers else {}  # as in the lecture
        style = [f"text-align:left;color:{color.get(i, 'inherit')}" for i in range(len(self.head))]

        def row(kind: str, cells: Sequence[str]) -> str:
            shown = [NAME.sub(r"<i>\1</i><sub>\2</sub>", html.escape(c)) for c in cells]
            each = [f'<{kind} style="{s}">{c}</{kind}>' for s, c in zip(style, shown)]
            return f"<tr>{''.join(each)}</tr>"

        rows = "".join([row("th", self.head), *[row("td", c) for c in self.cells()]])
        legend = [f"<i>{html.escape(n)}</i>: {html.escape(w)}" for n, w in self.legend().items()]
        return f"<table>{rows}</table>" + f"<p>{'<br>'.join(legend)}</p>" * bool(legend)

    def latex(self) -> str:
        """The table as a LaTeX array."""
        arrows = str.maketrans({"↓": r"$\downarrow$", "↑": r"$\uparrow$"})
        top = " & ".join([rf"\text{{{h.translate(arrows)}}}" for h in self.head])
        body = " \\\\\n".join([" & ".join(cells) for cells in self.cells(as_latex=True)])
        columns = "l" * len(self.head)
        return f"\\begin{{array}}{{{columns}}}\n{top} \\\\ \\hline\n{body}\n\\end{{array}}"


def paired(tape: Tape, w: Wengert) -> list[tuple[int, Statement | None, Statement | None]]:
    """Rows of a slot, its forward statement, and a statement of the backward pass.

    What a rule needs besides stands above the gradient that it is multiplied with: the backward
    pass is read upwards.
    """
    owner = {gradient: slot for slot, gradient in w.gradient.items()}
    beside: dict[int, Statement] = {}
    above: dict[int, list[Statement]] = {}
    current = -1
    for statement in w.backward:
        if statement.slot in owner:
            current = owner[statement.slot]
            beside[current] = statement
        else:
            above.setdefault(current, []).insert(0, statement)
    left = {s.slot: s for s in w.forward}
    rows: list[tuple[int, Statement | None, Statement | None]] = []
    for slot in [*range(tape.inputs), *left]:
        rows += [(s.slot, None, s) for s in above.get(slot, [])]
        rows.append((slot, left.get(slot), beside.get(slot)))
    return rows


def numbers(tape: Tape, w: Wengert, inputs: Sequence[float]) -> dict[int, float]:
    """What every statement gives, one after the other by the table of operations."""
    found = dict(enumerate(inputs))

    def value(e: Expression) -> float:
        if isinstance(e, Apply):
            return float(e.op.forward(*[value(x) for x in e.operands]))
        return found[e.number] if isinstance(e, Slot) else e

    for s in [*w.forward, *w.backward]:
        terms = [value(up) * value(local) for up, local in s.terms]
        found[s.slot] = sum(terms[1:], terms[0]) if terms else value(s.value)
    return found


def line(s: Statement, w: Wengert) -> str:
    """A statement as text: v_2 = w·x + b."""

    def call(op: Op, operands: list[str]) -> str:
        if op in SIGNS:  # written with a sign, like a quotient
            return f"({op.text.replace('^', '**').format(*[f'({x})' for x in operands])})"
        some = operands if len(operands) <= MOST else [*operands[: MOST - 2], "…", operands[-1]]
        return f"{identifier(op.name, set())}({', '.join(some)})"

    def text(e: Expression) -> str:
        found = written(e, w.names, call, exactly)
        return found if "…" in found else tidy(found)

    pairs: Any = s.terms
    if isinstance(s.value, Apply) and s.value.op.terms and s.value.op not in ARITHMETIC:
        pairs = s.value.op.terms(*s.value.operands)  # a dot product as a sum
    shown = pairs if len(pairs) <= MOST else (*pairs[: MOST - 2], pairs[-1])
    terms = [text(product(up, local, ops.mul)) for up, local in shown]
    if len(shown) < len(pairs):
        terms.insert(-1, f"… ({len(pairs):,} terms)")
    value = " + ".join(terms) if terms else text(s.value)
    value = value.replace("+ -", "- ").replace(" ** ", "^").replace(" * ", "·")
    return f"{w.names[s.slot]} = {value}"


def exactly(x: float) -> str:
    """A number as short as it can be written without changing it."""
    short = constant(x).replace("−", "-")
    return short if float(short) == x else repr(x)


def formula(s: Statement, w: Wengert) -> str:
    """A statement in LaTeX."""
    terms = [graph(product(up, local, ops.mul), w) for up, local in s.terms]
    if len(terms) > 1:
        whole = node(ops.total, tuple(terms), None, 0.0, 0)
    else:
        whole = terms[0] if terms else graph(s.value, w)
    return f"{symbol(w.labels[s.slot])} = {latex(whole)}"


def graph(e: Expression, w: Wengert) -> Value:
    """An expression as nodes with names and no numbers, for those who write graphs."""
    if isinstance(e, Apply):
        operands = tuple([graph(x, w) for x in e.operands])
        a, b = operands if len(operands) == 2 else (operands, None)
        return node(e.op, a, b, 0.0, 0)
    return Value(0.0, w.labels[e.number]) if isinstance(e, Slot) else Constant(e)
