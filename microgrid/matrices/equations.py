"""A derivation: equations whose sides are compared, exactly, before they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from microgrid.engine.errors import MicrogridError
from microgrid.matrices.claims import Counterexample
from microgrid.matrices.layer import DRAWS, Layer, Side, drawn
from microgrid.views.written import Written

Equation = tuple[Side, ...]


class DerivationError(MicrogridError, ValueError):
    """A displayed step does not hold, or a file that no derivation is written to.

    A wrong formula that you give is no error: `derivation.failed` and `.counterexamples` say why.

    >>> from microgrid import derive
    >>> derive.affine(1, 1, 1).save("derivation.doc")
    Traceback (most recent call last):
        ...
    microgrid.matrices.equations.DerivationError: derivation.doc: it is saved as ...
    """


@dataclass(frozen=True)
class Step:
    """A title, some words, and equations.

    >>> from microgrid import derive
    >>> step = derive.affine(1, 1, 1).steps[0]
    >>> step.title, step.holds
    ('The layer', True)
    >>> print(step.verdict)
    Checked: 10 sides compared exactly at 3 draws of fractions.
    """

    title: str
    words: str
    equations: tuple[Equation, ...]
    note: str = ""  # why it does not hold
    example: str = ""  # numbers at which it does not

    @property
    def holds(self) -> bool:
        """Whether the sides of all equations are the same."""
        return not self.note

    @property
    def latex(self) -> str:
        """The equations, aligned at their = signs, for display."""
        lines = []
        for left, *others in self.equations:
            right = [f"&= {side.latex}" for side in others]
            if not self.holds:
                right[-1] = right[-1].replace("=", r"\overset{?}{=}", 1)
            lines += [f"{left.latex} {right[0]}", *right[1:]]
        body = " \\\\[4pt]\n".join([*lines, self.example] if self.example else lines)
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"

    @property
    def verdict(self) -> str:
        """What the check found, in words."""
        count = sum(map(len, self.equations))
        checked = f"Checked: {count} sides compared exactly at {DRAWS} draws of fractions."
        return self.note or checked

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"


class Derivation(Written):
    """Steps that were checked when they were made; shows itself in a notebook.

    `ok` says whether all hold; only a formula given by the user may fail, and then it is the last
    step, `counterexamples` has the smallest shape at which it does not fit and the smallest at
    which it fits and gives wrong numbers. `layer` has the leaves and the gradients as graphs.

    >>> from microgrid import derive
    >>> derive.affine(2, 2, 3)
    <Derivation 'Backpropagation through an affine layer': 19 steps, all checked>
    >>> wrong = derive.affine(dX="dY @ W")
    >>> wrong.ok, wrong.failed.title
    (False, 'With respect to X: the rearrangement')
    """

    _refusal = DerivationError

    def __init__(self, title: str, layer: Layer) -> None:
        self.title, self.layer = title, layer
        self._points = list(drawn(layer))
        self.steps: list[Step] = []
        self.counterexamples: list[Counterexample] = []

    @property
    def ok(self) -> bool:
        """Whether all steps hold."""
        return self.failed is None

    @property
    def failed(self) -> Step | None:
        """The step that does not hold, or None."""
        return next((step for step in self.steps if not step.holds), None)

    def _add(self, title: str, words: str, *equations: Equation) -> None:
        """Add a step; DerivationError unless the sides of each equation are the same."""
        for (left, *others), numbers in product(equations, self._points):
            expected = left.at(numbers)
            for side in others:
                actual = side.at(numbers)
                if actual.shape != expected.shape or (actual != expected).any():
                    raise DerivationError(
                        f"{title}: {left.latex} = {expected.tolist()}, but "
                        f"{side.latex} = {actual.tolist()}"
                    )
        self.steps.append(Step(title, words, equations))

    def _filled(self, template: str) -> list[str]:
        """Each step, and its number k from 1 on, in a template."""
        return [template.format(k=k, step=step) for k, step in enumerate(self.steps, 1)]

    def __str__(self) -> str:
        title = f"{self.title}\n{'=' * len(self.title)}"
        return "\n\n".join([title, *self._filled(PLAIN)])

    def __repr__(self) -> str:
        state = "all checked" if self.ok else f"fails at {self.steps[-1].title!r}"
        return f"<Derivation {self.title!r}: {len(self.steps)} steps, {state}>"

    def markdown(self) -> str:
        """The derivation as Markdown with formulas between dollar signs."""
        return "\n".join([f"# {self.title}\n", *self._filled(MARKDOWN)])

    _repr_markdown_ = markdown

    def latex(self) -> str:
        """The derivation as a complete LaTeX document; wide formulas are shrunk to the page."""
        steps = "".join(self._filled(TEX))
        return f"{PREAMBLE.replace('TITLE', self.title)}{steps}\\end{{document}}\n"

    tex = latex  # its older name


PLAIN = "{k}. {step.title}\n\n{step.words}\n\n{step.latex}\n\n{step.verdict}"
MARKDOWN = "## {k}. {step.title}\n\n{step.words}\n\n$$\n{step.latex}\n$$\n\n*{step.verdict}*\n"
TEX = "\\section{{{step.title}}}\n\n{step.words}\n\n\\fitted{{{step.latex}}}\n\n"
TEX += "\\emph{{{step.verdict}}}\n\n"
PREAMBLE = r"""\documentclass{article}
\usepackage[a4paper,margin=2.5cm]{geometry}
\usepackage{amsmath,amssymb,graphicx}
\setcounter{MaxMatrixCols}{40}
\renewcommand{\arraystretch}{1.2}
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt}
\newsavebox{\formula}
\newcommand{\fitted}[1]{\sbox{\formula}{$\displaystyle #1$}%
  \par\nopagebreak{\centering\ifdim\wd\formula>\linewidth
  \resizebox{\linewidth}{!}{\usebox{\formula}}\else\usebox{\formula}\fi\par}\nopagebreak}
\title{TITLE}
\author{}
\date{}
\begin{document}
\maketitle

"""
