"""The node, the table of operations, the backward pass, derivatives of functions.

Read in this order: value.py (a number that remembers how it was made, and the backward pass), op.py
(one operation), ops.py (the table of all), slopes.py (what a rule may give), functions.py (exp,
mean and the others, as one calls them), rules.py (what the rules are made of). numeric.py holds the
functions of plain numbers and families.py derivatives of every order, to be looked up one at a
time. Then come forward.py (the other direction), trees.py (structures of numbers), arguments.py
(what a function is given while it is differentiated) and calculus.py. Errors and hints, guards
(what is a number), labels and scopes, conditions (what compares), recorder, refusals, settings,
renamed, documentation (with the manual that it shows), pickling, walks (what a pass writes in
nodes), ufuncs, modes (what raises), lazy and extras (what pip installs) can
wait. Arrays of Values are value_array.py, with NumPy's functions in array_ufuncs.py,
array_functions.py and elimination.py: they need NumPy, and come in where an array does. The six
files of the first sentence are the engine: 1,230 lines.

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

from microgrid.engine import conditions as conditions  # gives Value its comparisons
from microgrid.engine import functions as functions  # gives Value its methods
from microgrid.engine import pickling as pickling  # makes graphs picklable
from microgrid.engine import ufuncs as ufuncs  # makes NumPy's functions ours
