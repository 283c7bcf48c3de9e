"""Recorded functions that replay without nodes: `record` makes a `Program`.

Read in this order: tape.py (the Wengert list), lines.py (lines in no order yet), forward.py and
adjoint.py (sums of products, and the backward pass as one such sum for each number), schedule.py
(what runs when), vectors.py and native.py (two engines), forms.py, runner.py, program.py and
batched.py (what users call), watch.py (never a wrong branch); then wengert.py, listing.py,
source.py and translate.py (a program to read, and to take along) and cluster.py.
"""

from microgrid.program.batched import Batched
from microgrid.program.program import Program, record

__all__ = ["Batched", "Program", "record"]
