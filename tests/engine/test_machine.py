"""Random programs on the engine beside a naive twin: every number agrees after every step."""

import copy
import math
import pickle
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from shared.operations import arity, locals_at
from shared.planting import plant_rule
from shared.strategies import fractions, hundredths, small_integers

import microgrid.engine.value
from microgrid import Value, gradients
from microgrid.engine.errors import GraphError, MicrogridError
from microgrid.engine.ops import TABLE
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, topological


def winners(xs: list[Any], best: Any) -> list[Any]:
    ties = Fraction(sum(x == best for x in xs))
    return [(x == best) / ties for x in xs]


SHUT = "shut"  # the side of a `where` that is not selected
# The rational operations, with partial derivatives written by hand; None: no path.
BY_HAND: dict[str, Any] = {
    "add": lambda a, b: [1, 1],
    "sub": lambda a, b: [1, -1],
    "mul": lambda a, b: [b, a],
    "div": lambda a, b: [1 / Fraction(b), -Fraction(a) / b**2],
    "divide": lambda a, b: [1 / Fraction(b), -Fraction(a) / b**2],
    "neg": lambda x: [-1],
    "identity": lambda x: [1],
    "absolute": lambda x: [(x > 0) - (x < 0)],
    "square": lambda x: [2 * x],
    "reciprocal": lambda x: [-1 / Fraction(x) ** 2],
    "relu": lambda x: [int(x > 0)],
    "leaky_relu": lambda x, slope: [1, 0] if x > 0 else [slope, x],
    "clip": lambda x, low, high: (
        [0, 0, 1] if max(x, low) > high else [1, 0, 0] if low <= x else [0, int(low < high), 0]
    ),
    "where": lambda c, a, b: [None, 1, SHUT] if c else [None, SHUT, 1],
    "maximum": lambda *xs: winners(xs, max(xs)),
    "minimum": lambda *xs: winners(xs, min(xs)),
    "total": lambda *xs: [1] * len(xs),
    "mean": lambda *xs: [Fraction(1, len(xs))] * len(xs),
    "dot": lambda *xs: [*xs[len(xs) // 2 :], *xs[: len(xs) // 2]],
}


@dataclass
class Twin:
    """A node of the naive engine. Its parents are older nodes, by their place in the list."""

    data: Any
    parents: list[int] = field(default_factory=list)
    locals: list[Any] = field(default_factory=list)  # exact, as of the forward pass
    versions: list[int] = field(default_factory=list)  # of the parents, as of the forward pass
    version: int = 0
    grad: Fraction = Fraction(0)
    slack: Fraction = Fraction(0)  # how much rounding may have moved the engine's gradient


class Machine(RuleBasedStateMachine):
    """Exact: Fractions, the rational operations, `==`.

    The semantics: a pass adds to the leaves; the inner nodes of its graph hold this pass alone;
    a node that no path reaches gets zero; a graph whose numbers were changed since is refused
    wherever a path leads through, and then nothing has changed.
    """

    numbers: Any = fractions
    constants: Any = small_integers
    names = sorted(BY_HAND)
    unit = Fraction(0)  # of one rounding
    kind: type = Fraction

    def __init__(self) -> None:
        super().__init__()
        self.twins: list[Twin] = []
        self.nodes: list[Value | None] = []  # the engine's, in the same places; None: deleted

    # What the twin does.

    def local_gradients(self, name: str, y: Any, xs: list[Any]) -> list[Any]:
        return BY_HAND[name](*xs)

    def small(self, x: Any) -> bool:
        return Fraction(x).denominator < 10**40 and abs(x) < 10**40

    def ancestors(self, root: int) -> set[int]:
        found, todo = set(), [root]
        while todo:
            k = todo.pop()
            if k not in found:
                found.add(k)
                todo += self.twins[k].parents
        return found

    def naive_pass(
        self, root: int, upstream: Any, as_graph: bool = False
    ) -> tuple[dict[int, Any], dict[int, Any], bool]:
        """Gradients, their rounding, and whether any number on a path was changed since.

        A graph of gradients holds for all data: its paths lead through both sides of a `where`.
        The list is in the order of creation, so that walking it backward is topological.
        """
        shut = {SHUT: 0 if as_graph else None}
        gradient, size, stale = {root: Fraction(upstream)}, {root: abs(Fraction(upstream))}, False
        for k in range(root, -1, -1):
            twin = self.twins[k]
            if k in gradient:
                stale |= [self.twins[p].version for p in twin.parents] != twin.versions
                for p, found in zip(twin.parents, twin.locals, strict=True):
                    local = shut.get(found, found)
                    if local is not None:
                        gradient[p] = gradient.get(p, 0) + gradient[k] * local
                        size[p] = size.get(p, 0) + size[k] * abs(local)
        roundings = 2 * sum(len(self.twins[k].parents) for k in gradient) + 2
        tiny = Fraction(self.unit and 1e-290)
        slack = {k: roundings * self.unit * s + tiny for k, s in size.items()}
        return gradient, slack, stale

    # What happens.

    @initialize(xs=st.data())
    def begin(self, xs: Any) -> None:
        for _ in range(2):
            self.make_leaf(xs.draw(self.numbers))

    def make_leaf(self, x: Any) -> None:
        self.twins.append(Twin(x))
        self.nodes.append(Value(x))

    def some(self, data: Any, leaf: bool = False, recent: bool = False) -> int:
        """The place of a node that is there: any one, or mostly one of the latest."""
        places = [k for k, v in enumerate(self.nodes) if v is not None]
        if leaf:
            places = [k for k in places if not self.twins[k].parents]
        if recent and data.draw(st.integers(0, 3)):
            places = places[-3:]
        return data.draw(st.sampled_from(places))

    @rule(data=st.data())
    def leaf(self, data: Any) -> None:
        self.make_leaf(data.draw(self.numbers))

    @rule(data=st.data())
    def operate(self, data: Any) -> None:
        for _ in range(data.draw(st.integers(1, 4))):
            self.apply_one(data)

    def apply_one(self, data: Any) -> None:
        """Any operation on any nodes, the same one several times or plain numbers among them."""
        name = data.draw(st.sampled_from(self.names))
        n = data.draw(st.sampled_from(arity(name)))
        places = [self.some(data, recent=True)]
        for _ in range(n - 1):
            is_node = data.draw(st.integers(0, 3)) > 0
            places.append(self.some(data, recent=True) if is_node else data.draw(self.constants))
            if not is_node:
                places[-1] = Constant(places[-1])  # marks the number; the engine makes its own
        xs = [p.data if isinstance(p, Constant) else self.twins[p].data for p in places]
        arguments = [p.data if isinstance(p, Constant) else self.nodes[p] for p in places]
        try:
            y = TABLE[name](*arguments)
            locals_ = self.local_gradients(name, y.data, xs)
        except (ArithmeticError, ValueError):
            return  # outside of the domain
        if type(y.data) is not self.kind:
            return  # where(c, 2, x) may be an int, and 1 / int is a float in Python
        if not all(x in (None, SHUT) or self.small(x) for x in [y.data, *locals_]):
            return
        for i, p in enumerate(places):
            if isinstance(p, Constant):
                places[i] = len(self.twins)
                self.twins.append(Twin(p.data))
                self.nodes.append(None)
        exact = [g if g in (None, SHUT) else Fraction(g) for g in locals_]
        versions = [self.twins[p].version for p in places]
        self.twins.append(Twin(y.data, places, exact, versions))
        self.nodes.append(y)

    @rule(data=st.data())
    def backward(self, data: Any) -> None:
        root, upstream = self.some(data, recent=True), data.draw(self.numbers)
        gradient, slack, stale = self.naive_pass(root, upstream)
        node = self.nodes[root]
        assert node is not None
        if stale:
            with pytest.raises(GraphError, match="run the forward pass again"):
                node.backward(upstream)
            return
        node.backward(upstream)
        for k in self.ancestors(root):
            twin, g, s = self.twins[k], gradient.get(k, Fraction(0)), slack.get(k, Fraction(0))
            if twin.parents:
                twin.grad, twin.slack = g, s
            else:
                twin.grad, twin.slack = twin.grad + g, twin.slack + s
                twin.slack += self.unit * abs(twin.grad)

    @rule(data=st.data())
    def ask_for_gradients(self, data: Any) -> None:
        """`gradients` gives what a pass would, and (by the invariant) changes nothing."""
        root = self.some(data, recent=True)
        as_graph = self.unit == 0 and data.draw(st.booleans())
        gradient, slack, stale = self.naive_pass(root, 1, as_graph)
        wrt = [k for k, v in enumerate(self.nodes) if v is not None]
        values = [self.nodes[k] for k in wrt]
        if stale:
            with pytest.raises(GraphError):
                gradients(self.nodes[root], values, create_graph=as_graph)
            return
        found = gradients(self.nodes[root], values, create_graph=as_graph)
        for k, g in zip(wrt, found, strict=True):
            g = g.data if as_graph else g
            assert abs(Fraction(g) - gradient.get(k, 0)) <= slack.get(k, 0)

    @rule(data=st.data())
    def zero_grad(self, data: Any) -> None:
        root = self.some(data)
        self.nodes[root].zero_grad()
        for k in self.ancestors(root):
            self.twins[k].grad = self.twins[k].slack = Fraction(0)

    @precondition(lambda self: any(v is not None and v.op is None for v in self.nodes))
    @rule(data=st.data())
    def set_data(self, data: Any) -> None:
        """A training step: whatever was computed from this leaf is stale from here on."""
        k = self.some(data, leaf=True)
        self.nodes[k].data = self.twins[k].data = data.draw(self.numbers)
        self.twins[k].version += 1

    @precondition(lambda self: sum(v is not None for v in self.nodes) > 2)
    @rule(data=st.data())
    def forget(self, data: Any) -> None:
        """Nodes live on in the graphs that use them."""
        self.nodes[self.some(data)] = None

    @rule(copying=st.sampled_from([copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]))
    def go_on_with_a_copy(self, copying: Any) -> None:
        self.nodes = copying(self.nodes)

    @invariant()
    def every_number_agrees(self) -> None:
        for twin, v in zip(self.twins, self.nodes, strict=True):
            if v is not None:
                assert v.data == twin.data
                assert abs(Fraction(v.grad) - twin.grad) <= twin.slack
                assert len(v.parents) == len(twin.parents)


class FloatMachine(Machine):
    """Every operation of the table on floats.

    The twin takes the local gradients as numbers from the table (other tests look after these),
    multiplies and adds them up exactly, and allows a pass of m products and m sums a rounding of
    2⁻⁵² each of Σ |product along a path|; a leaf adds one per pass.
    """

    numbers = hundredths
    constants = hundredths
    names = sorted(TABLE)
    unit = Fraction(2.0**-52)
    kind = float

    def local_gradients(self, name: str, y: Any, xs: list[Any]) -> list[Any]:
        joint = TABLE[name].joint
        if joint is None:
            return locals_at(TABLE[name], y, xs)
        return [None if local is NO_PATH else local for local in joint(y, *xs)]

    def small(self, x: Any) -> bool:
        return math.isfinite(x) and abs(x) < 1e6


def run(machine: Any, max_examples: int, steps: int, **options: Any) -> None:
    """The machine as a test; without the phase that explains, which takes minutes."""
    options = {"phases": [p for p in Phase if p is not Phase.explain]} | options
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max_examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            **options,
        ),
    )


def test_random_programs_on_fractions_agree_with_the_twin_exactly():
    run(Machine, max_examples=80, steps=40)


def test_random_programs_on_floats_agree_with_the_twin_to_rounding():
    run(FloatMachine, max_examples=80, steps=40)


@pytest.mark.parametrize("name", sorted(set(TABLE) - {"where"}))
def test_the_machine_reaches_every_operation(name):
    """At some ordinary point the engine gives a node that the twin can follow."""
    machine = FloatMachine()
    for x in (0.5, 1.0, 1.5):
        xs = [x, x / 4][: min(arity(name)[-1], 2)] if TABLE[name].arity else [x, x]
        xs = [x, 0.0, 1.0] if name in ("clip", "inside") else xs
        try:
            y = TABLE[name](*map(Value, xs)).data
        except MicrogridError:
            continue
        if all(g is None or machine.small(g) for g in [y, *machine.local_gradients(name, y, xs)]):
            return
    raise AssertionError(name)


# Tests of the test.


def unversioned(p: Any) -> None:
    """`.data` can be set behind the back of the graph."""
    p.setattr(Value, "data", property(lambda v: v._number, lambda v, x: setattr(v, "_number", x)))


def zero_leaves_only(p: Any) -> None:
    def zero_grad(self: Value) -> None:
        for v in topological(self):
            if v.op is None:
                v._grad = None

    p.setattr(Value, "zero_grad", zero_grad)


def half_done(p: Any) -> None:
    """The root's gradient is written before the graph turns out to be stale."""
    right = Value.backward

    def backward(self: Value, upstream: Any = 1) -> None:
        if self.op is not None:
            self._grad = upstream
        right(self, upstream)

    p.setattr(Value, "backward", backward)


def no_zeros(p: Any) -> None:
    """Nodes behind a shut gate keep what an earlier pass left."""

    def backward(self: Value, upstream: Any = 1) -> None:
        order = topological(self)
        for v, g in microgrid.engine.value.accumulate(
            order, microgrid.engine.value.seed(self, upstream)
        ).items():
            v._grad = g if v._grad is None or v.op is not None else v._grad + g

    p.setattr(Value, "backward", backward)


def copies_forget(p: Any) -> None:
    right = Value.__reduce__

    def without_gradient(v: Value) -> Any:
        v.grad, grad = 0, v._grad
        try:
            return right(v)
        finally:
            v._grad = grad

    p.setattr(Value, "__reduce__", without_gradient)


# Bugs that only a state machine sees, and a wrong rule. The machine finds most of them with all of
# its operations, too, but not as soon as with these few.
BUGS = {
    "data set unseen": (unversioned, Machine.names),
    "zero_grad of the leaves alone": (zero_leaves_only, Machine.names),
    "a failure that is half done": (half_done, ["mul"]),
    "shut gates leave old gradients": (no_zeros, ["where", "square"]),
    "copies without gradients": (copies_forget, Machine.names),
    "ties that all win": (
        lambda p: plant_rule(p, "tie_counted_twice", "maximum"), ["maximum", "minimum"]),
    "a wrong rule": (
        lambda p: plant_rule(p, "wrong_sign", "reciprocal"), ["reciprocal", "mul", "add"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BUGS)
def test_the_machine_sees_a_planted_bug(name, monkeypatch):
    plant, names = BUGS[name]
    plant(monkeypatch)
    few = type("Few", (Machine,), {"names": names})
    phases = [Phase.explicit, Phase.generate]
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run(few, 1000, 30, derandomize=True, database=None, phases=phases)
