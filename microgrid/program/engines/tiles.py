"""Small pieces of products of matrices that stay in registers, as vectors of LLVM.

numba's own loops keep no block of a product in registers; these do. Each function is Python, which
says what it computes, and runs where numba does not compile; `overload` puts machine code in its
place, without a call of numba's: that would count the references of all arrays, which takes as
long as a small tile. Every result adds up in the order of the Python loops, whatever the width of
the machine's vectors: an entry of a product from the first k to the last, one rounding for each
product and one for each sum, as in a scalar line. With `fused` the two are one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic, overload

from microgrid.program.tape import Floats, Ints

WIDE = 8  # columns that a transposed block has, and partial sums of a total
SUMS = 4  # vectors of partial sums
LANES = 8 if binding.get_host_cpu_features().get("avx512f") else 4  # of one vector register
VECTORS = (2, 1)  # in a row of a tile
ROWS = (8, 4, 2, 1) if LANES == 8 else (4, 2, 1)
COLUMNS = VECTORS[0] * LANES  # of the largest tile, whose sums fill most registers
Builder = Any
F, WORD = ir.DoubleType(), ir.IntType(64)
INT = types.int64
NO_TERM = ir.Constant(F, -0.0)  # −0 + x is x, with its sign


def tile(
    fused: bool, height: int, vectors: int, row: int, a: Floats, a_at: Ints, begin: int, step: int,
    k: int, x: Floats, x_at: Ints, column: int, out: Floats, out_at: Ints, left: int,
    go_on: bool, first: Floats, last: Floats,
) -> None:  # fmt: skip
    """out[i, c] = first[i] + Σₖ a[i, k]·x[k, c] + last[i]; out[i, c] is first where it is to go on.

    a[i, k] stands at a_at[i] + begin + k·step, x[k, c] at x_at[k] + column + c, and out[i, c] at
    out_at[i] + left + c; i runs over so many rows from `row` on, c over the lanes of vectors.
    """
    for i, c in product(range(row, row + height), range(vectors * LANES)):
        y = out[out_at[i] + left + c] if go_on else first[i]
        for t in range(k):
            y = y + a[a_at[i] + begin + t * step] * x[x_at[t] + column + c]
        out[out_at[i] + left + c] = y + last[i]


def dot(x: Floats, p: int, q: int, n: int) -> float:
    """Σ x[p + s]·x[q + s] over s below n: 32 partial sums, then these, then what is left over."""
    return partial_sums([x[p + s] * x[q + s] for s in range(n)])


def total(x: Floats, p: int, n: int) -> float:
    """Σ x[p + s] over s below n, in the order of `dot`."""
    return partial_sums([x[p + s] for s in range(n)])


def partial_sums(terms: list[float]) -> float:
    """The sum of terms, each in the vector and the lane where `dot` has it."""
    block, whole = WIDE * SUMS, len(terms) // WIDE * WIDE
    sums = [[-0.0] * WIDE for _ in range(SUMS)]
    for s in range(whole):
        vector = s % block // WIDE if s < len(terms) // block * block else 0
        sums[vector][s % WIDE] = sums[vector][s % WIDE] + terms[s]
    lanes = [(a + b) + (c + d) for a, b, c, d in zip(*sums)]
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [a + b for a, b in zip(lanes[:half], lanes[half:])]
    y: float = 0.0 + lanes[0]
    for x in terms[whole:]:
        y = y + x
    return y


def transposed(x: Floats, x_at: Ints, column: int, out: Floats, left: int, step: int) -> None:
    """out[left + c·step + i] = x[x_at[i] + column + c] for i and c below 8."""
    for i, c in product(range(WIDE), range(WIDE)):
        out[left + c * step + i] = x[x_at[i] + column + c]


def power_of_two(n: float) -> float:
    """2ⁿ for a whole n from −1022 to 1023."""
    return math.ldexp(1.0, int(n))


# The machine code.


def vector(lanes: int) -> Any:
    return ir.VectorType(F, lanes)


def pointer(b: Builder, base: Any, *offsets: Any) -> Any:
    """The address of base[Σ offsets]."""
    for offset in offsets:
        base = b.gep(base, [offset])
    return base


def load(b: Builder, address: Any, lanes: int) -> Any:
    x = b.load(b.bitcast(address, vector(lanes).as_pointer()))
    x.align = 8
    return x


def store(b: Builder, x: Any, address: Any) -> None:
    b.store(x, b.bitcast(address, x.type.as_pointer())).align = 8


def everywhere(b: Builder, x: Any, lanes: int) -> Any:
    """A vector of equal numbers."""
    empty = ir.Constant(vector(lanes), ir.Undefined)
    one = b.insert_element(empty, x, ir.Constant(ir.IntType(32), 0))
    return b.shuffle_vector(one, empty, indices([0] * lanes))


def indices(places: Sequence[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))


@contextmanager
def loop(b: Builder, count: Any, carried: list[Any]) -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """A loop over i below count, which is more than 0: gives i, the numbers carried from turn to
    turn, and a list for the new ones, which holds the last ones after it."""
    before, body, after = b.block, b.append_basic_block(), b.append_basic_block()
    b.branch(body)
    b.position_at_end(body)
    i, *held = [b.phi(x.type) for x in (count, *carried)]
    for phi, x in zip([i, *held], [WORD(0), *carried]):
        phi.add_incoming(x, before)
    new: list[Any] = []
    yield i, held, new
    following = b.add(i, WORD(1))
    for phi, x in zip([i, *held], [following, *new]):
        phi.add_incoming(x, b.block)
    b.cbranch(b.icmp_signed("<", following, count), body, after)
    b.position_at_end(after)


def data(context: Any, b: Builder, types_: Any, args: Any) -> list[Any]:
    """Arguments for LLVM: of an array where its numbers are."""
    return [
        context.make_array(t)(context, b, x).data if isinstance(t, types.Array) else x
        for t, x in zip(types_, args)
    ]


SIZES = [*product((False, True), ROWS, VECTORS)]  # fused or not, rows and vectors of a tile


@intrinsic
def tile_code(
    typing, fused, height, vectors, row, a, a_at, begin, step, k, x, x_at, column, out, out_at,
    left, go_on, first, last,
):  # fmt: skip
    """`tile` for LLVM: the code of each size, of which one is run."""

    def code(context: Any, b: Builder, signature: Any, args: Any) -> Any:
        asked, rest = args[:3], data(context, b, signature.args[3:], args[3:])
        for size in SIZES:
            same = [b.icmp_signed("==", x, x.type(n)) for x, n in zip(asked, size)]
            with b.if_then(b.and_(same[0], b.and_(same[1], same[2]))):
                b.call(tile_of(b.module, size, [x.type for x in rest]), rest)
        return context.get_dummy_value()

    return types.void(
        types.boolean, INT, INT, INT, a, a_at, INT, INT, INT, x, x_at, INT, out, out_at, INT,
        types.boolean, first, last,
    ), code  # fmt: skip


def tile_of(module: Any, size: tuple[bool, int, int], types_: list[Any]) -> Any:
    """The function of a module that computes tiles of one size."""
    name = "tile_{:d}_{}_{}".format(*size)
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), types_), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    b = ir.IRBuilder(function.append_basic_block())
    one_tile(b, size, *function.args)
    b.ret_void()
    return function


def one_tile(
    b: Builder, size: tuple[bool, int, int], row: Any, a: Any, a_at: Any, begin: Any, step: Any,
    k: Any, x: Any, x_at: Any, column: Any, out: Any, out_at: Any, left: Any, go_on: Any,
    first: Any, last: Any,
) -> None:  # fmt: skip
    """The code of a tile of one size, whose sums are all in registers."""
    fused, height, vectors = size
    flags = ["contract"] if fused else []
    rows, columns = range(height), [WORD(v * LANES) for v in range(vectors)]
    a_at, out_at, first, last = [pointer(b, each, row) for each in (a_at, out_at, first, last)]
    starts = [pointer(b, a, b.load(pointer(b, a_at, WORD(i))), begin) for i in rows]
    ends = [pointer(b, out, b.load(pointer(b, out_at, WORD(i))), left) for i in rows]
    with b.if_else(go_on) as (yes, no):
        with yes:
            there = [load(b, pointer(b, e, c), LANES) for e in ends for c in columns]
            yes_block = b.block
        with no:
            fresh = [everywhere(b, b.load(pointer(b, first, WORD(i))), LANES) for i in rows]
            no_block = b.block
    sums = [b.phi(vector(LANES)) for _ in range(height * vectors)]
    for n, phi in enumerate(sums):
        phi.add_incoming(there[n], yes_block)
        phi.add_incoming(fresh[n // vectors], no_block)
    with loop(b, k, sums) as (t, held, new):
        panel = pointer(b, x, b.load(pointer(b, x_at, t)), column)
        xs = [load(b, pointer(b, panel, c), LANES) for c in columns]
        at = b.mul(t, step)
        for i in rows:
            c = everywhere(b, b.load(pointer(b, starts[i], at)), LANES)
            for v in range(vectors):
                term = b.fmul(c, xs[v], flags=flags)
                new.append(b.fadd(held[i * vectors + v], term, flags=flags))
    for i in rows:
        end = everywhere(b, b.load(pointer(b, last, WORD(i))), LANES)
        for v, c in enumerate(columns):
            store(b, b.fadd(new[i * vectors + v], end), pointer(b, ends[i], c))


@overload(tile, inline="always")
def _(
    fused, height, vectors, row, a, a_at, begin, step, k, x, x_at, column, out, out_at, left,
    go_on, first, last,
):  # fmt: skip
    def compiled(
        fused, height, vectors, row, a, a_at, begin, step, k, x, x_at, column, out, out_at, left,
        go_on, first, last,
    ):  # fmt: skip
        tile_code(
            fused, height, vectors, row, a, a_at, begin, step, k, x, x_at, column, out, out_at,
            left, go_on, first, last,
        )  # fmt: skip

    return compiled


def added_up(b: Builder, rows: list[Any], n: Any) -> Any:
    """The code of `dot` and `total`: the products of rows, or the numbers of one, added up."""

    def terms(at: Any, lanes: int) -> Any:
        xs = [load(b, pointer(b, row, at), lanes) for row in rows]
        return xs[0] if len(xs) == 1 else b.fmul(*xs)

    def some(count: Any, turn: Callable[..., list[Any]], begin: list[Any]) -> list[Any]:
        """The numbers carried through a loop that may have no turn."""
        before = b.block
        with b.if_then(b.icmp_signed(">", count, WORD(0))):
            with loop(b, count, begin) as (i, held, new):
                new += turn(i, held)
            inside = b.block
        found = [b.phi(x.type) for x in begin]
        for phi, x, y in zip(found, begin, new):
            phi.add_incoming(x, before)
            phi.add_incoming(y, inside)
        return found

    block = WORD(WIDE * SUMS)
    none = ir.Constant(vector(WIDE), [NO_TERM] * WIDE)

    def four(i: Any, held: list[Any]) -> list[Any]:
        starts = [b.add(b.mul(i, block), WORD(WIDE * m)) for m in range(SUMS)]
        return [b.fadd(y, terms(at, WIDE)) for y, at in zip(held, starts)]

    blocks = b.sdiv(n, block)
    sums = some(blocks, four, [none] * SUMS)
    begun = b.mul(blocks, block)
    vectors = b.sdiv(b.sub(n, begun), WORD(WIDE))

    def one(i: Any, held: list[Any]) -> list[Any]:
        return [b.fadd(held[0], terms(b.add(begun, b.mul(i, WORD(WIDE))), WIDE))]

    sums[0] = some(vectors, one, sums[:1])[0]
    y = b.fadd(b.fadd(sums[0], sums[1]), b.fadd(sums[2], sums[3]))
    while y.type.count > 1:
        half = y.type.count // 2
        low, high = [b.shuffle_vector(y, y, indices(range(k, k + half))) for k in (0, half)]
        y = b.fadd(low, high)
    y = b.fadd(F(0.0), b.extract_element(y, ir.IntType(32)(0)))
    begun = b.add(begun, b.mul(vectors, WORD(WIDE)))

    def alone(i: Any, held: list[Any]) -> list[Any]:
        xs = [b.load(pointer(b, row, begun, i)) for row in rows]
        return [b.fadd(held[0], xs[0] if len(xs) == 1 else b.fmul(*xs))]

    return some(b.sub(n, begun), alone, [y])[0]


@intrinsic
def dot_code(typing, x, p, q, n):
    def code(context: Any, b: Builder, signature: Any, args: Any) -> Any:
        x, p, q, n = data(context, b, signature.args, args)
        return added_up(b, [pointer(b, x, p), pointer(b, x, q)], n)

    return types.float64(x, INT, INT, INT), code


@intrinsic
def total_code(typing, x, p, n):
    def code(context: Any, b: Builder, signature: Any, args: Any) -> Any:
        x, p, n = data(context, b, signature.args, args)
        return added_up(b, [pointer(b, x, p)], n)

    return types.float64(x, INT, INT), code


@overload(dot, inline="always")
def _(x, p, q, n):
    return lambda x, p, q, n: dot_code(x, p, q, n)


@overload(total, inline="always")
def _(x, p, n):
    return lambda x, p, n: total_code(x, p, n)


@intrinsic
def transposed_code(typing, x, x_at, column, out, left, step):
    def code(context: Any, b: Builder, signature: Any, args: Any) -> Any:
        x, x_at, column, out, left, step = data(context, b, signature.args, args)
        rows = [
            load(b, pointer(b, x, b.load(pointer(b, x_at, WORD(i))), column), WIDE)
            for i in range(WIDE)
        ]
        apart = 1
        while apart < WIDE:  # the off-diagonal squares of 1, 2 and 4 change places
            for i in [i for i in range(WIDE) if not i & apart]:
                pair = rows[i], rows[i + apart]
                high = [(c if not c & apart else WIDE + c - apart) for c in range(WIDE)]
                low = [(c + apart if not c & apart else WIDE + c) for c in range(WIDE)]
                rows[i], rows[i + apart] = [
                    b.shuffle_vector(*pair, indices(x)) for x in (high, low)
                ]
            apart *= 2
        for c, y in enumerate(rows):
            store(b, y, pointer(b, out, b.add(left, b.mul(WORD(c), step))))
        return context.get_dummy_value()

    return types.void(x, x_at, INT, out, INT, INT), code


@overload(transposed, inline="always")
def _(x, x_at, column, out, left, step):
    return lambda x, x_at, column, out, left, step: transposed_code(
        x, x_at, column, out, left, step
    )


@intrinsic
def power_of_two_code(typing, n):
    def code(context: Any, b: Builder, signature: Any, args: Any) -> Any:
        bias = F(1.5 * 2**52 + 1023)  # the last bits of the sum are the exponent of 2ⁿ
        bits = b.bitcast(b.fadd(args[0], bias), WORD)
        return b.bitcast(b.shl(bits, WORD(52)), F)

    return types.float64(types.float64), code


@overload(power_of_two, inline="always")
def _(n):
    return lambda n: power_of_two_code(n)
