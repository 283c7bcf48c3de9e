"""The node, the table of operations, the backward pass, derivatives of functions.

Read value.py first (a number that remembers how it was made), then ops.py (the table) with rules.py
and numeric.py beside it, functions.py, calculus.py. Below them stand errors.py, guards.py (what is
a number) and slopes.py (what a rule may give); pickling.py and scopes.py can wait.
"""

from microgrid.engine import functions as functions  # gives Value its methods
from microgrid.engine import pickling as pickling  # makes graphs picklable
