"""A museum of broken layers: the usual mistakes, each a line of a right layer replaced.

The right layers are files of their own in `layers`, in the styles that students write: pairs of
functions, classes, losses, networks with dicts. Read exhibit.py (what a mistake is) before
mistakes.py (all of them, by the numbers of their kinds).

>>> from microgrid.check.handwritten import museum
>>> mistake = museum.MUSEUM["db is a mean"]
>>> mistake.of, mistake.line, mistake.by
('affine_pair', 'db = np.sum(dout, axis=0)', 'db = np.mean(dout, axis=0)')
>>> print(mistake.hint)
Each sample sends its share to b: add them up; a division by N belongs into the loss alone.
>>> mistake.by in museum.broken("db is a mean")
True
"""

from microgrid.check.handwritten.museum.exhibit import LAYERS, Mistake, source
from microgrid.check.handwritten.museum.mistakes import MUSEUM, broken
from microgrid.engine.lazy import public

__all__ = ["LAYERS", "MUSEUM", "Mistake", "broken", "source"]
__dir__ = public(__name__)
