"""Exercises of notebook 2: the chain rule, and the order in which gates are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from microgrid.course.answers import NO_FUNCTION, choice
from microgrid.course.circuits import gradients_of
from microgrid.course.exercise import Exercise, Mistake, Verdict
from microgrid.course.mistakes import by_role, walked
from microgrid.engine.calculus import gradients
from microgrid.engine.ops import ROUTER, maximum
from microgrid.engine.value import Value, topological
from microgrid.matrices.examples import named
from microgrid.views.explanation import Row, explain

Order = Sequence[Value]
Judge = Callable[[Order], Any]


def difference_and_router() -> Value:
    """y = (a − b) · max(b, c): b goes into two gates."""
    a, b, c = Value(9, "a"), Value(4, "b"), Value(2, "c")
    y: Value = (a - b) * maximum(b, c)
    return y


def fork_and_roles() -> Exercise:
    """The gradients of this circuit, with the slips of a router that other circuits do not ask."""
    exercise = gradients_of(
        "**A fork and three roles.** $y = (a - b) \\cdot \\max(b, c)$ at $a = 9$, $b = 4$, "
        "$c = 2$. Which gradients arrive at the leaves? Answer with a dict: "
        '`{"a": …, "b": …, "c": …}`.',
        difference_and_router, "abc",
        why="The product sends 4 to the difference and 5 to the max; b gets −4 from the one and "
        "5 from the other; c lost the max.",
    )  # fmt: skip
    root = difference_and_router()
    rows = explain(root).rows

    def alone(row: Row) -> Any:
        return row.local / row.upstream if row.role == ROUTER else row.local

    slips = {
        "A router does not share out: all of the upstream goes to the larger input.": by_role(
            ROUTER, lambda row: 0.5
        )(root, rows),
        "A router hands its upstream on as it is: it does not multiply it by the value that won.":
            by_role(ROUTER, lambda row: row.local * row.parent_node.data)(root, rows),
        "1 is the local gradient of the max alone: multiply it by what comes from above.":
            walked(root, rows, alone),
    }  # fmt: skip
    found = [
        Mistake({v.label: g for v, g in wrong.items() if v.label in exercise.right}, hint)
        for hint, wrong in slips.items()
    ]
    # Which share is the first depends on the order, and a student's need not be the engine's.
    usual = [
        Mistake(m.answer, m.hint.replace("the last share", "one share").replace("the first", "one"))
        for m in exercise.mistakes
    ]
    return replace(exercise, mistakes=[*found, *usual])


def diamond() -> Value:
    """y = c · d with c = 3b, d = b + 1 and b = 2a."""
    b = Value(1, "a") * 2
    c, d = b * 3, b + 1
    y: Value = c * d
    for v, name in zip((b, c, d, y), "bcdy"):
        v.label = name
    return y


ORDERS = {"A": "ycdb", "B": "ydcb", "C": "ycbd", "D": "bcdy", "E": "ybcd"}


def asked(root: Value, order: Order) -> dict[Value, Any]:
    """The gradients of a backward pass that asks the gates in this order, right or not."""
    gradient: dict[Value, Any] = {root: 1}
    for v in order:
        for parent, local in zip(v.parents, v.local_gradients):
            share = gradient.get(v, 0) * local(v.data, *[p.data for p in v.parents])
            gradient[parent] = gradient.get(parent, 0) + share
    return gradient


def gives_the_gradient(order: str) -> bool:
    """Whether this order brings the right gradient to a."""
    nodes = named(root := diamond())
    found = asked(root, [nodes[name] for name in order])
    return bool(found[nodes["a"]] == gradients(root, nodes["a"]))


def in_order(order: Order) -> bool:
    """Whether no gate comes twice, and none before a gate that it feeds."""
    done: set[Value] = set()
    for v in order:
        if v in done or not done.isdisjoint(v.parents):
            return False
        done.add(v)
    return True


def parents_first(order: Order) -> bool:
    return in_order(order[::-1])


def repeats_allowed(order: Order) -> bool:
    return in_order(list(dict.fromkeys(order)))


def each_once(order: Order) -> bool:
    return len(set(order)) == len(order)


def neighbours_only(order: Order) -> bool:
    return each_once(order) and not any(v in u.parents for v, u in pairwise(order))


def last_is_last(order: Order) -> bool:
    inner = [v for v in order if v.parents]
    return each_once(order) and not any(p.parents for p in inner[-1].parents)


class Trial(NamedTuple):
    """An order of the nodes of a graph that is tried on a student's function."""

    order: list[Value]
    right: bool

    def asked(self, judge: Judge) -> bool | None:
        """What the function says of it; None where it says nothing."""
        said = judge(list(self.order))
        return None if said is None else bool(said)

    def __str__(self) -> str:
        gates = self.gates
        (root,) = set(gates).difference(*[v.parents for v in gates])
        made = {row.child_node: row.gate for row in explain(root).rows}
        formulas = [made[v] for v in topological(root) if v in made]
        return f"{', '.join([v.label for v in gates])} (where {', '.join(formulas)})"

    @property
    def gates(self) -> list[Value]:
        return [v for v in self.order if v.parents]

    @property
    def reason(self) -> str:
        """Why its order is right or wrong."""
        gates = self.gates
        for i, v in enumerate(gates):
            if v in gates[:i]:
                return f"{v.label} is asked twice."
            for later in gates[i:]:
                if v in later.parents:
                    return f"{v.label} is asked before {later.label}, which it feeds."
        return "Here each gate comes once, and after all gates that it feeds."


def drawn(random: Random, size: int) -> Value:
    """A graph of at most so many gates, each with a name of one letter."""
    made = [Value(1, "a"), Value(3, "x")]
    for name in "bcdefg"[:size]:
        operands: list[Value | int] = [*made, 2]
        left, right = random.choice(made[-3:]), random.choice(operands)
        v = left * right if random.random() < 0.5 else left + right
        v.label = name
        made.append(v)
    return made[-1]


def orders(random: Random, root: Value) -> Iterator[list[Value]]:
    """Orders of the nodes of a graph: right ones, and ones with a single fault or with many.

    Whether one is right depends on its gates alone; only the last has the leaves in front.
    """
    nodes = topological(root)
    gates, leaves = [v for v in nodes[::-1] if v.parents], [v for v in nodes if not v.parents]
    yield [*gates, *leaves]
    for i in range(len(gates) - 1):
        yield [*gates[:i], gates[i + 1], gates[i], *gates[i + 2 :], *leaves]
        yield [*gates[: i + 1], *gates[i:], *leaves]
        yield [*gates, gates[i], *leaves]
        yield [root, *random.sample(gates[1:], len(gates) - 1), *leaves]
    yield nodes


@cache
def trials() -> list[Trial]:
    """Some thousand orders of 200 random graphs, the same each time, small graphs first."""
    random, graphs = Random(2), list[Value]()
    while len(graphs) < 200:
        root = drawn(random, 3 + len(graphs) // 50)
        if any(p.parents for p in root.parents):  # two gates at least
            graphs.append(root)
    found = [Trial(order, in_order(order)) for root in graphs for order in orders(random, root)]
    return sorted(found, key=lambda trial: len(set(trial.order)))


def judged(judge: Any) -> Verdict:
    """Whether a function calls the right orders right; else the smallest where it errs, and why."""
    if not callable(judge):
        return Verdict(False, (f"✗ {NO_FUNCTION}",))
    for trial in trials():
        try:
            said = trial.asked(judge)
        except Exception as error:  # whatever a student's function raises
            told = f"✗ your function raised {type(error).__name__}: {error}. It got {trial}."
            return Verdict(False, (told,))
        if said is None:
            told = f"✗ It returns nothing for {trial}. Does each way through it end in a `return`?"
            return Verdict(False, (told,))
        if said != trial.right:
            told = f"✗ It says {said} to {trial}. {trial.reason}"
            return Verdict(False, (told, *recognised(judge)))
    return Verdict(True, (f"✓ right. {WHY}",))


def recognised(judge: Judge) -> list[str]:
    """The hint of the usual mistake that says the same of every order, if there is one."""
    try:
        said = [trial.asked(judge) for trial in trials()]
    except Exception:  # it has been told already where the function errs
        return []
    return [m.hint for m in MISTAKES if said == [trial.asked(m.answer) for trial in trials()]][:1]


MISTAKES = [
    Mistake(
        parents_first,
        "That is the order of the forward pass: parents first. Who is first going back?",
    ),
    Mistake(repeats_allowed, "You let a gate be asked twice; then it sends its shares twice."),
    Mistake(
        each_once,
        "Each gate once is not enough, pre-order does that. How long must a parent wait?",
    ),
    Mistake(
        neighbours_only,
        "You compare each gate with the next one only. Who else may still have to send?",
    ),
    Mistake(last_is_last, "You look at the last gate only. All the others have to wait, too."),
    Mistake(lambda order: True, "It calls every order right."),
    Mistake(lambda order: False, "It calls every order wrong."),
]
WHY = (
    "Keep the set of those that were asked: when a gate comes, neither itself nor any of its "
    "parents may be in it."
)
EXERCISES = [
    fork_and_roles(),
    choice(
        "**In which order?** $b = 2a$, then $c = 3b$ and $d = b + 1$, then $y = c \\cdot d$. The "
        "gates are asked in one of these orders. Which of them bring the right gradient to $a$? "
        'Answer with a text of letters, such as `"CD"`.\n\n'
        + "\n".join([f"- {name}: {', '.join(order)}" for name, order in ORDERS.items()]),
        "".join([name for name, order in ORDERS.items() if gives_the_gradient(order)]),
        {
            "A": "does d have to wait for c? It does not feed it.",
            "B": "does c have to wait for d? It does not feed it.",
            "C": "b feeds two gates. Have both been asked before it?",
            "D": "who has a gradient at the start?",
            "E": "b feeds two gates. Has one of them been asked before it?",
        },
        [
            Mistake("D", "That is the order of the forward pass. Who has a gradient at the start?"),
            Mistake("ABCE", "To begin with the root is not enough: b must wait for two shares."),
            Mistake("ABCDE", "Play it through by hand: what does b hold when it is asked?"),
        ],
        why="b must come after c and d, and both after y. Between c and d there is no rule.",
    ),
    Exercise(
        "**A judge of orders.** Write a function `in_order(order)`: `order` is a list of all nodes "
        "of a graph, leaves too, in any order. It returns `True` if no gate is asked twice and "
        "none before a gate that it feeds, else `False`. No gradient is needed for that, only "
        "`v.parents`. Answer with the function: `answer = in_order`. (It is tried on 200 random "
        "graphs.)",
        in_order,
        MISTAKES,
        WHY,
        judge=judged,
    ),
]
