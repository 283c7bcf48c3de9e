"""Gradients that are nearly right, and those that are right where two inputs are equal."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import FunctionType

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess
from microgrid.check.handwritten.diagnosis.source_lines import line, quoted, source
from microgrid.check.handwritten.results import Line
from microgrid.check.handwritten.trial import Array


def nearly(case: Case) -> Iterator[Guess]:
    """Theirs is right but for an eps, which their forward or backward has."""
    draw = case.here
    if np.abs(draw.theirs.ravel() - draw.right).max() > 1e-3 * draw.world.sizes(draw.dout).max():
        return
    small = [*small_numbers(case)]
    error = max(relative(draw) for draw in (case.here, *case.elsewhere))
    if small and 1e-12 < error < 1e-3:
        yield Guess(
            f"it is right to {error:.0e} of its terms: look where eps stands,"
            f" {' and '.join(map(quoted, small[:2]))}",
            lambda draw: relative(draw) < 1e-3,
        )


def relative(draw: Draw) -> float:
    """The largest difference over the sum of the sizes of an entry's terms."""
    terms = np.abs(draw.dout) @ np.abs(draw.world.J)
    gap = np.abs(draw.theirs.ravel() - draw.right)
    return float((gap / np.maximum(terms, 1e-300))[gap > 0].max(initial=0))


def small_numbers(case: Case) -> Iterator[Line]:
    """The lines with an eps: by its name, or a number that small, which is used there."""
    for function in [*case.trial.forwards, *case.trial.backwards]:
        yield from eps_lines(function)


def eps_lines(function: FunctionType) -> Iterator[Line]:
    try:
        tree = ast.parse(source(function))
    except SyntaxError:
        return
    seen = set()
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(op=ast.Add(), right=right, left=left):
                if (is_eps(left) or is_eps(right)) and node.lineno not in seen:
                    seen.add(node.lineno)
                    first = function.__code__.co_firstlineno - 1
                    yield line(function.__code__.co_filename, first + node.lineno)


def is_eps(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=float() | int() as number):
            return 0 < abs(number) <= 1e-3
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return "eps" in name.lower()
    return False


def twins(case: Case) -> Iterator[Guess]:
    """Theirs is right where another input of the same shape is equal to this one."""
    for name, a in case.trial.inputs.items():
        if name != case.input and a.shape == case.first.shape and a.size > 1:
            yield Guess(
                f"it is right where {name} and {case.input} are equal: one stands for the other,"
                " or one object serves both and its cache is that of its last call",
                lambda draw, name=name: equal_inputs(draw, name),  # type: ignore[misc]
            )


def equal_inputs(draw: Draw, name: str) -> bool:
    """Whether theirs is right where this input is made equal to the one in question."""
    inputs = dict(draw.world.trial.inputs)
    world = draw.world.at(inputs | {name: np.array(inputs[draw.world.input])})
    theirs: Array = world.theirs(draw.dout).ravel()
    return draw.same(theirs, world.right(draw.dout)) and bool(theirs.any())
