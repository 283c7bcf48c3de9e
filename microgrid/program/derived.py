"""Programs made of a program: its gradient, Jacobian and Hessian, and both directions."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from microgrid.engine.arguments import Argnums, as_asked, scalar
from microgrid.engine.calculus import gradients, jacobians, pushed
from microgrid.engine.forward import order_of
from microgrid.engine.functions import dot
from microgrid.engine.trees import tree_leaves, tree_map
from microgrid.engine.value import Value
from microgrid.engine.value_array import as_array
from microgrid.program.engines import numba_engine
from microgrid.program.plan.backward import rules_build_graphs
from microgrid.program.signature import Signature
from microgrid.program.tape import tidied
from microgrid.views.wording import subscripted

if TYPE_CHECKING:
    from microgrid.program.program import Program


class Graph:
    """The nodes of a program: one for each slot of its tape, and its arguments made of them."""

    def __init__(self, program: Program) -> None:
        self.program, self.tape, self.signature = program, program.tape, program.signature
        self.slots = self.tape.nodes()
        self.inputs = self.slots[: self.tape.inputs]
        self.arguments = self.signature.unflatten(self.inputs)
        self.outputs = [self.slots[s] for s in self.tape.outputs.tolist()]

    def gradient(self) -> dict[Value, Value]:
        """The gradient of every node, as a node that is named after it."""
        with rules_build_graphs(self.tape, self.slots):
            found = gradients(self.outputs[0], self.slots, create_graph=True)
        for v, g in zip(self.slots, found):
            if g.op is not None:
                g._label = f"d{v._label}"
        return dict(zip(self.slots, found))

    def result(self, row: Sequence[Value]) -> Any:
        """Nodes in the structure of what the function returned."""
        return self.signature.result.unflatten(as_array(np.array(row, dtype=object)))

    def program_of(
        self, y: Any, more: Sequence[Any] = (), signature: Signature | None = None
    ) -> Program:
        """The program of y, with more arguments behind these where a signature has them."""
        backend = self.program.backend
        stands_for = tidied(order_of(tree_leaves(y)))
        inputs, s = [tree_leaves(x) for x in [*self.arguments, *more]], signature or self.signature
        return type(self.program)(
            tree_map(stands_for.__getitem__, y), inputs, s.arguments, s.names,
            "auto" if backend == numba_engine.NAME else backend, self.program.fast,
        )  # fmt: skip


def gradient(program: Program, argnums: Argnums) -> Program:
    """The program of ∂value/∂argument."""
    wanted, graph = program.signature.wanted(argnums), Graph(program)
    found = graph.gradient()
    each = [tree_map(found.__getitem__, graph.arguments[k]) for k in wanted]
    return graph.program_of(as_asked(each, argnums))


def jacobian(program: Program, argnums: Argnums, mode: str | None) -> Program:
    """The program of the matrix ∂value/∂argument."""
    wanted, graph = program.signature.places(argnums), Graph(program)
    with rules_build_graphs(graph.tape, graph.slots):
        found = jacobians(graph.outputs, [graph.arguments[k] for k in wanted], mode, True)
    return graph.program_of(as_asked(found, argnums))


def hessian(program: Program, argnums: Argnums) -> Program:
    """The program of the matrix ∂²value/∂x∂x, x being the entries of the arguments."""
    wanted, graph = program.signature.wanted(argnums), Graph(program)
    found = graph.gradient()
    x = tree_leaves([graph.arguments[k] for k in wanted])
    with rules_build_graphs(graph.tape, [*found]):
        (matrix,) = jacobians([found[v] for v in x], [x], "reverse", create_graph=True)
    return graph.program_of(matrix)


def tangent(program: Program) -> Program:
    """The program (*primals, *tangents) ↦ (value, tangent), with d before names of tangents."""
    graph, s = Graph(program), program.signature
    moving = [Value(nan, f"d{v._label}") for v in graph.inputs]
    with rules_build_graphs(graph.tape, graph.slots):
        speed = pushed(order_of(graph.outputs), dict(zip(graph.inputs, moving)), create_graph=True)
        found = [*map(speed, graph.outputs)]
    both = graph.result(graph.outputs), graph.result(found)
    everything = s.extended(s.arguments, [f"d{name}" for name in s.names])
    return graph.program_of(both, s.unflatten(moving), everything)


def cotangent(program: Program) -> Program:
    """The program (*primals, upstream) ↦ the gradient of upstream · value for each primal."""
    graph, s, n = Graph(program), program.signature, len(program.tape.outputs)
    sent = [Value(nan, subscripted("upstream", [i][: n - 1])) for i in range(n)]
    with rules_build_graphs(graph.tape, graph.slots):
        found = gradients(scalar(dot(sent, graph.outputs)), graph.arguments, create_graph=True)
    everything = s.extended([s.result], ["upstream"])
    return graph.program_of(tuple(found), [graph.result(sent)], everything)
