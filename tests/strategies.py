"""What the property tests draw, and the slow, obvious answers they compare with."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from microgrid import Value

small_integers = st.integers(-9, 9)
fractions = st.builds(Fraction, small_integers, st.integers(1, 9))
integer_floats = small_integers.map(float)
hundredths = st.integers(-300, 300).map(lambda n: n / 100)
floats = st.floats(-1e3, 1e3)
labels = st.text(  # all that a Value takes as a label
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1
)

# For planted bugs the first failure will do: no shrinking, no database, the same draws each time.
QUICK = settings(
    max_examples=500,
    database=None,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

# name: (the operation on numbers or Values, its partial derivatives by hand)
RATIONAL: dict[str, Any] = {
    "add": (lambda a, b: a + b, lambda a, b: (1, 1)),
    "sub": (lambda a, b: a - b, lambda a, b: (1, -1)),
    "mul": (lambda a, b: a * b, lambda a, b: (b, a)),
    "div": (lambda a, b: a / b, lambda a, b: (1 / b, -a / b**2)),
}


@dataclass(frozen=True)
class Program:
    """Some leaves, then steps (operation, i, j) on what came before; the last step is the root."""

    leaves: tuple[Any, ...]
    steps: tuple[tuple[str, int, int], ...]

    def graph(self) -> list[Value]:
        """The nodes, as our engine makes them."""
        nodes = [Value(x) for x in self.leaves]
        for name, i, j in self.steps:
            nodes.append(RATIONAL[name][0](nodes[i], nodes[j]))
        return nodes

    def numbers(self) -> list[Any]:
        xs = list(self.leaves)
        for name, i, j in self.steps:
            xs.append(RATIONAL[name][0](xs[i], xs[j]))
        return xs

    def edges(self) -> list[tuple[int, int, Any]]:
        """(parent, child, local gradient), with x * x giving two."""
        xs = self.numbers()
        result = []
        for child, (name, i, j) in enumerate(self.steps, len(self.leaves)):
            for parent, local in zip((i, j), RATIONAL[name][1](xs[i], xs[j]), strict=True):
                result.append((parent, child, local))
        return result

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


@st.composite
def programs(
    draw: Any, numbers: Any = fractions, names: tuple[str, ...] = tuple(RATIONAL)
) -> Program:
    """Random programs with shared nodes, whose divisors are not zero."""
    leaves = draw(st.lists(numbers, min_size=1, max_size=4))
    xs, steps = list(leaves), []
    for _ in range(draw(st.integers(1, 7))):
        name = draw(st.sampled_from(names))
        i, j = draw(st.integers(0, len(xs) - 1)), draw(st.integers(0, len(xs) - 1))
        if name == "div" and xs[j] == 0:
            name = "sub"
        steps.append((name, i, j))
        xs.append(RATIONAL[name][0](xs[i], xs[j]))
    return Program(tuple(leaves), tuple(steps))


@st.composite
def affine_problems(draw: Any, numbers: Any = integer_floats, least: int = 1) -> tuple[Any, ...]:
    """X (N, D), W (D, M), b (M,), dY (N, M), with sizes drawn independently and dY not all ones."""
    N, D, M = (draw(st.integers(least, 4)) for _ in range(3))

    def array(*shape: int) -> Any:
        size = int(np.prod(shape))
        drawn = draw(st.lists(numbers, min_size=size, max_size=size))
        dtype = float if all(isinstance(x, float) for x in drawn) else object
        return np.array(drawn, dtype=dtype).reshape(shape)

    return array(N, D), array(D, M), array(M), array(N, M)
