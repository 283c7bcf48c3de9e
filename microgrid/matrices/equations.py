"""A derivation: equations whose sides are compared, exactly, before they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from html import escape
from itertools import count, product
from textwrap import wrap

from microgrid.engine.errors import MicrogridError
from microgrid.matrices.claims import Counterexample
from microgrid.matrices.layer import DRAWS, Layer, Side, drawn
from microgrid.views.formula import worded as in_tex
from microgrid.views.typeset import mathml, plain, plain_words
from microgrid.views.wording import plural
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

    `part` is the section it stands in: layer, a letter such as X, batch, bias or formulas.
    `general` is what its words have in common with those of the same step for another letter.

    >>> from microgrid import derive
    >>> step = derive.affine(1, 1, 1).steps[0]
    >>> step.title, step.holds, step.part
    ('The layer', True, 'layer')
    >>> print(step.verdict)
    Checked: 10 sides compared exactly at 3 draws of fractions.
    """

    title: str
    words: str
    equations: tuple[Equation, ...]
    note: str = ""  # why it does not hold
    example: str = ""  # numbers at which it does not
    part: str = ""
    general: str = ""

    @property
    def holds(self) -> bool:
        """Whether the sides of all equations are the same."""
        return not self.note

    @property
    def latex(self) -> str:
        """The equations, aligned at their = signs, for display."""
        return aligned([*self._lines, *filter(None, [self.example])])

    @property
    def _lines(self) -> list[str]:
        lines = []
        for left, *others in self.equations:
            right = [f"&= {side.latex}" for side in others]
            if not self.holds:
                right[-1] = right[-1].replace("=", r"\overset{?}{=}", 1)
            lines += [f"{left.latex} {right[0]}", *right[1:]]
        return lines

    def __str__(self) -> str:
        """The equations as lines of text."""
        example = self.example.replace("&=", "=")
        return "\n\n".join([plain(aligned(self._lines)), *[plain(example)] * bool(example)])

    @property
    def verdict(self) -> str:
        """What the check found, in words."""
        count = sum(map(len, self.equations))
        checked = f"Checked: {count} sides compared exactly at {DRAWS} draws of fractions."
        return self.note or checked

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"


def aligned(lines: list[str]) -> str:
    body = " \\\\[4pt]\n".join(lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


class Derivation(Written):
    """Steps that were checked when they were made; shows itself in a notebook.

    `ok` says whether all hold; only a formula given by the user may fail, and then it is the last
    step, `counterexamples` has the smallest shape at which it does not fit and the smallest at
    which it fits and gives wrong numbers. `layer` has the leaves and the gradients as graphs. It
    prints as text; `html()`, `latex()` and `markdown()` write it, `only("W")` a part of it.

    >>> from microgrid import derive
    >>> derive.affine(2, 2, 3)
    <Derivation 'Backpropagation through an affine layer': 19 steps, all checked>
    >>> wrong = derive.affine(dX="dY @ W")
    >>> wrong.ok, wrong.failed.title
    (False, 'With respect to X: the rearrangement')
    >>> print(derive.affine(2, 2, 3).only("formulas").steps[0])
    ∂L/∂X = ∂L/∂Y Wᵀ
    ∂L/∂W = Xᵀ ∂L/∂Y
    ∂L/∂b = 1ᵀ ∂L/∂Y
    """

    _refusal = DerivationError

    def __init__(self, title: str, layer: Layer) -> None:
        self.title, self.layer = title, layer
        self._title = title  # type: ignore[misc]
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

    @property
    def verdict(self) -> str:
        """What the check found, in words."""
        if self.failed:
            return self.failed.note
        count = sum(len(equation) for step in self.steps for equation in step.equations)
        steps = plural(len(self.steps), "step")
        return f"Checked: {count} sides of {steps} compared exactly at {DRAWS} draws of fractions."

    @property
    def parts(self) -> list[str]:
        """The sections: layer, each letter, batch and bias where there are any, formulas."""
        return list(dict.fromkeys(step.part for step in self.steps))

    def only(self, *parts: str) -> Derivation:
        """The sections of these names alone; DerivationError for others."""
        for part in parts:
            if part not in self.parts:
                raise DerivationError(f"part {part!r}: there are {', '.join(self.parts)}")
        found = copy(self)
        found.steps = [step for step in self.steps if step.part in parts]
        return found

    def _add(
        self, title: str, words: str, *equations: Equation, part: str = "", general: str = ""
    ) -> None:
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
        words = " ".join(filter(None, [words, general]))
        self.steps.append(Step(title, words, equations, part=part, general=general))

    def _told(self) -> Iterator[tuple[str, str, str, Step]]:
        """Each step with the title of its section, if one begins, its own, and its words.

        What the steps of several letters have in common is said once.
        """
        said, before = set[str](), None
        for step in self.steps:
            section, _, own = step.title.partition(": ")
            new = (
                step.words.replace(step.general, "").strip() if step.general in said else step.words
            )
            yield "" if step.part == before else section, own[:1].upper() + own[1:], new, step
            before = step.part
            said |= {step.general} - {""}

    def __str__(self) -> str:
        lines, k = [self.title, "=" * len(self.title)], count(1)
        for section, own, words, step in self._told():
            lines += ["", f"{next(k)}. {section}"] if section else []
            told = ". ".join(filter(None, [own, plain_words(words)]))
            lines += ["", *wrap(told, 80)] if told else []
            lines += ["", str(step), *([] if step.holds else ["", *wrap(step.note, 80)])]
        return "\n".join([*lines, *(["", self.verdict] if self.ok else [])])

    def __repr__(self) -> str:
        state = "all checked" if self.ok else f"fails at {self.steps[-1].title!r}"
        return f"<Derivation {self.title!r}: {len(self.steps)} steps, {state}>"

    def markdown(self) -> str:
        """The derivation as Markdown with formulas between dollar signs."""
        text, k = f"# {self.title}\n", count(1)
        for section, own, words, step in self._told():
            text += f"\n## {next(k)}. {section}\n" if section else ""
            told = f"**{own}.** {words}".strip() if own else words
            text += (f"\n{told}\n" if told else "") + f"\n$$\n{step.latex}\n$$\n"
            text += "" if step.holds else f"\n*{step.note}*\n"
        return text + (f"\n*{self.verdict}*\n" if self.ok else "")

    _repr_markdown_ = markdown

    def html(self) -> str:
        """The derivation as HTML with formulas in MathML, which browsers show without a script."""
        text, k = "", count(1)
        for section, own, words, step in self._told():
            text += f"<h2>{next(k)}. {escape(section)}</h2>\n" if section else ""
            begin = f"<strong>{escape(own)}.</strong> " if own else ""
            text += f"<p>{begin}{in_html(words)}</p>\n" if begin or words else ""
            label = f'role="region" aria-label="{escape(step.title)}"'
            text += f'<div class="scroll" tabindex="0" {label}>{mathml(step.latex, True)}</div>\n'
            text += "" if step.holds else f"<p><em>{escape(step.note)}</em></p>\n"
        return text + (f"<p><em>{escape(self.verdict)}</em></p>\n" if self.ok else "")

    def latex(self) -> str:
        """The derivation as a complete LaTeX document; wide formulas are shrunk to the page."""
        text = PREAMBLE.replace("TITLE", self.title)
        for section, own, words, step in self._told():
            text += f"\\section{{{in_tex(section)}}}\n\n" if section else ""
            text += f"\\paragraph{{{own}.}} " if own else ""
            text += f"{words}\n\n\\fitted{{{step.latex}}}\n\n"
            text += "" if step.holds else f"\\emph{{{in_tex(step.note)}}}\n\n"
        return text + (f"\\emph{{{self.verdict}}}\n\n" if self.ok else "") + "\\end{document}\n"

    tex = latex  # its older name


def in_html(words: str) -> str:
    """A sentence with its formulas in MathML."""
    pieces = words.split("$")
    return "".join([mathml(x) if i % 2 else escape(x) for i, x in enumerate(pieces)])


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
