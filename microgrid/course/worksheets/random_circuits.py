"""Random circuits for pencil and paper: few gates, small whole numbers, no kinks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

from microgrid.course.worksheets.kinds import Kind
from microgrid.course.worksheets.problem import Problem
from microgrid.engine import ops
from microgrid.engine.value import Value, topological
from microgrid.views.explanation import explain

NUMBERS = (*range(1, 7), *range(1, 7), *range(-6, 0))  # twice as many are positive
LARGEST, DEEPEST = 99, 4  # of a number; gates from a leaf to the root


def random_problem(kind: Kind, rng: Random) -> Problem:
    """A problem of this kind about a random circuit, its nodes named a, b, …, p, q, … and f."""
    while True:
        root = proposal(kind, rng)
        if root is not None:
            problem = Problem(root, kind)
            if fits(problem) and is_friendly(problem) and tells(problem):
                return problem


def proposal(kind: Kind, rng: Random) -> Value | None:
    """The root of a circuit put together gate by gate; None where it falls into several."""
    numbers: dict[int, int] = {}  # by size: all leaves differ in it
    for x in rng.sample(NUMBERS, 6):
        numbers.setdefault(abs(x), x)
    made = [Value(x) for x in list(numbers.values())[: rng.randint(2 if kind.forks else 3, 5)]]
    ends = made[:]  # nodes that no gate has used yet
    for _ in range(rng.randint(3, 6)):
        op = ops.TABLE[rng.choice(kind.gates.split())]
        first = ends.pop(rng.randrange(len(ends)))
        again = (kind.forks or kind.values) and (not ends or rng.random() < 0.3)
        if op.arity == 1:
            y = op(first)
        elif again:
            y = op(first, rng.choice(made))
        elif ends:
            y = op(first, ends.pop(rng.randrange(len(ends))))
        else:
            return None
        ends.append(y)
        made.append(y)
    if len(ends) > 1:
        return None
    leaves, gates = iter("abcde"), iter("pqrst")
    for v in topological(root := ends[0]):
        v.label = "f" if v is root else next(gates if v.op else leaves)
    return root


def fits(problem: Problem) -> bool:
    """Whether the circuit has the forks and routers of its kind, and is not too deep."""
    kind, order = problem.kind, problem.order
    uses = Counter(p for v in order for p in v.parents)
    forks = sum(count > 1 for count in uses.values())
    roles = Counter(v.op.role for v in order if v.op)
    return (
        forks >= kind.forks
        and roles[ops.ROUTER] >= kind.routers
        and depth(order) <= DEEPEST
        and not any(len(v.parents) == len(p.parents) == 1 for v in order for p in v.parents)
    )


def depth(order: Sequence[Value]) -> int:
    """The gates on the longest way to the root."""
    found: dict[Value, int] = {}
    for v in order:
        found[v] = 1 + max([found[p] for p in v.parents]) if v.op else 0
    return found[order[-1]]


def is_friendly(problem: Problem) -> bool:
    """Whether the numbers are small, few of them 0, and none at a kink."""
    for v in problem.order:
        if v.op and v.op.kink and not v.op.kink(*[p.data for p in v.parents]):
            return False
        if not v.data and not (v.op and v.op.role == ops.ROUTER):
            return False
    gradient = problem.gradients
    if any(row.share and not gradient[row.parent_node] for row in explain(problem.root).rows):
        return False  # shares cancel, like those of a + b - a
    sizes = [abs(g) for g in gradient.values()]
    return bool(
        problem.root.data
        and max(*sizes, *[abs(v.data) for v in problem.order]) <= LARGEST
        and len(set(sizes)) >= 3
        and 3 * sizes.count(0) <= len(sizes)
    )


def tells(problem: Problem) -> bool:
    """Whether the usual mistakes give other numbers than the right ones."""
    for blank in problem.blanks:
        if not blank.gradient and all(x == blank.right for _, x in problem.mistakes(blank)):
            return False
    gradient = problem.gradients
    wrong = [
        any(found.get(v, g) != g for v, g in gradient.items())
        for _, found in problem.gradient_mistakes
    ]
    return not problem.kind.gradients or sum(wrong) >= problem.kind.tells
