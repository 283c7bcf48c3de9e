"""A program in matrices, written down: what each is made of, beside its gradient."""

from __future__ import annotations

import html
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from microgrid.program.plan.lines import REDUCE
from microgrid.program.plan.products import by_line, hashes, numbered
from microgrid.program.signature import Signature
from microgrid.program.tape import Tape
from microgrid.program.text.listing import Fold
from microgrid.program.words.formulas import leaves_of
from microgrid.program.words.names import Matrix, latex_of
from microgrid.program.words.reading import Reading, read
from microgrid.program.words.sentences import Sentence
from microgrid.views.formula import worded
from microgrid.views.picture import Picture
from microgrid.views.tables import table
from microgrid.views.wording import RED, lowered, plural
from microgrid.views.written import Written, as_html, as_latex, as_markdown, colored

HEAD = ("lines", "forward ↓", "shape", "backward ↑")
FEW = 8  # single numbers in a row that all have a line
MANY = 200  # lines: beyond, print shows the first and the last


class Matrices(Written):
    """The matrices of a program, made by `program.matrices()`: prints as a table.

    Like a listing, it is read downwards, then upwards: each matrix stands beside its gradient, with
    the lines of the listing from which to which it is computed. A vector is a row or a column, as
    its first product has it; of a batch, N×3 is a matrix with a row for each sample. Each formula
    has been compared with the lines in integers; `formulas` holds them as text. The last lines tell
    which products of scalars are in no product of matrices, and why. `unfold(X)` holds an entry of
    X once for each place where it is used, like the windows of a convolution, and `fold` adds up
    what comes back to these places.

    >>> import numpy as np
    >>> from microgrid import record
    >>> def loss(X, W, b, T):
    ...     return ((X @ W + b - T) ** 2).sum()
    >>> record(loss, np.ones((5, 3)), np.ones((3, 4)), np.ones(4), np.ones((5, 4))).matrices()
    lines   forward ↓       shape  backward ↑
            X               5×3    dX = dY Wᵀ
            W               3×4    dW = Xᵀ dY
            b               1×4    db = 1ᵀ dY
    1–176   Y = X W + b     5×4    dY = 2 (Y − T)
            T               5×4    dT = −dY
    17–179  L = Σ (Y − T)²         dL = 1
    <BLANKLINE>
    180 of 180 products of scalars are in 3 products of matrices
    """

    _title = "A program in matrices"

    def __init__(self, tape: Tape, signature: Signature, batched: int = 0) -> None:
        self._reading = read(tape, signature, batched)
        self._rows = rows_of(self._reading)

    @property
    def formulas(self) -> tuple[str, ...]:
        """What is said: of the forward pass downwards, then of the backward pass upwards."""
        r = self._reading
        said = [*r.forward.values(), *[*r.backward.values()][::-1]]
        return tuple([equation(r, sentence) for each in said for sentence in each])

    def _cells(self, latex: bool = False) -> list[tuple[str, ...]]:
        return [row.cells(self._reading, latex) for row in self._rows]

    def __str__(self) -> str:
        rows = table(HEAD, self._cells(), left=len(HEAD))
        for i in reversed([i for i, row in enumerate(self._rows) if row.begins]):
            rows.insert(i + 1, "")
        if len(rows) > MANY:
            rows = [*rows[: MANY // 2], "…", *rows[-MANY // 2 :]]
        return "\n".join([*rows, "", *told(self._reading)])

    __repr__ = __str__

    def html(self) -> str:
        """The table for a web page."""
        shown = as_html("", HEAD, self._cells(), len(HEAD), html.escape, {3: RED})
        return colored(f"{shown}<p>{'<br>'.join(map(html.escape, told(self._reading)))}</p>")

    _repr_html_ = html

    def markdown(self) -> str:
        """The table in Markdown."""
        below = "  \n".join(told(self._reading))
        return f"{as_markdown('', HEAD, self._cells(), left=len(HEAD))}\n\n{below}"

    def latex(self) -> str:
        """The table as a LaTeX array."""
        arrows = str.maketrans({"↓": r"$\downarrow$", "↑": r"$\uparrow$"})
        head = [h.translate(arrows) for h in HEAD]
        return as_latex(head, self._cells(latex=True), left=len(head))

    def _folds(self) -> list[Fold]:
        """What a listing writes as one line: products of matrices, and matrices of arguments."""
        r = self._reading
        products = [group.matrix for group in r.groups if group.is_product]
        rows = [row for row in self._rows if row.is_first and not row.more]
        return [
            fold_of(r, row)
            for row in rows
            if row.matrix.slots.size > 1 and any(row.matrix is m for m in (*r.arguments, *products))
        ]

    def draw(self, layout: str | None = None) -> Picture:
        """The picture of the program with a box for each matrix, and its gradient in red.

        `layout` is a program that takes the options of Graphviz's `dot`; LayoutError where it is
        not there.
        """
        from microgrid.program.words.boxes import draw_matrices

        return draw_matrices(self._reading, layout)


class Row(NamedTuple):
    """A matrix, or one more formula of it."""

    matrix: Matrix
    forward: Sentence | None
    backward: Sentence | None
    lines: str
    is_first: bool
    begins: bool  # a layer
    more: int = 0  # matrices that are not shown

    def cells(self, r: Reading, latex: bool) -> tuple[str, ...]:
        if self.more:
            return "", f"… ({self.more} more numbers)".replace(" ", r"\ " if latex else " "), "", ""
        said = [equation(r, s, latex) if s else "" for s in (self.forward, self.backward)]
        if not self.forward and self.is_first:
            said[0] = defined(self.matrix, latex)
        lines = self.lines.replace("–", r"\text{--}") if latex else self.lines
        return lines, said[0], shape_of(r, self.matrix, latex) if self.is_first else "", said[1]


def rows_of(r: Reading) -> list[Row]:
    """Every matrix where it is used first; of many single numbers in a row two."""
    rows = [row for m, begins in in_order(r) for row in rows_for(r, m, begins)]
    found: list[Row] = []
    for single, some in groupby(rows, lambda row: row.matrix.slots.size == 1 and not row.begins):
        run = list(some)
        if single and len(run) > FEW:
            run = [*run[:2], run[2]._replace(more=len(run) - 4), *run[-2:]]
        found += run
    return found


def fold_of(r: Reading, row: Row) -> Fold:
    """The lines of a matrix as one line of a listing."""
    m, first = row.matrix, r.tape.first
    lines = r.tables.tape_lines(m.slots.ravel()) if row.forward else np.zeros(0, dtype=np.int64)
    members = frozenset([*m.slots.ravel().tolist(), *(lines - 1 + first).tolist()])
    names = lowered(m.name), latex_of(m)

    def entry(i: int, j: int) -> tuple[str, str]:
        index = f"{i}, {j}" if 1 not in m.slots.shape else str(i + j)
        return f"{names[0]}[{index}]", f"{names[1]}_{{[{index}]}}"

    entries = {int(s): entry(i, j) for (i, j), s in np.ndenumerate(m.slots)}
    backward = r.backward.get(id(m), [])
    texts, latexes = [
        (said[0], ", ".join([equation(r, s, latex) for s in backward]))
        for latex, said in ((latex, row.cells(r, latex)[1:2]) for latex in (False, True))
    ]
    return Fold(row.lines, members, entries, texts, latexes)


def in_order(r: Reading) -> Iterator[tuple[Matrix, bool]]:
    """The matrices, those that no formula makes where they are used first; where layers begin."""
    waiting = {id(m) for m in [*r.arguments, *r.names.picked]}
    begun = False
    for group in r.groups:
        said = r.forward.get(id(group.matrix))
        if said is None:
            continue
        leaves = [leaf for s in said for leaf in leaves_of(s.formula)]
        used = [r.names.of[leaf] for leaf in leaves if leaf in r.names.of]
        used = [x for m in used for x in (*r.names.sources(m), m)]
        new = [m for m in dict.fromkeys(used) if id(m) in waiting]
        for i, m in enumerate([*new, group.matrix]):
            yield m, begun and group.is_product and bool(new) and not i
            begun = True
        waiting -= {id(m) for m in new}
    yield from [(m, False) for m in r.arguments if id(m) in waiting]


def rows_for(r: Reading, m: Matrix, begins: bool) -> Iterator[Row]:
    """A row for each formula of a matrix or of its gradient, at least one."""
    forward, backward = [said.get(id(m), []) for said in (r.forward, r.backward)]
    span = ""
    if id(m) in r.forward:
        lines = r.tables.tape_lines(m.slots.ravel())
        span = "–".join([str(i) for i in dict.fromkeys([lines[0], lines[-1]])])
    for k in range(max(len(forward), len(backward), 1)):
        one, other = [said[k] if k < len(said) else None for said in (forward, backward)]
        yield Row(m, one, other, span * (not k), not k, begins and not k)


def equation(r: Reading, sentence: Sentence, latex: bool = False) -> str:
    write = r.latex if latex else r.text
    return f"{write(sentence.target)} = {write(sentence.formula)}"


def defined(m: Matrix, latex: bool = False) -> str:
    """A matrix that no formula makes, with what it is: W₁ = layers0.W."""
    name = latex_of(m) if latex else lowered(m.name)
    if m.origin in ("", m.name):
        return name
    return f"{name} = " + (rf"\text{{{worded(m.origin)}}}" if latex else m.origin)


def shape_of(r: Reading, m: Matrix, latex: bool = False) -> str:
    """Its rows and columns; N is the number of samples."""
    is_batch = r.names.is_slots(m) and bool(r.per_sample[m.slots].any())
    sizes = [str(size) for size in m.slots.shape]
    if is_batch:
        sizes = ["N", sizes[1]] if r.rows_are_samples else ["N", *sizes]
    elif m.slots.size == 1:
        return ""
    return (r" \times " if latex else "×").join(sizes)


def told(r: Reading) -> list[str]:
    """How many products of scalars are in products of matrices, and why the others are not."""
    found, inside = r.found, np.zeros(len(r.found.true), dtype=bool)
    for product in r.tables.products:
        inside[product.terms] = True
    inside &= found.true
    products = plural(len(r.tables.products), "product")
    words = [f"{inside.sum():,} of {found.true.sum():,} products of scalars are in {products} of "
             "matrices"]  # fmt: skip
    reasons = reasons_of(r, found.true & ~inside)
    words[0] += "; of the others" * bool(reasons)
    words += [f"  {count:,} {why}" for why, count in reasons.items()]
    unsaid = found.true & ~r.explained[r.tables.out]
    return [*words, *[f"{unsaid.sum():,} of them are in no formula here"] * bool(unsaid.any())]


def reasons_of(r: Reading, terms: Any) -> dict[str, int]:
    """Why products of scalars are in no product of matrices; how many for each reason."""
    sums, per_sample = r.found.sums, r.per_sample
    line, n = sums.line, len(sums.out)
    own = (sums.code[line] != REDUCE) & per_sample[sums.p] & per_sample[sums.q]
    scaled = np.zeros(len(terms), dtype=bool)
    for product in r.found.products:
        scaled[product.terms] = True
    rest = terms & ~own & ~scaled
    company = [np.zeros(n, dtype=np.int64) for _ in range(2)]  # of all lines, of those at its time
    alike = sums.alike()
    for slots in (sums.p, sums.q):
        order, of = by_line(line, slots, rest)
        length = np.bincount(of, minlength=n)
        some = np.flatnonzero(length)
        vector = hashes(slots[order], of, n)[some]
        for found, key in zip(company, ([], [alike[some]])):
            of_line = numbered(vector, length[some], *key)
            found[some] = np.maximum(found[some], np.bincount(of_line)[of_line])
    far, near = [x[line] > 1 for x in company]
    why = {
        "are of two factors that belong to each sample": own,
        "are of a number and a vector": scaled & ~own,
        "are in lines whose vectors no other line has": rest & ~far,
        "are in lines that run before or after those with the same vector": rest & far & ~near,
        "are too few for a matrix": rest & near,
    }  # fmt: skip
    return {words: int((x & terms).sum()) for words, x in why.items() if (x & terms).any()}
