"""Exercises of notebook 6: when gradients lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import microgrid as mg
from microgrid.course.question import Either, Exercise, Verdict, agree, listed, raised


def chosen(shares: Sequence[float], slope: float) -> float:
    """The slope at the kinks if the sides of the tie get these shares, and |0| has this slope."""
    return shares[0] * 1.0 + shares[1] * 3.0 + 5 * slope  # x has slope 1, x³ has slope 3


# With the numbers 1, 3 and 5 no two of these mistakes give the same slope.
KINKS = Exercise(
    "**Two kinks at once.** $f(x) = \\max(x, x^3) + 5\\,|x - 1|$ at $x = 1$. Both parts have a "
    "kink there. Which slope does the engine answer? Answer with a number.",
    mg.grad(lambda x: mg.maximum(x, x**3) + 5 * abs(x - 1))(1.0),
    {
        "The tie is shared: the two sides do not both get all of it.": chosen((1, 1), 0),
        "Neither side wins a tie: they share it equally.": chosen((1, 0), 0),
        "The second side does not win a tie: both get the same share.": chosen((0, 1), 0),
        "|x| has slope 1 to the right of its kink. And *at* it?": chosen((0.5, 0.5), 1),
        "|x| has slope −1 to the left of its kink. And *at* it?": chosen((0.5, 0.5), -1),
        "A kink does not make the whole slope 0: a tie is shared.": chosen((0, 0), 0),
        "That is the slope to the right of 1. What does an engine say *at* 1?": chosen((0, 1), 1),
        "That is the slope to the left of 1. What does an engine say *at* 1?": chosen((1, 0), -1),
        "That takes a side at each kink; the engine takes none.": Either(
            chosen((1, 0), 1), chosen((0, 1), -1)
        ),
        "The tie is shared; and what is the slope of |x| *at* its kink?": chosen((1, 1), 1),
        "In school there is no slope. But an engine has to answer something.": math.nan,
    },
    why="Half of the slope 1 of x, half of the slope 3 of x³, and 0 for |x| at its kink.",
)


def going_back() -> list[tuple[str, float]]:
    """The nodes of y = 3 √(x·x) at x = 0 from y to x, each with its gradient."""
    x = mg.Value(0.0)
    u = x * x
    s = mg.sqrt(u)
    y = 3 * s
    return list(zip("ysux", mg.gradients(y, [y, s, u, x])))


CULPRIT_NAME = next(name for name, g in going_back() if not math.isfinite(g))
NAN_NAME = next(name for name, g in going_back() if math.isnan(g))
WRITTEN = {"x*x": "u", "x²": "u", "x**2": "u", "sqrt": "s", "√u": "s", "3*s": "y", "3s": "y"}


def node_name(answer: Any) -> Any:
    """The name of the node that an answer means: a name, an expression, a node, a list of one."""
    if isinstance(answer, list | tuple | set) and len(answer) == 1:
        (answer,) = answer
    if isinstance(answer, mg.Value):
        return answer.label
    if not isinstance(answer, str):
        return answer
    said = answer.replace(" ", "").replace("·", "*").removesuffix("(u)")
    return WRITTEN.get(said, said)


CULPRIT = Exercise(
    "**Who was it?** $u = x \\cdot x$, $s = \\sqrt{u}$, $y = 3s$ at $x = 0$. All values are "
    "finite, but after `y.backward()` the gradient of $x$ is nan. Walk back from $y$: which node "
    'is the first whose gradient is not finite? Answer with a name: `"x"`, `"u"`, `"s"`, `"y"`.',
    CULPRIT_NAME,
    {
        "There the nan shows, "
        "but it was made of something: which upstream arrived at the product x · x?": NAN_NAME,
        "The root *sends* it, but what arrives at s itself is 3.": "s",
        "The pass begins with 1 at y, which is finite.": "y",
    },
    why="The root has slope inf at 0, so inf arrives at u; and inf times x = 0 is nan.",
    probe=node_name,
)


def log_cosh(x: Any) -> Any:
    return abs(x) + mg.log1p(mg.exp(-2 * abs(x))) - math.log(2)


PLACES = (0.0, 0.5, 1000.0, -1000.0)  # near and far from 0


def at(f: Any, x: float) -> dict[str, float]:
    """Value and slope of a function at a place."""
    return dict(zip((f"f({x:g})", f"f'({x:g})"), mg.value_and_grad(f)(x)))


def tried(f: Any) -> dict[str, float]:
    """Values and slopes of a function at all places."""
    return {name: number for x in PLACES for name, number in at(f, x).items()}


def stable(answer: Any) -> Verdict:
    """The verdict on a function: a line for each number, and the mistake that explains them all."""
    lines, found, right = list[str](), dict[str, float](), tried(log_cosh)
    for x in PLACES:
        try:
            found |= (here := at(answer, x))
        except Exception as error:  # a student's function may raise anything
            lines.append(f"✗ f({x:g}): {raised(error)}")
            continue
        for name, number in here.items():
            ok = agree(number, right[name], STABLE.decimals)
            lines.append(f"✓ {name}: right" if ok else f"✗ {name}: {number:.6g} is not it.")
    if agree(found, right, STABLE.decimals):
        return Verdict(True, (*lines, STABLE.why))
    return Verdict(False, (*lines, *hint_for(found, right)))


def hint_for(found: dict[str, float], right: dict[str, float]) -> list[str]:
    """The hint for all numbers together, where their pattern is a known one."""
    for mistake in listed(STABLE.mistakes):
        if agree(found, tried(mistake.answer), STABLE.decimals):
            return [mistake.hint]
    if ("f(1000)" in found) != ("f(-1000)" in found):
        return ["On one side it holds. Which of the two exponentials is the larger on the other?"]
    off = {round(found.get(name, math.nan) - right[name], 4) for name in right if "'" not in name}
    if len(off) == 1 and off != {0.0}:
        return ["All values are off by the same number: what becomes of the ½ in a logarithm?"]
    return []


STABLE = Exercise(
    "**A stable function.** $f(x) = \\log\\frac{e^x + e^{-x}}{2}$ is a smooth $|x|$. "
    "Written down as it stands, it overflows at $x = 1000$. Write it so that value and slope are "
    "right for every $x$. Answer with a function: `answer = lambda x: …`, with functions of `mg`.",
    log_cosh,
    {
        "The slopes are right, the value is too large everywhere: what of the ½?": lambda x: (
            log_cosh(x) + math.log(2)
        ),
        "Right far away. Near 0 the smaller of the two exponentials counts, too.": lambda x: (
            abs(x) - math.log(2)
        ),
        "The slope is right far away. Near 0 the curve is round; and what of the ½?": abs,
        "The ½ stands inside of the logarithm. What does it become outside?": lambda x: (
            mg.logaddexp(x, -x) / 2
        ),
        "Nearly. The larger exponential is taken out of the sum: divide the smaller one "
        "by it.": lambda x: abs(x) + mg.log1p(mg.exp(-abs(x))) - math.log(2),
        "A slope of 0, so far out? `clip`, for one, stops the overflow and the "
        "gradient.": lambda x: mg.log(mg.cosh(mg.clip(x, -700, 700))),
    },
    decimals=4,
    judge=stable,
    why="|x| + log1p(exp(−2|x|)) − log 2, for instance, or logaddexp(x, −x) − log 2.",
)

EXERCISES = [KINKS, CULPRIT, STABLE]
