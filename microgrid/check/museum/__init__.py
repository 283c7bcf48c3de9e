"""A museum of broken engines: classic mistakes, each a few lines on a right engine.

Read base.py (the right engine) before mistakes.py.

>>> from microgrid.check import museum
>>> Value = museum.broken("overwrites", "add")
>>> a = Value(3.0)
>>> f = a + a
>>> f.backward()
>>> a.grad
1
>>> print(museum.MUSEUM["overwrites"].hint)
Every use of a node sends a share: use `+=` where you wrote `=`.
"""

from microgrid.check.museum.base import Value, composed, namespace
from microgrid.check.museum.mistakes import MUSEUM, Mistake, broken

Exhibit, engine = Mistake, broken  # their older names

__all__ = ["MUSEUM", "Exhibit", "Mistake", "Value", "broken", "composed", "engine", "namespace"]
