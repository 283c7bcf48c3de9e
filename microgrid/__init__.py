"""Backpropagation you can read."""

from microgrid.functions import FUNCTIONS
from microgrid.value import Value
globals().update(FUNCTIONS)
