"""Graphs survive pickle and deepcopy at any depth, with what they share."""

import copy
import importlib
import math
import pickle
import pkgutil
import sys

import pytest

import microgrid as mg
from microgrid import Value, optim
from microgrid.engine.errors import GraphError, MicrogridError
from microgrid.engine.labels import scope_of
from microgrid.engine.value import topological

WAYS = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "pickle, protocol 2": lambda x: pickle.loads(pickle.dumps(x, 2)),
    "deepcopy": copy.deepcopy,
}
through = pytest.mark.parametrize("through", WAYS.values(), ids=WAYS)


@through
def test_a_copied_graph_computes_the_same_gradients(through):
    x, w = Value(0.5, "x"), Value(2.0)
    h = mg.tanh(x * w) ** 2
    y = mg.total([h, h * x, mg.maximum(x, 1.0)])
    x2, h2, y2 = through((x, h, y))
    assert x2 is not x
    y.backward()
    y2.backward()
    assert (x2.label, x2.grad, h2.grad, y2.data) == ("x", x.grad, h.grad, y.data)
    assert y2.op is y.op


@through
def test_copies_keep_shared_nodes_shared(through):
    x = Value(3.0)
    h = x * x
    y = h * h
    h2, y2, x2 = through([h, y, x])
    assert y2.parents == (h2, h2)
    assert h2.parents == (x2, x2)


@through
def test_depth_is_no_limit(through):
    y = x = Value(1.0)
    for _ in range(20_000):
        y = y * 1.0001 + x
    y2, x2 = through((y, x))
    y2.backward()
    y.backward()
    assert x2.grad == x.grad
    assert len(topological(y2)) == len(topological(y))


@through
def test_a_stale_graph_stays_stale(through):
    x = Value(3.0)
    y = x * x
    x.data = 4.0
    with pytest.raises(GraphError):
        through(y).backward()


@through
def test_higher_derivatives_of_powers_are_copied_too(through):
    x = Value(3.0)
    dy = mg.gradients(x**3, x, create_graph=True)
    x2, dy2 = through((x, dy))
    assert mg.gradients(dy2, x2) == 18.0


def test_a_users_operation_goes_with_its_functions_or_says_that_it_cannot():
    x = Value(2.0)
    y = mg.custom_op("twice", double, two)(x)
    assert mg.gradients(*pickle.loads(pickle.dumps((y, y.parents[0])))) == 2
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(mg.custom_op("local", lambda x: x, lambda y, x: 1)(x))
    assert pickle.loads(pickle.dumps((x, x * 2)))[1].data == 4.0  # and nothing is left half done


def test_a_users_operation_is_not_taken_for_one_of_ours():
    x = Value(2.0)
    for name in ("falling3", "falling_star", "exp"):
        y = pickle.loads(pickle.dumps(mg.custom_op(name, double, two)(x)))
        assert mg.gradients(y, y.parents[0]) == 2


def double(x):
    return 2 * x


def two(y, x):
    return 2


def test_a_shallow_copy_shares_its_parents():
    x = Value(2.0)
    y = copy.copy(x * x)
    y.backward()
    assert x.grad == 4.0


@through
def test_scopes_and_labels_are_copied(through):
    with mg.scope("layer"):
        y = Value(2.0, "x") * 3
    y.label = "y"
    copied = through(y)
    assert scope_of(copied) == scope_of(y) == ("layer",)
    assert copied.label == "y"


# Errors.


def every_error(base=MicrogridError):
    """The errors of all rooms, each of which stands with the code that raises it."""
    for kind in base.__subclasses__():
        yield kind
        yield from every_error(kind)


for module in pkgutil.walk_packages(mg.__path__, "microgrid."):
    if module.name != "microgrid.__main__":
        importlib.import_module(module.name)
ERRORS = [
    kind
    for kind in dict.fromkeys([MicrogridError, *every_error()])
    if kind.__module__.startswith("microgrid.")
]


@through
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_survives_with_all_that_it_holds(kind, through):
    history = optim.History([1.0])
    history.steps.append(0.5)
    diverged = kind is optim.DivergedError
    error = kind(math.inf, 2, 7, history) if diverged else kind("a sentence")
    error.add_note("in sample 3 of the batch")
    error.found = [1, 2]
    for way in (through, copy.copy):
        again = way(error)
        assert type(again) is kind
        assert str(again) == str(error)
        assert again.__notes__ == error.__notes__
        assert again.found == [1, 2]
        if diverged:
            assert (again.loss, again.epoch, again.step) == (math.inf, 2, 7)
            assert again.history.steps == [0.5]


def test_every_error_of_every_room_is_a_microgrid_error():
    modules = [m for name, m in sys.modules.items() if name.startswith("microgrid.")]
    kinds = {x for m in modules for x in vars(m).values() if isinstance(x, type)}
    own = {k for k in kinds if issubclass(k, Exception) and k.__module__.startswith("microgrid.")}
    own = {k for k in own if not issubclass(k, AssertionError)}  # pytest's, where its plugin is in
    inside = {"Crash", "LoadError", "NoBackwardError", "EncodingError", "Pending"}
    inside |= {"Refused", "HttpError"}  # these never leave
    own = {k for k in own if k.__name__ not in inside}
    assert own == {*ERRORS}
    assert {kind.__module__.split(".")[1] for kind in ERRORS} >= {"engine", "views", "optim"}
    assert len(ERRORS) > 20
