"""The loops of the compiled engine, for numba; numba_engine.py adds the operations of the table.

A branch between two marks is a pattern: the kernel has a copy of it for each operation, with its
number, its name and its function; fast.py has a second function for some. Kernels are made by
`numba_engine.kernel_source`, not imported.
"""

import numpy as np
from numpy.typing import NDArray

from microgrid.program.engines import fast  # noqa: F401  (called in copies of a pattern)
from microgrid.program.engines.numba_engine import PART
from microgrid.program.engines.tiles import (
    COLUMNS,
    LANES,
    ROWS,
    VECTORS,
    WIDE,
    dot,
    tile,
    total,
    transposed,
)
from microgrid.program.plan.lines import BLOCK, FUSED, GO_ON, REDUCE, SUM
from microgrid.program.plan.schedule import Int32s
from microgrid.program.tape import Floats, Ints

NUMBER = 0  # of an operation, in a pattern
OVER_BATCH = BLOCK - 1  # a block that adds up over the batch
DEPTH = 256  # terms at a time, whose factors stay in the nearest cache
HEAD = 4  # numbers that a block begins with: its rows, its columns, its depth, a step
TYPES = {"part": PART}  # for numba, of the functions that are called from outside
REORDERED = ("suspect",)  # their sums may be added up in any order


def operation(*operands: float | Floats) -> float:
    """The function of an operation, in a pattern."""
    raise NotImplementedError


def height_of(rows: int) -> int:
    """Of a tile, so that it is full."""
    for height in ROWS:
        if height <= rows:
            return height
    return 0


def left_of(body: Int32s, i: int, v: Floats, packed: Floats, at: Ints) -> tuple[Floats, int]:
    """Where the left matrix of a block stands: an array, and a step; `at` gets its rows' begins.

    Rows whose numbers do not stand at even distances are packed.
    """
    m, k, step = body[i], body[i + 2], body[i + 3]
    if step:
        for r in range(m):
            at[r] = body[i + HEAD + r]
        return v, step
    for t in range(m * k):
        packed[t] = v[body[i + HEAD + t]]
    for r in range(m):
        at[r] = r * k
    return packed, 1


def block_of_numbers(
    body: Int32s, i: int, flags: int, v: Floats, floats: Floats, ints: Ints
) -> None:
    """out = first + left·rightᵀ + last, all of numbers: the right matrix is packed."""
    m, n, k, step = body[i], body[i + 1], body[i + 2], body[i + 3]
    right = i + HEAD + (m if step else m * k)
    out, first, last = right + n * k, right + n * k + m * n, right + n * k + 2 * m * n
    none, tall = floats[: ROWS[0]], ROWS[0] * COLUMNS
    sums, panel = floats[ROWS[0] :], floats[ROWS[0] + tall :]
    a_at, sums_at, x_at = ints, ints[m:], ints[m + ROWS[0] :]
    a, stride = left_of(body, i, v, floats[ROWS[0] + tall + k * COLUMNS :], a_at)
    for r in range(ROWS[0]):
        none[r], sums_at[r] = -0.0, r * COLUMNS
    for t in range(k):
        x_at[t] = t * COLUMNS
    for j in range(0, n, COLUMNS):
        width = min(COLUMNS, n - j)
        for t in range(k):
            for c in range(COLUMNS):
                panel[t * COLUMNS + c] = v[body[right + (j + c) * k + t]] if c < width else 0.0
        vectors = -(-width // LANES)
        r = 0
        while r < m:
            height = height_of(m - r)
            for s in range(height):
                e = (r + s) * n + j
                for c in range(width):
                    sums[s * COLUMNS + c] = v[body[(out if flags & GO_ON else first) + e + c]]
            tile(flags & FUSED != 0, height, vectors, a, a_at[r:], stride, k, panel, x_at, 0,
                 sums, sums_at, 0, True, none, none)  # fmt: skip
            for s in range(height):
                e = (r + s) * n + j
                for c in range(width):
                    v[body[out + e + c]] = sums[s * COLUMNS + c] + v[body[last + e + c]]
            r += height


def block_of_rows(
    body: Int32s, i: int, flags: int, v: Floats, x: Floats, apart: int, wide: int, floats: Floats,
    ints: Ints,
) -> None:  # fmt: skip
    """out = first + left·rightᵀ + last, where out and the right matrix are rows, so far apart."""
    m, n, k, step = body[i], body[i + 1], body[i + 2], body[i + 3]
    right = i + HEAD + (m if step else m * k)
    out, first, last = right + n * k, right + n * k + m * n, right + n * k + 2 * m * n
    begins, ends, none = floats, floats[m:], floats[2 * m :]
    a_at, out_at, x_at = ints, ints[m:], ints[2 * m :]
    a, stride = left_of(body, i, v, floats[3 * m :], a_at)
    for j in range(n):
        for r in range(m):
            e = r * n + j
            out_at[r] = (-1 - body[out + e]) * apart
            begins[r], ends[r], none[r] = v[body[first + e]], v[body[last + e]], -0.0
        for t in range(0, k, DEPTH):
            depth, is_last = min(DEPTH, k - t), t + DEPTH >= k
            for d in range(depth):
                x_at[d] = (-1 - body[right + j * k + t + d]) * apart
            s = 0
            while s < wide:
                vectors = VECTORS[0] if s + COLUMNS <= wide else 1
                r = 0
                while r < m:
                    height = height_of(m - r)
                    tile(flags & FUSED != 0, height, vectors, a[t * stride :], a_at[r:], stride,
                         depth, x, x_at, s, x, out_at[r:], s, flags & GO_ON != 0 or t > 0,
                         begins[r:], ends[r:] if is_last else none)  # fmt: skip
                    r += height
                s += vectors * LANES


def block_over_batch(
    body: Int32s, i: int, flags: int, v: Floats, x: Floats, apart: int, n_samples: int,
    floats: Floats, ints: Ints,
) -> None:  # fmt: skip
    """out += Σ left·rightᵀ over the samples, from the first: the right rows are transposed."""
    m, n, k, together = body[i], body[i + 1], body[i + 2], body[i + 3]
    left = i + HEAD
    right, out = left + m * k, left + m * k + n * k
    none, tall = floats[: ROWS[0]], ROWS[0] * COLUMNS
    sums, panel = floats[ROWS[0] :], floats[ROWS[0] + tall :]
    a_at, out_at, sums_at = ints, ints[m:], ints[2 * m :]
    x_at, panel_at = ints[2 * m + ROWS[0] :], ints[2 * m + ROWS[0] + WIDE :]
    for r in range(ROWS[0]):
        none[r], sums_at[r] = -0.0, r * COLUMNS
    for s in range(n_samples):
        panel_at[s] = s * COLUMNS
    for t in range(k):
        for r in range(m):
            a_at[r] = (-1 - body[left + r * k + t]) * apart
        for j in range(0, n, COLUMNS):
            width = min(COLUMNS, n - j)
            for c in range(0, width, WIDE):
                for q in range(WIDE):
                    x_at[q] = (-1 - body[right + min(j + c + q, n - 1) * k + t]) * apart
                for s in range(0, n_samples, WIDE):
                    transposed(x, x_at, s, panel, s * COLUMNS + c, COLUMNS)
            whole, vectors = together and width == COLUMNS, -(-width // LANES)
            if whole:
                for r in range(m):
                    out_at[r] = body[out + r * n + j]
            r = 0
            while r < m:
                height = height_of(m - r)
                if whole:
                    tile(flags & FUSED != 0, height, vectors, x, a_at[r:], 1, n_samples, panel,
                         panel_at, 0, v, out_at[r:], 0, True, none, none)  # fmt: skip
                else:
                    for s in range(height):
                        for c in range(width):
                            sums[s * COLUMNS + c] = v[body[out + (r + s) * n + j + c]]
                    tile(flags & FUSED != 0, height, vectors, x, a_at[r:], 1, n_samples, panel,
                         panel_at, 0, sums, sums_at, 0, True, none, none)  # fmt: skip
                    for s in range(height):
                        for c in range(width):
                            v[body[out + (r + s) * n + j + c]] = sums[s * COLUMNS + c]
                r += height


def scratch(runs: Ints, wide: int) -> tuple[Floats, Ints]:
    """Room for the packed factors of any block among the runs, and for where its numbers stand."""
    floats, ints, rows = 0, 0, 0
    for r in range(runs.shape[0]):
        if runs[r, 0] <= BLOCK:
            floats, ints, rows = max(floats, runs[r, 1]), max(ints, runs[r, 2]), wide
    return np.empty(floats + rows * COLUMNS), np.empty(ints + rows, dtype=np.int64)


def numbers(runs: Ints, signed: Int32s, body: NDArray[np.uint32], v: Floats) -> bool:
    """Run lines of numbers; whether a checked result is inf or nan."""
    bad = False
    floats, ints = scratch(runs, 0)
    for r in range(runs.shape[0]):
        code, count, size, check, at = runs[r]
        step = size + 1
        end = at + count * step
        i = at
        if code == SUM:
            while i + 3 * step < end:  # four at a time: no line of a run reads another's result
                p, q, s = i + step, i + 2 * step, i + 3 * step
                a = v[body[i + 1]] * v[body[i + 2]]
                b = v[body[p + 1]] * v[body[p + 2]]
                c = v[body[q + 1]] * v[body[q + 2]]
                d = v[body[s + 1]] * v[body[s + 2]]
                for t in range(3, step, 2):
                    a += v[body[i + t]] * v[body[i + t + 1]]
                    b += v[body[p + t]] * v[body[p + t + 1]]
                    c += v[body[q + t]] * v[body[q + t + 1]]
                    d += v[body[s + t]] * v[body[s + t + 1]]
                v[body[i]], v[body[p]], v[body[q]], v[body[s]] = a, b, c, d
                i += 4 * step
            while i < end:
                a = v[body[i + 1]] * v[body[i + 2]]
                for t in range(i + 3, i + step, 2):
                    a += v[body[t]] * v[body[t + 1]]
                v[body[i]] = a
                i += step
        elif code == BLOCK:
            block_of_numbers(signed, at, check, v, floats, ints)
        # ---- for each operation of few operands
        elif code == NUMBER:  # name
            while i < end:
                y = operation(v[body[i + 1]])
                v[body[i]] = y
                bad |= check and y - y != 0
                i += step
        # ---- for each operation of many operands
        elif code == NUMBER:  # name
            xs = np.empty(size)
            while i < end:
                for t in range(size):
                    xs[t] = v[body[i + 1 + t]]
                y = operation(xs)
                v[body[i]] = y
                bad |= check and y - y != 0
                i += step
        # ----
    return bad


def gather(xs: Floats, body: Int32s, i: int, step: int, v: Floats, rows: Floats, wide: int) -> None:
    """The operands of a line, a row each."""
    for t in range(1, step):
        p = body[i + t]
        if p >= 0:
            c = v[p]
            for s in range(wide):
                xs[t - 1, s] = c
        else:
            for s in range(wide):
                xs[t - 1, s] = rows[-1 - p, s]


def suspect(rows: Floats, o: int, wide: int) -> bool:
    """Whether any number of a row is inf or nan."""
    y = 0.0
    for s in range(wide):
        y += rows[o, s] - rows[o, s]
    return y != 0


def samples(runs: Ints, body: Int32s, v: Floats, rows: Floats, n: int, wide: int) -> bool:
    """Run lines of n samples, in rows of a width; whether a checked result is inf or nan."""
    bad, most, flat, apart = False, 1, rows.reshape(rows.size), rows.shape[1]
    floats, ints = scratch(runs, wide)
    for r in range(runs.shape[0]):
        if runs[r, 0] >= 0:
            most = max(most, runs[r, 2])
    xs = np.empty((most, wide))
    for r in range(runs.shape[0]):
        code, count, size, check, at = runs[r]
        step = size + 1
        end = at + count * step
        i = at
        if code == SUM:
            while i < end:
                o, p, q = -1 - body[i], body[i + 1], body[i + 2]
                if q >= 0:
                    c = v[p] * v[q]
                    for s in range(wide):
                        rows[o, s] = c
                elif p >= 0:
                    c, x = v[p], -1 - q
                    for s in range(wide):
                        rows[o, s] = c * rows[x, s]
                else:
                    w, x = -1 - p, -1 - q
                    for s in range(wide):
                        rows[o, s] = rows[w, s] * rows[x, s]
                t, i = i + 3, i + step
                while t < i:
                    p, q = body[t], body[t + 1]
                    if q >= 0:
                        c = v[p] * v[q]
                        for s in range(wide):
                            rows[o, s] += c
                    elif p < 0:
                        w, x = -1 - p, -1 - q
                        for s in range(wide):
                            rows[o, s] += rows[w, s] * rows[x, s]
                    elif t + 2 < i and body[t + 2] >= 0 and body[t + 3] < 0:  # two at a time
                        c, x, d, z = v[p], -1 - q, v[body[t + 2]], -1 - body[t + 3]
                        for s in range(wide):
                            rows[o, s] = rows[o, s] + c * rows[x, s] + d * rows[z, s]
                        t += 2
                    else:
                        c, x = v[p], -1 - q
                        for s in range(wide):
                            rows[o, s] += c * rows[x, s]
                    t += 2
        elif code == REDUCE:
            while i < end:
                y = v[body[i]]
                for t in range(i + 1, i + step, 2):
                    p, q = body[t], body[t + 1]
                    if q >= 0:
                        y += n * (v[p] * v[q])
                    elif p >= 0:
                        y += v[p] * total(flat, (-1 - q) * apart, n)
                    else:
                        y += dot(flat, (-1 - p) * apart, (-1 - q) * apart, n)
                v[body[i]] = y
                i += step
        elif code == BLOCK:
            block_of_rows(body, at, check, v, flat, apart, wide, floats, ints)
        elif code == OVER_BATCH:
            block_over_batch(body, at, check, v, flat, apart, n, floats, ints)
        # ---- for each operation
        elif code == NUMBER:  # name
            while i < end:
                o = -1 - body[i]
                gather(xs, body, i, step, v, rows, wide)
                for s in range(wide):
                    rows[o, s] = operation(xs[0, s])
                bad |= check and suspect(rows, o, wide)
                i += step
        # ----
    return bad


def part(runs: Ints, body: Int32s, v: Floats, rows: Floats, n: int) -> bool:
    """Run the lines of a part, of n samples or of numbers alone, which n = 0 says.

    Whether a checked result is inf or nan. v holds numbers, a row a number for each sample; the
    idle columns of rows up to a multiple of 8 repeat the last sample.
    """
    if n:
        return samples(runs, body, v, rows, n, -(-n // WIDE) * WIDE)
    return numbers(runs, body, body.view(np.uint32), v)
