"""The compiled engine: the loops of kernel.py, with a branch for each operation of the table.

The kernel is kept with its machine code in a folder of the user's cache, named by the hash of all
that it depends on, so that the next process does not compile. The folder lists the hash of each of
its files, and is made anew where one is damaged. Arithmetic is IEEE's (1/0 is inf, nothing raises),
in the same order as the engine's.
"""

from __future__ import annotations

import atexit
import hashlib
import inspect
import math
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from uuid import uuid4

import numpy as np

from microgrid.engine import families, numeric, ops, rules
from microgrid.engine.families import FAMILIES
from microgrid.engine.value import Op
from microgrid.program.plan import lines, parts
from microgrid.program.plan.blocks import Block
from microgrid.program.plan.lines import (
    ALONE,
    BLOCK,
    CHECKED,
    FUSED,
    GO_ON,
    REDUCE,
    SUM,
    TOGETHER,
)
from microgrid.program.plan.schedule import Int32s, Part, Plan
from microgrid.program.tape import Floats, Ints

NAME = "numba"
ORDERS = 5  # of the derivatives of a^b and of lgamma that are compiled
LOADING = threading.Lock()
TEXT, MADE, SUMS = "kernel.py", "__pycache__", "sha256sums"  # what is in a folder of the cache
PLACES = ("CACHE_DIR", "CACHE_LOCATOR_CLASSES")  # numba's settings of where it keeps machine code
KERNEL = Path(__file__).with_name("kernel.py")
NUMBERS = "boolean(int64[:, ::1], int32[::1], float64[::1])"  # types of the loops
SAMPLES = NUMBERS[:-1] + ", float64[:, ::1], int64, boolean)"
CELLS = 2**16  # of the rows of a block of samples, which stay in the cache
FAST = "exp", "tanh", "sigmoid", "tanh_slope", "sigmoid_slope", "exp_difference"  # of fast.py
MARK = re.compile(r" +# ----.*\n")  # between the patterns and the rest of kernel.py


@cache
def compiled_ops() -> dict[str, Op]:
    """The operations that are compiled: of the table, or parts of them; no sums of products."""
    orders = [family(k) for family in FAMILIES for k in range(ORDERS + 1)]
    known = [*ops.TABLE.values(), *orders, *parts.OPS]
    return {op.name: op for op in known if op.terms is None and op not in parts.PARTS}


def kernel_source() -> str:
    """The text of the kernel: kernel.py with a copy of its patterns for each operation."""
    pieces = MARK.split(KERNEL.read_text(encoding="utf-8"))
    known = [(op, f"op_{name}") for name, op in compiled_ops().items()]
    both = [*known, *[(compiled_ops()[name], f"fast.{name}") for name in FAST]]
    for at, few, ops_of in ((1, True, known), (2, False, known), (4, True, both), (6, False, both)):
        pieces[at] = "".join([
            branch(pieces[at], number, op, function)
            for number, (op, function) in enumerate(ops_of) if few == bool(op.arity)
        ])  # fmt: skip
    return "".join(pieces)


def branch(pattern: str, number: int, op: Op, function: str) -> str:
    """The copy of a pattern for an operation, with all of its operands."""
    operands = range(op.arity or 0)
    copied = {
        "NUMBER": str(number), "# name": f"# {op.name}",
        "operation(": f"{function}(",
        "v[body[i + 1]]": ", ".join([f"v[body[i + {k + 1}]]" for k in operands]),
        "x[p + s]": ", ".join([f"x[{row} + s]" for row in "pqr"[: op.arity]]),
    }  # fmt: skip
    for old, new in copied.items():
        pattern = pattern.replace(old, new)
    return pattern


@cache
def functions() -> dict[str, Any]:
    """The function of each operation for numba, which compiles it where the kernel calls it."""
    import numba
    import numpy as np
    from numba.extending import overload

    overload(math.cbrt)(lambda x: lambda x: np.cbrt(x))
    names: dict[str, Any] = {"math": math, "INF": math.inf, "NAN": math.nan}
    names |= {k: x for k, x in vars(numeric).items() if isinstance(x, float | tuple)}

    # Python never calls these functions, so that no wrapper for it is compiled.
    for_the_kernel: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

    def localized(f: Any) -> Any:
        core = inspect.unwrap(f)
        if not isinstance(core, FunctionType):
            return core  # math.exp, abs, operator.truediv
        g = FunctionType(core.__code__, names, core.__name__, core.__defaults__, core.__closure__)
        return numba.njit(error_model="numpy", **for_the_kernel)(g)

    names |= {k: localized(f) for k, f in vars(numeric).items() if isinstance(f, FunctionType)}
    return {f"op_{name}": localized(op.forward) for name, op in compiled_ops().items()}


def folder() -> Path:
    """Where compiled loops are kept: MICROGRID_CACHE, or the cache of numba or of the user."""
    if own := os.environ.get("MICROGRID_CACHE"):
        return Path(own)
    general = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    return (Path(general) if general else Path.home() / ".cache") / "microgrid"


@cache
def kernel() -> ModuleType:
    """The compiled loops; compiled where this is the first process that needs them."""
    return machine_code("kernel", kernel_source(), "its engine", "about a minute")


def machine_code(name: str, text: str, what: str, takes: str) -> ModuleType:
    """The functions of a text, compiled for the types in its TYPES: what it is, how long it takes.

    Sums in functions that its REORDERED names may be added up in any order; what its INLINED names
    becomes part of the functions that call it.
    """
    try:
        place = folder() / digest(text)
        if intact(place):
            return load(name, text, writable(place))
        said = f"microgrid compiles {what}, once on this machine: {takes} …"
        print(said, file=sys.stderr, flush=True)
        return compiled(name, text, place)
    except (OSError, RuntimeError):  # of pathlib or numba: nothing can be kept
        return load(name, text, Path(), keep=False)


def first_class(f: Any) -> Any:
    """A compiled function as the argument of another one, whose types have a FunctionType there."""
    from numba.core.types import WrapperAddressProtocol

    if not hasattr(f, "overloads"):
        return f  # a plain one with NUMBA_DISABLE_JIT
    made = f.overloads[(signed := f.nopython_signatures[0]).args]
    at: int = made.library.get_pointer_to_function(made.fndesc.llvm_cfunc_wrapper_name)

    class Pointer(WrapperAddressProtocol):  # numba asks it at each call
        def signature(self) -> Any:
            return signed

        def __wrapper_address__(self) -> int:
            return at

    return Pointer()


def digest(text: str) -> str:
    """The name of a text's folder: a hash of all that the machine code depends on."""
    import numba
    from numba.core.registry import cpu_target

    host = cpu_target.target_context.codegen().magic_tuple()  # what numba itself asks for
    facts = numba.__version__, sys.version, host, vars(numba.config)["DISABLE_JIT"]
    files = [*[str(m.__file__) for m in (numeric, ops, rules, families, lines, parts)], __file__]
    files += [str(KERNEL.with_name(name)) for name in ("tiles.py", "fast.py")]
    texts = [text, repr(facts), *[Path(file).read_text(encoding="utf-8") for file in files]]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def load(name: str, text: str, place: Path, keep: bool = True) -> ModuleType:
    """The module of a text; numba reads its machine code in the folder, or puts it there."""
    import numba

    module = ModuleType(f"microgrid_{name}")
    sys.modules[module.__name__] = module  # numba looks for it by its name
    vars(module).update(functions())
    settings = vars(numba.config)
    own = {k: settings[k] for k in PLACES if k in settings}
    try:  # whatever numba is set to, it keeps its files beside the text
        settings.update(dict.fromkeys(own, ""))
        exec(compile(text, str(place / TEXT), "exec"), vars(module))
        inlined = getattr(module, "INLINED", ())
        for own_name, f in [*vars(module).items()]:
            if isinstance(f, FunctionType) and f.__module__ == module.__name__:
                reordered = {"reassoc"} if own_name in module.REORDERED else False
                jit = numba.njit(
                    module.TYPES.get(own_name), cache=keep, nogil=True, error_model="numpy",
                    boundscheck=False, fastmath=reordered, forceinline=own_name in inlined,
                )  # fmt: skip
                setattr(module, own_name, jit(f))
    finally:
        settings.update(own)
    return module


def compiled(name: str, text: str, place: Path) -> ModuleType:
    """Compile in a folder of this process, then put it in its place: nobody sees half of it."""
    draft, old = [place.with_name(f"{place.name}-{uuid4().hex}") for _ in range(2)]
    try:
        draft.mkdir(parents=True)
        (draft / TEXT).write_text(text, encoding="utf-8")
        module = load(name, text, draft)
        (draft / SUMS).write_text(checksums(draft), encoding="utf-8")
        with suppress(OSError):  # another process was quicker
            if not intact(place):
                with suppress(FileNotFoundError):
                    place.rename(old)
                draft.rename(place)
        return module
    finally:
        remove(draft)
        remove(old)


def intact(place: Path) -> bool:
    """Whether the files of a folder are what they were when it was made, to the last bit."""
    try:
        return (place / SUMS).read_text(encoding="utf-8") == checksums(place)
    except (OSError, UnicodeDecodeError):
        return False


def checksums(place: Path) -> str:
    """The hashes of the text and of the machine code in a folder."""
    files = [place / TEXT, *sorted((place / MADE).glob("*.nb[ci]"))]
    return "".join([f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in files])


def writable(place: Path) -> Path:
    """The folder, or a copy for this process alone: numba reads only where it can write."""
    if os.access(place / MADE, os.W_OK):
        return place
    copy = Path(tempfile.mkdtemp(prefix="microgrid-"))
    atexit.register(remove, copy)
    shutil.copytree(place, copy, dirs_exist_ok=True)
    for path in (copy, copy / MADE):
        path.chmod(0o700)
    return copy


def remove(path: Path) -> None:
    """Delete a folder or a file, if it can be done."""
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink()


class Engine:
    """Runs one plan. Numbers are changed in place; so are rows, which have a column a sample."""

    def __init__(self, plan: Plan, fast: bool = False) -> None:
        parts = plan.prologue, plan.batch, plan.epilogue
        self.plan, self.fast = plan, fast
        self.cells = CELLS * (1 + bool(plan.blocks))
        self.shared = shared_sums(plan)
        self.added_to = np.intersect1d(plan.sums, self.shared)  # from zero; other sums are set
        self.parts = {id(p): self.translated(p) for p in parts}
        if any(len(p.runs) for p in parts):
            with LOADING:  # the threads of a batch would each make their own
                self.numbers, self.samples = kernel().numbers, kernel().samples

    def translated(self, part: Part) -> tuple[Ints, Int32s]:
        """The runs and the body of a part with the numbers that the kernel has for their codes."""
        names = [*compiled_ops()]
        number = {name: i for i, name in enumerate(names)}
        if self.fast and part is self.plan.batch:
            number |= {name: len(names) + i for i, name in enumerate(FAST)}
        runs, body = part.runs.copy(), [part.body]
        for row in runs:
            if row[0] >= 0:
                op = self.plan.ops[row[0]]
                row[0] = number[op.name]
                checked = row[3] and (op.hint or op.domain)  # else never raises: inf is a number
                row[3] = CHECKED * bool(checked) | TOGETHER * together(part.body, *row[[1, 2, 4]])
            elif row[0] == SUM:
                row[3] = TOGETHER * (row[2] == 2 and together(part.body, *row[[1, 2, 4]]))
            elif row[0] <= BLOCK:
                block = self.plan.blocks[BLOCK - row[0]]
                code, flags, numbers = written(block, self.is_alone(block))
                row[:] = code, 1, 0, flags | FUSED * self.fast, sum(map(len, body))
                body.append(numbers)
        return runs, np.concatenate(body)

    def is_alone(self, block: Block) -> bool:
        """Whether a block adds up over the batch, and nothing else adds to its sums."""
        return block.over_batch and not np.isin(block.out, self.shared).any()

    def alone(self, part: Part) -> Callable[[Floats], bool]:
        """What runs a part that has no rows, like `run`: a function of the numbers."""
        runs, body = self.parts[id(part)]
        return partial(self.numbers, runs, body) if len(runs) else lambda numbers: False

    def run(
        self, part: Part, numbers: Floats, rows: Floats, samples: int, begins: bool = True
    ) -> bool:
        """Run a part; whether a forward line may have left its domain.

        Sums over the batch begin with these samples, or go on with them.
        """
        runs, body = self.parts[id(part)]
        if not len(runs):
            return False
        if samples:
            return bool(self.samples(runs, body, numbers, rows, samples, begins))
        return bool(self.numbers(runs, body, numbers))


def together(body: Int32s, count: int, size: int, begin: int) -> bool:
    """Whether results and operands of a run are rows that stand side by side."""
    places = body[begin : begin + count * (size + 1)].reshape(count, size + 1)
    return bool(count > 1 and (places < 0).all() and (np.diff(places, axis=0) == -1).all())


def shared_sums(plan: Plan) -> Ints:
    """Sums over the batch to which a line adds, or more than one entry of a block."""
    runs, body = plan.batch.runs, plan.batch.body
    lines = [
        body[at : at + count * (size + 1) : size + 1]
        for code, count, size, _, at in runs.tolist() if code == REDUCE
    ]  # fmt: skip
    entries = [block.out.ravel() for block in plan.blocks if block.over_batch]
    places, times = np.unique(np.concatenate([np.zeros(0, int), *entries]), return_counts=True)
    return np.concatenate([places[times > 1], *lines])


def written(block: Block, alone: bool) -> tuple[int, int, Int32s]:
    """A block as the kernel reads it: its code, flags, and its numbers.

    A step leads from a number of the left matrix to the next in its row, if it is the same
    everywhere; in a block over the batch it says that results stand side by side.
    """
    if block.over_batch:
        block = side_by_side(block)
    steps = np.diff(block.out if block.over_batch else block.left, axis=1)
    step = int(steps[0, 0]) if steps.size and (steps == steps[0, 0]).all() else 0
    lists = [block.left, block.right, block.out]
    if block.over_batch:
        step = int(step == 1)
    else:
        lists += [block.first, block.last]
        if step:
            lists[0] = block.left[:, 0]
    head = *block.out.shape, block.left.shape[1], step
    numbers = np.concatenate([head, *[x.ravel() for x in lists]]).astype(np.int32)
    return BLOCK - block.over_batch, GO_ON * block.go_on | ALONE * alone, numbers


def side_by_side(block: Block) -> Block:
    """The same sums over the batch, ordered by their places, so that they may stand in rows."""
    rows, columns = [np.argsort(x, kind="stable") for x in (block.out[:, 0], block.out[0])]
    out, left, right = block.out[rows][:, columns], block.left[rows], block.right[columns]
    if len(out) > 1 and (np.diff(out, axis=0) == 1).all():
        out, left, right = out.T, right, left
    return replace(block, out=out, left=left, right=right)


def not_compiled(used: Iterable[Op]) -> list[Op]:
    """Those operations that are not compiled, or whose local gradients are not."""
    last = [family(ORDERS) for family in FAMILIES]  # their slopes are not there
    known = {*compiled_ops().values(), *parts.PARTS} - {*last}
    return [op for op in used if op.terms is None and op not in known]
