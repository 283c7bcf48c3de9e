"""Arrays of Values agree with the closed forms: exactly, where the numbers allow it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.planting import assert_caught, plant_rule
from shared.strategies import affine_problems, floats, fractions, integer_floats

import microgrid as mg
from microgrid import Value, affine, examples, formulas, gradients, grads, matrix, partials, values
from microgrid.engine.errors import ShapeError
from microgrid.views.wording import entry_names

exact = st.sampled_from([integer_floats, fractions])


def exact_problems(least=1):
    return exact.flatmap(lambda numbers: affine_problems(numbers, least))


def raw_grads(A):
    """The gradients in their own kind, Fractions included."""
    return np.array([v.grad for v in A.ravel()], dtype=object).reshape(A.shape)


def same(left, right):
    """Equal entry by entry, with no tolerance."""
    assert left.shape == right.shape
    assert left.tolist() == right.tolist()


@given(exact_problems())
def test_affine_gradients_equal_the_matrix_formulas(problem):
    X, W, b, dY = problem
    nX, nW, nb = matrix(X, "x"), matrix(W, "w"), matrix(b, "b")
    Y = affine(nX, nW, nb)
    same(values_exactly(Y), formulas.affine_forward(X, W, b))
    examples.weighted(Y, dY).backward()
    for nodes, expected in zip((nX, nW, nb), formulas.affine_backward(X, W, b, dY), strict=True):
        same(raw_grads(nodes), expected)


def values_exactly(A):
    return np.array([v.data for v in A.ravel()], dtype=object).reshape(A.shape)


@given(exact_problems())
def test_numpys_own_matrix_product_on_values_gives_the_same(problem):
    X, W, b, dY = problem
    nX, nW, nb = matrix(X), matrix(W), matrix(b)
    (dY * (nX @ nW + nb)).sum().backward()
    for nodes, expected in zip((nX, nW, nb), formulas.affine_backward(X, W, b, dY), strict=True):
        same(raw_grads(nodes), expected)


@given(exact_problems())
def test_the_bias_as_an_appended_one_is_the_same_layer(problem):
    X, W, b, dY = problem
    nX, nW, nb = matrix(X), matrix(W), matrix(b)
    examples.appended_one_circuit(nX, nW, nb, dY).backward()
    dX, dW, db = formulas.affine_backward(X, W, b, dY)
    for nodes, expected in ((nX, dX), (nW, dW), (nb, db)):
        same(raw_grads(nodes), expected)
    stacked = formulas.affine_backward(
        formulas.append_ones(X), np.vstack([W, b]), np.zeros(len(b), dtype=int), dY
    )[1]
    same(stacked[-1], db)
    same(stacked[:-1], dW)


@given(exact_problems())
def test_the_column_convention_agrees_with_its_formulas(problem):
    W, X, _, dY = problem
    nW, nX = matrix(W), matrix(X)
    examples.matmul_circuit(nW, nX, dY).backward()
    dW, dX = formulas.matmul_backward(W, X, dY)
    same(raw_grads(nW), dW)
    same(raw_grads(nX), dX)


@given(exact_problems())
def test_one_entry_of_dX_is_the_sum_over_influence_paths(problem):
    W, X, _, dY = problem
    _, dX = formulas.matmul_backward(W, X, dY)
    for i, j in np.ndindex(X.shape):
        assert dX[i, j] == sum(W[a, i] * dY[a, j] for a in range(len(W)))


@given(exact_problems())
def test_full_jacobians_of_the_affine_layer(problem):
    X, W, b, dY = problem
    nX, nW, nb = matrix(X), matrix(W), matrix(b)
    Y = affine(nX, nW, nb)
    N, D, M = len(X), len(W), len(b)
    by_hand = {
        "x": [
            [W[d, m] if n == k else 0 for k in range(N) for d in range(D)] for n, m in pairs(N, M)
        ],
        "w": [
            [X[n, d] if m == k else 0 for d in range(D) for k in range(M)] for n, m in pairs(N, M)
        ],
        "b": [[1 if m == k else 0 for k in range(M)] for n, m in pairs(N, M)],
    }
    upstream = np.asarray(dY).reshape(1, -1)
    for nodes, expected, formula in zip(
        (nX, nW, nb), by_hand.values(), formulas.affine_backward(X, W, b, dY), strict=True
    ):
        jacobian = partials(Y, nodes)
        assert jacobian.tolist() == expected
        rearranged = (upstream @ jacobian).reshape(formula.shape)  # row vector times Jacobian
        same(rearranged, formula)


def pairs(N, M):
    return [(n, m) for n in range(N) for m in range(M)]


def test_the_bias_jacobian_of_the_note_is_two_identities_below_each_other():
    Y = affine(matrix(examples.X), matrix(examples.W), b := matrix(examples.B))
    assert partials(Y, b).tolist() == np.vstack([np.eye(3), np.eye(3)]).tolist()


@given(affine_problems(floats))
def test_general_floats_agree_within_the_error_bound_of_a_sum_of_products(problem):
    """n products and n additions in any order err by at most 2 n u Σ|product| (u = 2⁻⁵³)."""
    X, W, b, dY = problem
    nX, nW, nb = matrix(X), matrix(W), matrix(b)
    examples.weighted(affine(nX, nW, nb), dY).backward()
    for nodes, expected, magnitude, terms in zip(
        (nX, nW, nb),
        formulas.affine_backward(X, W, b, dY),
        formulas.affine_backward(*map(np.abs, (X, W, b, dY))),
        (len(b), len(X), len(X)),
        strict=True,
    ):
        bound = 2 * (terms + 1) * 2**-53 * magnitude + 5e-324 * terms
        assert (np.abs(grads(nodes) - expected) <= bound).all()


@given(exact_problems(), exact_problems())
def test_the_chain_rule_in_higher_dimensions(first, second):
    """J of v∘u at x is J_v(u(x)) · J_u(x)."""
    W = first[1]
    x = matrix(first[0][0])
    u = x @ W
    v = np.array([a * b for a in u for b in u[:1]] + [u.sum()], dtype=object)
    same(partials(v, x), partials(v, u) @ partials(u, x))


def test_the_layer_of_the_note_passes_dx_back_and_keeps_dW_and_db():
    class Layer:
        def __init__(self, W, b):
            self.W, self.b = W, b

        def forward(self, x):
            self.x = x
            return formulas.affine_forward(x, self.W, self.b)

        def backward(self, dout):
            dx, self.dW, self.db = formulas.affine_backward(self.x, self.W, self.b, dout)
            return dx

    layer = Layer(np.array(examples.W), np.array(examples.B))
    layer.forward(np.array(examples.X))
    dx = layer.backward(np.array(examples.DY))
    X, W, b = matrix(examples.X), matrix(examples.W), matrix(examples.B)
    examples.affine_circuit(X, W, b).backward()
    for nodes, expected in ((X, dx), (W, layer.dW), (b, layer.db)):
        same(grads(nodes), expected)


def test_labels_count_from_one():
    assert [v.label for v in matrix([[1, 2], [3, 4]], "x").ravel()] == [
        "x_{11}", "x_{12}", "x_{21}", "x_{22}",
    ]  # fmt: skip
    assert [v.label for v in matrix([1, 2], "b")] == ["b_1", "b_2"]
    assert matrix([list(range(12))], "w")[0, 10].label == "w_{1,11}"
    assert matrix([1.0])[0].label == ""


def test_arrays_work_as_numpy_arrays():
    A = matrix([[1.0, 2.0], [3.0, 4.0]])
    assert values(A.T).tolist() == [[1, 3], [2, 4]]
    assert A.sum().data == 10
    assert A.mean(axis=0)[1].data == 3
    assert values(np.exp(A)).tolist() == np.vectorize(math.exp)(values(A)).tolist()
    assert values(mg.relu(A - 2)).tolist() == [[0, 0], [1, 2]]
    v = A[0, 1]
    for product in (np.float64(2) * v, v * np.float64(2)):
        assert isinstance(product, Value)
        assert product.data == 4
    for product in (np.ones(3) * v, v * np.ones(3), np.ones(3) + v, v - np.ones(3)):
        assert [type(x) for x in product] == [Value] * 3
    assert values([[v, 1.0]]).tolist() == [[2.0, 1.0]]
    assert isinstance(np.maximum(v, 1.0), Value)
    A.sum().backward()
    assert grads(A).tolist() == [[1, 1], [1, 1]]


def test_gradients_come_in_the_shape_of_what_they_are_of():
    A = matrix([[1.0, 2.0]])
    y = (A * A).sum()
    assert gradients(y, A).tolist() == [[2.0, 4.0]]
    assert gradients(y, [A[0, 0], [A[0, 1]]]) == [2.0, [4.0]]


def test_sums_of_a_matrix_are_not_columns_by_accident():
    for function in (mg.total, mg.mean, mg.softmax, mg.maximum, mg.logsumexp):
        with pytest.raises(ShapeError, match="one row"):
            function(matrix([[1.0, 2.0], [3.0, 4.0]]))


def test_fractions_stay_exact_in_partials():
    x = matrix([Fraction(1, 3), Fraction(2, 7)])
    assert partials([x[0] * x[1]], x).tolist() == [[Fraction(2, 7), Fraction(1, 3)]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: affine([[1.0, 2.0]], [[1.0]], [0.0]), ["(1, 2)", "(1, 1)", "rows of W"]),
        (lambda: affine([[1.0]], [[1.0, 2.0]], [0.0]), ["(1,)", "(1, 2)", "column of W"]),
        (lambda: affine([1.0], [[1.0]], [0.0]), ["(1,)", "(1, 1)"]),
        (lambda: matrix([[1.0, 2.0], [3.0]]), ["ragged", "[2, 1]"]),
        (lambda: matrix([[[1.0], [2.0, 3.0]], [[1.0], [2.0]]]), ["ragged"]),
        (lambda: formulas.affine_backward([[1.0]], [[1.0]], [1.0], [1.0]), ["dY", "(1, 1)"]),
        (lambda: formulas.matmul_backward([[1.0]], [[1.0], [2.0]], [[1.0]]), ["(1, 1)", "(2, 1)"]),
        (lambda: formulas.append_ones([1.0]), ["(1,)"]),
        (lambda: mg.dot([1.0], [1.0, 2.0]), ["1 values", "2 on the right"]),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, words):
    with pytest.raises(ShapeError) as error:
        call()
    assert isinstance(error.value, ValueError)
    for word in words:
        assert word in str(error.value)


# Tests of the tests.

AFFINE = test_affine_gradients_equal_the_matrix_formulas
JACOBIANS = test_full_jacobians_of_the_affine_layer


def square(A):
    return A.shape[0] == A.shape[1]


WRONG_FORMULAS = {
    "dX = dY · W where shapes allow": ("dX", lambda X, W, dY: dY @ (W if square(W) else W.T)),
    "dX twice": ("dX", lambda X, W, dY: 2 * (dY @ W.T)),
    "dW = dYᵀ · X where shapes allow": (
        "dW", lambda X, W, dY: dY.T @ X if square(W) else X.T @ dY),
    "db = the first row of dY": ("db", lambda X, W, dY: dY[0]),
    "db = the mean of the rows": ("db", lambda X, W, dY: dY.sum(axis=0) / len(dY)),
    "db over the wrong axis where shapes allow": (
        "db", lambda X, W, dY: dY.sum(axis=int(square(dY)))),
}  # fmt: skip


@pytest.mark.parametrize("test", [AFFINE, JACOBIANS])
@pytest.mark.parametrize("name", WRONG_FORMULAS)
def test_a_wrong_formula_is_caught(test, name, monkeypatch):
    right, (result, wrong) = formulas.affine_backward, WRONG_FORMULAS[name]

    def affine_backward(X, W, b, dY):
        results = dict(zip(("dX", "dW", "db"), right(X, W, b, dY), strict=True))
        return tuple((results | {result: wrong(*map(np.asarray, (X, W, dY)))}).values())

    monkeypatch.setattr(formulas, "affine_backward", affine_backward)
    assert_caught(test, monkeypatch)


@pytest.mark.parametrize(("name", "op"), [("left_only", "add"), ("swapped", "mul")])
def test_a_wrong_rule_is_caught(name, op, monkeypatch):
    plant_rule(monkeypatch, name, op)
    assert_caught(AFFINE, monkeypatch)


@given(
    st.lists(st.integers(0, 12), max_size=2), st.lists(st.integers(0, 12), max_size=2),
    st.sampled_from(["", ","]),
)  # fmt: skip
def test_the_names_of_all_entries_are_those_of_each(shape, before, comma):
    def slow(index):
        subscript = comma.join([str(i + 1) for i in (*before, *index)])
        braced = f"{{{subscript}}}" if len(subscript) > 1 else subscript
        return f"x_{braced}" if subscript else "x"

    names = [slow(index) for index in np.ndindex(*shape)]
    assert entry_names("x", shape, comma, before) == names
    assert entry_names("", shape, comma, before) == [""] * len(names)
