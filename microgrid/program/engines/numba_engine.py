"""The compiled engine: one loop over a plan, made by numba from the table of operations.

The text of the loop is generated, an `elif` for each operation, and kept with its machine code in a
folder of the user's cache under the hash of everything it depends on: so the next process does not
compile. A folder with a damaged file is made anew: its own list has the hash of every file.
Arithmetic is IEEE's (1/0 is inf, nothing raises), in the same order as the engine's.
"""

from __future__ import annotations

import atexit
import hashlib
import inspect
import math
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from uuid import uuid4

from microgrid.engine import numeric, ops, rule_ops, rules
from microgrid.engine.value import Op
from microgrid.program.plan.lines import REDUCE, SUM
from microgrid.program.plan.schedule import Part, Plan
from microgrid.program.tape import Floats

NAME = "numba"
ORDERS = 5  # of the derivatives of a^b that are compiled
LOADING = threading.Lock()
OFFSET = 2  # codes below are SUM and REDUCE
TEXT, MADE, SUMS = "kernel.py", "__pycache__", "sha256sums"  # what is in a folder of the cache
PLACES = ("CACHE_DIR", "CACHE_LOCATOR_CLASSES")  # numba's settings of where it keeps machine code

HEAD = '''"""Made by microgrid from its table of operations; do not edit."""
import numpy as np
from numba import njit
from microgrid.program.engines.numba_engine import functions
{names} = functions()


@njit(
    "boolean(int64[:, ::1], uint32[::1], float64[::1])",
    cache=True, nogil=True, error_model="numpy", boundscheck=False,
)
def numbers(runs, body, v):
    bad = False
    for r in range(runs.shape[0]):
        code, count, size, check, at = runs[r]
        step = size + 1
        end = at + count * step
        i = at
        if code == {sum}:
            while i + 3 * step < end:  # four at a time: no line of a run reads another's result
                p, q, s = i + step, i + 2 * step, i + 3 * step
                a = v[body[i + 1]] * v[body[i + 2]]
                b = v[body[p + 1]] * v[body[p + 2]]
                c = v[body[q + 1]] * v[body[q + 2]]
                d = v[body[s + 1]] * v[body[s + 2]]
                for t in range(3, step, 2):
                    a += v[body[i + t]] * v[body[i + t + 1]]
                    b += v[body[p + t]] * v[body[p + t + 1]]
                    c += v[body[q + t]] * v[body[q + t + 1]]
                    d += v[body[s + t]] * v[body[s + t + 1]]
                v[body[i]], v[body[p]], v[body[q]], v[body[s]] = a, b, c, d
                i += 4 * step
            while i < end:
                a = v[body[i + 1]] * v[body[i + 2]]
                for t in range(i + 3, i + step, 2):
                    a += v[body[t]] * v[body[t + 1]]
                v[body[i]] = a
                i += step
'''
ONE_OF_NUMBERS = """        elif code == {code}:  # {name}
            while i < end:
                y = {call}
                v[body[i]] = y
                bad |= check and not y - y == 0
                i += step
"""
ROWS = '''    return bad


@njit(cache=True, nogil=True, error_model="numpy", boundscheck=False, fastmath={{"reassoc"}})
def over_batch(rows, p, q, n):
    y = 0.0
    for s in range(n):
        y += rows[p, s] * rows[q, s]
    return y


@njit(cache=True, nogil=True, error_model="numpy", boundscheck=False, fastmath={{"reassoc"}})
def total(rows, p, n):
    y = 0.0
    for s in range(n):
        y += rows[p, s]
    return y


@njit(cache=True, nogil=True, error_model="numpy", boundscheck=False)
def gather(xs, body, i, step, v, rows, wide):
    """The operands of a line, a row each."""
    for t in range(1, step):
        p = body[i + t]
        if p >= 0:
            c = v[p]
            for s in range(wide):
                xs[t - 1, s] = c
        else:
            for s in range(wide):
                xs[t - 1, s] = rows[-1 - p, s]


@njit(cache=True, nogil=True, error_model="numpy", boundscheck=False, fastmath={{"reassoc"}})
def suspect(rows, o, wide):
    """Whether any number of a row is inf or nan."""
    y = 0.0
    for s in range(wide):
        y += rows[o, s] - rows[o, s]
    return not y == 0


@njit(
    "boolean(int64[:, ::1], int32[::1], float64[::1], float64[:, ::1], int64, int64)",
    cache=True, nogil=True, error_model="numpy", boundscheck=False,
)
def samples(runs, body, v, rows, n, wide):
    # n samples; the idle columns up to wide, a multiple of 8, repeat the last one
    bad, most = False, 1
    for r in range(runs.shape[0]):
        if runs[r, 0] > {reduce}:
            most = max(most, runs[r, 2])
    xs = np.empty((most, wide))
    for r in range(runs.shape[0]):
        code, count, size, check, at = runs[r]
        step = size + 1
        end = at + count * step
        i = at
        if code == {sum}:
            while i < end:
                o, p, q = -1 - body[i], body[i + 1], body[i + 2]
                if q >= 0:
                    c = v[p] * v[q]
                    for s in range(wide):
                        rows[o, s] = c
                elif p >= 0:
                    c, x = v[p], -1 - q
                    for s in range(wide):
                        rows[o, s] = c * rows[x, s]
                else:
                    w, x = -1 - p, -1 - q
                    for s in range(wide):
                        rows[o, s] = rows[w, s] * rows[x, s]
                t, i = i + 3, i + step
                while t < i:
                    p, q = body[t], body[t + 1]
                    if q >= 0:
                        c = v[p] * v[q]
                        for s in range(wide):
                            rows[o, s] += c
                    elif p < 0:
                        w, x = -1 - p, -1 - q
                        for s in range(wide):
                            rows[o, s] += rows[w, s] * rows[x, s]
                    elif t + 2 < i and body[t + 2] >= 0 and body[t + 3] < 0:  # two at a time
                        c, x, d, z = v[p], -1 - q, v[body[t + 2]], -1 - body[t + 3]
                        for s in range(wide):
                            rows[o, s] = rows[o, s] + c * rows[x, s] + d * rows[z, s]
                        t += 2
                    else:
                        c, x = v[p], -1 - q
                        for s in range(wide):
                            rows[o, s] += c * rows[x, s]
                    t += 2
        elif code == {reduce}:
            while i < end:
                y = v[body[i]]
                for t in range(i + 1, i + step, 2):
                    p, q = body[t], body[t + 1]
                    if q >= 0:
                        y += n * (v[p] * v[q])
                    elif p >= 0:
                        y += v[p] * total(rows, -1 - q, n)
                    else:
                        y += over_batch(rows, -1 - p, -1 - q, n)
                v[body[i]] = y
                i += step
'''
OF_ROWS = """        elif code == {code}:  # {name}
            while i < end:
                o = -1 - body[i]
                gather(xs, body, i, step, v, rows, wide)
                for s in range(wide):
                    rows[o, s] = op_{name}({operands})
                bad |= check and suspect(rows, o, wide)
                i += step
"""
MANY_OF_NUMBERS = """        elif code == {code}:  # {name}
            xs = np.empty(size)
            while i < end:
                for t in range(size):
                    xs[t] = v[body[i + 1 + t]]
                y = op_{name}(xs)
                v[body[i]] = y
                bad |= check and not y - y == 0
                i += step
"""


@cache
def compiled_ops() -> dict[str, Op]:
    """The operations that are compiled: those of the table that are no sums of products."""
    powers = [rules.falling(k) for k in range(ORDERS + 1)]
    powers += [rules.slope_in_exponent(k) for k in range(ORDERS)]
    return {op.name: op for op in [*ops.TABLE.values(), *powers] if op.terms is None}


def source() -> str:
    """The text of the loops."""
    names, scalar, batch = [], "", ""
    for i, (name, op) in enumerate(compiled_ops().items()):
        names.append(f"op_{name}")
        code, n = i + OFFSET, op.arity
        if n is None:
            scalar += MANY_OF_NUMBERS.format(code=code, name=name)
            batch += OF_ROWS.format(code=code, name=name, operands="xs[:size, s]")
            continue
        scalar += ONE_OF_NUMBERS.format(
            code=code, name=name,
            call=f"op_{name}({', '.join([f'v[body[i + {k + 1}]]' for k in range(n)])})",
        )  # fmt: skip
        operands = ", ".join([f"xs[{k}, s]" for k in range(n)])
        batch += OF_ROWS.format(code=code, name=name, operands=operands)
    codes = {"sum": 0, "reduce": 1}
    head = HEAD.format(names=", ".join(names), **codes)
    return head + scalar + ROWS.format(**codes) + batch + "    return bad\n"


def functions() -> list[Any]:
    """The compiled functions of the table, in its order; numba compiles what is called."""
    import numba
    import numpy as np
    from numba.extending import overload

    overload(math.cbrt)(lambda x: lambda x: np.cbrt(x))
    names: dict[str, Any] = {"math": math, "INF": math.inf, "NAN": math.nan}
    names |= {k: x for k, x in vars(numeric).items() if isinstance(x, float)}

    def localized(f: Any) -> Any:
        core = inspect.unwrap(f)
        if not isinstance(core, FunctionType):
            return core  # math.exp, abs, operator.truediv
        g = FunctionType(core.__code__, names, core.__name__, core.__defaults__, core.__closure__)
        return numba.njit(error_model="numpy")(g)

    names |= {k: localized(f) for k, f in vars(numeric).items() if isinstance(f, FunctionType)}
    return [localized(op.forward) for op in compiled_ops().values()]


def folder() -> Path:
    """Where compiled loops are kept: MICROGRID_CACHE, or the cache of numba or of the user."""
    if own := os.environ.get("MICROGRID_CACHE"):
        return Path(own)
    general = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    return (Path(general) if general else Path.home() / ".cache") / "microgrid"


@cache
def kernel() -> ModuleType:
    """The compiled loops; compiled where this is the first process that needs them."""
    text = source()
    try:
        place = folder() / digest(text)
        return loaded(text, writable(place)) if intact(place) else made(text, place)
    except (OSError, RuntimeError):  # of pathlib or numba: nothing can be kept
        return loaded(text.replace("cache=True, ", ""), Path())


def digest(text: str) -> str:
    """The name of a text's folder: a hash of all that the machine code depends on."""
    import numba
    from numba.core.registry import cpu_target

    host = cpu_target.target_context.codegen().magic_tuple()  # what numba itself asks for
    parts = [text, numba.__version__, sys.version, str(host), str(settings()["DISABLE_JIT"])]
    files = [str(m.__file__) for m in (numeric, ops, rule_ops, rules)] + [__file__]
    parts += [Path(file).read_text(encoding="utf-8") for file in files]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def loaded(text: str, place: Path) -> ModuleType:
    """The module of a text; numba reads its machine code in the folder, or puts it there."""
    module = ModuleType("microgrid_kernel")
    sys.modules[module.__name__] = module  # numba looks for it by its name
    with beside_the_text():
        exec(compile(text, str(place / TEXT), "exec"), vars(module))
    return module


@contextmanager
def beside_the_text() -> Iterator[None]:
    """numba keeps its files beside the text, whatever else it is set to: they are looked after."""
    kept = {k: settings()[k] for k in PLACES if k in settings()}
    try:
        settings().update(dict.fromkeys(kept, ""))
        yield
    finally:
        settings().update(kept)


def settings() -> dict[str, Any]:
    """The settings of numba, by the names of its documentation without NUMBA_."""
    import numba

    return vars(numba.config)


def made(text: str, place: Path) -> ModuleType:
    """Compile in a folder of this process, then put it in its place: nobody sees half of it."""
    said = "microgrid compiles its engine, once on this machine: about 20 seconds …"
    print(said, file=sys.stderr, flush=True)
    draft, old = [place.with_name(f"{place.name}-{uuid4().hex}") for _ in range(2)]
    try:
        draft.mkdir(parents=True)
        (draft / TEXT).write_text(text, encoding="utf-8")
        module = loaded(text, draft)
        (draft / SUMS).write_text(sums(draft), encoding="utf-8")
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
        return (place / SUMS).read_text(encoding="utf-8") == sums(place)
    except (OSError, UnicodeDecodeError):
        return False


def sums(place: Path) -> str:
    """The hashes of the text and of the machine code in a folder."""
    files = [place / TEXT, *sorted((place / MADE).glob("*.nb[ci]"))]
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in files]
    return "".join(lines)


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

    def __init__(self, plan: Plan) -> None:
        parts = plan.before, plan.block, plan.after
        self.ops = plan.ops
        self.parts = {id(p): self.translated(p) for p in parts}
        if any(len(p.runs) for p in parts):
            with LOADING:  # the threads of a batch would each make their own
                self.loops = kernel()

    def translated(self, part: Part) -> Any:
        """The runs with the codes of the compiled loops, and the body, signed and not."""
        known = {name: i + OFFSET for i, name in enumerate(compiled_ops())}
        runs = part.runs.copy()
        for row in runs:
            op = self.ops[row[0]] if row[0] >= 0 else None
            row[0] = known[op.name] if op else {SUM: 0, REDUCE: 1}[int(row[0])]
            if op and not (op.hint or op.domain):  # it never raises: inf is a number like others
                row[3] = 0
        return runs, part.body, part.body.view("uint32")

    def run(self, part: Part, numbers: Floats, rows: Floats, samples: int) -> bool:
        """Run a part; whether a forward line may have left its domain."""
        runs, body, unsigned = self.parts[id(part)]
        if not len(runs):
            return False
        loops = self.loops
        if samples:
            return bool(loops.samples(runs, body, numbers, rows, samples, -(-samples // 8) * 8))
        return bool(loops.numbers(runs, unsigned, numbers))


def not_compiled(used: Iterable[Op]) -> list[Op]:
    """Those operations that are not compiled, or whose local gradients are not."""
    last = rules.falling(ORDERS), rules.slope_in_exponent(ORDERS - 1)  # their slopes are not there
    known = {*compiled_ops().values()} - {*last}
    return [op for op in used if op.terms is None and op not in known]
