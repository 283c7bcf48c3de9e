"""Worksheets: random circuits with blanks, for paper or screen, that mark themselves.

Read kinds.py, problem.py, random_circuits.py, diagnosis.py, marks.py, page.py, sheet.py.

>>> from microgrid.course import worksheet
>>> sheet = worksheet(7, "forks", n=2)
>>> marks = sheet.check({"1.a": -18, "1.b": "8"})
>>> [(mark.key, mark.verdict, mark.hint[:28]) for mark in marks.marks if mark.given]
[('1.b', '✓', ''), ('1.a', '✗', 'You have the last share only')]
>>> print(sheet.mark_all({"Ada": {"1.a": -18}, "Kurt": sheet.answers}))
student  right  carried on  of
Ada          0           0  12
Kurt        12           0  12
<BLANKLINE>
times  mistake                                                                                who
1      You have the last share only: a value that is used several times gets the sum of all.  Ada 1
"""

from microgrid.course.worksheets.kinds import KINDS
from microgrid.course.worksheets.sheet import Worksheet, worksheet

__all__ = ["KINDS", "Worksheet", "worksheet"]
