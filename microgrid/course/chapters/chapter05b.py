"""Exercises of notebook 5b: forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import microgrid as mg
from microgrid.course.choices import choice
from microgrid.course.question import Exercise, Mistake, Verdict, agree, listed, raised

# Tangents by hand: u = x y, v = u + x, z = u v, and the mistakes that go on through the circuit.

X, Y, DX, DY = 5, 3, 2, 1


def circuit(x: Any, y: Any) -> tuple[Any, Any, Any]:
    u = x * y
    v = u + x
    return u, v, u * v


U, V, Z = circuit(X, Y)
Product = Callable[[Any, Any, Any, Any], Any]  # (a, tangent of a, b, tangent of b) -> tangent of ab


def tangents(product: Product, dx: float = DX, dy: float = DY, again: float = 1) -> dict[str, Any]:
    """The three tangents, with a rule for products, and how much of x arrives at v directly."""
    du = product(X, dx, Y, dy)
    dv = du + again * dx
    return {"u": du, "v": dv, "z": product(U, du, V, dv)}


def product_rule(a: Any, da: Any, b: Any, db: Any) -> Any:
    return da * b + a * db


def backward() -> dict[str, Any]:
    u, v = mg.Value(U), mg.Value(V)
    return {"u": V + U, "v": mg.gradients(u * v, v), "z": 1}


BY_HAND = Exercise(
    f"**Tangents by hand.** $u = x y$, then $v = u + x$, then $z = u v$, at $x = {X}$, $y = {Y}$. "
    f"Now $x$ moves at speed ${DX}$ and $y$ at speed ${DY}$, both at once. How fast do $u$, $v$ "
    'and $z$ move? Answer with a dict: `{"u": …, "v": …, "z": …}`.',
    dict(zip("uvz", mg.jvp(circuit, (X, Y), (DX, DY))[1])),
    {
        "The tangent of a product is not the product of the tangents: "
        "each factor moves in its turn.": tangents(lambda a, da, b, db: da * db),
        "Each tangent is multiplied by the *other* factor, which stands still meanwhile.": tangents(
            lambda a, da, b, db: a * da + b * db
        ),
        "The tangent of a sum is a sum, that of a product is not: each "
        "tangent is multiplied by the other factor.": tangents(lambda a, da, b, db: da + db),
        "Only the first factor moves here. What does the second add?": tangents(
            lambda a, da, b, db: da * b
        ),
        "Only the second factor moves here. What does the first add?": tangents(
            lambda a, da, b, db: a * db
        ),
        "x moves v in two ways: by u, and by itself.": tangents(product_rule, again=0),
        "That is for x at speed 1 alone. Both move, at the speeds of the question.": tangents(
            product_rule, 1, 0
        ),
        "That is for y at speed 1 alone. Both move, at the speeds of the question.": tangents(
            product_rule, 0, 1
        ),
        "That is for both at speed 1: x moves faster.": tangents(product_rule, 1, 1),
        "You let y stand still.": tangents(product_rule, DX, 0),
        "That is its value. How fast does it move?": {"u": U, "v": V, "z": Z},
        "That is its gradient, how z moves with it: you went backward.": backward(),
    },
    why="u: 2 · 3 + 5 · 1 = 11. v: 11 + 2 = 13. z: 11 · 20 + 15 · 13 = 415.",
)

# Which direction takes fewer passes.

PASSES = {  # letter: (inputs that are asked for, outputs that are asked for)
    "A": (10_000, 1), "B": (1, 300), "C": (4, 60), "D": (60, 4), "E": (1, 1000), "F": (1000, 1),
}  # fmt: skip
FEWER = choice(
    "**Which direction?** One pass costs about the same in both. Where does *forward* mode take "
    'fewer passes than reverse mode? Answer with a text of letters, such as `"AF"`.\n\n'
    "- A: the gradient of a loss at all of 10,000 weights\n"
    "- B: how each of the 300 points on the way of a thrown ball moves with the angle of the "
    "throw\n"
    "- C: the whole Jacobian of 4 inputs and 60 outputs\n"
    "- D: the whole Jacobian of 60 inputs and 4 outputs\n"
    "- E: $Ju$ of 1,000 inputs and 1,000 outputs, for one given direction $u$\n"
    "- F: $J^{\\mathsf T} v$ of 1,000 inputs and 1,000 outputs, for one given $v$",
    "".join([name for name, (inputs, outputs) in PASSES.items() if inputs < outputs]),
    {
        "A": "how many inputs would have to be seeded, one after the other? How many results are "
        "there?",
        "B": "one angle moves all 300 points. In how many passes forward, in how many backward?",
        "C": "a pass forward gives a column, a pass backward a row. How many of each are there?",
        "D": "a pass forward gives a column, a pass backward a row. How many of each are there?",
        "E": "J u is a sum of columns. How many passes forward, if the seeds need not be one-hot?",
        "F": "v weighs the outputs. From which end does one pass start with it?",
    },
    {
        "Those are the cases for reverse mode.": "ADF",
        "A single output wants one pass from its own end.": "AF",
        "Is the whole Jacobian needed in E, or one sum of its columns?": "BC",
        "B is one column; in C and E, too, compare columns with rows.": "B",
    },
    why="Forward takes a pass for each input that has to be seeded alone: 1 in B, 4 in C, 1 in E. "
    "Backward it would be 300, 60 and 1,000.",
)

# The same product in other brackets.

SIZES = (200, 50, 20, 2)  # numbers before J₁, between, and after J₃


def forward_cost(n: int, m: int, k: int, p: int) -> int:
    """Multiplications of J₃ (J₂ J₁)."""
    return k * m * n + p * k * n


def backward_cost(n: int, m: int, k: int, p: int) -> int:
    """Multiplications of (J₃ J₂) J₁."""
    return p * k * m + p * m * n


def one_pass(n: int, m: int, k: int, p: int) -> int:
    """Multiplications of J₃ (J₂ (J₁ u)), as many as of ((v J₃) J₂) J₁."""
    return m * n + k * m + p * k


def costs(forward: int, backward: int, one: int) -> dict[str, int]:
    return {"forward": forward, "backward": backward, "one": one}


N, M, K, P = SIZES
COSTS = costs(forward_cost(*SIZES), backward_cost(*SIZES), one_pass(*SIZES))
BRACKETS = Exercise(
    f"**Brackets.** A function takes ${N}$ numbers to ${M}$, these to ${K}$, and these to ${P}$. "
    f"So $J_1$ has ${M}$ rows and ${N}$ columns, $J_2$ is ${K} \\times {M}$, $J_3$ is "
    f"${P} \\times {K}$. How many multiplications does $J_3 (J_2 J_1)$ take (`forward`), how many "
    "$(J_3 J_2) J_1$ (`backward`), and how many $J_3 (J_2 (J_1 u))$ for one $u$ (`one`)? Answer "
    'with a dict: `{"forward": …, "backward": …, "one": …}`.',
    COSTS,
    [
        Mistake(
            {"forward": COSTS["backward"], "backward": COSTS["forward"]},
            "Forward multiplies J₂ and J₁ first, the end where the inputs are.",
        ),
        Mistake(
            costs(K * M * N, P * K * M, M * N),
            "That is the first product. What comes after it?",
        ),
        Mistake(
            costs(P * K * N, P * M * N, P * K),
            "That is the last product. What comes before it?",
        ),
        Mistake(
            costs(K * N + P * N, P * M + P * N, M + K + P),
            "You counted entries of the results. Each entry is a row times a column: how long?",
        ),
        Mistake(
            costs(N * M * K * P, N * M * K * P, N * M * K * P),
            "The costs of two products are added.",
        ),
        Mistake(
            costs(N * one_pass(*SIZES), P * one_pass(*SIZES), forward_cost(*SIZES)),
            "Nearly: of the first matrix nothing is multiplied yet, it is there already.",
        ),
        Mistake(
            costs(one_pass(*SIZES), one_pass(*SIZES), backward_cost(*SIZES)),
            "One vector or a whole matrix: which of them goes through the three?",
        ),
    ],
    why="20 · 50 · 200 + 2 · 20 · 200; 2 · 20 · 50 + 2 · 50 · 200; 50 · 200 + 20 · 50 + 2 · 20. "
    "The few outputs make backward the cheap one.",
)

# A quotient of dual numbers, in the reader's own class.


class Dual:
    """A number, and how fast it moves."""

    def __init__(self, value: Any, tangent: Any = 0) -> None:
        self.value, self.tangent = value, tangent

    def __truediv__(self, other: Any) -> Dual:
        other = other if isinstance(other, Dual) else Dual(other)
        tangent = self.tangent * other.value - self.value * other.tangent
        return Dual(self.value / other.value, tangent / other.value**2)


class Quotient(NamedTuple):
    """A division: of two moving numbers, or of one by a constant."""

    a: Fraction
    da: Fraction
    b: Fraction
    db: Fraction | None  # None for a constant

    def by(self, dual: Any) -> tuple[Any, Any]:
        """What a class of dual numbers makes of it: value and tangent."""
        b = self.b if self.db is None else dual(self.b, self.db)
        found = dual(self.a, self.da) / b
        return found.value, found.tangent

    def __str__(self) -> str:
        b = str(self.b) if self.db is None else f"Dual({self.b}, {self.db})"
        return f"Dual({self.a}, {self.da}) / {b}"


def quotients() -> list[Quotient]:
    found = [(6, 1, 2, 3), (6, 1, 2, 0), (5, 0, 4, 1), (-3, 2, 5, -7), (0, 1, 3, 2)]
    moving = [Quotient(*map(Fraction, numbers)) for numbers in found]
    return [*moving, Quotient(Fraction(7), Fraction(2), Fraction(4), None)]


def with_tangent(rule: Callable[[Any, Any, Any, Any], Any]) -> type:
    """A class whose quotient has this tangent, a function of a, its tangent, b and its tangent."""

    def divided(self: Any, other: Any) -> Dual:
        other = other if isinstance(other, Dual) else Dual(other)
        slope = rule(self.value, self.tangent, other.value, other.tangent)
        return Dual(self.value / other.value, slope)

    return type("Dual", (Dual,), {"__truediv__": divided})


def results(dual: Any) -> list[tuple[Any, Any]]:
    """Value and tangent of all quotients; None where a mistake divides by zero."""
    found = list[tuple[Any, Any]]()
    for quotient in quotients():
        try:
            found.append(quotient.by(dual))
        except ZeroDivisionError:
            found.append((None, None))
    return found


def divides(dual: Any) -> Verdict:
    """The verdict on a class: the first quotient that is wrong, and the mistake that gives all."""
    if not isinstance(dual, type):
        return Verdict(False, ("✗ the class is asked for: answer = Dual, without brackets",))
    if not hasattr(dual, "__truediv__"):
        return Verdict(False, ("✗ Dual has no __truediv__ yet",))
    for quotient in quotients():
        try:
            value, tangent = quotient.by(dual)
        except Exception as error:  # a student's class may raise anything
            other = " Here other is a plain number." if quotient.db is None else ""
            return Verdict(False, (f"✗ {quotient}: {raised(error)}.{other}", *recognised(dual)))
        right = quotient.by(Dual)
        for name, found, true in zip(("value", "tangent"), (value, tangent), right):
            if not agree(found, true, 6):
                told = f"✗ {quotient}: the {name} {found} is not it."
                return Verdict(False, (told, *recognised(dual)))
    return DIVISION._praise()


def recognised(dual: Any) -> list[str]:
    """The hint of the mistake that gives the same for all quotients, if there is one."""
    try:
        found = results(dual)
    except Exception:  # the verdict says already where the class errs
        return []
    alike = [m.hint for m in listed(DIVISION.mistakes) if agree(found, results(m.answer), 6)]
    return alike[:1]


DIVISION = Exercise(
    "**Dual numbers divide.** Give your class `Dual` a method `__truediv__(self, other)`, so that "
    "`Dual(6, 1) / Dual(2, 3)` has the right value and the right tangent, and `Dual(6, 1) / 2`, "
    "too. (`def divided(self, other): …`, then `Dual.__truediv__ = divided`.) Answer with the "
    "class: `answer = Dual`. It is judged by its results.",
    Dual,
    {
        "The sign: does a larger divisor make the quotient larger?": with_tangent(
            lambda a, da, b, db: (da * b + a * db) / b**2
        ),
        "The two terms are swapped: if only a grows, a / b grows.": with_tangent(
            lambda a, da, b, db: (a * db - da * b) / b**2
        ),
        "A square is missing: try it with a divisor that stands still, "
        "where a / b moves at 1 / b times the speed of a.": with_tangent(
            lambda a, da, b, db: (da * b - a * db) / b
        ),
        "Nothing is divided here. What is the slope of 1 / b?": with_tangent(
            lambda a, da, b, db: da * b - a * db
        ),
        "Square the divisor, not the number that is divided.": with_tangent(
            lambda a, da, b, db: (da * b - a * db) / a**2
        ),
        "The tangent of a quotient is not the quotient of the tangents.": with_tangent(
            lambda a, da, b, db: da / db
        ),
        "Only a moves here. What if b moves as well?": with_tangent(lambda a, da, b, db: da / b),
        "Only b moves here. What if a moves as well?": with_tangent(
            lambda a, da, b, db: -a * db / b**2
        ),
        "That is the slope of 1 / b alone: multiply it by a.": with_tangent(
            lambda a, da, b, db: da / b - db / b**2
        ),
        "That is the rule of the product.": with_tangent(product_rule),
        "The factors are swapped: each tangent is multiplied by the *other* number.": with_tangent(
            lambda a, da, b, db: (da * a - b * db) / b**2
        ),
    },
    why="(ȧ b − a ḃ) / b², or with less to compute (ȧ − q ḃ) / b, where q = a / b is the value.",
    judge=divides,
)

EXERCISES = [BY_HAND, FEWER, BRACKETS, DIVISION]
