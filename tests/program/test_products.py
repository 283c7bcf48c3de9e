"""Matrices found among lines: every entry is the sum of its terms; what is there is found."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from shared.planting import assert_caught

import microgrid as mg
from microgrid.program.plan import products
from microgrid.program.plan.lines import REDUCE, UNDIVIDED
from microgrid.program.plan.products import NONE, depths, discovered
from microgrid.program.plan.schedule import passes


def found_in(program, in_axes=None, by_depth=False, **options):
    """What is found in the lines of a value and all gradients."""
    wanted = tuple(range(len(program.signature.names)))
    batched = 0 if in_axes is None else program.batched(in_axes)._batched
    lines = passes(program.tape, batched, wanted, UNDIVIDED).lines
    return lines, discovered(lines, depth=depths(lines) if by_depth else None, **options)


def terms_by_hand(sums):
    """For each line its pairs of factors, each in the order of the slots: slowly."""
    pairs = {}
    for line, p, q in zip(sums.line.tolist(), sums.p.tolist(), sums.q.tolist()):
        pairs.setdefault(line, []).append(tuple(sorted((p, q))))
    return pairs


def check_entries(found):
    """Each entry of each product has the terms of its line, and no term is in two products."""
    pairs, taken = terms_by_hand(found.sums), np.zeros(len(found.sums.line), dtype=int)
    for product in found.products:
        taken[product.terms] += 1
        left_over = {line: list(own) for line, own in pairs.items()}
        for (i, j), line in np.ndenumerate(product.lines):
            if line == NONE:
                assert product.out[i, j] == NONE
                continue
            assert product.out[i, j] == found.sums.out[line]
            for a, b in zip(product.left[i].tolist(), product.right[j].tolist()):
                if NONE not in (a, b):
                    pair = tuple(sorted((a, b)))
                    assert pair in left_over[line]
                    left_over[line].remove(pair)
        held = sum(len(own) for own in pairs.values()) - sum(map(len, left_over.values()))
        assert held == len(product.terms)
        assert (found.sums.code[product.lines[product.lines >= 0]] == product.code).all()
    assert (taken <= 1).all()
    assert (taken.astype(bool) == found.taken).all()
    assert (found.taken <= found.true).all()


@st.composite
def layers(draw):
    """A layer written out by hand: its terms in any order, the bias anywhere, entries left out."""
    rows, width, samples = [draw(st.integers(2, 4)) for _ in range(3)]
    kept = draw(st.sampled_from((1.0, 1.0, 0.7)))
    source = draw(st.randoms(use_true_random=False))
    bias_first, swapped = draw(st.booleans()), draw(st.booleans())

    def neuron(w, b, x):
        terms = [v * u if swapped else u * v for u, v in zip(w, x)]
        order = [i for i in range(len(terms)) if source.random() <= kept] or [0]
        source.shuffle(order)
        found = b if bias_first else None
        for i in order:
            found = terms[i] if found is None else found + terms[i]
        return found if bias_first else found + b

    def loss(W, b, X):
        state = source.getstate()
        total = 0.0
        for x in X:
            source.setstate(state)  # every sample adds in the same order
            total = total + sum(mg.tanh(neuron(w, c, x)) for w, c in zip(W, b))
        return total

    examples = [np.ones((rows, width)), np.ones(rows), np.ones((samples, width))]
    return mg.record(loss, *examples, pure=True), kept == 1.0


@given(layers(), st.booleans())
def test_every_entry_is_the_sum_of_the_terms_of_its_line(layer, by_depth):
    program, _ = layer
    check_entries(found_in(program, by_depth=by_depth)[1])


@given(layers())
def test_the_three_products_of_a_dense_layer_are_found(layer):
    program, is_dense = layer
    assume(is_dense)
    (rows, width), (samples, _) = [s.shape for s in program.signature.arguments[::2]]
    _, found = found_in(program)
    wide = sorted([*sorted(p.shape[:2]), p.shape[2]] for p in found.products if p.volume >= 8)
    expected = [(samples, rows, width), (samples, width, rows), (rows, width, samples)]
    assert wide == sorted([*sorted(x[:2]), x[2]] for x in expected)


@given(layers())
def test_lines_of_one_depth_do_not_need_each_other(layer):
    program, _ = layer
    lines, found = found_in(program, by_depth=True)
    depth, sums = depths(lines), found.sums
    assert (depth[sums.p] < depth[sums.out[sums.line]]).all()
    assert (depth[sums.q] < depth[sums.out[sums.line]]).all()


def test_a_wrong_entry_is_noticed(monkeypatch):
    take = products.Search.take

    def wrong(self, lines, left, right, terms, ordered):
        left = np.where(left == left.max(), left.min(), left)
        take(self, lines, left, right, terms, ordered)

    monkeypatch.setattr(products.Search, "take", wrong)
    assert_caught(test_every_entry_is_the_sum_of_the_terms_of_its_line, monkeypatch)


def test_hashes_that_collide_give_no_wrong_product(monkeypatch):
    """A hash decides nothing: with few values for all vectors, less is found, and all is true."""
    real = products.hashes
    monkeypatch.setattr(products, "hashes", lambda *args: real(*args) % np.uint64(2))

    def loss(W, V, x):
        hidden = [mg.tanh(sum(w * u for w, u in zip(row, x))) for row in W]
        return sum(mg.dot(row, hidden) ** 2 for row in V)

    program = mg.record(loss, np.ones((3, 4)), np.ones((4, 3)), np.ones(4), pure=True)
    check_entries(found_in(program)[1])


def test_sums_over_the_batch_are_products_of_their_own():
    layer = mg.record(lambda W, x: mg.tanh(W @ x).sum(), np.ones((3, 4)), np.ones(4))
    _, found = found_in(layer, (None, 0))
    over_batch = [p for p in found.products if p.code == REDUCE]
    assert [sorted(p.shape) for p in over_batch] == [[1, 3, 4]]


def test_lines_with_missing_terms_are_one_product_by_depth():
    kept = [(0, 1, 2, 3), (0, 1, 3), (1, 2, 3), (0, 2, 3)]

    def loss(W, x):
        return sum(mg.tanh(sum(W[i][k] * x[k] for k in own)) for i, own in enumerate(kept))

    program = mg.record(loss, np.ones((4, 4)), np.ones(4), pure=True)
    forward = [p for p in found_in(program, (None, 0), by_depth=True)[1].products if not p.phase]
    assert [(p.shape, int((p.left == NONE).sum())) for p in forward] == [((4, 1, 4), 3)]
    assert not forward[0].ordered


@pytest.mark.parametrize("least", [4, 100])
def test_small_products_stay_lines(least):
    program = mg.record(lambda W, x: mg.tanh(W @ x).sum(), np.ones((3, 4)), np.ones(4))
    found = found_in(program, least=least)[1]
    assert all(p.volume >= least for p in found.products)
    assert bool(found.products) == (least == 4)
