"""A plan with the engine that runs it, and the errors that the engine of Values would raise."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from operator import methodcaller
from types import SimpleNamespace
from typing import Any

import numpy as np

from microgrid.engine.errors import GraphError
from microgrid.engine.extras import install
from microgrid.engine.recorder import failed
from microgrid.program.engines import numba_engine, numpy_engine
from microgrid.program.plan.schedule import Plan
from microgrid.program.signature import Signature
from microgrid.program.structure import Structure
from microgrid.program.tape import Floats, Ints, Tape

NUMBER = Structure(float)
ENGINES: dict[str, Any] = {e.NAME: e for e in (numba_engine, numpy_engine)}


def chosen(backend: str, tape: Tape) -> str:
    """The name of the backend that can run a tape."""
    if backend not in (*ENGINES, "auto"):
        raise GraphError(f"there is no backend {backend!r}: {', '.join(ENGINES)} or auto")
    if backend == numpy_engine.NAME:
        return backend
    here, others = find_spec("numba") is not None, numba_engine.not_compiled(tape.ops)
    if here and not others:
        return numba_engine.NAME
    if backend == numba_engine.NAME:
        why = f"{others[0].name} is not compiled" if here else install("fast")
        raise GraphError(f"the backend numba cannot run this program: {why}")
    return numpy_engine.NAME


class Workspace(threading.local):
    """The numbers of one thread while it runs a plan; constants stay, the rest is overwritten."""

    def __init__(self, memory: Floats) -> None:
        self.numbers = memory.copy()
        self.rows, self.width = np.zeros((0, 0)), 0  # room for so many samples


class Runner:
    """Runs a plan, for many threads at a time."""

    def __init__(self, tape: Tape, plan: Plan, backend: str, fast: bool = False) -> None:
        self.tape, self.plan = tape, plan
        self.engine = ENGINES[backend].Engine(plan, fast)
        self.workspace, self.chunk_workspace = Workspace(plan.memory), Workspace(plan.memory)
        self.tiled = backend == numba_engine.NAME
        self.sums, self.added_to = span(plan.sums), span(self.engine.added_to)
        self.alone = self.engine.alone(plan.prologue)

    def run_once(self, numbers: Floats) -> None:
        """Run a plan without a batch; the numbers, of this thread, begin with its inputs."""
        if self.alone(numbers):
            explain_failure(self.tape, numbers[: self.tape.inputs])


class Call:
    """A runner of a plan without a batch; the value and the gradients as functions of its numbers.

    With `wanted`, the arguments whose gradients argnums ask for, the value is one number.
    """

    def __init__(
        self, signature: Signature, runner: Runner, argnums: Any, wanted: Sequence[int] | None
    ) -> None:
        plan, self.runner, self.argnums = runner.plan, runner, argnums
        self.value = reader(signature.result if wanted is None else NUMBER, plan.outputs)
        found = [reader(signature.arguments[k], at) for k, at in zip(wanted or (), plan.gradients)]
        alone = len(found) == 1 and not isinstance(argnums, Sequence)
        self.gradient = found[0] if alone else lambda xs: tuple([of(xs) for of in found])


def reader(structure: Structure, places: Ints) -> Callable[[Floats], Any]:
    """The function of all numbers that gives those at some places in a structure, as copies."""
    if structure.kind is float:
        return methodcaller("item", int(places[0]))
    where = span(places)
    return lambda numbers: structure.unflatten(numbers[where].copy())


def span(places: Ints) -> Any:
    """The places as a slice if they stand side by side, which is much quicker to read."""
    if not len(places):
        return slice(0, 0)
    ascending = bool((np.diff(places) == 1).all()) and places[0] >= 0
    return slice(int(places[0]), int(places[-1]) + 1) if ascending else places


def explain_failure(tape: Tape, row: Any) -> None:
    """Raise what the engine of Values would raise at these inputs, if it would."""
    x = [*map(float, row), *tape.constants.tolist()]
    for line, code in enumerate(tape.code.tolist()):
        op, operands = tape.ops[code], tape.operands(line)
        try:
            x.append(op.forward(*[x[s] for s in operands]))
        except (ArithmeticError, ValueError) as error:
            made_by = {s: tape.ops[tape.code[s - tape.first]] for s in operands if s >= tape.first}
            facts = [(tape.labels.get(s, ""), x[s], made_by.get(s)) for s in operands]
            failed(op, [SimpleNamespace(label=k, data=v, op=o) for k, v, o in facts], error)
