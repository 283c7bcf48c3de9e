"""A recorded function: it runs without nodes, at the speed of the formulas."""

from __future__ import annotations

import gc
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from microgrid.engine.arguments import Argnums, as_asked, check_tuple, is_active
from microgrid.engine.calculus import refuse_node, value_and_grad
from microgrid.engine.errors import ArgumentError, GraphError, MicrogridError, NumberError
from microgrid.engine.forward import order_of
from microgrid.engine.hints import Hinted, hinted
from microgrid.engine.renamed import renamed
from microgrid.engine.settings import direction
from microgrid.engine.trees import tree_leaves
from microgrid.engine.value import Value
from microgrid.engine.value_array import as_array
from microgrid.program import derived
from microgrid.program.batched import Batched
from microgrid.program.engines import numba_engine
from microgrid.program.impure import impure, refuse_changes
from microgrid.program.plan.schedule import plan
from microgrid.program.runner import Call, Runner, chosen, explain_failure
from microgrid.program.signature import Signature
from microgrid.program.structure import (
    Structure,
    arrayed,
    labels,
    new_leaves,
    outputs_of,
    structure_of,
)
from microgrid.program.tape import Floats, tape_of
from microgrid.program.text.listing import Listing
from microgrid.program.text.matrices import source
from microgrid.program.tracing import Recording, no_concrete_reads
from microgrid.views.labels import split

if TYPE_CHECKING:
    from microgrid.program.words.matrices import Matrices


@renamed(engine="backend")
def record(
    f: Callable[..., Any], *examples: Any, backend: str = "auto", pure: bool = False,
    fast: bool = False,
) -> Program:  # fmt: skip
    """The function f as a program for arguments of the shapes of the examples.

    Examples are numbers, arrays, lists, tuples and dicts of such, or models of `nn`, whose
    parameters become one row; their values do not matter. f returns one Value, or a structure. Its
    comparisons are lines of the program, 1 or 0, which `where` and products take.
    BranchError, naming the line and what helps, where f looks at a number (an `if`, `range(n)`,
    `.data`), since other numbers might take another way. FrozenError where f uses a Value that is
    not among its arguments. Other numbers that f reads are constants of the program. f runs twice:
    ImpureError where they have changed (a random number, the clock). With `pure` it runs once.

    Values have the bits of the engine of Values where numba runs the program. NumPy alone adds up
    the products of matrices in another order: each sum of n terms is within n·eps·Σ|terms|. With
    `fast` so does numba, and exp, tanh, the sigmoid and their slopes are within 4 units in the last
    place (numba: in a batch), which makes batches of such functions up to twice as quick.

    >>> program = record(lambda x, w: (w * x).tanh(), 1.0, 1.0)
    >>> program(0.0, 2.0), program.value_and_grad(0.0, 2.0, argnums=(0, 1))
    (0.0, (0.0, (2.0, 0.0)))
    """
    refuse_node("record", f)
    examples, names = tuple(map(arrayed, examples)), argument_names(f, len(examples))
    structures, labelled = [structure_of(x) for x in examples], labels(examples, names)
    what = getattr(f, "__name__", "the function")

    def traced() -> Program:
        recording = Recording(what, names, examples)
        with no_concrete_reads(recording):
            made = new_leaves(examples, names, labelled)
            recording.argument = {v: k for k, (_, leaves) in enumerate(made) for v in leaves}
            y = f(*[arguments for arguments, _ in made])  # they stay active: none is frozen later
        return Program(y, [leaves for _, leaves in made], structures, names, backend, fast)

    with no_collector():
        program = traced()
        if not pure:
            try:
                again = traced()
            except MicrogridError as error:
                raise impure(what, f"fails ({error.args[0]})") from error
            refuse_changes(what, program.tape, again.tape)
    return program


@contextmanager
def no_collector() -> Iterator[None]:
    """While it lasts, Python looks for no cycles: a graph has none, and many nodes to look at."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def argument_names(f: Any, count: int) -> list[str]:
    """The names of the parameters, numbered where they have none."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a builtin
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [named[i] if i < len(named) else f"x_{i + 1}" for i in range(count)]


class Program(Hinted):
    """A function as a flat tape: call it, or ask for `value_and_grad`.

    It holds no Value, is not changed by running, and can be pickled and used by many threads.
    `backend` says what runs it: "numba" (extra `fast`) or "numpy"; `fast` whether last digits may
    differ for speed. `record` makes programs.

    >>> program = record(lambda w, x: w * x, 1.0, 1.0)
    >>> program(2.0, 3.0), program.value_and_grad(2.0, 3.0)
    (6.0, (6.0, 3.0))
    """

    fast = False  # of programs that an older version has pickled

    @renamed(engine="backend")
    def __init__(
        self, y: Any, inputs: Sequence[Sequence[Value]], structures: Sequence[Structure],
        names: Sequence[str], backend: str = "auto", fast: bool = False,
    ) -> None:  # fmt: skip
        self.signature = Signature(tuple(structures), tuple(names), structure_of(y))
        argument = [k for k, x in enumerate(inputs) for _ in x]
        outputs = outputs_of(y)
        self.tape = tape_of(outputs, [v for x in inputs for v in x], argument)
        self.backend, self.fast = chosen(backend, self.tape), fast
        self._ready()

    @property
    def engine(self) -> str:
        """The older name of `backend`."""
        return self.backend

    @classmethod
    @renamed(engine="backend")
    def of(cls, root: Any, inputs: Sequence[Any], backend: str = "auto") -> Program:
        """The program of an existing graph: its arguments are the entries of `inputs`.

        Each is a leaf, or leaves in any structure; GraphError for other nodes, and for a leaf that
        is there twice. All other leaves must be plain numbers.

        >>> w, x = Value(2.0, "w"), Value(3.0, "x")
        >>> Program.of(w * x + 1, [w, x])(4.0, 5.0)
        21.0
        """
        rows = [tree_leaves(x) for x in inputs]
        for v in [v for row in rows for v in row]:
            if not isinstance(v, Value) or v.op is not None:
                raise GraphError(f"the inputs of a program are leaves, got {v!r}")
        if len({v for row in rows for v in row}) < sum(map(len, rows)):
            raise GraphError("the inputs of a program are all different leaves")
        order_of([v for v in tree_leaves(root) if isinstance(v, Value)])  # GraphError for a cycle
        stems = [{split(str(v._label))[0] for v in row} for row in rows]  # w of w_{11} and w_{12}
        names = [x.pop() if len(x) == 1 and x != {""} else f"x_{i}" for i, x in enumerate(stems, 1)]
        if len(set(names)) < len(names):
            names = [f"x_{i + 1}" for i in range(len(names))]
        return cls(root, rows, [structure_of(x) for x in inputs], names, backend)

    def _ready(self) -> None:
        """No plan is made yet."""
        self._plans: dict[Any, Runner] = {}
        self._value: Call | None = None
        self._gradient: Call | None = None  # that of the last argnums
        self._derived: dict[Callable[..., Program], Program] = {}
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        made = "_plans", "_value", "_gradient", "_derived", "_lock"
        return {k: v for k, v in vars(self).items() if k not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        here = "auto" if self.backend == numba_engine.NAME else self.backend
        self.backend = chosen(here, self.tape)
        self._ready()

    def __repr__(self) -> str:
        lines = f"{len(self.tape):,} line{'s' * (len(self.tape) != 1)}"
        out = f"{len(self.tape.outputs)} out"
        return f"<Program of {self.signature}: {lines}, {out}, {self.backend}>"

    def __call__(self, *inputs: Any) -> Any:
        """The value, in the structure in which the function returned it.

        Where the program is differentiated or recorded itself, as in mg.hessian(program), it takes
        nodes and gives nodes.
        """
        call = self._value or self._called(None, None)
        numbers = call.runner.workspace.numbers
        if not self._write(numbers, inputs):
            outputs = as_array(
                np.array(self.tape.applied(self.signature.nodes(inputs)), dtype=object)
            )
            return self.signature.result.unflatten(outputs)
        call.runner.run_once(numbers)
        return call.value(numbers)

    def _write(self, numbers: Floats, inputs: Sequence[Any]) -> bool:
        """Write the inputs into a row; False where they are being differentiated or recorded.

        NumberError for other Values: a program makes no graph of them.
        """
        try:
            self.signature.write(numbers, inputs)
            return True
        except NumberError as error:
            nodes = [v for v in tree_leaves(inputs) if isinstance(v, Value)]
            if any(map(is_active, order_of(nodes))):
                return False
            if not nodes:
                raise
            raise NumberError(
                f"{error}: a program makes no graph of nodes; hand over numbers, like x.data, or "
                "differentiate the program itself, like mg.grad(program)(x.data)"
            ) from None

    @renamed(argnum="argnums")
    def value_and_grad(self, *inputs: Any, argnums: Argnums = 0) -> tuple[Any, Any]:
        """The value and ∂value/∂argument, in the structure of that argument; a tuple for several.

        The function must have returned one number. The parameters of a model are one flat row.

        >>> program = record(lambda w, b: w[0] * w[1] + b, [1.0, 1.0], 1.0)
        >>> program.value_and_grad([2.0, 3.0], 1.0, argnums=(0, 1))
        (7.0, ([3.0, 2.0], 1.0))
        """
        call = self._gradient
        if call is None or call.argnums is not argnums:
            call = self._called(argnums, self.signature.wanted(argnums))
        numbers = call.runner.workspace.numbers
        if not self._write(numbers, inputs):
            y, found = value_and_grad(self, self.signature.wanted(argnums))(*inputs)
            return y, as_asked(found, argnums)
        call.runner.run_once(numbers)
        return call.value(numbers), call.gradient(numbers)

    def _called(self, argnums: Any, wanted: tuple[int, ...] | None) -> Call:
        """What computes the value, or with `wanted` value and gradients; the last one is kept.

        An int, or a tuple of them, asks for what the last call did where it is the same object.
        """
        call = Call(self.signature, self._runner(0, wanted), argnums, wanted)
        if wanted is None:
            self._value = call
        elif type(argnums) in (int, tuple):
            self._gradient = call
        return call

    def batched(self, in_axes: Any = 0, threads: int | None = None) -> Batched:
        """The same program for a batch of samples, each with its own numbers.

        `in_axes` says for each argument along which axis the samples are, None where they share it
        (as in JAX's vmap). Values come for each sample, and so do the gradients of arguments with
        a batch axis; the gradients of shared arguments are sums over the samples. In a dict or a
        named tuple each array has the axis, and so its gradient.

        >>> program = record(lambda p, x: p["w"] * x + p["b"], {"w": 1.0, "b": 1.0}, 1.0)
        >>> program.batched((None, 0)).value_and_grad({"w": 2.0, "b": 1.0}, [0.0, 1.0, 2.0])
        (array([1., 3., 5.]), {'w': 3.0, 'b': 3.0})

        >>> program = record(lambda w, x: w * x, 1.0, 1.0)
        >>> batch = program.batched(in_axes=(None, 0))  # one w for all x
        >>> batch(3.0, [1.0, 2.0]).tolist()
        [3.0, 6.0]
        >>> batch.value_and_grad(3.0, [1.0, 2.0])[1]  # ∂/∂w, summed over the samples
        3.0
        """
        return Batched(self, in_axes, threads)

    def gradient(self, argnums: Argnums = 0) -> Program:
        """The program of ∂value/∂argument, in the structure of that argument; a tuple for several.

        The function must have returned one number. The engine's own backward pass makes the
        program, which can be differentiated in turn. `value_and_grad` is quicker for numbers.

        >>> cube = record(lambda x: x**3, 1.0)
        >>> cube.gradient()(2.0), cube.gradient().gradient()(2.0)
        (12.0, 12.0)
        """
        return derived.gradient(self, argnums)

    def jacobian(self, argnums: Argnums = 0, mode: str | None = None) -> Program:
        """The program of the matrix ∂value/∂argument: a row per output, a column per input.

        Both are flattened row by row; several argnums give a tuple of matrices. `mode="forward"`
        makes a column in each pass, `mode="reverse"` a row; None makes the fewer passes.

        >>> record(lambda x: [x[0] * x[1], x[0] + x[1]], [1.0, 1.0]).jacobian()([2.0, 3.0]).tolist()
        [[3.0, 2.0], [1.0, 1.0]]
        """
        return derived.jacobian(self, argnums, mode)

    def hessian(self, argnums: Argnums = 0) -> Program:
        """The program of the matrix ∂²value/∂x∂x, where x is the argument flattened row by row.

        For several arguments x holds the entries of all, one argument after the other.

        >>> record(lambda x: x[0] ** 2 * x[1], [1.0, 1.0]).hessian()([2.0, 3.0]).tolist()
        [[6.0, 4.0], [4.0, 0.0]]
        """
        return derived.hessian(self, argnums)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """The value, and how fast it moves where the arguments move at the speed of the tangents.

        Both have the structure of the value, which may be several numbers; `primals` is a tuple of
        the arguments, `tangents` one of the same form. The first call makes a program of the
        forward pass and its tangents, which later calls replay. The numbers are those of mg.jvp.

        >>> product = record(lambda x, w: [w * x, w + x], 1.0, 1.0)
        >>> product.jvp((2.0, 3.0), (1.0, 0.0))
        ([6.0, 5.0], [3.0, 1.0])
        """
        given = self.signature.moving(primals, tangents)
        value, moved = self._made(derived.tangent)(*given)
        return value, moved

    def vjp(self, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """The value, and the pullback: the function of upstream gradients that goes backward.

        The pullback takes an upstream gradient in the structure of the value, which may be several
        numbers, and gives a tuple with a gradient for each argument, of upstream · value. Its first
        call makes a program, which later calls replay.

        >>> value, pullback = record(lambda x, w: [w * x, w + x], 1.0, 1.0).vjp(2.0, 3.0)
        >>> value, pullback([1.0, 0.0]), pullback([0.0, 1.0])
        ([6.0, 5.0], (3.0, 2.0), (1.0, 1.0))
        """
        value = self(*primals)

        def pullback(upstream: Any) -> tuple[Any, ...]:
            found: tuple[Any, ...] = self._made(derived.cotangent)(*primals, upstream)
            return found

        return value, pullback

    def _made(self, derive: Callable[[Program], Program]) -> Program:
        """What this makes of the program, which happens once."""
        with self._lock:
            if derive not in self._derived:
                self._derived[derive] = derive(self)
        return self._derived[derive]

    @hinted
    def listing(
        self, *inputs: Any, mode: str = "reverse", tangents: Any = None, matrices: bool = False
    ) -> Listing:
        """The Wengert list: the lines of both passes side by side, with numbers where inputs come.

        With `mode="forward"` each line stands beside its tangent, Σ local × tangent of the operand.
        `tangents`, one for each argument, say how fast the inputs move; without them the first
        input moves at speed 1 and no other. ArgumentError for tangents in reverse mode, or of
        another form. With `matrices` the lines of a product of matrices are one line, and so is a
        matrix among the arguments (see `matrices`), in reverse mode. It prints as text; `.html()`
        and `.latex()` write it for pages and papers.

        >>> program = record(lambda w, x: (w * x).tanh(), 1.0, 1.0)
        >>> print(program.listing())
           forward ↓           backward ↑
           w                6  dw = dv_1·x
           x                5  dx = dv_1·w
        1  v_1 = w·x        4  dv_1 = dv_2·tanh_slope(v_1)
        2  v_2 = tanh(v_1)  3  dv_2 = 1
        <BLANKLINE>
        tanh_slope: 1 − tanh² x as 4 e / (1 + e)² with e = exp(−2 |x|)
        >>> print(program.listing(2.0, 0.5, mode="forward"))
        seeds: dw = 1, all others 0
           primal ↓                 tangent ↓
           w                2       dw                           1
           x                0.5     dx                           0
        1  v_1 = w·x        1       dv_1 = dw·x + dx·w           0.5
        2  v_2 = tanh(v_1)  0.7616  dv_2 = dv_1·tanh_slope(v_1)  0.21
        <BLANKLINE>
        tanh_slope: 1 − tanh² x as 4 e / (1 + e)² with e = exp(−2 |x|)
        """
        row = self.signature.row(inputs) if inputs else None
        if row is not None:
            explain_failure(self.tape, row)
        if matrices and direction(mode) == "forward":
            raise ArgumentError("matrices=True is for the listing of reverse mode")
        if tangents is None:
            folds = self.matrices()._folds() if matrices else ()
            return Listing(self.tape, None if row is None else row.tolist(), mode, folds=folds)
        if row is None or direction(mode) != "forward":
            raise ArgumentError('tangents belong to listing(*inputs, mode="forward", tangents=…)')
        check_tuple("listing: tangents", tangents)
        return Listing(self.tape, row.tolist(), mode, self.signature.row(tangents).tolist())

    def matrices(self) -> Matrices:
        """The program in matrices: Y = X W + b beside dX = dY Wᵀ, as they stand in lecture notes.

        The lines of a program know scalars alone; the matrices are found among them, and each
        formula is compared with its lines in integers. It prints as text; `.html()`, `.latex()` and
        `.markdown()` write it for pages and papers, and `.draw()` is a picture.

        >>> W, x = [[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0]
        >>> program = record(lambda W, x: [W[0][0] * x[0] + W[0][1] * x[1],
        ...                                W[1][0] * x[0] + W[1][1] * x[1]], W, x)
        >>> program.matrices().formulas
        ('y = W x',)
        """
        from microgrid.program.words.matrices import Matrices

        return Matrices(self.tape, self.signature)

    def source(self, language: str = "python") -> str:
        """The program as text that runs on its own: "python", "numpy", "jax" or "torch".

        It defines `value` and `value_and_grad`, which take the arguments of the function. In the
        libraries it computes with arrays, Y = X @ W + b, unless a line for each number is shorter;
        `batched(…).source` writes the same for a batch.

        >>> space = {}
        >>> exec(record(lambda w, x: w * x, 1.0, 1.0).source(), space)
        >>> space["value"](2.0, 3.0)
        6.0
        """
        return source(self.tape, self.signature, language)

    def _runner(self, batched: int, wanted: tuple[int, ...] | None) -> Runner:
        """What runs the plan of these arguments (see `plan`), which is made at the first use."""
        key = batched, wanted
        if key not in self._plans:
            with self._lock:
                if key not in self._plans:
                    exact = self.backend == numba_engine.NAME and not self.fast
                    made = plan(self.tape, *key, exact)
                    self._plans[key] = Runner(self.tape, made, self.backend, self.fast)
        return self._plans[key]
