"""What a mistake is: a line of a right layer, and what stands in its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from microgrid.check.handwritten.results import WRONG
from microgrid.engine.hints import no_key

FOLDER = Path(__file__).parent / "layers"
LAYERS = tuple(sorted(path.stem for path in FOLDER.glob("[!_]*.py")))
"""The names of the right layers."""


@dataclass(frozen=True)
class Mistake:
    """One mistake: the line that it is made in, what must be said of it, and how to mend it.

    >>> from microgrid.check.handwritten.museum import MUSEUM
    >>> mistake = MUSEUM["pooling overwrites"]
    >>> mistake.kind, mistake.of, mistake.gradients, mistake.verdict
    (29, 'max_pool_pair', ('x',), 'wrong')
    >>> mistake.named_by("dx[n, c, i * S + h, j * S + w] = dout[n, c, i, j] overwrites")
    True
    """

    name: str
    kind: int  # 1 to 36, or 0 for one of a kind of its own
    of: str  # the layer
    line: str  # of the right layer, without its indentation
    by: str  # what stands in its place: a line, several, or none
    gradients: tuple[str, ...]  # the inputs whose gradients it spoils; none for a habit
    says: str  # a regular expression that what is said must match
    hint: str
    verdict: str = WRONG  # on the gradients; "" for a habit
    settings: str = ""  # where it shows, if not everywhere: "stride=2"

    def named_by(self, text: str) -> bool:
        """Whether a text names the mistake."""
        return re.search(self.says, text, re.IGNORECASE | re.DOTALL) is not None

    def made_in(self, text: str) -> str:
        """The source with the mistake made in it."""
        lines = text.splitlines()
        (at,) = [i for i, line in enumerate(lines) if line.strip() == self.line]
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        lines[at : at + 1] = [indent + line if line else "" for line in self.by.splitlines()]
        return "\n".join(lines) + "\n"


def source(layer: str, *mistakes: Mistake) -> str:
    """The source of a layer, with these mistakes made in it.

    >>> print(source("relu_pair"))
    \"\"\"The rectifier as a pair of functions.\"\"\"
    <BLANKLINE>
    import numpy as np
    ...
        dx = dout * (x > 0)
        return dx
    <BLANKLINE>
    """
    if layer not in LAYERS:
        raise no_key("the museum", layer, LAYERS)
    text = (FOLDER / f"{layer}.py").read_text(encoding="utf-8")
    for mistake in mistakes:
        text = mistake.made_in(text)
    return text
