"""The loops of the compiled engine, for numba; numba_engine.py adds the operations of the table.

A branch between two marks is a pattern: the kernel has a copy of it for each operation, with its
number, its name and its function; fast.py has a second function for some. Kernels are made by
`numba_engine.kernel_source`, not imported.
"""

import numpy as np

from microgrid.program.engines import fast  # noqa: F401  (called in copies of a pattern)
from microgrid.program.engines.numba_engine import NUMBERS, SAMPLES
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
from microgrid.program.plan.lines import (
    ALONE,
    BLOCK,
    CACHE_LINE,
    CHECKED,
    FUSED,
    GO_ON,
    REDUCE,
    SPARE,
    SUM,
    TOGETHER,
)
from microgrid.program.plan.schedule import Int32s
from microgrid.program.tape import Floats, Ints

NUMBER = 0  # of an operation, in a pattern
OVER_BATCH = BLOCK - 1  # a block that adds up over the batch
DEPTH = 256  # terms at a time, whose factors stay in the nearest cache
TALL = ROWS[0] * COLUMNS  # floats of the largest tile
HEAD = 4  # numbers that a block begins with: its rows, its columns, its depth, a step
TYPES = {"numbers": NUMBERS, "samples": SAMPLES}  # for numba, of what is called from outside
REORDERED = ("suspect",)  # their sums may be added up in any order
INLINED = ("operate", "multiply")  # a call would count the references of its arrays, for each line


def operation(*operands: float | Floats) -> float:
    """The function of an operation, in a pattern."""
    raise NotImplementedError


def height_of(rows: int) -> int:
    """Of a tile, so that it is full."""
    for height in ROWS:
        if height <= rows:
            return height
    return 0


def aligned(count: int) -> Floats:
    """Room for so many floats that begins with a line of the cache."""
    room = np.empty(count + CACHE_LINE)
    skip = -(room.ctypes.data // 8) % CACHE_LINE
    return room[skip : skip + count]


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
    begin = out if flags & GO_ON else first
    sums, panel = floats, floats[m * COLUMNS :]
    none = floats[(m + k) * COLUMNS :]
    a_at, sums_at, x_at = ints, ints[m:], ints[2 * m :]
    a, stride = left_of(body, i, v, floats[(m + k) * COLUMNS + m :], a_at)
    for r in range(m):
        none[r], sums_at[r] = -0.0, r * COLUMNS
    for t in range(k):
        x_at[t] = t * COLUMNS
    for j in range(0, n, COLUMNS):
        width = min(COLUMNS, n - j)
        for t in range(k):
            for c in range(COLUMNS):
                panel[t * COLUMNS + c] = v[body[right + (j + c) * k + t]] if c < width else 0.0
        for r in range(m):
            for c in range(width):
                sums[r * COLUMNS + c] = v[body[begin + r * n + j + c]]
        r = 0
        while r < m:
            height = height_of(m - r)
            tile(flags & FUSED != 0, height, -(-width // LANES), r, a, a_at, 0, stride, k,
                 panel, x_at, 0, sums, sums_at, 0, True, none, none)  # fmt: skip
            r += height
        for r in range(m):
            for c in range(width):
                e = r * n + j + c
                v[body[out + e]] = sums[r * COLUMNS + c] + v[body[last + e]]


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
            depth, go_on = min(DEPTH, k - t), flags & GO_ON != 0 or t > 0
            behind = ends if t + DEPTH >= k else none
            for d in range(depth):
                x_at[d] = (-1 - body[right + j * k + t + d]) * apart
            s = 0
            while s < wide:
                vectors = VECTORS[0] if s + COLUMNS <= wide else 1
                r = 0
                while r < m:
                    height = height_of(m - r)
                    tile(flags & FUSED != 0, height, vectors, r, a, a_at, t * stride, stride,
                         depth, x, x_at, s, x, out_at, s, go_on, begins, behind)  # fmt: skip
                    r += height
                s += vectors * LANES


def block_over_batch(
    body: Int32s, i: int, flags: int, v: Floats, x: Floats, apart: int, n_samples: int,
    go_on: bool, floats: Floats, ints: Ints,
) -> None:  # fmt: skip
    """out = Σ left·rightᵀ over the samples, from the first; with `go_on` it adds to what is there.

    The right rows are transposed into panels, each as wide as a tile.
    """
    m, n, k, together = body[i], body[i + 1], body[i + 2], body[i + 3]
    left, right, out = i + HEAD, i + HEAD + m * k, i + HEAD + m * k + n * k
    panel = -(-n_samples // WIDE) * WIDE * COLUMNS
    behind = TALL + -(-n // COLUMNS) * panel
    sums, panels, zero, none = floats, floats[TALL:], floats[behind:], floats[behind + m :]
    a_at, out_at, sums_at = ints, ints[m:], ints[2 * m :]
    x_at, s_at = ints[3 * m :], ints[3 * m + WIDE :]
    for r in range(m):
        zero[r], none[r] = 0.0, -0.0
        out_at[r], sums_at[r] = body[out + r * n], r % ROWS[0] * COLUMNS
    for s in range(n_samples):
        s_at[s] = s * COLUMNS
    for t in range(k):
        for r in range(m):
            a_at[r] = (-1 - body[left + r * k + t]) * apart
        for j in range(0, n, WIDE):
            at = j // COLUMNS * panel + j % COLUMNS
            for q in range(WIDE):
                x_at[q] = (-1 - body[right + min(j + q, n - 1) * k + t]) * apart
            for s in range(0, n_samples, WIDE):
                transposed(x, x_at, s, panels, at + s * COLUMNS, COLUMNS)
        r = 0
        while r < m:
            height = height_of(m - r)
            for j in range(0, n, COLUMNS):
                width, at = min(COLUMNS, n - j), j // COLUMNS * panel
                if together and width == COLUMNS:
                    tile(flags & FUSED != 0, height, VECTORS[0], r, x, a_at, 0, 1, n_samples,
                         panels, s_at, at, v, out_at, j, go_on or t > 0, zero, none)  # fmt: skip
                    continue
                for e in range(r, r + height):
                    for c in range(width):
                        sums[sums_at[e] + c] = v[body[out + e * n + j + c]]
                tile(flags & FUSED != 0, height, -(-width // LANES), r, x, a_at, 0, 1, n_samples,
                     panels, s_at, at, sums, sums_at, 0, go_on or t > 0, zero, none)  # fmt: skip
                for e in range(r, r + height):
                    for c in range(width):
                        v[body[out + e * n + j + c]] = sums[sums_at[e] + c]
            r += height


def scratch(runs: Ints, body: Int32s, wide: int) -> tuple[Floats, Ints]:
    """Room for the packed factors of any block among the runs, and for where its numbers stand."""
    floats, ints = 0, 0
    for r in range(runs.shape[0]):
        if runs[r, 0] <= BLOCK:
            i = runs[r, 4]
            m, n, k = body[i], body[i + 1], body[i + 2]
            packed = k * COLUMNS + (0 if body[i + 3] else m * k)
            if runs[r, 0] == OVER_BATCH:
                packed = (n + COLUMNS) * wide
            floats = max(floats, TALL + m * (COLUMNS + 3) + packed)
            ints = max(ints, 3 * m + k + WIDE + wide)
    return aligned(floats), np.empty(ints, dtype=np.int64)


def numbers(runs: Ints, signed: Int32s, v: Floats) -> bool:
    """Run the lines of a part without rows; whether a checked result is inf or nan."""
    bad, body = False, signed.view(np.uint32)
    floats, ints = scratch(runs, signed, 0)
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
                bad |= check & CHECKED != 0 and y - y != 0
                i += step
        # ---- for each operation of many operands
        elif code == NUMBER:  # name
            xs = np.empty(size)
            while i < end:
                for t in range(size):
                    xs[t] = v[body[i + 1 + t]]
                y = operation(xs)
                v[body[i]] = y
                bad |= check & CHECKED != 0 and y - y != 0
                i += step
        # ----
    return bad


def row_of(p: int, spare: int, v: Floats, rows: Floats, wide: int) -> int:
    """The row at a place; a number goes into a spare row."""
    if p < 0:
        return -1 - p
    c = v[p]
    for s in range(wide):
        rows[spare, s] = c
    return spare


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


def operate(
    code: int, x: Floats, o: np.uint64, p: np.uint64, q: np.uint64, r: np.uint64, count: int
) -> None:  # fmt: skip
    """So many numbers of x from o on; the operands begin at p, q and r, as many as it takes.

    These have no sign: an index that may be below 0 takes a test in each turn.
    """
    # ---- for each operation of few operands
    if code == NUMBER:  # name
        for s in range(np.uint64(count)):
            x[o + s] = operation(x[p + s])
        return
    # ----


def multiply(x: Floats, o: np.uint64, p: np.uint64, q: np.uint64, count: int) -> None:
    """So many products, from o on, of the numbers of x from p and q on."""
    for s in range(np.uint64(count)):
        x[o + s] = x[p + s] * x[q + s]


def samples(runs: Ints, body: Int32s, v: Floats, rows: Floats, n: int, begins: bool) -> bool:
    """Run the lines of a part for n samples; whether a checked result is inf or nan.

    v holds numbers, a row a number for each sample; the idle columns of rows up to a multiple of 8
    repeat the last sample. Sums over the batch begin with these samples, or go on with them.
    """
    bad, most, flat, apart = False, 1, rows.reshape(rows.size), rows.shape[1]
    wide = -(-n // WIDE) * WIDE
    floats, ints = scratch(runs, body, wide)
    for r in range(runs.shape[0]):
        if runs[r, 0] >= 0:
            most = max(most, runs[r, 2])
    xs, spare = np.empty((most, wide)), rows.shape[0] - SPARE
    for r in range(runs.shape[0]):
        code, count, size, check, begin = runs[r]
        step = size + 1
        end = begin + count * step
        i = begin
        # few idle columns are computed, too
        one_row = check & TOGETHER != 0 and 4 * (apart - wide) <= wide
        if code == SUM and one_row:
            o, p, q = -1 - body[i], -1 - body[i + 1], -1 - body[i + 2]
            multiply(
                flat, np.uint64(o * apart), np.uint64(p * apart), np.uint64(q * apart),
                (count - 1) * apart + wide,
            )  # fmt: skip
        elif code == SUM:
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
            block_of_rows(body, begin, check, v, flat, apart, wide, floats, ints)
        elif code == OVER_BATCH:
            go_on = not (begins and check & ALONE)
            block_over_batch(body, begin, check, v, flat, apart, n, go_on, floats, ints)
        # ---- for each operation of many operands
        elif code == NUMBER:  # name
            while i < end:
                o = -1 - body[i]
                gather(xs, body, i, step, v, rows, wide)
                for s in range(wide):
                    rows[o, s] = operation(xs[:size, s])
                bad |= check & CHECKED != 0 and suspect(rows, o, wide)
                i += step
        # ----
        else:
            length, many = wide, 1
            if one_row:
                length, many, step = (count - 1) * apart + wide, count, count * step
            while i < end:
                o, p = -1 - body[i], row_of(body[i + 1], spare, v, rows, wide)
                q = row_of(body[i + 2], spare + 1, v, rows, wide) if size > 1 else p
                z = row_of(body[i + 3], spare + 2, v, rows, wide) if size > 2 else p
                operate(
                    code, flat, np.uint64(o * apart), np.uint64(p * apart), np.uint64(q * apart),
                    np.uint64(z * apart), length,
                )  # fmt: skip
                for k in range(many if check & CHECKED else 0):
                    bad |= suspect(rows, o + k, wide)
                i += step
    return bad
