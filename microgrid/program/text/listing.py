"""A program as a Wengert list: each line of the forward pass beside that of the backward pass."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import NamedTuple

from microgrid.engine import ops
from microgrid.engine.settings import direction
from microgrid.engine.value import Op, Value, peek
from microgrid.program.tape import Tape
from microgrid.program.text.statements import Statements, identifier, sum_template, terms_of, total
from microgrid.views.formula import LATEX
from microgrid.views.formula import name as latex_name
from microgrid.views.notation import ATOM, FOR_PYTHON, TEXT, UNARY, Notation, joined, write
from microgrid.views.tables import short, table
from microgrid.views.wording import BLUE, GREEN, RED, constant
from microgrid.views.written import Written, as_html, as_latex, as_markdown, colored

SUBSCRIPTED = re.compile(r"\b([A-Za-z]+)_(\d[\d_]*)\b")
MOST = 12  # terms of a sum
MANY = 2000  # lines: beyond, print(listing) shows the first and the last


class Fold(NamedTuple):
    """Lines of the forward pass that are written as one: a product of matrices, an argument."""

    lines: str  # their numbers
    members: frozenset[int]  # the slots that they set
    entries: Mapping[int, tuple[str, str]]  # slots by their names in the matrix, in text and LaTeX
    texts: tuple[str, str]  # of the matrix and of its gradient
    latexes: tuple[str, str]


Row = tuple[Value | None, Value | None] | Fold  # of the forward and of the backward pass


class Listing(Written):
    """The lines of a program; prints as a table, and shows as one in a notebook.

    In reverse mode the forward pass is read downwards, then the backward pass upwards: the numbers
    count on. In forward mode each line stands beside its tangent, and both are read downwards.
    `legend()` says what operations of your own mean.

    >>> from microgrid import record
    >>> record(lambda w, x: w * x, 2.0, 3.0).listing()
       forward ↓     backward ↑
       w          4  dw = dv_1·x
       x          3  dx = dv_1·w
    1  v_1 = w·x  2  dv_1 = 1
    """

    _title = "A program, line by line"

    def __init__(
        self, tape: Tape, inputs: Sequence[float] | None = None, mode: str = "reverse",
        tangents: Sequence[float] | None = None, folds: Sequence[Fold] = (),
    ) -> None:  # fmt: skip
        self._is_forward, self._has_numbers = direction(mode) == "forward", inputs is not None
        alone = self._is_forward and self._has_numbers and tangents is None and tape.inputs
        if alone:
            tangents = [1.0] + [0.0] * (tape.inputs - 1)
        self._statements = w = Statements(tape, inputs, mode, tangents)
        self._names = w.names(set())
        self._latexes: dict[Value, str] = {}  # of entries of matrices
        others = ", all others 0" * (tape.inputs > 1)
        self._start = f"seeds: {self._names[w.seeds[0]]} = 1{others}" if alone else ""
        number = [" "] * self._has_numbers
        if self._is_forward:
            self._rows = beside(w)
            self._head = ("", "primal ↓", *number, "tangent ↓", *number)
        else:
            self._rows = folded(paired(w), w, tape, folds)
            entries = {v: names for fold in folds for v, names in entries_of(fold, w, tape)}
            self._names |= {v: text for v, (text, _) in entries.items()}
            self._latexes = {v: latex for v, (_, latex) in entries.items()}
            self._head = ("", "forward ↓", *number, *["", "backward ↑", *number] * bool(w.backward))

    def legend(self) -> dict[str, str]:
        """What operations mean that are not in the public table, as their functions say it."""
        words = {op.name: inspect.unwrap(op.forward).__doc__ for op in self._statements.operations
                 if ops.PUBLIC.get(op.name) is not op and not LISTED.formula(op, 2)}  # fmt: skip
        return {name: text.split("\n")[0].rstrip(".") for name, text in words.items() if text}

    def _cells(self, rows: Sequence[Row], as_latex: bool = False) -> list[tuple[str, ...]]:
        """The cells of these rows of the table."""
        names, notation, w = self._names, LISTED, self._statements
        if as_latex:
            names, notation = {v: latex_name(v._label) for v in names} | self._latexes, LATEX
        place = {v: str(i) for i, v in enumerate([*w.forward, *w.backward], 1)}
        moved = {*w.moved}

        def half(v: Value | None, counts: bool = True) -> list[str]:
            """The number of a statement, its text, and what it gives."""
            if v is None:
                return [""] * (counts + 1 + self._has_numbers)
            text = statement(v, names, notation) if v in place or v in moved else names[v]
            return [place.get(v, "")] * counts + [text, *[short(peek(v))] * self._has_numbers]

        both, counts = bool(self._is_forward or w.backward), not self._is_forward

        def cells(row: Row) -> tuple[str, ...]:
            if isinstance(row, Fold):
                one, other = row.latexes if as_latex else row.texts
                number = [""] * self._has_numbers
                return (row.lines, one, *number, *["", other, *number] * both)
            v, derived = row
            return tuple(half(v) + half(derived, counts) * both)

        return [cells(row) for row in rows]

    def __str__(self) -> str:
        cells = self._cells(self._rows[: MANY // 2]) + self._cells(
            self._rows[MANY // 2 :][-MANY // 2 :]
        )
        if len(self._rows) > MANY:
            cells.insert(MANY // 2, tuple(["…" for _ in self._head]))
        rows = [line.rstrip() for line in table(self._head, cells, left=len(self._head))]
        legend = [f"{name}: {words}" for name, words in self.legend().items()]
        return "\n".join([*[self._start] * bool(self._start), *rows, *[""] * bool(legend), *legend])

    __repr__ = __str__

    def html(self) -> str:
        """The table for a web page."""
        colors = dict.fromkeys(range(len(self._head)), "inherit")
        if self._has_numbers:  # as in pictures
            colors |= {2: GREEN, len(self._head) - 1: BLUE if self._is_forward else RED}

        def shown(text: str) -> str:
            return SUBSCRIPTED.sub(r"<i>\1</i><sub>\2</sub>", html.escape(text))

        rows, left = self._cells(self._rows), len(self._head)
        legend = [f"<i>{html.escape(n)}</i>: {html.escape(w)}" for n, w in self.legend().items()]
        table = as_html(self._start, self._head, rows, left, shown, colors)
        return colored(table + f"<p>{'<br>'.join(legend)}</p>" * bool(legend))

    _repr_html_ = html

    def markdown(self) -> str:
        """The table in Markdown."""
        return as_markdown(self._start, self._head, self._cells(self._rows), left=len(self._head))

    def latex(self) -> str:
        """The table as a LaTeX array."""
        arrows = str.maketrans({"↓": r"$\downarrow$", "↑": r"$\uparrow$"})
        head = [h.translate(arrows) for h in self._head]
        return as_latex(head, self._cells(self._rows, as_latex=True), left=len(head))


def entries_of(fold: Fold, w: Statements, tape: Tape) -> Iterator[tuple[Value, tuple[str, str]]]:
    """The nodes of a fold, and their gradients, by their names as entries of a matrix."""
    for slot, (text, latex) in fold.entries.items():
        v = node_at(slot, w, tape)
        yield v, (text, latex)
        if v in w.gradient:
            yield w.gradient[v], (f"d{text}", rf"\mathrm{{d}}{latex}")


def node_at(slot: int, w: Statements, tape: Tape) -> Value:
    return w.inputs[slot] if slot < tape.inputs else w.forward[slot - tape.first]


def folded(rows: Sequence[Row], w: Statements, tape: Tape, folds: Sequence[Fold]) -> list[Row]:
    """The rows, with one in the place of all that a fold stands for: where the first of them is."""
    of = {node_at(s, w, tape): fold for fold in folds for s in fold.members}
    found: list[Row] = []
    for row in rows:
        fold = of.get(row[0]) if row[0] is not None else None  # type: ignore[arg-type]
        if fold is None:
            found.append(row)
        elif fold not in found:
            found.append(fold)
    return found


def paired(w: Statements) -> list[Row]:
    """Each input and line beside its gradient, and what several gradients are made of.

    That stands above the lines that use it, since this column is read upwards.
    """
    owner = {gradient: v for v, gradient in w.gradient.items()}
    rows: dict[Value, list[Row]] = {v: [(v, w.gradient.get(v))] for v in [*w.inputs, *w.forward]}
    current: list[Row] = []
    for u in w.backward:
        if u in owner:
            current = rows[owner[u]]
        else:
            current.insert(0, (None, u))
    return [row for found in rows.values() for row in found]


def beside(w: Statements) -> list[Row]:
    """Each input and line beside its tangent, below what that needs first."""
    owner = {tangent: v for v, tangent in w.tangent.items()}
    above: dict[Value, list[Value]] = {}
    waiting: list[Value] = []
    for u in w.moved:
        waiting.append(u)
        if u in owner:
            above[owner[u]], waiting = waiting, []
    own = {v: above.get(v, [w.tangent[v]] if v in w.tangent else []) for v in w.inputs}
    own |= {v: above.get(v, []) for v in w.forward}
    return [row for v, right in own.items() for row in zip_longest([v], right)]


def statement(v: Value, names: Mapping[Value, str], notation: Notation) -> str:
    """A statement as text: v_2 = w·x + b."""
    terms = terms_of(v, names)
    if len(terms) > MOST:
        terms = [*terms[: MOST - 2], (Value(0.0, f"… ({len(terms):,} terms)"), 1.0),
                 terms[-1]]  # fmt: skip
    text = write(v if terms[0][0] is v else total(terms), notation, names)
    return f"{names[v]} = {text}".replace(" + -", " - ")


def listed_formula(op: Op, n: int) -> str:
    """The template of an operation of the table that is written with signs."""
    return TEXT.formula(op, n) if ops.TABLE.get(op.name) is op else ""


def listed_call(op: Op, operands: Sequence[str]) -> str:
    name = identifier(op.name, set())
    return sum_template(op, operands) or f"{name}({', '.join(operands)})"


def exact_number(x: float) -> tuple[str, int]:
    """A number as short as it can be written without changing it."""
    text = constant(x).replace("−", "-")
    text = text if float(text) == x else repr(x)
    return text, UNARY if text.startswith("-") else ATOM


LISTED = replace(
    TEXT,
    formula=listed_formula,
    call=listed_call,
    join=lambda pieces, operands: joined([p.replace(" * ", "·") for p in pieces], operands),
    name=str,
    number=exact_number,
    signs=FOR_PYTHON,
    signs_meet=True,
)
