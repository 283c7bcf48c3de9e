"""Recorded functions that replay without nodes: `record` makes a `Program`.

Read in this order: tape.py (the Wengert list), forward.py and adjoint.py (sums of products, and
the backward pass as one such sum for each number), schedule.py (what runs when), vectors.py and
native.py (two engines), program.py and batched.py (what users call); then wengert.py, listing.py
and source.py (a program to read, and to take along) and cluster.py.
"""

from microgrid.program.batched import Batched
from microgrid.program.program import Program, record

__all__ = ["Batched", "Program", "record"]
