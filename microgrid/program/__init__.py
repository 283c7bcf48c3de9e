"""Recorded functions that replay without nodes: `record` makes a `Program`.

Read tape.py (the Wengert list), plan/ (what runs when), engines/ (what runs it), then structure.py,
signature.py, runner.py, program.py, batched.py with batch_run.py, mapped.py (what users call),
derived.py (programs of derivatives), tracing.py with recorded_array.py and impure.py (what a
recorded function must not do), text/ (a program to read, and to take along),
and words/ (a program in matrices).
"""

from microgrid.engine.lazy import public
from microgrid.program.batched import Batched
from microgrid.program.mapped import vmap
from microgrid.program.program import Program, record
from microgrid.program.text.listing import Listing

__all__ = ["Batched", "Listing", "Program", "record", "vmap"]
__dir__ = public(__name__)
