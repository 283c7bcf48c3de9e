"""Tests of the tests: each property is seen to fail on an engine with a planted bug."""

from typing import Any

import numpy as np
import pytest
import test_arrays as test_matrix
import test_examples
import test_explanation as test_explain
import test_value
from shared.strategies import QUICK

import microgrid.engine.value
from microgrid import Value, formulas
from microgrid.engine import ops
from microgrid.engine.numeric import like
from microgrid.engine.value import edges, seed, topological

engine = microgrid.engine.value


def wrong_pass(
    overwrite: bool = False, ignore_upstream: bool = False, merge_equal: bool = False
) -> Any:
    """`accumulate` with one mistake."""

    def accumulate(order: Any, upstream: Any, as_graph: bool = False, trace: Any = None) -> Any:
        gradient = {order[-1]: upstream}
        for v in reversed(order):
            if v.op is None or v not in gradient:
                continue
            pairs = list(edges(v, v.op))
            for parent, local in dict(pairs).items() if merge_equal else pairs:
                if local is None:
                    continue
                factor = 1 if ignore_upstream else gradient[v]
                share = factor * local
                before = 0 if overwrite else gradient.get(parent, 0)
                gradient[parent] = before + share
                if trace:
                    trace(v, parent, local, factor, share, gradient[parent])
        return gradient

    return lambda p: p.setattr(engine, "accumulate", accumulate)


def in_order(walk: Any) -> Any:
    """The pass in another order than a topological one."""
    return lambda p: p.setattr(engine, "topological", walk)


def breadth_first(root: Value) -> list[Value]:
    seen, queue = [root], [root]
    for v in queue:
        for parent in v.parents:
            if parent not in seen:
                seen.append(parent)
                queue.append(parent)
    return seen[::-1]


def pre_order(root: Value) -> list[Value]:
    seen: list[Value] = []

    def visit(v: Value) -> None:
        if v not in seen:
            seen.append(v)
            for parent in v.parents:
                visit(parent)

    visit(root)
    return seen[::-1]


def wrong_backward(inner_keep: bool = False, leaves_forget: bool = False) -> Any:
    def backward(self: Value, upstream: Any = 1) -> None:
        order = topological(self)
        gradient = engine.accumulate(order, seed(self, upstream))
        for v in order:
            passed = gradient.get(v, like(v, 0))
            keep = inner_keep or (v.op is None and not leaves_forget)
            v._grad = v._grad + passed if keep and v._grad is not None else passed

    return lambda p: p.setattr(Value, "backward", backward)


def wrong_rules(entry: Any, *rules: Any) -> Any:
    return lambda p: p.setattr(entry, "rules", rules)


def wrong_formula(**changed: Any) -> Any:
    right = formulas.affine_backward

    def affine_backward(X: Any, W: Any, b: Any, dY: Any) -> Any:
        results = dict(zip(("dX", "dW", "db"), right(X, W, b, dY), strict=True))
        for name, formula in changed.items():
            results[name] = formula(np.asarray(X), np.asarray(W), np.asarray(dY))
        return tuple(results.values())

    return lambda p: p.setattr(formulas, "affine_backward", affine_backward)


one = lambda *_: 1  # noqa: E731
PATHS = test_value.test_backward_sums_over_every_path
PASSES = test_value.test_leaves_sum_up_several_passes_and_inner_nodes_hold_the_last
LINEAR = test_value.test_backward_is_linear_in_the_upstream
AFFINE = test_matrix.test_affine_gradients_equal_the_matrix_formulas
CIRCUIT = test_examples.test_gate_by_gate_equals_the_sigmoid_gate_equals_the_closed_form
BUGS = {
    "a second share replaces the first": (wrong_pass(overwrite=True), PATHS),
    "the upstream is forgotten": (wrong_pass(ignore_upstream=True), PATHS),
    "the upstream is forgotten, seen by linearity": (wrong_pass(ignore_upstream=True), LINEAR),
    "x * x has one parent": (wrong_pass(merge_equal=True), PATHS),
    "breadth-first order": (in_order(breadth_first), PATHS),
    "pre-order": (in_order(pre_order), PATHS),
    "inner nodes keep old gradients": (wrong_backward(inner_keep=True), PASSES),
    "leaves forget earlier passes": (wrong_backward(leaves_forget=True), PASSES),
    "product with its operands swapped": (
        wrong_rules(ops.mul, lambda y, a, b: a, lambda y, a, b: b), PATHS),
    "plus for the right side of a difference": (wrong_rules(ops.sub, one, one), PATHS),
    "-a/b for -a/b²": (wrong_rules(ops.div, ops.div.rules[0], lambda y, a, b: -a / b), PATHS),
    "only the left summand": (wrong_rules(ops.add, one, lambda *_: 0), AFFINE),
    "the product rule of the layer": (
        wrong_rules(ops.mul, lambda y, a, b: a, lambda y, a, b: b), AFFINE),
    "sums that share": (wrong_rules(ops.add, one, lambda *_: 0),
        test_value.test_the_gradient_of_a_sum_is_the_sum_of_the_gradients),
    "exp that forgets itself": (wrong_rules(ops.exp, one), CIRCUIT),
    "sigmoid with s for s(1 − s)": (wrong_rules(ops.sigmoid, lambda y, x: y), CIRCUIT),
    "relu open at zero's left": (wrong_rules(ops.relu, one),
        test_examples.test_the_jacobian_of_an_elementwise_relu_is_diagonal),
    "a table that forgets a share": (wrong_pass(overwrite=True),
        test_explain.test_every_row_is_one_share_and_the_last_total_is_the_gradient),
    "dX = dY · W where shapes allow": (
        wrong_formula(dX=lambda X, W, dY: dY @ (W if W.shape[0] == W.shape[1] else W.T)), AFFINE),
    "dW = dYᵀ · X where shapes allow": (
        wrong_formula(dW=lambda X, W, dY: (
            dY.T @ X if W.shape[0] == W.shape[1] else X.T @ dY)), AFFINE),
    "db = the first row of dY": (wrong_formula(db=lambda X, W, dY: dY[0]), AFFINE),
    "db = the mean of the rows": (
        wrong_formula(db=lambda X, W, dY: dY.sum(axis=0) / len(dY)), AFFINE),
    "db over the wrong axis where shapes allow": (
        wrong_formula(db=lambda X, W, dY: (
            dY.sum(axis=1 if dY.shape[0] == dY.shape[1] else 0))), AFFINE),
    "a Jacobian in the column convention": (
        wrong_formula(dX=lambda X, W, dY: 2 * (dY @ W.T)),
        test_matrix.test_full_jacobians_of_the_affine_layer),
}  # fmt: skip


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(name, monkeypatch):
    plant, test = BUGS[name]
    monkeypatch.setattr(test, "_hypothesis_internal_use_settings", QUICK)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        test()


PROPERTIES = sorted({test for _, test in BUGS.values()}, key=lambda test: test.__name__)


@pytest.mark.parametrize("test", PROPERTIES, ids=lambda test: test.__name__)
def test_the_same_property_holds_without_the_bug(test, monkeypatch):
    monkeypatch.setattr(test, "_hypothesis_internal_use_settings", QUICK)
    test()
