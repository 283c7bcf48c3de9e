"""The node, the table of operations, the backward pass, derivatives of functions.

Read in this order: value.py (a number that remembers how it was made, and the backward pass), op.py
(one operation), ops.py (the table of all), slopes.py (what a rule may give), functions.py (exp,
mean and the others, as one calls them), rules.py and rule_ops.py (what the rules need).
numeric.py holds the functions of plain numbers, to be looked up one at a time; calculus.py comes
next. Errors, guards (what is a number), labels, recorder, refusals, settings, pickling and lazy can
wait.
"""

from microgrid.engine import functions as functions  # gives Value its methods
from microgrid.engine import pickling as pickling  # makes graphs picklable
