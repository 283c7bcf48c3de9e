"""What a program takes and returns, and the checks that every call begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np

from microgrid.engine.arguments import Argnums, check_tuple, positions
from microgrid.engine.errors import GraphError, ShapeError
from microgrid.engine.trees import tree_map
from microgrid.engine.value import Constant, Value
from microgrid.engine.value_array import as_array
from microgrid.program.structure import Structure
from microgrid.program.tape import Floats
from microgrid.views.wording import plural


@dataclass(frozen=True)
class Signature:
    """The structures and names of a program's arguments, and the structure of its result."""

    arguments: tuple[Structure, ...]
    names: tuple[str, ...]
    result: Structure

    def __str__(self) -> str:
        return ", ".join([f"{n} ({x.size})" for n, x in zip(self.names, self.arguments)])

    def check_count(self, inputs: Sequence[Any]) -> None:
        """ShapeError unless there is an input for each argument."""
        if len(inputs) != len(self.names):
            takes = ", ".join(self.names)
            count = plural(len(self.names), "argument")
            raise ShapeError(f"the program takes {count} ({takes}), got {len(inputs)}")

    def moving(self, primals: Any, tangents: Any) -> list[Any]:
        """The arguments and their tangents; an error unless both are tuples with one for each."""
        for name, given in (("primals", primals), ("tangents", tangents)):
            check_tuple(f"jvp: {name}", given)
            self.check_count(given)
        return [*primals, *tangents]

    @cached_property
    def spans(self) -> list[tuple[Structure, str, bool, int, int]]:
        """Each structure and name, whether it is a number; where it begins and ends in a row."""
        ends = [0, *accumulate([x.size for x in self.arguments])]
        return [
            (x, name, x.kind is float, begin, end)
            for x, name, begin, end in zip(self.arguments, self.names, ends, ends[1:])
        ]

    def write(self, row: Floats, inputs: Sequence[Any]) -> None:
        """Write all inputs into the beginning of a row of floats."""
        if len(inputs) != len(self.names):
            self.check_count(inputs)
        for x, (structure, name, is_number, begin, end) in zip(inputs, self.spans):
            if is_number and type(x) is float:  # the two that are quick
                row[begin] = x
            elif structure.is_already(x):
                row[begin:end] = x.ravel()
            else:
                structure.write(row[begin:end], x, name)

    def row(self, inputs: Sequence[Any]) -> Floats:
        """All inputs as one row of floats."""
        row = np.empty(sum([x.size for x in self.arguments]))
        self.write(row, inputs)
        return row

    def nodes(self, inputs: Sequence[Any]) -> list[Value]:
        """All inputs as one row of nodes, a Constant for each plain number."""
        found: list[Any] = []

        def place(x: Any) -> float:
            found.append(x)
            return len(found) - 1.0

        row = self.row(tree_map(place, list(inputs)))
        leaves = [found[int(i)] for i in row.tolist()]
        return [x if isinstance(x, Value) else Constant(x) for x in leaves]

    def unflatten(self, row: Sequence[Any]) -> list[Any]:
        """The arguments, from a row of the nodes of all."""
        arguments: list[Any] = Structure(list, (), self.arguments).unflatten(
            as_array(np.array([*row, None], dtype=object)[:-1])
        )
        return arguments

    def extended(self, arguments: Sequence[Structure], names: Sequence[str]) -> Signature:
        """The signature with some arguments more."""
        return Signature((*self.arguments, *arguments), (*self.names, *names), self.result)

    def places(self, argnums: Argnums) -> tuple[int, ...]:
        """The arguments that are asked for, counted from 0; ArgumentError where there is none."""
        return positions(argnums, len(self.names), "the program has")

    def wanted(self, argnums: Argnums) -> tuple[int, ...]:
        """The same; GraphError unless the result is one number, which has a gradient."""
        found = self.places(argnums)
        if self.result.size != 1:
            raise GraphError(
                f"the function returned {self.result}, not one number: there is no gradient of "
                "several; return their sum, or see jacobian and vjp"
            )
        return found
