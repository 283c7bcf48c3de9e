"""The picture of a program in matrices: a box for each, with its formula and its gradient."""

from __future__ import annotations

from microgrid.program.words.formulas import leaves_of
from microgrid.program.words.matrices import defined, equation, rows_for, shape_of
from microgrid.program.words.names import Matrix
from microgrid.program.words.reading import Reading
from microgrid.views.dot_labels import EDGE, PALE, colored, extent, table, text
from microgrid.views.picture import Picture
from microgrid.views.wording import RED


def draw_matrices(r: Reading, layout: str | None) -> Picture:
    """Arguments to the left, then a box for each matrix that is computed."""
    picture = Picture(layout)
    shown = [m for m in (*r.arguments, *r.names.picked) if is_used(r, m)]
    ids = {id(m): f"m{i}" for i, m in enumerate(shown)}
    for m in shown:
        picture._put(ids[id(m)], "name", label(r, m))
    computed = [group.matrix for group in r.groups if id(group.matrix) in r.forward]
    for i, m in enumerate(computed):
        look = {"shape": "box", "style": "rounded,filled", "margin": "0.08,0.04"}
        picture._put(f"b{i}", "block", label(r, m), **look, fillcolor=PALE, color=EDGE)
        ids[id(m)] = f"b{i}"
    for i, m in enumerate(computed):
        used = [r.names.of[x] for s in r.forward[id(m)] for x in leaves_of(s.formula)
                if x in r.names.of]  # fmt: skip
        for k, operand in enumerate(dict.fromkeys(used)):
            picture._join(ids[id(operand)], f"b{i}", f"e{i}_{k}")
    for m in shown:
        for k, source in enumerate(r.names.sources(m)):  # X of unfold(X)
            if id(source) in ids:
                picture._join(ids[id(source)], ids[id(m)], f"s{ids[id(m)]}_{k}")
    picture._caption("black: forward; red: the gradients, from right to left; · entry by entry")
    return picture


def is_used(r: Reading, m: Matrix) -> bool:
    """Whether a formula of the forward pass has a matrix, or entries of it."""
    if any(m in r.names.sources(other) for other in r.names.picked):
        return True
    return any(r.names.of.get(x) is m for said in r.forward.values() for s in said
               for x in leaves_of(s.formula))  # fmt: skip


def label(r: Reading, m: Matrix) -> str:
    """What a matrix is, its shape, what its gradient is."""
    words: list[tuple[str, str, int]] = []
    rows = list(rows_for(r, m, False))
    said = [equation(r, row.forward) for row in rows if row.forward] or [defined(m)]
    words += [(x, "", 13) for x in said]
    words += [(shape_of(r, m), "", 10)]
    words += [(equation(r, row.backward), RED, 12) for row in rows if row.backward]
    words = [(x.replace("⊙", "·"), ink, size) for x, ink, size in words]  # few fonts have it
    width = max(extent(x, size) for x, _, size in words)
    cell = f'<td width="{width}" height="{{}}"><font point-size="{{}}">{{}}</font></td>'.format
    return table(*[cell(size + 5, size, colored(ink, text(x)) if ink else text(x))
                   for x, ink, size in words if x])  # fmt: skip
