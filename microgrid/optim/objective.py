"""The mean loss of some samples and its gradient: by the engine, or by a recorded program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np

from microgrid.engine.arguments import scalar
from microgrid.engine.calculus import gradients
from microgrid.engine.errors import GraphError, ParameterError, ShapeError
from microgrid.engine.functions import refusal, total
from microgrid.engine.trees import branch, is_model, tree_leaves, tree_map
from microgrid.engine.value import Value, topological
from microgrid.nn.module import holders, put_back
from microgrid.program import Program
from microgrid.program.structure import plain_number, structure_of
from microgrid.program.tape import Floats

Data = Sequence[Any]  # arrays with the samples along their first axis


class Objective:
    """f(parameters, *sample) ↦ loss, as a function of one row of numbers and some samples.

    f is an ordinary function or a Program of it; parameters are numbers, Values or Modules in any
    structure, of which the last two change in place. Without data f(parameters) is the whole loss.
    """

    def __init__(self, f: Callable[..., Any] | Program, parameters: Any, arguments: int) -> None:
        self.f, self.parameters = f, parameters
        self.depends = False  # whether some loss came from the parameters: known after a graph
        self.structure = structure_of(parameters)
        self.held = [v for v in tree_leaves(parameters) if isinstance(v, Value)]
        check_leaves(self.held)
        if isinstance(f, Program):
            takes, size = f.signature.arguments, self.structure.size
            if len(takes) != 1 + arguments or takes[0].size != size:
                raise ShapeError(
                    f"{f!r} takes {len(takes)} arguments, the first of {takes[0].size} "
                    f"numbers; here are {size} parameters and {arguments} arrays of data"
                )
            self.check_names(f)
            self.run = f.batched((None, *[0] * arguments)) if arguments else f
        elif not callable(f):
            raise ParameterError(f"fit takes a function or a program of it, got {f!r}")
        elif reason := refusal(f, 1 + arguments):
            raise ShapeError(
                f"f(parameters, *sample) is called with {1 + arguments} arguments here, the "
                f"parameters and one from each array of data: {reason}"
            )

    def check_names(self, program: Program) -> None:
        """ShapeError if the program was recorded with parameters of other names, in this order."""
        mine = self.parameters.parameters() if is_model(self.parameters) else []
        known = program.tape.labels
        own_names, recorded = [p.label for p in mine], [known.get(i, "") for i in range(len(mine))]
        if own_names == recorded:  # at once: they are many
            return
        for i, (own, there) in enumerate(zip(own_names, recorded)):
            if own != there and own and there:
                raise ShapeError(f"parameter {i} of the model is {own}, but {there} in the "
                                 "program: it was recorded with another model")  # fmt: skip

    def check_shapes(self, data: Data) -> None:
        """ShapeError unless the samples have the shapes that the program was recorded with."""
        if isinstance(self.f, Program):
            takes = self.f.signature
            for structure, name, x in zip(takes.arguments[1:], takes.names[1:], data):
                shape = structure.regular_shape(name)
                if x.shape[1:] != shape:
                    said = f"{name}: the program takes samples of shape {shape}, got {x.shape[1:]}"
                    if len(shape) == x.ndim == 1 and (x % 1 == 0).all():
                        said += f"; nn.one_hot({name}, {shape[0]}) makes rows of class numbers"
                    raise ShapeError(said)

    def start(self) -> Floats:
        """The numbers of the parameters as they are now."""
        alone = is_model(self.parameters) or not self.held
        x = self.parameters if alone else tree_map(plain_number, self.parameters)
        return self.structure.flatten(x, "parameters")

    def shaped(self, numbers: Floats) -> Any:
        """A row of numbers in the structure of the parameters; Values and Modules change."""
        if not self.held:
            return self.structure.unflatten(numbers.copy())
        self.move(numbers)
        if len(self.held) == self.structure.size:
            return self.parameters
        return with_entries(self.parameters, iter(numbers.tolist()))

    def move(self, numbers: Floats) -> list[Any]:
        """Give the Values among the parameters their numbers; the parameters as they are now."""
        given = tree_leaves(self.parameters)
        for v, x in zip(given, numbers.tolist()):
            if isinstance(v, Value):
                v.data = x
        return given

    def value_and_grad(self, numbers: Floats, batch: Data) -> tuple[float, Floats]:
        """The mean loss of the batch, and its gradient."""
        if isinstance(self.f, Program):
            losses, found = self.run.value_and_grad(self.structure.unflatten(numbers), *batch)
            gradient = self.structure.flatten(found, "gradient")
        else:
            nodes, graphs = self.graphs(numbers, batch)
            root = total(graphs)
            self.depends = self.depends or bool(set(nodes) & set(topological(root)))
            gradient = np.array(gradients(root, nodes), dtype=float)
            losses = [y.data for y in graphs]
        return float(np.mean(losses)), gradient / np.size(losses)

    def check_dependence(self) -> None:
        """GraphError if no loss so far came from the parameters."""
        if not (self.depends or isinstance(self.f, Program)):
            raise GraphError("the loss does not depend on the parameters: compute it with the "
                             "first argument of the function")  # fmt: skip

    def loss(self, numbers: Floats, batch: Data) -> float:
        """The mean loss of the batch."""
        if isinstance(self.f, Program):
            return float(np.mean(self.run(self.structure.unflatten(numbers), *batch)))
        return float(np.mean([y.data for y in self.graphs(numbers, batch)[1]]))

    def graphs(self, numbers: Floats, batch: Data) -> tuple[list[Value], list[Value]]:
        """The parameters as nodes, and the loss of each sample as a graph of them.

        f may change the containers of parameters and samples: each call gets them unchanged. A
        whole number of a sample is Python's, which does not wrap around.
        """
        f: Any = self.f
        rows = zip(*batch) if batch else [()]
        samples = [[x.item() if isinstance(x, np.integer) else copy(x) for x in r] for r in rows]
        given = zip(self.move(numbers), numbers.tolist())
        nodes = [v if isinstance(v, Value) else Value(x) for v, x in given]
        arguments = with_entries(self.parameters, iter(nodes))
        kept, losses = holders(arguments), []
        for row in samples:
            try:
                losses.append(scalar(f(arguments, *row)))
            finally:
                put_back(kept)
        return nodes, losses


def with_entries(x: Any, row: Iterator[Any]) -> Any:
    """A structure with the entries of a row, but for its Values and models, which stay."""
    whole = branch(x)
    if whole is None:
        entry = next(row)
        return x if isinstance(x, Value) else entry
    if whole.is_model:
        for _ in whole.parts:
            next(row)
        return x
    return whole.build([with_entries(part, row) for part in whole.parts])


def check_leaves(held: Sequence[Value]) -> None:
    """ParameterError unless these are different leaves."""
    for v in held:
        if v.op is not None:
            raise ParameterError(f"fit moves leaves, got {v!r}, the result of an operation")
    if len({*held}) < len(held):
        twice = next(v for i, v in enumerate(held) if v in held[:i])
        raise ParameterError(f"the parameter {twice!r} is there twice: hand it over once")
