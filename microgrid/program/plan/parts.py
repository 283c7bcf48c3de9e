"""Operations in parts: what several of them compute alike, a program computes once.

A logsumexp and its gradient need the same exp(x − top). Each part is an operation of the table, or
one of this file, and the parts of an operation give its bits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from itertools import chain, groupby
from typing import Any

import numpy as np

from microgrid.engine import numeric, rules
from microgrid.engine.op import TABLE
from microgrid.engine.value import Op, Value
from microgrid.program.plan.backward import inlined
from microgrid.program.plan.lines import Lines, Order
from microgrid.program.tape import Ints, Tape, tape_of

DEEP = 8  # of the parts of an operation: fewer follow on each other


def of_parts(name: str, f: Callable[[Sequence[Any]], Any]) -> Op:
    """An operation of all parts at once; nobody differentiates it, since its whole has a rule."""
    return Op(name, numeric.one_by_one(f), joint=rules.no_path)


EXP_SUM = of_parts("exp_sum_of_parts", numeric.exp_total_of_parts)
LOGSUMEXP = of_parts("logsumexp_of_parts", numeric.log_sum_exp_of_parts)
OPS = EXP_SUM, LOGSUMEXP
PARTS: dict[Op, Callable[..., Any]] = {
    TABLE.logsumexp: lambda *xs: LOGSUMEXP(*exps_below(TABLE.stop_gradient_max(*xs), xs)),
    TABLE.exp_sum: lambda top, *xs: EXP_SUM(*exps_below(top, xs)),
}


def exps_below(top: Any, xs: Sequence[Any]) -> Iterable[Any]:
    """The top, and each x with exp(x − top) behind it."""
    return [top, *chain(*[(x, TABLE.exp_difference(x, top)) for x in xs])]


@cache
def tape_of_parts(op: Op, count: int) -> Tape:
    """What an operation of so many operands consists of, as a tape over them."""
    xs = [Value(0.5) for _ in range(count)]
    return tape_of([PARTS[op](*xs)], xs)


def in_parts(lines: Lines) -> None:
    """Divide the operations that have parts, and let each part run once."""
    whole = taken(lines, {code for code, op in enumerate(lines.ops) if op in PARTS})
    if not whole:
        return
    lines.columns = [[*x, depth * DEEP] for *x, depth in lines.columns]
    made: dict[int, None] = {}  # codes; the parts of a part stand before it
    for (out, codes, _, phase, window, rank, depth), args in whole:
        parts = tape_of_parts(lines.ops[codes[0]], args.shape[1])
        order = Order(phase, window, rank, depth * DEEP)
        [found] = inlined(lines, parts, [*args.T], order)
        lines.aliases.append((out, found))
        made |= dict.fromkeys(map(lines.code, parts.ops))
    for code in made:
        merge(lines, code)


def merge(lines: Lines, code: int) -> None:
    """Leave out the lines of this code that repeat an earlier one."""
    to = lines.resolved()
    for _, alike in groupby(sorted(taken(lines, {code}), key=width), width):
        several, args = zip(*alike)
        columns, rows = [np.concatenate(x) for x in zip(*several)], to[np.concatenate(args)]
        order = np.lexsort(columns[:2:-1])  # as they run
        out, rows = columns[0][order], rows[order]
        _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        first = first[which.ravel()]
        again = first < np.arange(len(out))
        lines.aliases.append((out[again], out[first[again]]))
        lines.columns.append([x[order[~again]] for x in columns])
        lines.args.append((code, rows[~again].ravel()))


def taken(lines: Lines, codes: Collection[int]) -> list[tuple[list[Ints], Ints]]:
    """The lines of some codes, which are taken out; with each entry its arguments, a row a line."""
    entries = [*zip(lines.columns, lines.args)]
    mine = [code in codes and len(args) > 0 for _, (code, args) in entries]
    lines.columns, lines.args = [
        [*x] for x in zip(*[x for x, wanted in zip(entries, mine) if not wanted])
    ]
    found = [x for x, wanted in zip(entries, mine) if wanted]
    return [(columns, args.reshape(len(columns[0]), -1)) for columns, (_, args) in found]


def width(entry: tuple[list[Ints], Ints]) -> int:
    """How many arguments each line has."""
    return int(entry[1].shape[1])
