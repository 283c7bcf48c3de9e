"""The engine that needs NumPy alone: a run of equal lines is a few operations on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from microgrid.engine.guards import real
from microgrid.program.plan.lines import REDUCE, SUM
from microgrid.program.plan.schedule import Part, Plan
from microgrid.program.tape import Floats, Ints

NAME = "numpy"


class Engine:
    """Runs one plan. `numbers` is changed in place; so are rows, which have a column a sample."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.parts = {id(p): unpacked(p) for p in (plan.prologue, plan.batch, plan.epilogue)}

    def run(self, part: Part, numbers: Floats, rows: Floats, samples: int) -> bool:
        """Run a part; whether a forward line may have left its domain."""
        with np.errstate(all="ignore"):
            bad = False
            rows = rows[:, :samples]
            for code, forward, out, args in self.parts[id(part)]:
                if code == SUM:
                    store(out, sums(args, numbers, rows), numbers, rows)
                elif code == REDUCE:
                    numbers[out] += sums(args, numbers, rows).sum(axis=1)
                else:
                    operands = [read(args[:, j], numbers, rows) for j in range(args.shape[1])]
                    y, error = applied(self.plan.ops[code].forward, operands)
                    if error and not forward and not bad:  # a rule of the user's own
                        raise error
                    bad |= error is not None
                    store(out, y, numbers, rows)
            return bad


def unpacked(part: Part) -> list[tuple[int, int, Ints, Ints]]:
    """(code, whether forward, places of the results, those of the arguments) for each run."""
    found = []
    for code, count, size, forward, at in part.runs.tolist():
        table = part.body[at : at + count * (size + 1)].reshape(count, size + 1).astype(np.int64)
        found.append((code, forward, table[:, 0], table[:, 1:]))
    return found


def results(places: Ints, numbers: Floats, rows: Floats) -> Floats:
    """The numbers at these places, a row for each sample."""
    if len(places) == 1 and places[0] < 0:
        return rows[-1 - places[0], :, None]
    return read(places, numbers, rows).T


def read(places: Ints, numbers: Floats, rows: Floats) -> Floats:
    """The numbers at these places, a row each: of one column where all samples share them."""
    if (places >= 0).all():
        return numbers[places][:, None]
    if (places < 0).all():
        return rows[-1 - places]
    mixed = np.repeat(numbers[np.maximum(places, 0)][:, None], rows.shape[1], axis=1)
    mixed[places < 0] = rows[-1 - places[places < 0]]
    return mixed


def store(out: Ints, y: Floats, numbers: Floats, rows: Floats) -> None:
    if out[0] >= 0:
        numbers[out] = y[:, 0]
    else:
        rows[-1 - out] = y


def sums(pairs: Ints, numbers: Floats, rows: Floats) -> Any:
    """Σ p·q from the left, for each line."""
    if len(pairs) < pairs.shape[1] and (pairs >= 0).all():  # few long sums of plain numbers
        return np.add.accumulate(numbers[pairs[:, ::2]] * numbers[pairs[:, 1::2]], axis=1)[:, -1:]
    y: Any = None
    for j in range(0, pairs.shape[1], 2):
        product = read(pairs[:, j], numbers, rows) * read(pairs[:, j + 1], numbers, rows)
        y = product if y is None else y + product
    return y


def applied(forward: Any, operands: list[Floats]) -> tuple[Floats, Exception | None]:
    """forward of every line and sample; nan where it raises, and the last error."""
    columns = np.broadcast_arrays(*operands)
    flat = [x.ravel().tolist() for x in columns]
    failed: Exception | None = None
    try:
        y = list(map(forward, *flat))
    except (ArithmeticError, ValueError):
        y = []
        for xs in zip(*flat):
            try:
                y.append(forward(*xs))
            except (ArithmeticError, ValueError) as error:
                y.append(np.nan)
                failed = error
    if not all(type(x) is float for x in y):  # by an operation of the user's
        y = [as_float(real(x)) for x in y]
    return np.array(y, dtype=float).reshape(columns[0].shape), failed


def as_float(x: Any) -> float:
    try:
        return float(x)
    except OverflowError:
        return np.inf if x > 0 else -np.inf
