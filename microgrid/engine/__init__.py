"""The node, the table of operations, the backward pass, derivatives of functions.

Read value.py first (a number that remembers how it was made), then ops.py (the table) with rules.py
and numeric.py beside it, functions.py, calculus.py. Below them stand errors.py, guards.py (what is
a number) and slopes.py (what a rule may give); pickling.py and scopes.py can wait.

What is promised besides the rules at kinks, which ops.py states. Ties of a maximum share equally,
and the slope at nan is nan. From behind the shut side of a `where` nothing comes back, in
derivatives of any order. Where Python raises, the forward pass raises the same exception, with the
operation and its operands in the message. A backward pass never raises for a numeric reason: a
slope beyond the floats is inf. It refuses a graph whose `.data` was set after the forward pass.

`backward`, `gradients`, `grad`, `derivative`, `hessian` and recorded programs give the same number.
Second derivatives of the functions of one number, of powers, hypot and logaddexp are right to 12
digits wherever they are finite, also at 10⁻¹⁷ or beside the end of a domain. In higher orders, and
in sums of your own, terms of either sign may cancel, as among all floats. Where the slope itself is
infinite, a higher derivative is the one-sided limit or nan.
"""

from microgrid.engine import functions as functions  # gives Value its methods
from microgrid.engine import pickling as pickling  # makes graphs picklable
