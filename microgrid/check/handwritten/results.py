"""What was found out about a layer: plain data, which crosses from one process to another."""

from __future__ import annotations

from dataclasses import dataclass, field

# The verdicts on one gradient, from bad to good.
WRONG, SHAPE, TRANSPOSED, CRASHES = "wrong", "shape", "transposed", "crashes"
NOT_WRITTEN, TIE = "not written", "not differentiable here"
BY_DESIGN, GUARD, RIGHT = "by design", "guard", "right"
FAILING = (CRASHES, WRONG, SHAPE, TRANSPOSED)
ORDER = (*FAILING, NOT_WRITTEN, TIE, BY_DESIGN, GUARD, RIGHT)


@dataclass
class Line:
    """A line of their code.

    >>> Line(13, "db = np.mean(dout, axis=0)", "layers.py").number
    13
    """

    number: int
    text: str  # without its indentation
    file: str = ""  # its name without folders


@dataclass
class Term:
    """One share of an entry: what comes from one entry of the output, for an upstream of 1 there.

    >>> Term("out[1, 2]", 0.0, 1.5, "missing").right
    1.5
    """

    output: str  # "out[1, 2]"
    theirs: float
    right: float
    note: str = ""  # "missing", "does not belong", "2 ×"; "" where it is right


@dataclass
class Worst:
    """The entry of a gradient that is most wrong, with its terms.

    >>> Worst("dw[2, 4]", 0.5, 1.5).entry
    'dw[2, 4]'
    """

    entry: str  # "dw[2, 4]"
    theirs: float
    right: float
    terms: list[Term] = field(default_factory=list)
    formulas: list[str] = field(default_factory=list)  # theirs and the right one, for small layers


@dataclass
class Gradient:
    """The verdict on one gradient.

    `sentences` name the mistake, likeliest first; `line` is the line of their backward that writes
    the gradient. `error` is the largest difference over the sum of |terms| of an entry.

    >>> from microgrid.check import layer
    >>> def forward(x): return x * x, x
    >>> def backward(dout, x): return dout * x
    >>> found = layer(forward, backward, x=(3,)).gradients[0]
    >>> found.name, found.verdict, found.ok, found.sentences[-1]
    ('dx', 'wrong', False, 'it is half of the gradient')
    """

    input: str  # "w"
    name: str  # as they write it: "dw", "self.dW"
    verdict: str = RIGHT
    entries: int = 0
    wrong: int = 0  # entries that are
    error: float = 0.0
    detail: str = ""  # "shape (1, 5), but b has (5,)"; what Python said of a crash
    sentences: list[str] = field(default_factory=list)
    line: Line | None = None
    worst: Worst | None = None
    setting: str = ""  # where it was found: "stride=2"
    hidden: str = ""  # a setting in which it is right: the one that hides the mistake

    @property
    def ok(self) -> bool:
        """Whether the numbers are right, but for a guard or by design."""
        return self.verdict in (RIGHT, GUARD, BY_DESIGN)


@dataclass
class Found:
    """What was found out about one layer.

    >>> Found("affine", refusal="its forward fails on floats, too").gradients
    []
    """

    name: str
    setting: str = ""  # the shapes and the rest: "x (3, 4), w (4, 5), b (5,)"
    gradients: list[Gradient] = field(default_factory=list)
    habits: list[str] = field(default_factory=list)
    inside: str = ""  # the first wrong gradient inside of their backward
    refusal: str = ""  # why it was not checked: "its forward fails on floats, too: …"
    seconds: float = 0.0
    also: list[str] = field(default_factory=list)  # other settings, where they differ: "stride=1"
    refused: list[str] = field(default_factory=list)  # those that could not be run, and why
