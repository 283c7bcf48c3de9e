"""Written by tests/shared/stubs.py."""

# fmt: off
# ruff: noqa
# mypy: disable-error-code="overload-overlap"
from microgrid.check.example import Example as Example
from microgrid.check.example import Failure as Failure
from microgrid.check.example import Outcome as Outcome
from microgrid.check.findings import Finding as Finding
from microgrid.check.findings import Result as Result
from microgrid.check.gradient_check import Entry as Entry
from microgrid.check.gradient_check import GradientReport as GradientReport
from microgrid.check.gradient_check import NotFinite as NotFinite
from microgrid.check.handwritten.report import LayerReport as LayerReport
from microgrid.check.handwritten.results import Found as Found
from microgrid.check.handwritten.results import Gradient as Gradient
from microgrid.check.handwritten.results import Line as Line
from microgrid.check.handwritten.results import Term as Term
from microgrid.check.handwritten.results import Worst as Worst
from microgrid.check.naming import Diagnosis as Diagnosis
from microgrid.check.report import Report as Report
from microgrid.course.question import Exercise as Exercise
from microgrid.course.question import Markdown as Markdown
from microgrid.course.question import Verdict as Verdict
from microgrid.course.worksheets.marks import ClassMarks as ClassMarks
from microgrid.course.worksheets.marks import Mark as Mark
from microgrid.course.worksheets.marks import Marks as Marks
from microgrid.course.worksheets.sheet import Worksheet as Worksheet
from microgrid.matrices.claims import Counterexample as Counterexample
from microgrid.matrices.equations import Derivation as Derivation
from microgrid.matrices.equations import Step as Step
from microgrid.optim.history import History as History
from microgrid.playground.notebook import Play as Play
from microgrid.plots import Plot as Plot
from microgrid.program.batched import Batched as Batched
from microgrid.program.batched import Spread as Spread
from microgrid.program.mapped import Vmapped as Vmapped
from microgrid.program.program import Program as Program
from microgrid.program.text.listing import Listing as Listing
from microgrid.program.words.matrices import Matrices as Matrices
from microgrid.views.explanation import Explanation as Explanation
from microgrid.views.explanation import ForwardExplanation as ForwardExplanation
from microgrid.views.explanation import Paths as Paths
from microgrid.views.formula import Formula as Formula
from microgrid.views.picture import Picture as Picture
from microgrid.views.stepper import Steps as Steps
