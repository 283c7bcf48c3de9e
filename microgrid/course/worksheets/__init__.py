"""Worksheets: random circuits with blanks, for paper or screen, that mark themselves.

>>> from microgrid.course import worksheet
>>> worksheet(7, "forks", n=1).problems[0].expression
'f = a·b·c² − b − a'
"""

from microgrid.course.worksheets.kinds import KINDS
from microgrid.course.worksheets.sheet import Worksheet, worksheet

__all__ = ["KINDS", "Worksheet", "worksheet"]
