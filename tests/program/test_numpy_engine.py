"""The engine that needs NumPy alone: operations on whole arrays, and runs of lines on views."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid.engine import numeric
from microgrid.engine.families import FAMILIES
from microgrid.engine.op import TABLE, Op
from microgrid.program.engines import arrays, numpy_engine
from microgrid.program.engines.arrays import on_arrays, where

# Operations on arrays.

ORDERS = [family(k) for family in FAMILIES for k in range(3)]
OPS = {op.name: op for op in [*TABLE.values(), *ORDERS] if op.terms is None}
EDGES = [0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 1e-310, 1e300, -1e300, 36.7, -36.7, 700.0, -700.0]
EDGES += [710.0, -745.0, -750.0, 0.5, 2.0, 3.0, 1e-9, 19.0, 20.0, math.inf, -math.inf, math.nan]
NUMBERS = st.one_of(st.sampled_from(EDGES), st.floats(-40, 40), st.floats())


def bits(x):
    return float(x).hex()


def answers(op, rows):
    """The rows where the function of numbers gives a number, with it; and those where it raises."""
    given, raising = [], []
    for row in rows:
        try:
            given.append((row, bits(op.forward(*row))))
        except (ArithmeticError, ValueError):
            raising.append(row)
    return given, raising


def on_rows(op, rows, fast=False):
    """The operation on arrays with an operand each; None where it asks number by number."""
    columns, out = np.array(rows).T[:, None], np.full((1, len(rows)), 7.0)
    with np.errstate(all="ignore"):
        found = on_arrays(op, fast)(columns if op.arity is None else list(columns), out)
    return None if found is None else np.broadcast_to(found, (1, len(rows)))[0].tolist()


def assert_bits_of_numbers(op, rows):
    """Where the operation on arrays answers, it has the bits of the numbers; how many these are.

    Where a number raises, arrays do not answer.
    """
    right, raising = answers(op, rows)
    assert all(on_rows(op, [row]) is None for row in raising)
    found = on_rows(op, rows := [row for row, _ in right]) if right else []
    if found is None and len(rows) > 1:
        half = len(rows) // 2
        return sum([assert_bits_of_numbers(op, part) for part in (rows[:half], rows[half:])])
    for (row, expected), y in zip(right, found or []):
        assert bits(y) == expected, row
    return len(found or [])


def rows_of(op):
    """Pairs of special numbers, and random ones."""
    r, n = np.random.default_rng(0), op.arity or 3
    near = zip(*[[*r.normal(size=99), *r.uniform(0, 3, 99), *r.normal(0, 300, 99)]] * 1)
    ...


@pytest.mark.parametrize("name", OPS)
def test_an_operation_on_arrays_has_the_bits_of_its_numbers(name):
    op, r = OPS[name], np.random.default_rng(0)
    width = op.arity or 3
    rows = [(*pair, 1.5)[:width] for pair in itertools.product(EDGES, repeat=min(width, 2))]
    for draw in (r.normal(size=(99, width)), r.uniform(0, 3, (99, width)), r.normal(0, 300, (99, width))):
        rows += map(tuple, draw.tolist())
    n = assert_bits_of_numbers(op, rows)
    print(name, n, len(rows), len(answers(op, rows)[0]))
