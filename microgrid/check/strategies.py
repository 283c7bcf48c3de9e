"""What property tests of an engine draw: numbers, programs with shared nodes, affine layers.

>>> from hypothesis import given
>>> from microgrid import Value  # or your own
>>> @given(programs())
... def test_gradients_are_right(program):
...     leaves, root = program.build(Value)
...     root.backward()
...     assert [x.grad for x in leaves] == program.gradients()  # approx(...) of floats
>>> test_gradients_are_right()
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import chain, count
from typing import Any

import numpy as np
from hypothesis import strategies as st

from microgrid.check.example import in_one_line
from microgrid.engine.lazy import public
from microgrid.engine.ops import TABLE
from microgrid.engine.renamed import renamed

__all__ = [
    "Program",
    "affine_problems",
    "fractions",
    "hundredths",
    "integer_floats",
    "numbers",
    "programs",
    "small_integers",
]
__dir__ = public(__name__)

# name: (the operation on numbers or Values, its partial derivatives by hand)
RATIONAL: dict[str, Any] = {
    "add": (lambda a, b: a + b, lambda a, b: (1, 1)),
    "sub": (lambda a, b: a - b, lambda a, b: (1, -1)),
    "mul": (lambda a, b: a * b, lambda a, b: (b, a)),
    "div": (lambda a, b: a / b, lambda a, b: (1 / b, -a / b**2)),
}
small_integers = st.integers(-9, 9)
"""Integers from −9 to 9."""
fractions = st.builds(Fraction, small_integers, st.integers(1, 9))
"""Fractions of small integers, with which every result is exact: compare with `==`."""
integer_floats = small_integers.map(float)
"""Floats without decimals: sums and products of them are exact, too."""
hundredths = st.integers(-300, 300).map(lambda n: n / 100)
"""Multiples of 1/100 from −3 to 3: at a kink, or farther from it than a difference reaches."""


@renamed(least="low", most="high")
@cache
def numbers(low: float = -3, high: float = 3) -> st.SearchStrategy[float]:
    """Integers first, then hundredths: numbers that a person can follow, in a small range.

    A multiple of 1/100 lies at a kink, or too far from it for a finite difference to straddle it.
    The numbers shrink to 2 rather than 0 or 1, where too many wrong formulas agree with the right
    one.

    >>> from hypothesis import find
    >>> find(numbers(), lambda x: x * x > 1)
    2
    """
    first, last = math.ceil(round(low * 100, 6)), math.floor(round(high * 100, 6))
    parts = st.integers(first, last).map(lambda n: n / 100)
    inside = range(math.ceil(first / 100), math.floor(last / 100) + 1)
    whole = sorted(inside, key=lambda n: (n < 0, (n - 2) % 10))
    return st.one_of(st.sampled_from(whole), parts) if whole else parts


@dataclass(frozen=True)
class Program:
    """Some leaves, then steps (operation, i, j) on what came before; the last step is the root.

    >>> program = Program((3, 2), (("mul", 0, 1), ("add", 2, 0)))
    >>> print(program)
    a = Value(3); b = Value(2)
    f = a * b + a
    >>> program.numbers(), program.gradients()
    ([3, 2, 6, 9], [3, 3])
    >>> program.edges(), program.sum_over_paths(0)
    ([(0, 2, 2), (1, 2, 3), (2, 3, 1), (0, 3, 1)], 3)
    >>> leaves, root = program.build(float)  # a Value of any engine
    >>> root, program.nodes(float)
    (9.0, [3.0, 2.0, 6.0, 9.0])
    """

    leaves: tuple[Any, ...]
    steps: tuple[tuple[str, int, int], ...]

    def compute(self, leaves: Any) -> list[Any]:
        """Every node in order, computed from these leaves: numbers, or Values of any engine."""
        nodes = list(leaves)
        for name, i, j in self.steps:
            nodes.append(RATIONAL[name][0](nodes[i], nodes[j]))
        return nodes

    def nodes(self, value: Any) -> list[Any]:
        """Every node in order, as an engine's `Value` makes them."""
        return self.compute(map(value, self.leaves))

    def build(self, value: Any) -> tuple[list[Any], Any]:
        """The leaves and the root, as an engine's `Value` makes them."""
        nodes = self.nodes(value)
        return nodes[: len(self.leaves)], nodes[-1]

    def numbers(self) -> list[Any]:
        """The value of each node."""
        return self.compute(self.leaves)

    def edges(self) -> list[tuple[int, int, Any]]:
        """(parent, child, local gradient), with x * x giving two."""
        xs = self.numbers()
        return [
            (parent, child, local)
            for child, (name, i, j) in enumerate(self.steps, len(self.leaves))
            for parent, local in zip((i, j), RATIONAL[name][1](xs[i], xs[j]), strict=True)
        ]

    def sum_over_paths(self, start: int, end: int | None = None) -> Any:
        """Σ over all paths from a node to another (the root) of the product along the path."""
        end = len(self.leaves) + len(self.steps) - 1 if end is None else end
        if start == end:
            return 1
        return sum(
            local * self.sum_over_paths(child, end)
            for parent, child, local in self.edges()
            if parent == start
        )

    def gradients(self) -> list[Any]:
        """∂root/∂leaf by the sum over all paths: slow, obvious, and exact on Fractions."""
        return [self.sum_over_paths(i) for i in range(len(self.leaves))]

    def __str__(self) -> str:
        """The program as lines of Python."""
        return "\n".join(source(self.leaves, self.steps)[0])


@renamed(most="max_steps")
@st.composite
def programs(
    draw: Any, numbers: Any = fractions, names: tuple[str, ...] = tuple(RATIONAL),
    max_steps: int = 7,
) -> Program:  # fmt: skip
    """Random programs of up to `max_steps` steps with shared nodes; no divisor is zero.

    `numbers` draws the leaves, `names` are the operations, of add, sub, mul and div. With
    fractions, the default, `program.gradients()` are exact.

    >>> from hypothesis import find
    >>> found = find(programs(small_integers), lambda program: 6 in program.gradients())
    >>> 6 in found.gradients()
    True
    """
    leaves = draw(st.lists(numbers, min_size=1, max_size=4))
    xs, steps = list(leaves), []
    for _ in range(draw(st.integers(1, max_steps))):
        name = draw(st.sampled_from(names))
        i, j = draw(st.integers(0, len(xs) - 1)), draw(st.integers(0, len(xs) - 1))
        if name == "div" and xs[j] == 0:
            name = "sub"
        steps.append((name, i, j))
        xs.append(RATIONAL[name][0](xs[i], xs[j]))
    return Program(tuple(leaves), tuple(steps))


@renamed(least="smallest")
@st.composite
def affine_problems(draw: Any, numbers: Any = integer_floats, smallest: int = 1) -> tuple[Any, ...]:
    """X (N, D), W (D, M), b (M,), dY (N, M), each size drawn from `smallest` to 4, dY not all ones.

    Square shapes, N = 1, a symmetric W and dY = 1 each hide a wrong formula; here they are rare.

    >>> from hypothesis import given
    >>> from microgrid import formulas
    >>> @given(affine_problems())
    ... def test_shapes_are_those_of_the_operands(problem):
    ...     X, W, b, dY = problem
    ...     dX, dW, db = formulas.affine_backward(X, W, b, dY)
    ...     assert (dX.shape, dW.shape, db.shape) == (X.shape, W.shape, b.shape)
    >>> test_shapes_are_those_of_the_operands()
    """
    N, D, M = (draw(st.integers(smallest, 4)) for _ in range(3))

    def array(*shape: int) -> Any:
        size = int(np.prod(shape))
        drawn = draw(st.lists(numbers, min_size=size, max_size=size))
        dtype = float if all(isinstance(x, float) for x in drawn) else object
        return np.array(drawn, dtype=dtype).reshape(shape)

    return array(N, D), array(D, M), array(M), array(N, M)


Write = Callable[[str, list[str]], str]
LEAVES, INNER = "abcdxyz", "hknpqrs"


def rational(name: str, operands: list[str]) -> str:
    return TABLE[name].text.format(*(f"({x})" for x in operands))


def source(
    leaves: Sequence[Any], steps: Sequence[Any], roots: Sequence[int] = (), write: Write = rational
) -> tuple[list[str], dict[int, str]]:
    """Lines of Python for the nodes that the roots need, and their names or texts.

    A node that is used once is written where it is used.

    >>> source([3, 2, 5], [("mul", 0, 1), ("add", 3, 0)])[0]
    ['a = Value(3); b = Value(2)', 'f = a * b + a']
    """
    first, last = len(leaves), len(leaves) + len(steps) - 1
    roots = roots or [last]
    uses: dict[int, int] = dict.fromkeys(roots, 2)
    for k in range(last, first - 1, -1):
        for i in steps[k - first][1:] if k in uses else ():
            uses[i] = uses.get(i, 0) + 1
    names = chain(LEAVES, (f"x{n}" for n in count(1)))
    texts = {i: name for i, name in zip(range(first), names) if i in uses}
    lines = ["; ".join(f"{x} = Value({leaves[i]!r})" for i, x in texts.items())]
    inner = chain(INNER, (f"h{n}" for n in count(1)))
    for k in range(first, last + 1):
        if k not in uses:
            continue
        name, *operands = steps[k - first]
        texts[k] = write(name, [texts[i] for i in operands])
        if uses[k] > 1:
            line, texts[k] = texts[k], "f" if k == max(roots) else next(inner)
            lines.append(in_one_line(ast.parse(f"{texts[k]} = {line}")))
    return lines, texts
