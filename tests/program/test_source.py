"""Programs as text: in Python the bits of the program, in the libraries the same numbers."""

import builtins
import functools
import itertools
import math
import re
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from shared.operations import EVERY, anywhere, operands, roomy

import microgrid as mg
from microgrid import Program, Value, record
from microgrid.engine.errors import GraphError
from microgrid.engine.ops import TABLE
from microgrid.program.plan.backward import template

LANGUAGES = ["python", "numpy", "jax", "torch"]
LIBRARIES = LANGUAGES[1:]
SIZE = 60  # of every batch of samples: for one size JAX compiles an operation once
TINY, HUGE = 1e-70, 1e70  # beyond, a product on the way may under- or overflow


def text(program, language):
    return program.source(language)


def loaded(program, language):
    """The functions of the text, which finds nothing in its namespace but the builtins."""
    needed(language)
    space = {"__builtins__": builtins}
    exec(compile(text(program, language), f"<{language}>", "exec"), space)
    return space


def needed(language):
    """Skip where the library is not installed; floats of 64 bits in JAX."""
    if language == "torch":
        pytest.importorskip("torch", reason="the text for PyTorch runs in PyTorch")
    if language == "jax":
        jax = pytest.importorskip("jax", reason="the text for JAX runs in JAX")
        jax.config.update("jax_enable_x64", True)


def flat(x):
    """The numbers of nested lists and arrays, in order."""
    if isinstance(x, list | tuple):
        return [y for z in x for y in flat(z)]
    return np.asarray(x, dtype=float).ravel().tolist()


def same(a, b):
    return a == b or (a != a and b != b)


def assert_bits(got, want):
    got, want = flat(got), flat(want)
    assert all(map(same, got, want)), (got, want)
    assert len(got) == len(want)


def assert_close(got, want, rtol=1e-12):
    got, want = np.array(flat(got)), np.array(flat(want))
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-14)


def every_argument(program):
    """value_and_grad of a program as the text has it: of all arguments."""
    n = len(program.signature.arguments)

    def f(*xs):
        y, g = program.value_and_grad(*xs, argnums=range(n))
        return y, g[0] if n == 1 else g

    return f


# One operation.


@functools.cache
def recorded(name, count):
    return record(lambda *xs: EVERY[name](*xs), *[0.7] * count)


@functools.cache
def compiled(name, count, language):
    return loaded(recorded(name, count), language)


def drawn(strategy, count):
    """So many examples of a strategy."""
    found = []

    how = {"phases": [Phase.generate], "suppress_health_check": [*HealthCheck]}

    @settings(max_examples=count, deadline=None, database=None, **how)
    @given(strategy)
    def collect(x):
        found.append([float(y) for y in x])

    collect()
    return found


@pytest.mark.parametrize("name", EVERY)
def test_in_python_every_operation_has_the_bits_of_the_program(name):
    @settings(max_examples=15, deadline=None)
    @given(operands(name, anywhere))
    def check(xs):
        xs = [float(x) for x in xs]
        module, program = compiled(name, len(xs), "python"), recorded(name, len(xs))
        try:
            want = every_argument(program)(*xs)
        except mg.MicrogridError:
            with pytest.raises((ArithmeticError, ValueError)):
                module["value"](*xs)
        else:
            assert_bits(module["value_and_grad"](*xs), want)
            assert_bits(module["value"](*xs), want[0])

    check()


WHOLE = [tuple, np.array, lambda xs: np.array(xs, dtype=object)]  # kinds of sequences of numbers
EACH = [np.float64, np.array, lambda x: Fraction(x) if x and math.isfinite(x) else x]  # of numbers


@functools.cache
def of_one_list(name, count):
    return loaded(record(lambda xs: EVERY[name](*xs), [0.7] * count), "python")


def result(f, *xs):
    """The bits of what f returns, or the kind of its error; a warning of NumPy is an error."""
    with np.errstate(all="raise"):
        try:
            return [x.hex() for x in flat(f(*xs))]
        except (ArithmeticError, ValueError, TypeError) as error:
            return type(error)


@pytest.mark.parametrize("name", EVERY)
def test_in_python_numbers_of_every_kind_give_the_same_bits_and_errors(name):
    @settings(max_examples=10, deadline=None)
    @given(tuples(name, SPECIAL) | operands(name, anywhere))
    def check(xs):
        xs = [float(x) for x in xs]
        one, many = of_one_list(name, len(xs)), compiled(name, len(xs), "python")  # arguments
        right = result(one["value_and_grad"], xs)
        for sequence in WHOLE:
            assert result(one["value_and_grad"], sequence(xs)) == right
        for number in EACH:
            each = [*map(number, xs)]
            assert result(one["value_and_grad"], each) == right
            assert result(many["value_and_grad"], *each) == right

    check()


@pytest.mark.parametrize("dtype", ["i1", "u8", "f2", "f4", "g", "?", ">f8", object])
@pytest.mark.parametrize("name", ["mul", "power", "relu", "elu", "absolute", "div", "dot", "clip"])
def test_in_python_arrays_of_every_dtype_are_computed_as_floats(name, dtype):
    xs = np.array([100, 7, 1, 3][: EVERY[name].arity or 4]).astype(dtype)
    module = of_one_list(name, len(xs))
    right = result(module["value_and_grad"], [float(x) for x in xs])
    assert result(module["value_and_grad"], xs) == result(module["value_and_grad"], [*xs]) == right


def ordinary(xs):
    return all(x == 0 or TINY < abs(x) < HUGE for x in xs if math.isfinite(x))


def worst(got, want, xs):
    """The largest relative error over the samples."""
    errors = [0.0]
    for g, w, x in zip(got, want, xs, strict=True):
        if math.isfinite(w) and ordinary([*x, w]):
            errors.append(abs(g - w) / (abs(w) or 1.0))
    return max(errors)


def samples_of(name):
    """A batch of operands inside the domain, with what the program makes of them."""
    n = EVERY[name].arity or {"dot": 4}.get(name, 3)
    strategies = [
        xs.filter(lambda x: len(x) == n) for xs in (operands(name, anywhere), roomy(name))
    ]
    rows, want = [], []
    for x in [x for xs in strategies for x in drawn(xs, 25)]:
        if len(rows) < SIZE:
            try:
                y, g = recorded(name, n).value_and_grad(*x, argnums=range(n))
            except mg.MicrogridError:
                continue
            rows.append(x)
            want.append([y, *g])
    return rows, want


@functools.cache
def samples(name):
    rows, want = samples_of(name)
    assert rows
    while len(rows) < SIZE:
        rows, want = (rows * 2)[:SIZE], (want * 2)[:SIZE]
    return rows, want


@pytest.mark.parametrize("language", LIBRARIES)
@pytest.mark.parametrize("name", EVERY)
def test_in_a_library_every_operation_has_the_numbers_of_the_program(name, language):
    needed(language)
    rows, want = samples(name)
    n = len(rows[0])
    with np.errstate(all="ignore"):
        y, g = compiled(name, n, language)["value_and_grad"](*np.array(rows).T)
    for got, right in zip([y, *(g if n > 1 else [g])], np.array(want).T, strict=True):
        assert np.shape(got) == (SIZE,)
        assert worst(np.asarray(got).tolist(), right.tolist(), rows) <= 1e-12


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 5e-324, 1e308, -1e308, math.inf, -math.inf, math.nan, -3.0]
TIES = [-2.0, -1.0, 0.0, 0.5, 1.0, 2.0]


def tuples(name, numbers):
    return st.tuples(*[st.sampled_from(numbers)] * (EVERY[name].arity or 4))


@pytest.mark.parametrize("name", EVERY)
def test_at_special_numbers_python_has_the_bits_of_the_program_or_raises(name):
    @settings(max_examples=20, deadline=None)
    @given(tuples(name, SPECIAL))
    def check(xs):
        module, program = compiled(name, len(xs), "python"), recorded(name, len(xs))
        try:
            want = every_argument(program)(*xs)
        except mg.MicrogridError:
            try:
                y = module["value"](*xs)
            except (ArithmeticError, ValueError):
                return
            # what the program refuses: a power that is complex, or a finite sum beyond the floats
            assert isinstance(y, complex) or not math.isfinite(y)
        else:
            assert_bits(module["value_and_grad"](*xs), want)

    check()


@pytest.mark.parametrize("language", LIBRARIES)
@pytest.mark.parametrize("name", EVERY)
def test_at_kinks_and_ties_a_library_has_the_numbers_of_the_program(name, language):
    needed(language)
    n = EVERY[name].arity or 4
    rows = list(itertools.product(TIES, repeat=n))[:: max(1, len(TIES) ** n // SIZE)]
    want = [outcome(every_argument(recorded(name, n)), xs) for xs in rows]
    kept = [(xs, w) for xs, w in zip(rows, want, strict=True) if w is not None]
    kept = list(itertools.islice(itertools.cycle(kept), SIZE))
    columns = np.array([xs for xs, _ in kept]).T
    with np.errstate(all="ignore"):
        y, g = compiled(name, n, language)["value_and_grad"](*columns)
    got = np.array([np.asarray(x) for x in [y, *(g if n > 1 else [g])]]).T
    for one, (xs, w) in zip(got, kept, strict=True):
        if all(map(math.isfinite, flat(w))):
            np.testing.assert_allclose(one, flat(w), rtol=1e-12, atol=1e-15, err_msg=str(xs))


def outcome(f, xs):
    """What f returns, None where it raises."""
    try:
        return f(*xs)
    except mg.MicrogridError:
        return None


# A network.


def network(x, W, b, V, c):
    """Affine, tanh, affine, softmax with cross-entropy."""
    hidden = mg.tanh(mg.affine([x], W, b))
    return mg.cross_entropy(mg.affine(hidden, V, c)[0].tolist(), 1)


SHAPES = [(2,), (2, 3), (3,), (3, 3), (3,)]


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def arguments(*batch):
    """Inputs of the network; x with a batch as the last axis, that its entries are arrays."""
    return [numbers(i, *s, *(batch if i == 0 else ())) for i, s in enumerate(SHAPES)]


@functools.cache
def small_network():
    return record(network, *[np.zeros(s) for s in SHAPES])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_network_runs_in_every_language(language):
    program, xs = small_network(), arguments()
    module, want = loaded(program, language), every_argument(program)(*xs)
    for inputs in (xs, [x.tolist() for x in xs]):
        got = module["value_and_grad"](*inputs)
        if language == "python":
            assert_bits(got, want)
            assert_bits(module["value"](*inputs), want[0])
        else:
            assert_close(got, want)
            assert_close(module["value"](*inputs), want[0])
    assert [len(g) for g in got[1]] == [s[0] for s in SHAPES]


@pytest.mark.parametrize("language", LIBRARIES)
def test_in_a_text_of_scalars_arrays_are_a_batch(language):
    program = record(lambda x, w, b: mg.tanh(w * x + b) * w, *[1.0] * 3)
    xs = numbers(0, 7), 0.5, -0.25
    y, g = loaded(program, language)["value_and_grad"](*xs)
    values, grads = program.batched((0, None, None)).value_and_grad(*xs, argnums=range(3))
    assert_close(y, values)
    assert_close(g[0], grads[0])
    for found, want in zip(g[1:], grads[1:], strict=True):
        assert_close(np.broadcast_to(np.asarray(found), 7).sum(), want)


@pytest.mark.parametrize("language", LIBRARIES)
def test_a_gradient_that_is_a_mere_number_counts_for_each_sample(language):
    module = loaded(record(lambda x, b, c: x - b + 0.0 * c, 1.0, 1.0, 1.0), language)
    y, g = module["value_and_grad"](np.arange(3.0), 1.0, 2.0)
    assert [np.shape(x) for x in (y, *g)] == [(3,)] * 4
    assert flat(g) == [1.0] * 3 + [-1.0] * 3 + [0.0] * 3


def test_jax_compiles_the_text_and_differentiates_it():
    jax = pytest.importorskip("jax", reason="the text for JAX runs in JAX")
    program, xs = small_network(), arguments()
    module, want = loaded(program, "jax"), every_argument(program)(*xs)
    assert_close(jax.jit(module["value_and_grad"])(*xs), want)
    assert_close(jax.jit(jax.grad(module["value"], argnums=tuple(range(5))))(*xs), want[1])


def test_pytorch_differentiates_the_text():
    torch = pytest.importorskip("torch", reason="the text for PyTorch runs in PyTorch")
    program, xs = small_network(), arguments()
    leaves = [torch.tensor(x, requires_grad=True) for x in xs]
    loaded(program, "torch")["value"](*leaves).backward()
    assert_close([x.grad.numpy() for x in leaves], every_argument(program)(*xs)[1])


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "gelu", "silu", "logsumexp", "logaddexp"])
def test_both_differentiate_what_was_translated(name):
    jax = pytest.importorskip("jax", reason="the text for JAX runs in JAX")
    torch = pytest.importorskip("torch", reason="the text for PyTorch runs in PyTorch")
    xs = [0.3, -1.2, 2.0][: EVERY[name].arity or 3]
    want = flat(every_argument(recorded(name, len(xs)))(*xs)[1])
    needed("jax")
    assert_close(
        jax.grad(compiled(name, len(xs), "jax")["value"], tuple(range(len(xs))))(*xs), want
    )
    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in xs]
    compiled(name, len(xs), "torch")["value"](*leaves).backward()
    assert_close([x.grad.item() for x in leaves], want)


# The text.


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_needs_no_microgrid_and_has_short_lines(language):
    for program in (small_network(), *[recorded(n, EVERY[n].arity or 4) for n in TABLE]):
        said = text(program, language)
        assert "import microgrid" not in said
        assert "from microgrid" not in said
        assert max(map(len, said.splitlines())) <= 100
        compile(said, "text", "exec")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", TABLE)
def test_nothing_is_written_that_is_not_used(name, language):
    said = text(recorded(name, EVERY[name].arity or 4), language)
    for made in re.findall(r"^(?:def )?(\w+)(?: =|\()", said, flags=re.M):
        if made not in ("value", "value_and_grad"):
            assert len(re.findall(rf"\b{made}\b", said)) > 1, made
    for module in re.findall(r"^import (?:.* as )?([\w.]+)$", said, flags=re.M):
        assert f"{module}." in said.replace(f"import {module}", "")


@pytest.mark.parametrize("name", EVERY)
def test_no_helper_is_used_once_and_no_factor_of_one_is_written(name):
    program = recorded(name, EVERY[name].arity or 4)
    for said in (text(program, "python"), str(program.listing())):
        for made in re.findall(r"\b(t\d+) = ", said):
            assert len(re.findall(rf"\b{made}\b", said)) > said.count(f"{made} = ") * 2
        assert not re.search(r"(?<![\w.)])1(\.0)?( \* |·)|( \* |·)1(\.0)?(?![\w.])", said)


def test_shares_that_are_equal_stand_in_one_sum():
    program = record(lambda x, y: x * x * y + y * y * y, 1.0, 1.0)
    assert "dx = dv_1·x + dv_1·x" in str(program.listing())
    program = record(lambda x: mg.total([x, x, 2.0]) - x + x * 3, 1.0)
    assert "dx = dv_3·3 - dv_2 + dv_1 + dv_1\n" in str(program.listing()) + "\n"
    assert "    dx = dv_1 * x_1 + dv_1 * x_1\n" in text(
        record(lambda x_1: mg.tanh(x_1 * x_1), 1.0), "python"
    ).replace("dx_1", "dx")


def test_the_text_for_python_reads_like_the_lecture():
    program = record(lambda x, w: mg.sigmoid(w[0] * x[0] + w[1]), [1.0], [1.0, 2.0])
    assert (
        text(program, "python").split("def value_and_grad")[1]
        == """(x, w):
    (x_1,) = map(float, x)
    w_1, w_2 = map(float, w)
    # forward
    v_1 = w_1 * x_1
    v_2 = v_1 + w_2
    v_3 = sigmoid(v_2)

    # backward: upstream × local
    dv_3 = 1.0
    dv_2 = dv_3 * sigmoid_slope(v_2)
    dv_1 = dv_2
    dw_2 = dv_2
    dw_1 = dv_1 * x_1
    dx_1 = dv_1 * w_1
    return v_3, ([dx_1], [dw_1, dw_2])
"""
    )


LABELS = ["lambda", "exp", "math", "x y", "é", "a", "a", "value", "largest", "INF", "np", "x²", "ﬁ"]
LABELS += ["fi", "value_and_grad", "print", "tensor", "array", "where", "da", "v_1", "early_1", ""]


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_may_be_anything(language):
    leaves = [Value(0.1 * (i + 1), label) for i, label in enumerate(LABELS)]
    y = mg.maximum(*leaves) * mg.exp(leaves[0]) + mg.total(leaves) + mg.gelu(leaves[1])
    for inputs, xs in [
        (leaves, [v.data for v in leaves]), ([leaves], [[v.data for v in leaves]]),
    ]:  # fmt: skip
        program = Program.of(y, inputs)
        module, want = loaded(program, language), every_argument(program)(*xs)
        assert_close(module["value_and_grad"](*xs), want, rtol=0 if language == "python" else 1e-12)


NESTED = [[1.0, 2.0, 3.0]], [[1.0, 2.0], [3.0, 4.0]], [[[1.0], [2.0]], [[3.0], [4.0]]]
NESTED += ([1.0, [2.0, [3.0, 4.0]]], [[1.0, 2.0], [3.0]], [[], [1.0]], [[1.0, 2.0], 3.0])
OTHERS = [[[1.0, 2.0]], [[1.0, 2.0, 3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [], 1.0]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("x", NESTED, ids=str)
def test_nested_arguments_are_taken_apart_and_no_others_are_taken(x, language):
    row = record(lambda row, s: mg.dot(flatly(row), flatly(row)) * s, x, 1.0)
    module, right = loaded(row, language), row.value_and_grad(x, 2.0, argnums=(0, 1))
    for taken in (x, tuples_of(x), arrays_of(x)):
        assert_close(module["value_and_grad"](taken, np.float64(2.0)), right)
    others = [y for y in (*NESTED, *OTHERS) if shapes(y) != shapes(x)]
    for other in others if language == "python" else [[*x, 1.0]]:  # entries may be a batch
        with pytest.raises((ValueError, TypeError, IndexError)):
            module["value"](other, 2.0)


def flatly(x):
    """The numbers or nodes in nested lists and arrays."""
    return [y for z in x for y in flatly(z)] if isinstance(x, list | tuple | np.ndarray) else [x]


def tuples_of(x):
    return tuple(map(tuples_of, x)) if isinstance(x, list) else x


def arrays_of(x):
    """Nested lists with arrays in the place of lists of numbers."""
    plain = not any(isinstance(y, list) for y in x)
    return np.array(x) if plain else [arrays_of(y) if isinstance(y, list) else y for y in x]


def shapes(x):
    return [*map(shapes, x)] if isinstance(x, list) else 0


def test_arguments_may_be_called_like_each_others_entries():
    program = record(lambda x, x_1, v_1: x[0] * x_1 - v_1 * x[1], [1.0, 2.0], 3.0, 4.0)
    assert_bits(loaded(program, "python")["value_and_grad"]([1.0, 2.0], 3.0, 4.0),
                (-5.0, ([3.0, -4.0], 1.0, -2.0)))  # fmt: skip
    a, b = Value(2.0, "b"), Value(3.0, "a")
    program = record(lambda a, b: a - 2 * b, a, b)
    assert loaded(program, "python")["value_and_grad"](5.0, 1.0) == (3.0, (1.0, -2.0))


@pytest.mark.parametrize("language", LANGUAGES)
def test_programs_without_lines_and_with_several_outputs(language):
    assert_bits(loaded(record(lambda x: x, 1.0), language)["value_and_grad"](5.0), (5.0, 1.0))
    assert_bits(loaded(record(lambda x: 7.0, 1.0), language)["value_and_grad"](5.0), (7.0, 0.0))
    module = loaded(record(lambda x: [x, [x * 2, math.inf]], 1.0), language)
    assert flat(module["value"](3.0)) == [3.0, 6.0, math.inf]
    assert "value_and_grad" not in module
    square = loaded(record(lambda X: mg.total((X * X).ravel()), np.zeros((1, 2))), language)
    assert flat(square["value_and_grad"]([[1.0, 3.0]])) == [10.0, 2.0, 6.0]


def test_infinite_constants_are_written():
    program = record(lambda x: mg.minimum(x, math.inf) * mg.maximum(-math.inf, x), 1.0)
    for language in LANGUAGES:
        assert_bits(loaded(program, language)["value_and_grad"](3.0), (9.0, 6.0))


@pytest.mark.parametrize("language", ["python", "numpy"])
def test_long_sums_and_wide_inputs_run(language):
    def f(x, w):
        y = mg.total([w * a for a in x]) + mg.maximum(*x)
        for _ in range(1500):
            y = y * w + 0.25
        return mg.tanh(y)

    xs, w = [Value(x) for x in numbers(0, 1200).tolist()], Value(0.7)
    y = f(xs, w)
    y.backward()
    got = loaded(record(f, [0.0] * 1200, 0.5), language)["value_and_grad"](
        [v.data for v in xs], 0.7
    )
    want = y.data, [[v.grad for v in xs], w.grad]
    assert_bits(got, want) if language == "python" else assert_close(got, want)


def test_an_unknown_language_is_refused():
    with pytest.raises(GraphError, match="'cobol': python, numpy, jax, torch"):
        text(small_network(), "cobol")


# Operations of one's own.

GAIN = 3.0


def helper(x):
    return math.sin(x) * GAIN


def cube(x, k=1.0):
    if x > 0 and not helper(x) > 10:
        return x * x * x * k
    y = helper(x)
    y += x  # a comment
    return y


def cube_slope(y, x):
    return mg.where(mg.relu(x), 3 * x * x, 3 * mg.cos(x) + 1)


def stepping(x):
    while x > 1:
        x = x / 2
    return x


def halving(x):
    return halving(x / 2) if x > 1 else x


def there(x):
    return back(x) if x > 1 else x


def back(x):
    return there(x / 2)


def decorated(f):
    @functools.wraps(f)
    def g(x):
        return f(x) + 1

    return g


@decorated
def plus_one(x):
    return x


def uses_microgrid(x):
    return mg.engine.ops.exp(x) * x


def winding(x, y, k=2):
    """Branches within branches, names that are set in one only, and bounds that change."""
    z = y
    if x < -1:
        if y > 0:
            return x
        return -y if y < -1 or not x else max(x, y, k)
    if x > 1 and y:
        t = x * 2
        x, z = z + t, x
        if y > 1:
            x += t
        elif -1 < y <= 0.5:
            z = x - k
    elif x == 1:
        z += 3
    else:
        x = abs(x) + (y > 0)
    if z > 4:
        z = z - x
        return z * x
    if not k < 5:  # of numbers that are no arrays
        z = -z
    if y < -2:
        for j in range(k):
            z = z - x * j
        if x > 2:
            return z * 3
        x = x + 1
    for j in range(k):
        x = x * z + j if x < 50 else x
        if z < 0:
            z = z + float(j)
    return x - z


@pytest.mark.parametrize("language", LANGUAGES)
def test_branches_of_every_kind_are_translated(language):
    op = mg.custom_op("winding", winding, lambda y, a, b: 1, lambda y, a, b: 1)
    module = loaded(record(lambda x, y: op(x, y), 1.0, 1.0), language)
    assert "vectorize" not in text(record(lambda x, y: op(x, y), 1.0, 1.0), language)
    grid = [-3.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 3.0]
    points = list(itertools.product(grid, grid))
    want = [float(winding(x, y)) for x, y in points]
    if language == "python":
        assert [module["value"](x, y) for x, y in points] == want
    else:
        assert flat(module["value"](*np.array(points).T)) == want


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_operation_of_ones_own_is_written_or_translated(language):
    op = mg.custom_op("my cube", cube, cube_slope)
    program = record(lambda x, y: op(x) + op(y) * op(x), 1.0, 1.0)
    assert_close(loaded(program, language)["value_and_grad"](1.5, -2.0),
                 every_argument(program)(1.5, -2.0))  # fmt: skip
    gamma = record(lambda x: mg.custom_op("gamma", math.gamma, lambda y, x: y * x)(x), 1.0)
    if language in ("python", "numpy"):
        assert_bits(loaded(gamma, language)["value"](4.5), math.gamma(4.5))
    else:
        with pytest.raises(GraphError, match="gamma has no text in"):
            text(gamma, language)


@pytest.mark.parametrize(
    ("forward", "why"), [(stepping, "while"), (halving, "calls itself"), (there, "calls itself")]
)
def test_what_no_array_can_follow_runs_sample_by_sample_in_numpy(forward, why):
    program = record(lambda x: mg.custom_op("halved", forward, lambda y, x: y / x)(x), 1.0)
    assert_bits(loaded(program, "python")["value_and_grad"](6.0), (0.75, 0.125))
    y, g = loaded(program, "numpy")["value_and_grad"](np.array([6.0, 0.5]))
    assert flat([y, g]) == [0.75, 0.5, 0.125, 1.0]
    for language in ("jax", "torch"):
        with pytest.raises(GraphError, match=f"halved has no text in .*{why}"):
            text(program, language)


def scaled(a):
    return lambda x: a * x if x > 0 else GAIN * math.sin(x)


# fmt: off
LAMBDAS = {  # one expression each: their texts are found by their places in this file
    "softsign": (lambda x: x / (1 + abs(x)), [lambda y, x: 1 / (1 + abs(x)) / (1 + abs(x))]),
    "erf": (lambda x: math.erf(x), [lambda y, x: 2 / math.sqrt(math.pi) * mg.exp(-x * x)]),
    "xlogy": (lambda x, y: 0.0 if x == 0 else x * math.log(y),
              [lambda z, x, y: mg.log(y), lambda z, x, y: x / y]),
    "first": (lambda a, b=2.0: a, [lambda y, a, b: 1, lambda y, a, b: 0]), "second":
    (lambda a, b: b, [lambda y, a, b: 0, lambda y, a, b: 1]), "inner":
    ((lambda k: lambda x: k * x)(3.0), [lambda y, x: 3.0]),
    "scaled": (scaled(2.0), [lambda y, x: mg.where(mg.relu(x), 2.0, GAIN * mg.cos(x))]),
}
# fmt: on


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LAMBDAS)
def test_a_lambda_is_written_like_any_function(name, language):
    forward, rules = LAMBDAS[name]
    op = mg.custom_op(name, forward, *rules)
    program = record(lambda *xs: op(*xs), *[1.0] * len(rules))
    module = loaded(program, language)
    for xs in ([0.5, 2.0], [-1.5, 0.25], [0.0, 3.0]):
        xs = xs[: len(rules)]
        want = every_argument(program)(*xs)
        if language == "python":
            assert_bits(module["value_and_grad"](*xs), want)
        else:
            assert_close(module["value_and_grad"](*map(np.array, xs)), want)


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (eval("lambda x: x"), "<lambda> is in no file"), (plus_one, "decorated"),
        (uses_microgrid, r"(uses microgrid|mg\.engine\.ops\.exp)"),
        (functools.partial(max, 0.0), "no function"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_named(forward, words):
    program = record(lambda x: mg.custom_op("odd", forward, lambda y, x: 1)(x), 1.0)
    for language in LANGUAGES:
        with pytest.raises(GraphError, match=f"the operation odd has no text in.*{words}"):
            text(program, language)


# The tests see what is wrong.


def test_a_wrong_sign_in_a_rule_is_seen(monkeypatch):
    xs = arguments()
    want = every_argument(small_network())(*xs)
    monkeypatch.setattr(TABLE["tanh"], "rules", (lambda y, x: -TABLE["tanh_slope"](x),))
    template.cache_clear()
    module = loaded(record(network, *[np.zeros(s) for s in SHAPES]), "python")
    monkeypatch.undo()
    template.cache_clear()
    with pytest.raises(AssertionError):
        assert_bits(module["value_and_grad"](*xs), want)
    assert_bits(module["value"](*xs), want[0])


class Both(NamedTuple):
    loss: Any
    accuracy: Any


@pytest.mark.parametrize("language", ["python", "numpy"])
def test_named_tuples_come_and_go_as_rows(language):
    program = record(lambda p: Both(p.loss * p.loss, p.accuracy + 1), Both(1.0, 2.0))
    space: dict[str, Any] = {}
    exec(program.source(language), space)
    assert [float(y) for y in space["value"](Both(3.0, 4.0))] == [9.0, 5.0]
    assert program(Both(3.0, 4.0)) == Both(9.0, 5.0)
