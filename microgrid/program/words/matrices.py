"""A program in matrices, written down: what each is made of, beside its gradient."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from microgrid.program.plan.lines import REDUCE
from microgrid.program.plan.products import by_line, hashes
from microgrid.program.signature import Signature
from microgrid.program.tape import Tape
from microgrid.program.words.formulas import Formula
from microgrid.program.words.names import Matrix, latex_of
from microgrid.program.words.reading import Reading, read
from microgrid.program.words.sentences import Sentence
from microgrid.views.formula import worded
from microgrid.views.tables import table
from microgrid.views.wording import RED, lowered, plural
from microgrid.views.written import Written, as_html, as_latex, as_markdown

HEAD = ("lines", "forward ↓", "shape", "backward ↑")
PARTS = 6  # of one matrix that are told


class Matrices(Written):
    """The matrices of a program, made by `program.matrices()`: prints as a table.

    Like a listing, it is read downwards, then upwards: each matrix stands beside its gradient, with
    the lines of the listing that compute it. Every formula has been compared with the lines, in
    integers; `formulas` holds them all as text. The last lines tell which products of scalars are
    in no product of matrices, and why.

    >>> import numpy as np
    >>> from microgrid import record
    >>> layer = record(lambda X, W, b, G: ((X @ W + b) * G).sum(), *map(np.ones, [(5, 3), (3, 4), 4, (5, 4)]))
    >>> layer.matrices()
    """

    def __init__(self, tape: Tape, signature: Signature, batched: int = 0) -> None:
        self._reading = read(tape, signature, batched)
        self._rows = list(rows_of(self._reading))

    @property
    def formulas(self) -> tuple[str, ...]:
        """What is said: first of the forward pass, downwards, then of the backward pass, upwards."""
        r, said = self._reading, list[str]()
        for sentences in (r.forward.values(), [*r.backward.values()][::-1]):
            said += [equation(r, s) for each in sentences for s in each]
        return tuple(said)

    def _cells(self, latex: bool = False) -> list[tuple[str, ...]]:
        return [row.cells(self._reading, latex) for row in self._rows]

    def _words(self) -> list[str]:
        """What is in no product of matrices, and why."""
        return told(self._reading)

    def __str__(self) -> str:
        rows = [line.rstrip() for line in table(HEAD, self._cells(), left=len(HEAD))]
        return "\n".join([*rows, "", *self._words()])

    __repr__ = __str__

    def html(self) -> str:
        """The table for a web page."""
        shown = as_html("", HEAD, self._cells(), len(HEAD), html.escape, {3: RED})
        return f"{shown}<p>{'<br>'.join(map(html.escape, self._words()))}</p>"

    _repr_html_ = html

    def markdown(self) -> str:
        """The table in Markdown."""
        words = "\n".join(self._words())
        return f"{as_markdown('', HEAD, self._cells(), left=len(HEAD))}\n\n{words}"

    def latex(self) -> str:
        """The table as a LaTeX array."""
        arrows = str.maketrans({"↓": r"$\downarrow$", "↑": r"$\uparrow$"})
        head = [h.translate(arrows) for h in HEAD]
        return as_latex(head, self._cells(latex=True), left=len(head))


class Row:
    """A matrix, or one more formula of it."""

    def __init__(
        self, matrix: Matrix, forward: Sentence | None, backward: Sentence | None,
        lines: str = "", first: bool = True,
    ) -> None:  # fmt: skip
        self.matrix, self.forward, self.backward = matrix, forward, backward
        self.lines, self.first = lines, first

    def cells(self, r: Reading, latex: bool) -> tuple[str, ...]:
        said = [equation(r, s, latex) if s else "" for s in (self.forward, self.backward)]
        if not self.forward and self.first:
            said[0] = defined(self.matrix, latex)
        shape = shape_of(r, self.matrix, latex) if self.first else ""
        return self.lines, said[0], shape, said[1]


def rows_of(r: Reading) -> list[Row]:
    """Every matrix where it is used first."""
    shown: list[Row] = []
    done: set[int] = set()
    extra = {id(m): m for m in r.names.picked}
    by_number = dict(enumerate(r.names.matrices))
    arguments = {id(m) for m in r.arguments}

    def add(m: Matrix) -> None:
        if id(m) in done:
            return
        done.add(id(m))
        forward, backward = [r.forward.get(id(m), [])[:PARTS], r.backward.get(id(m), [])[:PARTS]]
        lines = r.tables.tape_lines(m.slots[m.slots >= 0].ravel()) if id(m) in r.forward else []
        span = f"{lines[0]}–{lines[-1]}" if len(lines) > 1 else "".join(map(str, lines))
        for k in range(max(len(forward), len(backward), 1)):
            one, other = [x[k] if k < len(x) else None for x in (forward, backward)]
            shown.append(Row(m, one, other, span * (not k), not k))

    for group in r.groups:
        for i in sorted(group.operands):
            if id(by_number[i]) in arguments:
                add(by_number[i])
        if id(group.matrix) in r.forward:
            for s in r.forward[id(group.matrix)]:
                for leaf in leaves_of(s.formula):
                    name = leaf.label
                    for m in extra.values():
                        if m.name == name:
                            add(m)
            add(group.matrix)
    for m in r.arguments:
        add(m)
    return shown


def leaves_of(formula: Formula) -> list[Formula]:
    found, waiting = [], [formula]
    while waiting:
        v = waiting.pop()
        waiting += v.parents
        found += [v] * (not v.parents)
    return found


def equation(r: Reading, s: Sentence, latex: bool = False) -> str:
    write = r.latex if latex else r.text
    return f"{write(s.target)} = {write(s.formula)}"


def defined(m: Matrix, latex: bool) -> str:
    """A matrix that no formula makes: with the name of the argument that it is."""
    if latex:
        return latex_of(m) + (rf" = \text{{{worded(m.origin)}}}" if m.origin not in ("", m.name) else "")
    return lowered(m.name) + (f" = {m.origin}" if m.origin not in ("", m.name) else "")


def shape_of(r: Reading, m: Matrix, latex: bool) -> str:
    """Its rows and columns; N is the number of samples."""
    rows, columns = map(str, m.slots.shape)
    is_batch = bool(r.passes.lines.per_sample[m.slots[m.slots >= 0]].any()) and m.origin[:1] != "z"
    if is_batch and r.rows_are_samples:
        rows = "N"
    elif is_batch:
        rows = f"N×{rows}"
    elif m.slots.size == 1:
        return ""
    return f"{rows}×{columns}".replace("×", r" \times " if latex else "×")


def told(r: Reading) -> list[str]:
    """How many products of scalars are in products of matrices, and why the others are not."""
    found = r.found
    count = int(found.true.sum())
    taken = np.zeros(len(found.true), dtype=bool)
    for product in r.tables.plan_products:
        taken[product.terms] = True
    inside = int((taken & found.true).sum())
    n = len(r.tables.plan_products)
    words = [f"{inside:,} of {count:,} products of scalars are in {plural(n, 'product')} of matrices"]
    reasons = reasons_of(r, found.true & ~taken)
    if reasons:
        words[0] += f"; of the others"
        words += [f"  {k:,} {why}" for why, k in reasons.items()]
    unsaid = int((found.true & ~r.explained[found.sums.out[found.sums.line]]).sum())
    if unsaid:
        words.append(f"{unsaid:,} products of scalars are in no formula here")
    return words


def reasons_of(r: Reading, terms: np.ndarray) -> dict[str, int]:  # type: ignore[type-arg]
    """Why these products of scalars are in no product of matrices: reasons, how often."""
    sums, per_sample = r.found.sums, r.passes.lines.per_sample
    p, q, line = sums.p, sums.q, sums.line
    is_own = terms & (sums.code[line] != REDUCE) & per_sample[p] & per_sample[q]
    rest = terms & ~is_own
    n = len(sums.out)
    alike = sums.alike()
    near, far = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for slots in (p, q):
        order, of = by_line(line, slots, rest)
        length = np.bincount(of, minlength=n)
        vector = hashes(slots[order], of, n)
        some = np.flatnonzero(length > 0)
        for key, into in (((vector, alike), near), ((vector,), far)):
            rows = np.stack([np.asarray(x)[some].astype(np.uint64) for x in key], axis=1)
            _, which, times = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
            into[some] = np.maximum(into[some], times[which.ravel()])
    company = near[line], far[line]
    counts = {
        "have two factors that belong to each sample": is_own,
        "have no vector that another line shares": rest & (company[1] < 2),
        "share a vector only with lines that run earlier or later": rest & (company[1] > 1) & (company[0] < 2),
        "are too few for a matrix": rest & (company[0] > 1),
    }
    return {why: int(k.sum()) for why, k in counts.items() if k.any()}
