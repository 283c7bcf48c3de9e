"""Exercises of notebook 2: the chain rule, and the order in which gates are asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import microgrid as mg
from microgrid.course.choices import choice
from microgrid.course.mistakes import backward_pass, by_role, gradients_of
from microgrid.course.question import Exercise, Mistake, Verdict, listed, raised
from microgrid.engine.ops import ROUTER
from microgrid.engine.value import Value, topological

Order = Sequence[Value]
Judge = Callable[[Order], Any]


def fork_and_roles() -> Exercise:
    """The gradients of a circuit, with the mistakes at a router that only this one shows."""
    a, b, c = Value(9, "a"), Value(4, "b"), Value(2, "c")
    root = (a - b) * mg.maximum(b, c)
    passes = {
        "A router does not share out: all of the upstream goes to the larger input.": by_role(
            ROUTER, lambda row: 0.5
        ),
        "A router hands its upstream on as it is: it does not multiply "
        "it by the value that won.": by_role(ROUTER, lambda row: row.local * row.parent_node.data),
        "1 is the local gradient of the max alone: multiply it by what comes from above.": by_role(
            ROUTER, lambda row: row.local / row.upstream
        ),
    }
    exercise = gradients_of(
        "**A fork and three roles.** $y = (a - b) \\cdot \\max(b, c)$ at $a = 9$, $b = 4$, "
        "$c = 2$. Which gradients arrive at the leaves? Answer with a dict: "
        '`{"a": …, "b": …, "c": …}`.',
        root,
        "abc",
        {hint: wrong(root, mg.explain(root).rows) for hint, wrong in passes.items()},
        why="The product sends 4 to the difference and 5 to the max; b gets −4 from the one and "
        "5 from the other; c lost the max.",
    )
    # Which share is the first depends on the order, and a student's need not be the engine's.
    one = partial(re.compile("the (last|first) share").sub, "one share")
    return replace(exercise, mistakes=[Mistake(x, one(h)) for x, h in listed(exercise.mistakes)])


ORDERS = {"A": "ycdb", "B": "ydcb", "C": "ycbd", "D": "bcdy", "E": "ybcd"}


def gives_the_gradient(order: str) -> bool:
    """Whether a backward pass that asks the gates in this order brings the right gradient to a."""
    a = Value(1)
    b = a * 2
    c, d = b * 3, b + 1
    y = c * d
    gates, shares = {"b": b, "c": c, "d": d, "y": y}, mg.explain(y).rows
    rows = [row for name in order for row in shares if row.child_node is gates[name]]
    return bool(backward_pass(y, rows)[a] == mg.gradients(y, a))


def in_order(order: Order) -> bool:
    """Whether each gate comes once, and after all gates that it feeds."""
    done: set[Value] = set()
    for v in order:
        if v in done or not done.isdisjoint(v.parents):
            return False
        done.add(v)
    return True


def each_once(order: Order) -> bool:
    return len(set(order)) == len(order)


def neighbours_only(order: Order) -> bool:
    return each_once(order) and not any(v in u.parents for v, u in pairwise(order))


def last_is_last(order: Order) -> bool:
    inner = [v for v in order if v.parents]
    return each_once(order) and not any(p.parents for p in inner[-1].parents)


class Trial(NamedTuple):
    """An order of the nodes of a graph, to be judged by a student's function."""

    order: list[Value]
    right: bool

    def asked(self, judge: Judge) -> bool | None:
        """The answer of the function; None where it returns nothing."""
        said = judge(list(self.order))
        return None if said is None else bool(said)

    def __str__(self) -> str:
        gates = self.gates
        (root,) = set(gates).difference(*[v.parents for v in gates])
        formulas = dict.fromkeys(row.gate for row in reversed(mg.explain(root).rows))
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
    """A random graph of at most `size` gates, each with a name of one letter."""
    made = [Value(1, "a"), Value(3, "x")]
    for name in "bcdefg"[:size]:
        operands: list[Value | int] = [*made, 2]
        left, right = random.choice(made[-3:]), random.choice(operands)
        v = left * right if random.random() < 0.5 else left + right
        v.label = name
        made.append(v)
    return made[-1]


def orders(random: Random, root: Value) -> Iterator[list[Value]]:
    """Orders of the nodes of a graph: right ones, ones with a single fault, ones with many.

    Only the gates decide whether one is right; only the last has the leaves in front.
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
    """Thousands of orders of 200 random graphs, always the same ones, small graphs first."""
    random, graphs = Random(2), list[Value]()
    while len(graphs) < 200:
        root = drawn(random, 3 + len(graphs) // 50)
        if any(p.parents for p in root.parents):  # two gates at least
            graphs.append(root)
    found = [Trial(order, in_order(order)) for root in graphs for order in orders(random, root)]
    return sorted(found, key=lambda trial: len(set(trial.order)))


def judged(judge: Any) -> Verdict:
    """The verdict on a student's function: where it errs, the smallest such order, and why."""
    for trial in trials():
        try:
            said = trial.asked(judge)
        except Exception as error:  # a student's function may raise anything
            return Verdict(False, (f"✗ {raised(error)}. It got {trial}.",))
        if said is None:
            why = "Does each way through it end in a `return`?"
            return Verdict(False, (f"✗ It returns nothing for {trial}. {why}",))
        if said != trial.right:
            why = f"✗ It says {said} to {trial}. {trial.reason}"
            return Verdict(False, (why, *recognised(judge)))
    return Verdict(True, (f"✓ right. {WHY}",))


def recognised(judge: Judge) -> list[str]:
    """The hint of the usual mistake that judges all orders alike, if there is one."""
    try:
        said = [trial.asked(judge) for trial in trials()]
    except Exception:  # the verdict says already where the function errs
        return []
    return [hint for hint, f in MISTAKES.items() if said == [t.asked(f) for t in trials()]]


MISTAKES = {
    "That is the order of the forward pass: "
    "parents first. Who is first going back?": lambda order: in_order(order[::-1]),
    "You let a gate be asked twice; then it sends its shares twice.": lambda order: in_order(
        list(dict.fromkeys(order))
    ),
    "Each gate once is not enough, pre-order does that. How long must a parent wait?": each_once,
    "You compare each gate with the next one only. "
    "Who else may still have to send?": neighbours_only,
    "You look at the last gate only. All others have to wait, too.": last_is_last,
    "It calls every order right.": lambda order: True,
    "It calls every order wrong.": lambda order: False,
}
WHY = (
    "Keep the set of gates that were asked. When a gate comes, neither the gate nor any of its "
    "parents may be in the set."
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
            "A": "does d have to wait for c? d does not feed c.",
            "B": "does c have to wait for d? c does not feed d.",
            "C": "b feeds two gates. Have both been asked before it?",
            "D": "who has a gradient at the start?",
            "E": "b feeds two gates. Has one of them been asked before it?",
        },
        {
            "That is the order of the forward pass. Who has a gradient at the start?": "D",
            "It is not enough to begin with the root: b must wait for two shares.": "ABCE",
            "Play it through by hand: what does b hold when it is asked?": "ABCDE",
        },
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
