"""What exercises say of answers: whatever is right passes, and a hint fits its mistake."""

import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest

import microgrid as mg
from microgrid.check import layer
from microgrid.check.handwritten import museum
from microgrid.course import exercise
from microgrid.engine.value import topological

# Choices of letters: read in any words, and every wrong one is told where to look.

CHOICES = [
    (1, 3, "ABCDE"),
    (2, 2, "ABCDE"),
    (4, 2, "ABCDEF"),
    ("4b", 2, "ABCDEFGH"),
    ("5b", 2, "ABCDEF"),
    (8, 2, "ABCDEF"),
]
every_choice = pytest.mark.parametrize(("chapter", "number", "letters"), CHOICES)


@every_choice
def test_the_right_letters_are_right_in_any_words(chapter, number, letters):
    task = exercise(chapter, number)
    right = sorted(task.right)
    forms = [
        "".join(right), ", ".join(right), " ".join(right).lower(), "+".join(reversed(right)),
        f"{', '.join(right[:-1])} and {right[-1]}", " or ".join(right), f'["{"", "".join(right)}"]',
        right, tuple(right), set(right), frozenset(right), np.array(right),
        [c.lower() for c in right],
    ]  # fmt: skip
    for answer in forms:
        assert task.check(answer), answer


@every_choice
def test_every_wrong_choice_is_told_something_of_a_letter_that_is_wrong(chapter, number, letters):
    task = exercise(chapter, number)
    whole = {m.answer: m.hint for m in task.mistakes if "Look again" not in m.hint}
    for size in range(1, len(letters) + 1):
        for picked in map("".join, itertools.combinations(letters, size)):
            verdict = str(task.check(picked))
            wrong = set(picked) ^ set(task.right)
            if not wrong:
                assert "✓" in verdict
            elif picked in whole:
                assert whole[picked] in verdict
            else:
                assert re.search(r"Look again at (\w): ", verdict)[1] in wrong


def test_words_that_are_no_letters_are_not_taken_for_some():
    for answer in ("none", "bad idea", "ABZ", "1", ["A", 2], {"A": True}, 7, "and", ""):
        assert not exercise(2, 2).check(answer)


# Notebook 2: a judge of orders is judged on many graphs, and whatever is right is accepted.


def by_index(order):
    once = len(set(order)) == len(order)
    return once and all(order.index(v) < order.index(p) for v in order for p in v.parents)


def by_place(order):
    place = {v: i for i, v in enumerate(order)}
    return len(place) == len(order) and all(place[v] < place[p] for v in order for p in v.parents)


def by_list(order):
    seen = []
    for v in order:
        if v in seen or any(p in seen for p in v.parents):
            return False
        seen.append(v)
    return True


def by_counting(order):
    waiting = Counter(p for v in set(order) for p in v.parents)
    for v in order:
        if waiting[v] != 0:
            return False
        waiting[v] -= 1
        waiting.subtract(v.parents)
    return True


def of_gates_alone(order):
    return by_list([v for v in order if v.parents])


def by_looking_ahead(order):
    return not any(v is u or v in u.parents for i, v in enumerate(order) for u in order[i + 1 :])


def that_eats_its_order(order):
    done = set()
    while order:
        v = order.pop(0)
        if v in done or done & set(v.parents):
            return False
        done.add(v)
    return True


def with_truth_of_numpy(order):
    return np.bool_(by_list(order))


RIGHT_JUDGES = [
    by_index, by_place, by_list, by_counting, of_gates_alone, by_looking_ahead,
    that_eats_its_order, with_truth_of_numpy,
]  # fmt: skip


@pytest.mark.parametrize("judge", RIGHT_JUDGES)
def test_every_right_judge_of_orders_is_right(judge):
    assert exercise(2, 3).check(judge), exercise(2, 3).check(judge)


def neighbours(order):
    return len(set(order)) == len(order) and all(
        u not in v.parents for u, v in itertools.pairwise(order)
    )


def the_engines_order(order):
    return of_gates_alone(order) and [v for v in order if v.parents] == [
        v for v in topological(next(iter(order)))[::-1] if v.parents
    ]


def without_return(order):
    if not by_list(order):
        return False


WRONG_JUDGES = [
    (neighbours, "next one only"),
    (lambda order: len(set(order)) == len(order) and not order[-1].parents, "is asked before"),
    (lambda order: by_list(list(dict.fromkeys(order))), "You let a gate be asked twice"),
    (lambda order: len(set(order)) == len(order), "Each gate once is not enough"),
    (lambda order: by_list(order[::-1]), "order of the forward pass"),
    (lambda order: order[0].label == "y" or by_list(order[1:]), "is asked"),
    (the_engines_order, "says False to"),
    (without_return, "returns nothing"),
    (lambda order: True, "calls every order right"),
    (lambda order: False, "calls every order wrong"),
    (lambda order: (v in order for v in order), "calls every order right"),
    (lambda order: order.index(None), "raised ValueError"),
    (lambda: True, "raised TypeError"),
    ("in_order", "a function is asked for"),
]


@pytest.mark.parametrize(("judge", "words"), WRONG_JUDGES)
def test_a_wrong_judge_of_orders_is_shown_an_order_where_it_errs(judge, words):
    verdict = exercise(2, 3).check(judge)
    assert not verdict
    assert re.search(words, str(verdict)), verdict


# A hint is about the mistake that was made; no two mistakes look alike.


def test_a_mistake_in_all_of_a_circuit_gets_its_hint():
    task = exercise(2)
    for mistake in task.mistakes:
        wrong = [k for k, g in mistake.answer.items() if g != task.right[k]]
        told = str(task.check(task.right | mistake.answer))
        assert told.count(mistake.hint) == len(wrong), (mistake, told)


def test_what_a_router_does_wrong_is_told_of_the_router():
    a, b, c = (mg.Value(n) for n in (9, 4, 2))
    difference, largest = (a - b).data, mg.maximum(b, c).data
    assert exercise(2).right == {"a": largest, "b": difference - largest, "c": 0}
    halved = {"a": largest, "b": difference / 2 - largest, "c": difference / 2}
    for answer, words in (
        (halved, "does not share out"),
        ({"b": difference * largest - largest}, "does not multiply it by the value"),
        ({"b": 1 - largest}, "local gradient of the max"),
        ({"b": -largest}, "You have one share only"),
        ({"b": difference}, "You have one share only"),
    ):
        verdict = str(exercise(2).check(exercise(2).right | answer))
        assert verdict.count(words) == verdict.count("✗"), verdict


BENDS = [
    ([[2, 2], [2, 12]], "row 1, column 1: 2 is not it. Twice by x"),
    ([[4, 2], [2, 13]], "row 2, column 2: 13 is not it. That is a first derivative"),
    ([[4, 1], [1, 12]], "row 1, column 2: 1 is not it. x²"),
    ([[4, 4], [4, 12]], "row 1, column 2: 4 is not it. Once by x and once by y"),
    ([[4, 0], [0, 12]], "A mixed entry is not 0"),
    ([[4, 2], [2, 6]], "one factor y is left"),
    ([[2, 4], [4, 6]], "You have them swapped"),
    ([4, 13], "That is the gradient"),
    ([4, 2, 2, 12], "two rows of two numbers"),
    ([[4, 2], [2]], "two rows of two numbers"),
    ("4 2 2 12", "two rows of two numbers"),
    ([[4, 2], [None, None]], "row 2, column 1: no answer yet"),
]


@pytest.mark.parametrize(("answer", "words"), BENDS)
def test_of_a_wrong_hessian_is_told_which_entry_is_wrong(answer, words):
    verdict = exercise(5).check(answer)
    assert not verdict
    assert words in str(verdict)
    assert "swapped" not in str(verdict) or answer == [[2, 4], [4, 6]]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_hessian_may_be_any_array():
    rows = [[4, 2], [2, 12]]
    for right in (rows, np.array(rows), np.matrix(rows), mg.matrix(rows), (*map(tuple, rows),)):
        assert exercise(5).check(right)


@pytest.mark.parametrize("number", [-30, -15, -36, -6, -40, -80, 10, 60, -100, -10, 9, 6])
def test_no_usual_slope_of_a_learning_rate_is_left_without_a_hint(number):
    assert not str(exercise(5, 2).check(number)).endswith("is not it.")


RULES = [
    (lambda y, x: y / x, "product rule"),
    (lambda y, x: mg.exp(x), "product rule"),
    (lambda y, x: 2 * x * mg.exp(x), "product rule"),
    (lambda y, x: getattr(y, "data", y) + mg.exp(x), "plain number"),
    (lambda y, x: (1 + getattr(x, "data", x)) * mg.exp(x), "plain number"),
    (lambda y, x: (1 + x) * mg.exp(getattr(x, "data", x)), "plain number"),
]


@pytest.mark.parametrize(("rule", "words"), RULES)
def test_a_rule_that_is_wrong_is_not_told_that_it_loses_a_node_and_the_other_way_round(rule, words):
    told = str(exercise(5, 3).check(rule))
    assert [w for w in ("product rule", "plain number") if w in told] == [words]


def test_a_rule_may_be_written_in_any_way_that_keeps_its_nodes():
    for rule in (lambda y, x: (1 + x) * mg.exp(x), lambda y, x: y + np.exp(x)):
        assert exercise(5, 3).check(rule)


# Notebook 5b: a class of dual numbers is judged by what its quotients are, whatever they look like.


class Dual:
    """The reader's class."""

    def __init__(self, value, tangent=0):
        self.value, self.tangent = value, tangent

    def __mul__(self, other):
        return Dual(
            self.value * other.value, self.tangent * other.value + self.value * other.tangent
        )


def dual(x):
    return x if isinstance(x, Dual) else Dual(x)


def with_quotient(divided):
    return type("Dual", (Dual,), {"__truediv__": divided})


def by_the_rule(self, other):
    a, b = self, dual(other)
    return Dual(a.value / b.value, (a.tangent * b.value - a.value * b.tangent) / b.value**2)


def by_the_quotient(self, other):
    b, q = dual(other), self.value / dual(other).value
    return Dual(q, (self.tangent - q * b.tangent) / b.value)


def by_the_reciprocal(self, other):
    b = dual(other)
    return self * Dual(1 / b.value, -b.tangent / b.value**2)


def in_floats(self, other):
    b = dual(other)
    q = float(self.value) / float(b.value)
    return Dual(q, float(self.tangent - q * b.tangent) / float(b.value))


@pytest.mark.parametrize("divided", [by_the_rule, by_the_quotient, by_the_reciprocal, in_floats])
def test_a_quotient_may_be_written_in_any_way(divided):
    assert exercise("5b", 4).check(with_quotient(divided))


def no_constants(self, b):
    return Dual(self.value / b.value, (self.tangent - self.value / b.value * b.tangent) / b.value)


def whole(self, other):
    q = self.value // dual(other).value
    return Dual(q, (self.tangent - q * dual(other).tangent) / dual(other).value)


def plus_for_minus(self, other):
    a, b = self, dual(other)
    return Dual(a.value / b.value, (a.tangent * b.value + a.value * b.tangent) / b.value**2)


def of_tangents(self, other):
    return Dual(self.value / dual(other).value, self.tangent / dual(other).tangent)


QUOTIENTS = [
    (no_constants, "Here other is a plain number"),
    (plus_for_minus, "The sign"),
    (of_tangents, "not the quotient of the tangents"),
    (whole, "Dual(5, 0) / Dual(4, 1): the value 1 is not it"),
    (lambda self, other: None, "raised AttributeError"),
    (lambda self, other: self.value / dual(other).value, "raised AttributeError"),
]


@pytest.mark.parametrize(("divided", "words"), QUOTIENTS)
def test_a_wrong_quotient_is_told_where_it_errs(divided, words):
    verdict = exercise("5b", 4).check(with_quotient(divided))
    assert not verdict
    assert words in str(verdict)


def test_a_class_without_quotients_or_a_number_is_told_what_is_asked_for():
    assert str(exercise("5b", 4).check(Dual)) == "✗ Dual has no __truediv__ yet"
    assert "answer = Dual" in str(exercise("5b", 4).check(Dual(6, 1)))


def test_costs_of_brackets_are_those_of_multiplying_matrices_entry_by_entry():
    from microgrid.course.chapters.chapter05b import SIZES

    class Counted:
        count = 0

        def __mul__(self, other):
            Counted.count += 1
            return self

        def __add__(self, other):
            return self

    def ones(rows, columns):
        return np.array([[Counted()] * columns] * rows, dtype=object)

    def work(product):
        Counted.count = 0
        product()
        return Counted.count

    n, m, k, p = SIZES
    first, second, third, u = ones(m, n), ones(k, m), ones(p, k), ones(n, 1)
    assert exercise("5b", 3).right == {
        "forward": work(lambda: third @ (second @ first)),
        "backward": work(lambda: (third @ second) @ first),
        "one": work(lambda: third @ (second @ (first @ u))),
    }


def test_no_two_mistakes_at_the_kinks_give_the_same_slope():
    from microgrid.course.chapters.chapter06 import chosen

    ties = [(1, 1), (1, 0), (0, 1), (0.5, 0.5), (0, 0)]
    assert len({chosen(tie, slope) for tie in ties for slope in (-1, 0, 1)}) == 15
    for answer, words in ((chosen((0, 1), 1), "to the right of 1"), (math.nan, "has to answer")):
        assert words in str(exercise(6).check(answer))


def test_a_node_may_be_named_by_its_expression():
    for answer in ("u", "x*x", "x · x", "x ** 2", ["u"], mg.Value(0.0, "u")):
        assert exercise(6, 2).check(answer)
    assert "what arrives at s itself" in str(exercise(6, 2).check("sqrt(u)"))


STABLE = [
    (lambda x: abs(x) if abs(x) > 20 else mg.log(mg.cosh(x)), "f(1000): 1000 is not it", "every"),
    (lambda x: x, "f(-1000): -1000 is not it", "far away"),
    (lambda x: x + mg.log1p(mg.exp(-2 * x)) - math.log(2), "On one side it holds", "every"),
    (lambda x: mg.logaddexp(x, -x) + math.log(2), "off by the same number", "too large"),
    (lambda x: mg.logaddexp(x, -x), "too large everywhere", "far away"),
    ("log cosh", "a function is asked for", "callable"),
]


@pytest.mark.parametrize(("answer", "words", "wrong"), STABLE)
def test_a_function_gets_the_hint_that_fits_all_of_its_numbers(answer, words, wrong):
    told = str(exercise(6, 3).check(answer))
    assert words in told
    assert wrong not in told


WEIGHTED = [
    (lambda X, dY, c: X.T @ (c[:, None] * dY) / c.sum(), "weighted *mean*"),
    (lambda X, dY, c: X.T @ (c[:, None] * dY) / len(c), "*mean* over the samples"),
    (lambda X, dY, c: c @ X.T @ dY, "is a vector"),
    (lambda X, dY, c: X.T @ dY @ c, "is a vector"),
    ("X.T @ dY", "a function is asked for"),
]


@pytest.mark.parametrize(("answer", "words"), WEIGHTED)
def test_a_wrong_weighted_gradient_is_told_what_is_wrong(answer, words):
    assert words in str(exercise(8).check(answer))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_weighted_gradient_may_be_a_matrix_of_numpy():
    assert exercise(8).check(lambda X, dY, c: np.matrix(X).T * np.diag(c) * np.matrix(dY))


# Notebook 4b: a backward pass is judged as any layer is, and a mended line in its place.


def scale_by_einsum(dout, cache):
    x, g = cache
    return np.einsum("nd,d->nd", dout, g), np.einsum("nd,nd->d", dout, x), np.ones(len(x)) @ dout


def layernorm_step_by_step(dout, cache):
    xhat, std, gamma = cache
    dxhat = gamma * dout
    dstd = -np.sum(dxhat * xhat, axis=1, keepdims=True) / std
    dcentered = dxhat / std + dstd * xhat / xhat.shape[1]
    dx = dcentered - dcentered.mean(axis=1, keepdims=True)
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)


def test_a_backward_pass_may_be_written_in_any_way():
    assert exercise("4b").check(scale_by_einsum)
    assert exercise("4b", 3).check(layernorm_step_by_step)


BACKWARD = [
    (1, lambda dout, cache: (dout, (dout * cache[0]).sum(axis=0), dout.sum(axis=0)), "✗ dx"),
    (1, lambda dout, cache: (dout * cache[1], dout.sum(axis=0), dout.sum(axis=0)), "✗ dg"),
    (1, lambda dout, cache: (dout * cache[1], None, dout.sum(axis=0)), "dg is not written yet"),
    (1, lambda dout, cache: 1 / 0, "ZeroDivisionError"),
    (1, lambda dout, cache: (dout, dout), "2 gradients"),
]


@pytest.mark.parametrize(("number", "answer", "words"), BACKWARD)
def test_a_wrong_backward_pass_is_told_which_gradient_is_wrong(number, answer, words):
    verdict = exercise("4b", number).check(answer)
    assert not verdict
    assert words in str(verdict)


LINES = {
    "A": "dx[range(N), y] -= 1.0",
    "B": "dxmu = dxmu + 2.0 * xmu * dvar / N",
    "C": "dx[n, c, h + S * i, w + S * j] += dout[n, c, i, j]",
}


def test_a_line_may_be_mended_in_any_words():
    assert exercise("4b", 4).check(LINES)


MENDED = [
    ("A", "dx[np.arange(N), y] -= 1 / N", "so it stands there"),
    ("A", "dx[np.arange(N), y] += 1", "✗ A: dx"),
    ("B", "dxmu += 1.0 / N * xmu * dvar", "✗ B: dx"),
    ("C", "dx[n, c, i, j] += dout[n, c, i, j]", "✗ C: dx"),
    ("C", "dx[n, c", "SyntaxError"),
    ("C", 7, "a text in quotes"),
    ("C", "pass", "✗ C: dx"),
]


@pytest.mark.parametrize(("letter", "line", "words"), MENDED)
def test_a_line_that_does_not_mend_is_told_what_is_wrong_now(letter, line, words):
    verdict = exercise("4b", 4).check(exercise("4b", 4).right | {letter: line})
    assert not verdict
    assert words in str(verdict)
    assert str(verdict).count("✗") == 1


HIDDEN = {  # the inputs of the question, and the mistake of the museum
    "A": ("db is a mean", {"x": (1, 4), "w": (4, 5), "b": (5,)}),
    "B": ("db is a mean", {"x": (4, 4), "w": (4, 4), "b": (4,)}),
    "C": ("whole columns minus 1", {"x": (3, 4), "y": [2, 2, 2]}),
    "D": ("whole columns minus 1", {"x": (3, 4), "y": [2, 0, 2]}),
    "G": ("repeated words count once", {"W": (5, 3), "x": [4, 0, 2, 1]}),
    "H": ("repeated words count once", {"W": (5, 3), "x": [4, 0, 2, 0]}),
}


@pytest.mark.parametrize("letter", HIDDEN)
def test_what_hides_a_mistake_hides_it_from_the_checker_of_layers_too(letter, tmp_path):
    name, inputs = HIDDEN[letter]
    (tmp_path / "layer.py").write_text(museum.broken(name), encoding="utf-8")
    report = layer(tmp_path / "layer.py", **inputs)
    assert report.ok is (letter in exercise("4b", 2).right)
