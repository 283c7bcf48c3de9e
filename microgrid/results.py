"""The classes of what functions return, to annotate with: `def show(p: mg.results.Picture)`.

None is made by hand: `draw` gives a Picture, `explain` an Explanation, `check.check` a Report.
"""

from microgrid.engine.lazy import lazily

ROOMS = {
    "views.explanation": "Explanation ForwardExplanation Paths",
    "views.formula": "Formula",
    "views.picture": "Picture",
    "views.stepper": "Steps",
    "matrices.claims": "Counterexample",
    "matrices.equations": "Derivation Step",
    "program.batched": "Batched Spread",
    "program.mapped": "Vmapped",
    "program.program": "Program",
    "program.text.listing": "Listing",
    "program.words.matrices": "Matrices",
    "check.example": "Example Failure Outcome",
    "check.findings": "Finding Result",
    "check.gradient_check": "Entry GradientReport NotFinite",
    "check.handwritten.report": "LayerReport",
    "check.handwritten.results": "Found Gradient Line Term Worst",
    "check.naming": "Diagnosis",
    "check.report": "Report",
    "plots": "Plot",
    "optim.history": "History",
    "course.question": "Exercise Markdown Verdict",
    "course.worksheets.marks": "ClassMarks Mark Marks",
    "course.worksheets.sheet": "Worksheet",
    "playground.notebook": "Play",
}
__getattr__, __dir__ = lazily(__name__, ROOMS, "microgrid")
__all__ = [name for names in ROOMS.values() for name in names.split()]
