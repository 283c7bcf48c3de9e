"""The loops of the compiled engine, for numba; numba_engine.py adds the operations of the table.

A branch between two marks is a pattern: the kernel has a copy of it for each operation, with its
number, its name and its function. Kernels are made by `numba_engine.kernel_source`, not imported.
"""

import numpy as np
from numpy.typing import NDArray

from microgrid.program.plan.lines import REDUCE, SUM
from microgrid.program.plan.schedule import Int32s
from microgrid.program.tape import Floats, Ints

NUMBER = 0  # of an operation, in a pattern
TYPES = {  # for numba, of the functions that are called from outside
    "part": "boolean(int64[:, ::1], int32[::1], float64[::1], float64[:, ::1], int64)",
}
REORDERED = ("over_batch", "total", "suspect")  # their sums may be added up in any order


def operation(*operands: float | Floats) -> float:
    """The function of an operation, in a pattern."""
    raise NotImplementedError


def numbers(runs: Ints, body: NDArray[np.uint32], v: Floats) -> bool:
    """Run lines of numbers; whether a checked result is inf or nan."""
    bad = False
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


def over_batch(rows: Floats, p: int, q: int, n: int) -> float:
    """Σ rows[p]·rows[q] over the samples."""
    y = 0.0
    for s in range(n):
        y += rows[p, s] * rows[q, s]
    return y


def total(rows: Floats, p: int, n: int) -> float:
    """Σ rows[p] over the samples."""
    y = 0.0
    for s in range(n):
        y += rows[p, s]
    return y


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
    """Run lines of n samples; whether a checked result is inf or nan.

    The idle columns of rows up to wide, a multiple of 8, repeat the last sample.
    """
    bad, most = False, 1
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
                        y += v[p] * total(rows, -1 - q, n)
                    else:
                        y += over_batch(rows, -1 - p, -1 - q, n)
                v[body[i]] = y
                i += step
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
        return samples(runs, body, v, rows, n, -(-n // 8) * 8)
    return numbers(runs, body.view(np.uint32), v)
