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

from microgrid.check.museum import results, shares, slopes, walks  # noqa: F401, they fill MUSEUM
from microgrid.check.museum.base import Value, composed, namespace
from microgrid.check.museum.mistakes import MUSEUM, Mistake, broken
from microgrid.engine.lazy import public

Exhibit = Mistake
"""The older name of Mistake."""

engine = broken
"""The older name of broken."""

__all__ = ["MUSEUM", "Mistake", "Value", "broken", "composed", "namespace"]
__dir__ = public(__name__)
__doc__ = f"""{__doc__}
The mistakes, by the names in `MUSEUM`; what is said of "your operation" is made in one of them.

{{}}
""".format("\n".join(f"- `{name}`: {m.sentence('operation')}." for name, m in MUSEUM.items()))
