"""A recorded function: it runs without nodes, at the speed of the formulas."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from microgrid.engine.calculus import gradients, scalar, tree_leaves, tree_map
from microgrid.engine.errors import GraphError, MicrogridError
from microgrid.engine.ops import identity
from microgrid.engine.value import Value, node, topological
from microgrid.program.batched import Batched
from microgrid.program.engines import numba_engine
from microgrid.program.impure import impure, refuse_changes
from microgrid.program.plan.backward import rules_build_graphs
from microgrid.program.plan.schedule import plan
from microgrid.program.runner import Runner, chosen, explain_failure
from microgrid.program.signature import Argnums, Signature, as_asked
from microgrid.program.structure import Structure, new_leaves, structure_of, without_model
from microgrid.program.tape import tape_of, tidied
from microgrid.program.text.listing import Listing
from microgrid.program.text.source import Module
from microgrid.program.tracing import Recording, no_concrete_reads
from microgrid.views.wording import split


def record(
    f: Callable[..., Any], *examples: Any, engine: str = "auto", pure: bool = False
) -> Program:
    """The function f as a program for arguments of the shapes of the examples.

    Examples are numbers, nested lists, arrays, or models of `nn`, whose parameters become one row;
    their values do not matter. f returns one Value, or an array or nested lists of them. Its
    comparisons are lines of the program, 1 or 0, which `where` and products take.
    BranchError, naming the line and what helps, where f looks at a number (an `if`, `range(n)`,
    `.data`), since other numbers might take another way. FrozenError where f uses a Value that is
    not among its arguments. Other numbers that f reads are constants of the program. f runs twice:
    ImpureError where they have changed (a random number, the clock). With `pure` it runs once.

    >>> program = record(lambda x, w: (w * x).tanh(), 1.0, 1.0)
    >>> program(0.0, 2.0), program.value_and_grad(0.0, 2.0, argnums=(0, 1))
    (0.0, (0.0, (2.0, 0.0)))
    """
    names = argument_names(f, len(examples))
    structures = [structure_of(without_model(x)) for x in examples]
    what = getattr(f, "__name__", "the function")

    def traced() -> Program:
        made = [new_leaves(x, name) for x, name in zip(examples, names)]
        argument = {v: k for k, (_, leaves) in enumerate(made) for v in leaves}
        with no_concrete_reads(Recording(what, argument, names, examples)):
            y = f(*[arguments for arguments, _ in made])  # they stay active: none is frozen later
        return Program(y, [leaves for _, leaves in made], structures, names, engine)

    program = traced()
    if not pure:
        try:
            again = traced()
        except MicrogridError as error:
            raise impure(what, f"fails ({error})") from error
        refuse_changes(what, program.tape, again.tape)
    return program


def argument_names(f: Any, count: int) -> list[str]:
    """The names of the parameters, numbered where they have none."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a builtin
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [named[i] if i < len(named) else f"x_{i + 1}" for i in range(count)]


class Program:
    """A function as a flat tape: call it, or ask for `value_and_grad`.

    It holds no Value, is not changed by running, and can be pickled and used by many threads.
    `engine` says what runs it: "numba" (extra `fast`) or "numpy".
    """

    def __init__(
        self, y: Any, inputs: Sequence[Sequence[Value]], structures: Sequence[Structure],
        names: Sequence[str], engine: str = "auto",
    ) -> None:  # fmt: skip
        self.signature = Signature(tuple(structures), tuple(names), structure_of(y))
        argument = [k for k, x in enumerate(inputs) for _ in x]
        outputs = [scalar(v) for v in tree_leaves(y)]
        self.tape = tape_of(outputs, [v for x in inputs for v in x], argument)
        self.engine = chosen(engine, self.tape)
        self.ready()

    @classmethod
    def of(cls, root: Any, inputs: Sequence[Any], engine: str = "auto") -> Program:
        """The program of an existing graph: its arguments are the entries of `inputs`.

        Each is a leaf, nested lists or an array of leaves. All other leaves must be plain numbers.
        """
        rows = [tree_leaves(x) for x in inputs]
        for v in [v for row in rows for v in row]:
            if not isinstance(v, Value) or v.op is not None:
                raise GraphError(f"the inputs of a program are leaves, got {v!r}")
        if len({v for row in rows for v in row}) < sum(map(len, rows)):
            raise GraphError("the inputs of a program are all different leaves")
        ends = tuple([v for v in tree_leaves(root) if isinstance(v, Value)])
        topological(node(identity, ends, None, 0.0, 0))  # GraphError for a cycle made by hand
        stems = [{split(str(v._label))[0] for v in row} for row in rows]  # w of w_{11} and w_{12}
        names = [x.pop() if len(x) == 1 and x != {""} else f"x_{i}" for i, x in enumerate(stems, 1)]
        if len(set(names)) < len(names):
            names = [f"x_{i + 1}" for i in range(len(names))]
        return cls(root, rows, [structure_of(x) for x in inputs], names, engine)

    def ready(self) -> None:
        self.plans: dict[Any, Runner] = {}
        self.lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in ("plans", "lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.engine = chosen("auto" if self.engine == numba_engine.NAME else self.engine, self.tape)
        self.ready()

    def __repr__(self) -> str:
        lines = f"{len(self.tape):,} line{'s' * (len(self.tape) != 1)}"
        out = f"{len(self.tape.outputs)} out"
        return f"<Program of {self.signature}: {lines}, {out}, {self.engine}>"

    def __call__(self, *inputs: Any) -> Any:
        """The value, in the structure in which the function returned it."""
        runner = self.runner(0, None)
        numbers = runner.run_once(self.signature.row(inputs))
        return self.signature.result.unflatten(numbers[runner.plan.outputs])

    def value_and_grad(self, *inputs: Any, argnums: Argnums = 0) -> tuple[Any, Any]:
        """The value and ∂value/∂argument, in the structure of that argument; a tuple for several.

        The function must have returned one number.
        """
        wanted = self.signature.wanted(argnums)
        runner = self.runner(0, wanted)
        numbers = runner.run_once(self.signature.row(inputs))
        gradients = [
            self.signature.arguments[k].unflatten(numbers[places].copy())
            for k, places in zip(wanted, runner.gradients)
        ]
        return float(numbers[runner.plan.outputs[0]]), as_asked(gradients, argnums)

    def batched(self, in_axes: Any = 0, threads: int | None = None) -> Batched:
        """The same program for a batch of samples, each with its own numbers.

        `in_axes` says for each argument along which axis the samples are, None where they share it
        (as in JAX's vmap). Values come for each sample, and so do the gradients of arguments with
        a batch axis; the gradients of shared arguments are sums over the samples.
        """
        return Batched(self.signature, self.tape, self.runner, in_axes, threads)

    def gradient(self, argnums: Argnums = 0) -> Program:
        """The program of ∂value/∂argument, in the structure of that argument; a tuple for several.

        The function must have returned one number. The engine's own backward pass makes the
        program, which can be differentiated in turn. `value_and_grad` is quicker for numbers.

        >>> cube = record(lambda x: x**3, 1.0)
        >>> cube.gradient()(2.0), cube.gradient().gradient()(2.0)
        (12.0, 12.0)
        """
        wanted = self.signature.wanted(argnums)
        arguments, gradient = self.differentiated()
        found = [tree_map(gradient.__getitem__, arguments[k]) for k in wanted]
        return self.again(as_asked(found, argnums), arguments)

    def hessian(self, argnums: Argnums = 0) -> Program:
        """The program of the matrix ∂²value/∂x∂x, where x is the argument flattened row by row.

        For several arguments x holds the entries of all, one argument after the other.

        >>> record(lambda x: x[0] ** 2 * x[1], [1.0, 1.0]).hessian()([2.0, 3.0]).tolist()
        [[6.0, 4.0], [4.0, 0.0]]
        """
        wanted = self.signature.wanted(argnums)
        arguments, gradient = self.differentiated()
        x = [v for k in wanted for v in tree_leaves(arguments[k])]
        with rules_build_graphs(self.tape, [*gradient]):
            rows = [gradients(gradient[v], x, create_graph=True) for v in x]
        return self.again(np.array(rows, dtype=object).reshape(len(x), len(x)), arguments)

    def differentiated(self) -> tuple[list[Any], dict[Value, Value]]:
        """The arguments as nodes in their structures, and the gradient of every node as a node."""
        slots = self.tape.nodes()
        with rules_build_graphs(self.tape, slots):
            found = gradients(slots[self.tape.outputs[0]], slots, create_graph=True)
        for v, g in zip(slots, found):
            if g.op is not None:
                g._label = f"d{v._label}"
        inputs = np.array(slots[: self.tape.inputs], dtype=object)
        arguments = Structure(list, (), self.signature.arguments).unflatten(inputs)
        return arguments, dict(zip(slots, found))

    def again(self, y: Any, arguments: Sequence[Any]) -> Program:
        """The program of y, a result of the same arguments."""
        engine = "auto" if self.engine == numba_engine.NAME else self.engine
        stands_for = tidied(topological(node(identity, tuple(tree_leaves(y)), None, 0.0, 0)))
        y = tree_map(stands_for.__getitem__, y)
        inputs, s = [tree_leaves(x) for x in arguments], self.signature
        return Program(y, inputs, s.arguments, s.names, engine)

    def listing(self, *inputs: Any) -> Listing:
        """The Wengert list: the lines of both passes side by side, with numbers where inputs come.

        It prints as text; `.html()` and `.latex()` write it for pages and papers.

        >>> print(record(lambda w, x: (w * x).tanh(), 1.0, 1.0).listing())
           forward ↓           backward ↑
           w                6  dw = dv_1·x
           x                5  dx = dv_1·w
        1  v_1 = w·x        4  dv_1 = dv_2·tanh_slope(v_1)
        2  v_2 = tanh(v_1)  3  dv_2 = 1
        <BLANKLINE>
        tanh_slope: 1 − tanh² x as 4 e / (1 + e)² with e = exp(−2 |x|)
        """
        if not inputs:
            return Listing(self.tape)
        row = self.signature.row(inputs)
        explain_failure(self.tape, row)
        return Listing(self.tape, row.tolist())

    def source(self, language: str = "python") -> str:
        """The program as text that runs on its own: "python", "numpy", "jax" or "torch".

        It defines `value` and `value_and_grad`, which take the arguments of the function.
        """
        return Module(self.tape, self.signature, language).text()

    def runner(self, batched: int, wanted: tuple[int, ...] | None) -> Runner:
        """What runs the plan of these arguments (see `plan`), which is made at the first use."""
        key = batched, wanted
        if key not in self.plans:
            with self.lock:
                if key not in self.plans:
                    self.plans[key] = Runner(self.tape, plan(self.tape, *key), self.engine)
        return self.plans[key]
