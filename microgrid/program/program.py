"""A recorded function: it runs without nodes, at the speed of the formulas."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import numpy as np

from microgrid.calculus import flat
from microgrid.errors import GraphError, MicrogridError, ShapeError
from microgrid.guards import failed
from microgrid.program import native, vectors
from microgrid.program.cluster import Spread
from microgrid.program.forms import Form, form_of, leaves, matrix_of
from microgrid.program.listing import Listing
from microgrid.program.schedule import Plan, plan
from microgrid.program.tape import LAST_BIT, Floats, Tape, tape_of
from microgrid.program.watch import watched
from microgrid.value import Constant, Op, Value

CHUNK = 2048  # samples whose sums are added up on their own: the same with any number of threads
ENGINES: dict[str, Any] = {e.NAME: e for e in (native, vectors)}


def record(f: Callable[..., Any], *examples: Any, engine: str = "auto") -> Program:
    """The function f as a program for arguments of the shapes of the examples.

    Examples are numbers, nested lists or arrays; their values do not matter. f returns one Value,
    or an array or nested lists of them. BranchError, naming the line, where f looks at a number (an
    `if`, a comparison, `.data`): a program is right for all numbers or there is none. FrozenError
    where f uses a Value that is not among its arguments.

    >>> program = record(lambda x, w: (w * x).tanh(), 1.0, 1.0)
    >>> program(0.0, 2.0), program.value_and_grad(0.0, 2.0, argnums=(0, 1))
    (0.0, (0.0, (2.0, 0.0)))
    """
    names = argument_names(f, len(examples))
    made = [leaves(x, name) for x, name in zip(examples, names)]
    with watched(getattr(f, "__name__", "the function")):
        y = f(*[arguments for arguments, _ in made])
    return Program(y, [x for _, x in made], [form_of(x) for x in examples], names, engine)


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
        self, y: Any, inputs: Sequence[Sequence[Value]], forms: Sequence[Form],
        names: Sequence[str], engine: str = "auto",
    ) -> None:  # fmt: skip
        self.forms, self.names = tuple(forms), tuple(names)
        self.result = form_of(y)
        argument = [k for k, x in enumerate(inputs) for _ in x]
        outputs = [v if isinstance(v, Value) else Constant(v) for v in flat(y)]
        self.tape = tape_of(outputs, [v for x in inputs for v in x], argument)
        self.engine = chosen(engine, self.tape)
        self.ready()

    @classmethod
    def of(cls, root: Any, inputs: Sequence[Any], engine: str = "auto") -> Program:
        """The program of an existing graph: its arguments are the entries of `inputs`.

        Each is a leaf, nested lists or an array of leaves. All other leaves must be plain numbers.
        """
        rows = [flat(x) for x in inputs]
        for v in [v for row in rows for v in row]:
            if not isinstance(v, Value) or v.op is not None:
                raise GraphError(f"the inputs of a program are leaves, got {v!r}")
        if len({v for row in rows for v in row}) < sum(map(len, rows)):
            raise GraphError("the inputs of a program are all different leaves")
        names = [name_of(row, i) for i, row in enumerate(rows)]
        return cls(root, rows, [form_of(x) for x in inputs], names, engine)

    def ready(self) -> None:
        self.plans: dict[Any, Any] = {}
        self.lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in ("plans", "lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.engine = chosen("auto" if self.engine == native.NAME else self.engine, self.tape)
        self.ready()

    def __repr__(self) -> str:
        arguments = ", ".join([f"{n} ({form.size})" for n, form in zip(self.names, self.forms)])
        lines = f"{len(self.tape):,} line{'s' * (len(self.tape) != 1)}"
        return f"<Program of {arguments}: {lines}, {len(self.tape.outputs)} out, {self.engine}>"

    def __call__(self, *inputs: Any) -> Any:
        """The value, in the form in which the function returned it."""
        runner = self.runner(0, None)
        scratch = runner.run_once(self.row(inputs))
        return self.result.filled(scratch.numbers[runner.plan.outputs])

    def value_and_grad(self, *inputs: Any, argnums: int | Sequence[int] = 0) -> tuple[Any, Any]:
        """The value and ∂value/∂argument, in the form of that argument; a tuple for several.

        The function must have returned one number.
        """
        wanted = self.asked(argnums)
        runner = self.runner(0, wanted)
        scratch = runner.run_once(self.row(inputs))
        found = tuple(
            self.forms[k].filled(scratch.numbers[places])
            for k, places in zip(wanted, runner.plan.gradients)
        )
        value = float(scratch.numbers[runner.plan.outputs[0]])
        return value, found if isinstance(argnums, Sequence) else found[0]

    def batched(self, in_axes: Any = 0, threads: int | None = None) -> Batched:
        """The same program for a batch of samples, each with its own numbers.

        `in_axes` says for each argument along which axis the samples are, None where they share it
        (as in JAX's vmap). Values come for each sample, and so do the gradients of arguments with
        a batch axis; the gradients of shared arguments are sums over the samples.
        """
        return Batched(self, in_axes, threads)

    def listing(self, *inputs: Any) -> Listing:
        """The Wengert list: the lines of both passes side by side, with numbers where inputs come.

        It prints as text; `.html()` and `.latex()` write it for pages and papers.

        >>> print(record(lambda w, x: (w * x).tanh(), 1.0, 1.0).listing())
           forward ↓           backward ↑
           w                6  dw = dv_1·x
           x                5  dx = dv_1·w
        1  v_1 = w·x        4  dv_1 = dv_2·tanh_slope(v_1)
        2  v_2 = tanh(v_1)  3  dv_2 = 1
        """
        return Listing(self.tape, self.row(inputs).tolist() if inputs else None)

    def asked(self, argnums: int | Sequence[int]) -> tuple[int, ...]:
        wanted = tuple(argnums) if isinstance(argnums, Sequence) else (argnums,)
        for k in wanted:
            if not -len(self.forms) <= k < len(self.forms):
                raise GraphError(f"argnums {k}: the program has {len(self.forms)} arguments")
        if self.result.size != 1:
            raise GraphError(
                f"the function returned {self.result}, not one number: there is no gradient of "
                "several; return their sum"
            )
        return tuple(k % len(self.forms) for k in wanted)

    def row(self, inputs: Sequence[Any]) -> Floats:
        """All inputs as one row of floats."""
        self.check(inputs)
        rows = [form.flat(x, n) for form, x, n in zip(self.forms, inputs, self.names)]
        return rows[0] if len(rows) == 1 else np.concatenate([np.zeros(0), *rows])

    def check(self, inputs: Sequence[Any]) -> None:
        if len(inputs) != len(self.forms):
            takes = ", ".join(self.names)
            raise ShapeError(f"the program takes {len(self.forms)} arguments ({takes}), "
                             f"got {len(inputs)}")  # fmt: skip

    def runner(self, varying: int, wanted: tuple[int, ...] | None) -> Runner:
        """What runs a plan; planned at the first use."""
        key = varying, wanted
        if key not in self.plans:
            with self.lock:
                if key not in self.plans:
                    self.plans[key] = Runner(self, plan(self.tape, varying, wanted))
        found: Runner = self.plans[key]
        return found

    def explain_failure(self, row: Any) -> None:
        """Raise what the engine of Values would raise at these inputs, if it would."""
        tape = self.tape
        x = [*map(float, row), *tape.constants.tolist()]
        for line, code in enumerate(tape.code.tolist()):
            op, operands = tape.ops[code], tape.operands(line)
            try:
                x.append(op.forward(*[x[s] for s in operands]))
            except (ArithmeticError, ValueError) as error:
                failed(op, [Shown(tape, s, x[s]) for s in operands], error)


class Shown:
    """A slot as an error message describes it."""

    def __init__(self, tape: Tape, slot: int, data: float) -> None:
        self.label, self.data = tape.labels.get(slot, ""), data
        self.op: Op | None = tape.ops[tape.code[slot - tape.first]] if slot >= tape.first else None


def name_of(row: Sequence[Value], i: int) -> str:
    """The common name of leaves like w_{11}, w_{12}."""
    names = {str(v._label).split("_")[0] for v in row}
    return names.pop() if len(names) == 1 and names != {""} else f"x_{i + 1}"


def chosen(engine: str, tape: Tape) -> str:
    """The name of the engine that can run a tape."""
    if engine not in (*ENGINES, "auto"):
        raise GraphError(f"there is no engine {engine!r}: {', '.join(ENGINES)} or auto")
    if engine == vectors.NAME:
        return engine
    here, others = find_spec("numba") is not None, native.not_compiled(tape.ops)
    if here and not others:
        return native.NAME
    if engine == native.NAME:
        why = f"{others[0].name} is not compiled" if here else "pip install numba, the extra `fast`"
        raise GraphError(f"the engine numba cannot run this program: {why}")
    return vectors.NAME


class Scratch(threading.local):
    """The numbers of one thread while it runs a plan; constants stay, the rest is overwritten."""

    def __init__(self, memory: Floats) -> None:
        self.numbers = memory.copy()
        self.rows = np.zeros((0, 0))


class Runner:
    """A plan with the engine that runs it."""

    def __init__(self, program: Program, made: Plan) -> None:
        self.program, self.plan = program, made
        self.engine = ENGINES[program.engine].Engine(made)
        self.scratch = Scratch(made.memory)

    def run_once(self, row: Floats) -> Scratch:
        """Run without a batch; the numbers are valid until this thread runs the plan again."""
        scratch, plan = self.scratch, self.plan
        scratch.numbers[: len(row)] = row
        bad = self.engine.run(plan.before, scratch.numbers, scratch.rows, 0)
        if bad:
            self.program.explain_failure(row)
        self.engine.run(plan.after, scratch.numbers, scratch.rows, 0)
        return scratch


class Batched:
    """A program that runs once for each sample of a batch."""

    def __init__(self, program: Program, in_axes: Any, threads: int | None) -> None:
        count = len(program.forms)
        axes = tuple(in_axes) if isinstance(in_axes, Sequence) else (in_axes,) * count
        if len(axes) != count:
            raise ShapeError(f"in_axes has {len(axes)} entries, the program {count} arguments")
        if count > LAST_BIT:
            raise ShapeError(f"a batched program takes at most {LAST_BIT} arguments: put numbers "
                             "together in arrays")  # fmt: skip
        if all(axis is None for axis in axes):
            raise ShapeError("in_axes: at least one argument must have a batch axis")
        for axis, form, name in zip(axes, program.forms, program.names):
            if axis is not None and not -len(s := form.rectangle(name)) - 1 <= axis <= len(s):
                raise ShapeError(f"{name} has no axis {axis} when it has {len(s) + 1}")
        self.program, self.axes = program, axes
        self.threads = threads or available_cpus()
        self.varying = sum([1 << k for k, axis in enumerate(axes) if axis is not None])

    def __repr__(self) -> str:
        return f"<Batched {self.program!r}, in_axes={self.axes}>"

    def __call__(self, *inputs: Any) -> Any:
        """The values, an array with the samples along its first axis; lists stay lists."""
        values, _, _ = self.run(inputs, None)
        return split(self.program.result, values)

    def value_and_grad(self, *inputs: Any, argnums: int | Sequence[int] = 0) -> tuple[Any, Any]:
        """The values, one for each sample, and the gradients of their sum.

        Gradients come in the form of the arguments: for a shared one summed over the samples, for
        a batched one with a batch axis like its own.
        """
        wanted = self.program.asked(argnums)
        values, summed, single = self.run(inputs, wanted)
        found = []
        for k in wanted:
            form, axis = self.program.forms[k], self.axes[k]
            if axis is None:
                found.append(form.filled(summed[k]))
            else:
                shape = (len(values), *form.rectangle(self.program.names[k]))
                array = single[k].reshape(shape)
                found.append(np.moveaxis(array, 0, axis) if axis else array)
        return values[:, 0], tuple(found) if isinstance(argnums, Sequence) else found[0]

    def on(self, client: Any) -> Spread:
        """The same over the workers of a `distributed.Client` (extra `cluster`)."""
        return Spread(self, client)

    def run(
        self, inputs: Sequence[Any], wanted: tuple[int, ...] | None
    ) -> tuple[Floats, dict[int, Floats], dict[int, Floats]]:
        """Values, the gradients of shared arguments, those of batched arguments, a row a sample."""
        shared, samples = self.divided(inputs)
        runner = self.program.runner(self.varying, wanted)
        plan, engine = runner.plan, runner.engine
        numbers = runner.scratch.numbers
        numbers[: len(shared)] = shared
        numbers[plan.count], numbers[plan.sums] = len(samples), 0.0
        bad = engine.run(plan.before, numbers, runner.scratch.rows, 0)
        asked = [plan.outputs, *plan.gradients]
        batched = [True] + [self.axes[k] is not None for k in wanted or ()]
        found = [np.empty((len(samples), len(p))) if b else None for p, b in zip(asked, batched)]

        def chunk(first: int, scratch: Scratch) -> bool:
            """Run the samples from the first on, a block at a time."""
            failed = False
            last = min(first + CHUNK, len(samples))
            width = block_width(plan.rows, last - first)
            if scratch.rows.shape != (plan.rows, width):
                scratch.rows = np.zeros((plan.rows, width))
            rows = scratch.rows
            for lo in range(first, last, width):
                n = min(width, last - lo)
                rows[: samples.shape[1], :n] = samples[lo : lo + n].T
                if n < width:  # idle, but within the domain
                    rows[: samples.shape[1], n:] = samples[lo + n - 1][:, None]
                failed |= engine.run(plan.block, scratch.numbers, rows, n)
                for places, out in zip(asked, found):
                    if out is not None:
                        out[lo : lo + n] = vectors.results(places, scratch.numbers, rows[:, :n])
            return failed

        if len(samples) <= CHUNK:
            bad |= bool(len(samples)) and chunk(0, runner.scratch)
        else:
            bad |= self.in_chunks(chunk, runner, numbers, len(samples))
        if bad:
            self.explain_failure(shared, samples, found[0])
        engine.run(plan.after, numbers, runner.scratch.rows, 0)
        gradients = dict(zip(wanted or (), zip(plan.gradients, found[1:])))
        summed = {k: numbers[places] for k, (places, out) in gradients.items() if out is None}
        single = {k: out for k, (_, out) in gradients.items() if out is not None}
        return found[0], summed, single  # type: ignore[return-value]

    def in_chunks(
        self, chunk: Callable[[int, Scratch], bool], runner: Runner, numbers: Floats, count: int
    ) -> bool:
        """Run chunks side by side and add up their sums in order."""

        def run(first: int) -> tuple[bool, Floats]:
            scratch = Scratch(numbers)
            return chunk(first, scratch), scratch.numbers[runner.plan.sums]

        with ThreadPoolExecutor(self.threads) as pool:
            results = list(pool.map(run, range(0, count, CHUNK)))
        for _, sums in results:
            numbers[runner.plan.sums] += sums
        return any(bad for bad, _ in results)

    def divided(self, inputs: Sequence[Any]) -> tuple[Floats, Floats]:
        """The shared inputs as a row, the others as a matrix with a row for each sample."""
        program = self.program
        program.check(inputs)
        shared, batched, counts = [np.zeros(0)], [], {}
        for axis, form, name, x in zip(self.axes, program.forms, program.names, inputs):
            if axis is None:
                shared.append(form.flat(x, name))
                continue
            shape = form.rectangle(name)
            array = x if isinstance(x, np.ndarray) and x.dtype == float else matrix_of(x, name)
            moved = np.moveaxis(array, axis, 0) if axis and array.ndim == len(shape) + 1 else array
            if moved.ndim != len(shape) + 1 or moved.shape[1:] != shape:
                raise ShapeError(
                    f"{name}: each sample has shape {shape}, with the batch along axis {axis}; "
                    f"got shape {array.shape}"
                )
            counts[name] = len(moved)
            batched.append(moved.reshape(len(moved), form.size))
        if len(set(counts.values())) > 1:
            said = ", ".join([f"{name} has {n}" for name, n in counts.items()])
            raise ShapeError(f"the batch has one size: {said} samples")
        return np.concatenate(shared), np.concatenate(batched, axis=1)

    def explain_failure(self, shared: Floats, samples: Floats, values: Any) -> None:
        """Raise what the engine of Values would raise, for the first sample where it would."""
        argument = self.program.tape.argument.tolist()
        varies = np.array([self.axes[k] is not None for k in argument], dtype=bool)
        row = np.empty(len(varies))
        row[~varies] = shared
        suspects = ~np.isfinite(values).all(axis=1)
        for i in [*np.flatnonzero(suspects), *np.flatnonzero(~suspects)]:
            row[varies] = samples[i]
            try:
                self.program.explain_failure(row)
            except MicrogridError as error:
                error.add_note(f"in sample {i} of the batch")
                raise


def block_width(rows: int, samples: int) -> int:
    """So many samples at a time that their rows stay in the cache, a multiple of 8."""
    fits = 2**16 // max(rows, 1) // 8 * 8
    return int(min(max(fits, 32), 512, -(-samples // 8) * 8))


def split(form: Form, rows: Floats) -> Any:
    """Rows of results, one for each sample, in the form of a result with a batch axis."""
    if form.kind is float:
        return rows[:, 0]
    if form.kind is np.ndarray:
        return rows.reshape(len(rows), *form.shape)
    ends = np.cumsum([part.size for part in form.parts])[:-1]
    return form.kind([split(p, r) for p, r in zip(form.parts, np.split(rows, ends, axis=1))])


def available_cpus() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
