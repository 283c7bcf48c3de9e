"""Exercises of notebook 4b: a layer of your own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from microgrid.check import LayerError, LayerReport, layer
from microgrid.check.handwritten import museum
from microgrid.check.handwritten.results import GUARD, NOT_WRITTEN, RIGHT, Gradient
from microgrid.course.choices import choice
from microgrid.course.question import Exercise, Mistake, Verdict, is_missing
from microgrid.matrices.arrays import Array

# A backward pass as an answer: the judge of layers gives the verdict.


def complaint(gradient: Gradient) -> str:
    """What is the matter with one gradient, in a line."""
    name = gradient.name or f"d{gradient.input}"
    if gradient.verdict == NOT_WRITTEN:
        return f"{name} is not written yet"
    said = "; ".join(filter(None, (gradient.detail, *gradient.sentences[:2])))
    return f"{name}: {said or gradient.verdict}"


def complaints(judged: Callable[[], LayerReport]) -> list[str]:
    """What is the matter with a layer; nothing if it is right.

    A gradient divided by N is wrong here: the question says what the layer is.
    """
    try:
        report = judged()
    except LayerError as error:
        return [str(error)]
    refused = [found.refusal for found in report.found if found.refusal]
    wrong = [g for g in report.gradients if g.verdict not in (RIGHT, GUARD)]
    return [*refused, *map(complaint, wrong)]


@dataclass(frozen=True)
class Backward:
    """The judge of a backward pass: what the checker of layers says, and the hints of mistakes."""

    forward: Callable[..., Any]
    right: Callable[..., Any]
    mistakes: Mapping[str, Callable[..., Any]]
    inputs: Mapping[str, Array]
    why: str

    def __call__(self, answer: Any) -> Verdict:
        shapes: dict[str, Any] = {name: np.shape(x) for name, x in self.inputs.items()}
        wrong = complaints(partial(layer, self.forward, answer, **shapes))
        if not wrong:
            return Verdict(True, (f"✓ right. {self.why}",))
        return Verdict(False, (*[f"✗ {line}" for line in wrong], *self.hints(answer)))

    def hints(self, answer: Any) -> list[str]:
        """Those of the mistakes that give the same wrong gradient."""
        try:
            found = self.gradients(answer)
        except Exception:  # the verdict says already what it raised
            return []
        right = self.gradients(self.right)
        hints = list[str]()
        for hint, mistake in self.mistakes.items():
            spoilt = [
                (a, b) for a, b, c in zip(found, self.gradients(mistake), right) if not same(b, c)
            ]
            if any(same(a, b) for a, b in spoilt):
                hints.append(hint)
        return hints

    def gradients(self, backward: Callable[..., Any]) -> list[Any]:
        """What a backward pass returns for these inputs."""
        out, cache = self.forward(*self.inputs.values())
        return list(backward(np.cos(np.arange(out.size)).reshape(out.shape), cache))


def same(a: Any, b: Any) -> bool:
    return a is not None and np.shape(a) == np.shape(b) and np.allclose(a, b)


def judged(question: str, judge: Backward) -> Exercise:
    """The exercise to write a backward pass."""
    return Exercise(question, judge.right, judge.mistakes, why=judge.why, judge=judge)


# The layer of factors and shifts, as at the end of a normalization.

DATA = np.array([[1.5, 2.0, -0.5], [-0.25, -1.0, 3.0], [0.5, 4.0, 1.25], [-2.0, 0.75, -3.5]])


def scale_forward(x: Array, g: Array, c: Array) -> tuple[Array, Any]:
    return x * g + c, (x, g)


def scale_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    x, g = cache
    return dout * g, np.sum(dout * x, axis=0), np.sum(dout, axis=0)


def scaled(dx: Any = None, dg: Any = None, dc: Any = None) -> Callable[..., Any]:
    """That backward pass, with some gradients by other formulas of dout, x and g."""

    def backward(dout: Array, cache: Any) -> tuple[Any, ...]:
        pairs = zip((dx, dg, dc), scale_backward(dout, cache))
        return tuple([formula(dout, *cache) if formula else right for formula, right in pairs])

    return backward


SCALE = judged(
    "**A factor and a shift for each column.** Here is a forward pass; $x$ is $N \\times D$, and "
    "`g` and `c` have $D$ entries.\n\n"
    "```python\ndef scale_forward(x, g, c):\n    return x * g + c, (x, g)\n```\n\n"
    "Write its backward pass, `def scale_backward(dout, cache): …`, which returns `dx, dg, dc`, "
    "in NumPy. Answer with the function: `answer = scale_backward`.",
    Backward(
        scale_forward,
        scale_backward,
        {
            "What does x meet on its way to the output?": scaled(dx=lambda dout, x, g: dout),
            "A factor switches: what does g get, beside dout?": scaled(
                dg=lambda dout, x, g: np.sum(dout, axis=0)
            ),
            "The samples share g: do their shares average, or add up?": scaled(
                dg=lambda dout, x, g: np.mean(dout * x, axis=0)
            ),
            "The samples share c: do their shares average, or add up?": scaled(
                dc=lambda dout, x, g: np.mean(dout, axis=0)
            ),
            "g has an entry for each column. Over what is the sum?": scaled(
                dg=lambda dout, x, g: np.sum(dout * x, axis=1)
            ),
            "c has an entry for each column. Over what is the sum?": scaled(
                dc=lambda dout, x, g: np.sum(dout, axis=1)
            ),
            "Each sample has sent a share to g. They meet in one entry.": scaled(
                dg=lambda dout, x, g: dout * x
            ),
            "Each sample has sent a share to c. They meet in one entry.": scaled(
                dc=lambda dout, x, g: dout
            ),
        },
        {"x": DATA, "g": DATA[0], "c": DATA[1]},
        "A factor that a whole column shares gets the sum over that column: dg = Σₙ dout · x. A "
        "shift gets the sum of dout, and x is multiplied by its own factor: dx = dout · g.",
    ),
)

# Inputs that hide a mistake.


def unrepeated(W: Array, x: Array, dout: Array) -> tuple[Array, Array]:
    """The gradient of W[x] by `dW[x] += dout`, and the right one."""
    theirs, right = np.zeros(W.shape), np.zeros(W.shape)
    theirs[x] += dout
    np.add.at(right, x, dout)
    return theirs, right


def whole_columns(labels: list[int]) -> tuple[Array, Array]:
    """The gradient of the softmax loss at equal scores by `dx[:, y] -= 1`, and the right one."""
    n = len(labels)
    theirs, right = np.full((n, 4), 0.25), np.full((n, 4), 0.25)
    theirs[:, labels] -= 1
    right[range(n), labels] -= 1
    return theirs / n, right / n


def of_output(gamma: float, beta: float) -> tuple[Array, Array]:
    """dγ by Σ dout · y for Σ dout · x̂, and the right one."""
    xhat, dout = DATA[:, :1], DATA[:, 1:2]
    return np.sum(dout * (gamma * xhat + beta), axis=0), np.sum(dout * xhat, axis=0)


HIDING: dict[str, tuple[str, tuple[Any, Any]]] = {
    "A": ("affine, `db = np.mean(dout, axis=0)`; `x=(1, 4), w=(4, 5), b=(5,)`",
          (DATA[:1].mean(axis=0), DATA[:1].sum(axis=0))),
    "B": ("affine, `db = np.mean(dout, axis=0)`; `x=(4, 4), w=(4, 4), b=(4,)`",
          (DATA.mean(axis=0), DATA.sum(axis=0))),
    "C": ("softmax loss, `dx[:, y] -= 1` for `dx[np.arange(N), y] -= 1`; `x=(3, 4), y=[2, 2, 2]`",
          whole_columns([2, 2, 2])),
    "D": ("softmax loss, the same; `x=(3, 4), y=[2, 0, 2]`", whole_columns([2, 0, 2])),
    "E": ("batch norm, `dgamma = np.sum(dout * out, axis=0)` for `dout * xhat`; `gamma` all 1, "
          "`beta` all 0.5", of_output(1, 0.5)),
    "F": ("batch norm, the same; `gamma` all 1, `beta` all 0", of_output(1, 0)),
    "G": ("embedding `out = W[x]`, `dW[x] += dout` for `np.add.at(dW, x, dout)`; `W=(5, 3), "
          "x=[4, 0, 2, 1]`", unrepeated(np.zeros((5, 3)), np.array([4, 0, 2, 1]), DATA)),
    "H": ("embedding, the same; `W=(5, 3), x=[4, 0, 2, 0]`",
          unrepeated(np.zeros((5, 3)), np.array([4, 0, 2, 0]), DATA)),
}  # fmt: skip
HIDES = choice(
    "**Which inputs hide it?** Each line has a wrong backward pass, and the inputs of a test. The "
    "upstream gradient has both signs, and all numbers that are not given differ. Where does the "
    'test pass all the same? Answer with a text of letters, such as `"BE"`.\n\n'
    + "\n".join(f"- {letter}: {text}" for letter, (text, _) in HIDING.items()),
    "".join(c for c, (_, (theirs, right)) in HIDING.items() if np.allclose(theirs, right)),
    {
        "A": "how many samples are there, and what is the mean of so many numbers?",
        "B": "equal sizes hide a wrong axis or a transpose. Do they hide a division by 4, too?",
        "C": "how often does `-=` with a list of indices subtract from one entry? From which "
        "columns, and in which rows?",
        "D": "which entries does `dx[:, [2, 0, 2]] -= 1` change? Which ones should it?",
        "E": "what is `out`, if gamma is 1 and beta is not 0?",
        "F": "what is `out`, if gamma is 1 and beta is 0?",
        "G": "is there a word that occurs twice?",
        "H": "is there a word that occurs twice? What does it get?",
    },
    {"Those are the inputs that *show* the mistake. The question is which ones hide it.": "BDEH"},
    why="One sample, equal labels, γ = 1 with β = 0, and words that all differ. Each is what one "
    "takes first: a small example, the initial values, 0, 1, 2, 3.",
)

# Batch normalization turned into layer normalization.


def layernorm_forward(x: Array, gamma: Array, beta: Array) -> tuple[Array, Any]:
    mean = np.mean(x, axis=1, keepdims=True)
    std = np.sqrt(np.var(x, axis=1, keepdims=True) + 1e-5)
    xhat = (x - mean) / std
    return gamma * xhat + beta, (xhat, std, gamma)


def layernorm_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    xhat, std, gamma = cache
    dxhat = dout * gamma
    along, through = [np.mean(v, axis=1, keepdims=True) for v in (dxhat, dxhat * xhat)]
    dx = (dxhat - along - xhat * through) / std
    return dx, np.sum(dout * xhat, axis=0), np.sum(dout, axis=0)


def normalized(dx: Callable[..., Any]) -> Callable[..., Any]:
    """That backward pass, with dx by another formula of dout, xhat, std and gamma."""

    def backward(dout: Array, cache: Any) -> tuple[Any, ...]:
        _, dgamma, dbeta = layernorm_backward(dout, cache)
        return dx(dout, *cache), dgamma, dbeta

    return backward


def rows(v: Array) -> Any:
    return np.mean(v, axis=1, keepdims=True)


def gamma_in_front(dout: Array, xhat: Array, std: Array, gamma: Array) -> Any:
    """The friend's dx: batch norm's formula with the other axis."""
    return gamma / std * (dout - rows(dout) - xhat * rows(dout * xhat))


def no_gamma(dout: Array, xhat: Array, std: Array, gamma: Array) -> Any:
    return (dout - rows(dout) - xhat * rows(dout * xhat)) / std


def no_variance(dout: Array, xhat: Array, std: Array, gamma: Array) -> Any:
    return (dout * gamma - rows(dout * gamma)) / std


def no_mean(dout: Array, xhat: Array, std: Array, gamma: Array) -> Any:
    return (dout * gamma - xhat * rows(dout * gamma * xhat)) / std


def over_columns(dout: Array, xhat: Array, std: Array, gamma: Array) -> Any:
    dxhat = dout * gamma
    return (dxhat - np.mean(dxhat, axis=0) - xhat * np.mean(dxhat * xhat, axis=0)) / std


LAYERNORM = judged(
    "**Mend a friend's layer.** Layer norm is batch norm *along the row*. A friend has taken batch "
    "norm's short formula for $dx$ and changed the axis:\n\n"
    "```python\n"
    "def layernorm_forward(x, gamma, beta):\n"
    "    mean = np.mean(x, axis=1, keepdims=True)\n"
    "    std = np.sqrt(np.var(x, axis=1, keepdims=True) + 1e-5)\n"
    "    xhat = (x - mean) / std\n"
    "    return gamma * xhat + beta, (xhat, std, gamma)\n"
    "\n"
    "def layernorm_backward(dout, cache):\n"
    "    xhat, std, gamma = cache\n"
    "    def mean(v): return np.mean(v, axis=1, keepdims=True)\n"
    "    dx = gamma / std * (dout - mean(dout) - xhat * mean(dout * xhat))\n"
    "    return dx, np.sum(dout * xhat, axis=0), np.sum(dout, axis=0)\n"
    "```\n\n"
    "With `gamma` all 1 every test passes; and with `axis=0` the formula is right for batch norm, "
    "for any `gamma`. Answer with the mended function: `answer = layernorm_backward`.",
    Backward(
        layernorm_forward,
        layernorm_backward,
        {
            "gamma has an entry for each column. May it stand before a mean along the "
            "row?": normalized(gamma_in_front),
            "Where is gamma now?": normalized(no_gamma),
            "xhat moves with the variance of its row, too.": normalized(no_variance),
            "xhat moves with the mean of its row, too.": normalized(no_mean),
            "The mean and the variance are those of a row.": normalized(over_columns),
        },
        {"x": DATA, "gamma": DATA[0], "beta": DATA[1]},
        "γ has an entry for each column. Batch norm takes its means down a column, where γ is one "
        "number and may stand in front; along a row it may not: multiply first, then take the "
        "means.",
    ),
)

# Layers of the museum, each with one wrong line.

SUSPECTS = {"A": "1/N on one part only", "B": "N minus 1 for N", "C": "pooling overwrites"}
ABOUT = {
    "A": "the mean of −log p of the right classes, and its gradient",
    "B": "batch norm; the forward has `var = np.mean(xmu**2, axis=0)`, `istd = 1.0 / std`, `xhat = "
    "xmu * istd`",
    "C": "the largest of each window; windows of 3 × 3, two steps apart",
}


def shown(text: str) -> str:
    """The backward pass in the source of a layer; all of a loss."""
    _, *functions = text.split("\ndef ")
    backward = [f for f in functions if "_backward" in f.partition("(")[0]] or functions
    return f"def {backward[0].strip()}"


def mended(letter: str, line: str) -> str:
    """The source of a suspect with this line in the place of the wrong one."""
    mistake = museum.MUSEUM[SUSPECTS[letter]]
    text = museum.broken(mistake.name)
    (wrong,) = [row for row in text.splitlines() if row.strip() == mistake.by]
    indent = wrong[: len(wrong) - len(wrong.lstrip())]
    return text.replace(wrong, "\n".join(indent + row for row in line.strip().splitlines()))


def judge_lines(answer: Any) -> Verdict:
    """The verdict on the mended lines: each layer is judged with the line in it."""
    if not isinstance(answer, Mapping):
        return Verdict(False, (f"✗ the answer is a dict with the keys {', '.join(SUSPECTS)}",))
    unknown = [f"✗ {key}: is not part of this question" for key in answer if key not in SUSPECTS]
    lines = [told(letter, answer.get(letter)) for letter in SUSPECTS]
    good = all(line.startswith("✓") for line in lines) and not unknown
    return Verdict(good, (*lines, *unknown, *[FIND_THE_LINE.why] * good))


def told(letter: str, line: Any) -> str:
    """The verdict on one mended line."""
    if is_missing(line):
        return f"… {letter}: no answer yet"
    if not isinstance(line, str):
        return f"✗ {letter}: the answer is the mended line, a text in quotes"
    mistake = museum.MUSEUM[SUSPECTS[letter]]
    if line.strip() == mistake.by:
        return f"✗ {letter}: so it stands there. It is wrong: how should it be?"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{mistake.of}.py"
        file.write_text(mended(letter, line), encoding="utf-8")
        wrong = complaints(partial(layer, str(file)))
    return f"✗ {letter}: {wrong[0]}" if wrong else f"✓ {letter}: right"


def suspects() -> Iterator[str]:
    for letter, name in SUSPECTS.items():
        yield f"{letter}: {ABOUT[letter]}.\n\n```python\n{shown(museum.broken(name))}\n```"


FIND_THE_LINE = Exercise(
    "**Find the line.** Three layers of the museum; one line of each is wrong. Find it by reading, "
    "and write it anew. Answer with a dict of three texts, each a whole line: "
    '`{"A": "…", "B": "…", "C": "…"}`. Your line takes the place of the wrong one, and the layer '
    "is judged.\n\n" + "\n\n".join(suspects()),
    {letter: museum.MUSEUM[name].line for letter, name in SUSPECTS.items()},
    [
        Mistake({letter: museum.MUSEUM[name].by}, museum.MUSEUM[name].hint)
        for letter, name in SUSPECTS.items()
    ],
    why="Subtract 1, then divide all of it by N. The forward's variance is a mean over N. And "
    "windows that overlap share an entry of x: shares add up, `+=`.",
    judge=judge_lines,
)

EXERCISES = [SCALE, HIDES, LAYERNORM, FIND_THE_LINE]
