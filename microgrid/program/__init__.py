"""Recorded functions that replay without nodes: `record` makes a `Program`.

Read in this order: tape.py (the Wengert list), lines.py (sums of products, and the backward pass as
one such sum for each slot), schedule.py (what runs when), vectors.py and native.py (two engines),
program.py (what users call), listing.py and source.py (a program to read, and to take along).
"""

from microgrid.program.batched import Batched
from microgrid.program.program import Program, record

__all__ = ["Batched", "Program", "record"]
