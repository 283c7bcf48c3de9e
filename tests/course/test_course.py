"""Exercises: the right answer is right, each usual mistake is recognised, nothing else passes."""

import math
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid.course import CHAPTERS, Exercise, Mistake, exercise, exercises
from microgrid.course.chapters import chapter09
from microgrid.course.mistakes import GRADIENT_MISTAKES, gradient_mistakes, gradients_of
from microgrid.course.question import agree

ALL = [
    pytest.param(e, id=f"{chapter}-{k}")
    for chapter in CHAPTERS
    for k, e in enumerate(exercises(chapter), 1)
]
every_exercise = pytest.mark.parametrize("task", ALL)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_notebook_has_two_to_four_exercises(chapter):
    assert 2 <= len(exercises(chapter)) <= 4


@every_exercise
def test_the_right_answer_is_right_and_told_why(task):
    verdict = task.check(task.right)
    assert verdict, verdict
    assert task.why
    assert task.why in str(verdict)


@every_exercise
def test_each_usual_mistake_gets_its_hint(task):
    for mistake in task.mistakes:
        if isinstance(task.right, dict):
            right, given = task.probe(task.right), task.probe(mistake.answer)
            wrong = [k for k in given if not agree(given[k], right[k], task.decimals)]
            if not wrong:  # in this graph the mistake changes nothing that is asked for
                continue
            verdict = task.check(given | {k: right[k] for k in right if k not in given})
            assert not verdict
            assert str(verdict).count("✗") == len(wrong)
        else:
            verdict = task.check(mistake.answer)
            assert not verdict
            assert mistake.hint in str(verdict)


@every_exercise
def test_there_are_mistakes_to_recognise_and_no_two_are_the_same(task):
    if task.judge is not None:
        return
    assert len(task.mistakes) >= 2
    if not isinstance(task.right, dict):
        found = [task.probe(m.answer) for m in task.mistakes]
        pairs = [(a, b) for i, a in enumerate(found) for b in found[:i]]
        assert not any(agree(a, b, task.decimals) for a, b in pairs)


@every_exercise
def test_zero_does_not_pass_for_a_small_number(task):
    for x in np.ravel(list(task.right.values()) if isinstance(task.right, dict) else task.right):
        if isinstance(x, int | float | Fraction) and x:
            assert not agree(0, x, task.decimals)


@every_exercise
def test_no_answer_is_no_failure_and_nonsense_is_not_right(task):
    assert str(task.check(None)) == "… no answer yet"
    for nonsense in ("nonsense", -987.654, [1, 2, 3], {"?": 1}, lambda *args: None, object()):
        verdict = task.check(nonsense)
        assert not verdict
        assert "✗" in str(verdict)


@every_exercise
def test_a_question_says_what_is_asked_and_hints_give_nothing_away(task):
    assert task._repr_markdown_() == task.question
    assert len(task.question) > 40
    for mistake in task.mistakes:
        assert len(mistake.hint) > 15
        if isinstance(task.right, str):
            assert task.right not in mistake.hint.split()


def test_what_is_not_there_is_refused():
    with pytest.raises(LookupError, match="notebooks 1 to 10, '4b' and '5b', not 11"):
        exercise(11)
    with pytest.raises(LookupError, match="notebook 3 has the exercises 1 to"):
        exercise(3, 9)
    for wrong in ((3, 0), (3, "1"), (3, 1.0), (3.0,), ("3",), ("5B",), (None,), ([3],)):
        with pytest.raises(mg.MicrogridError):
            exercise(*wrong)


# Wrong answers of readers of the notebooks 7 and 10 that got no help: each now gets its own.

HELPED = [
    (7, 1, -0.128, "That is b."), (7, 1, 12, "gradient"), (7, 1, 7.2, "gradient"),
    (7, 1, 1.44, "loss"), (7, 1, 0.5184, "loss"), (7, 1, 0.384, "how far"),
    (7, 3, 3, "affine layers"), (7, 3, 5, "layers"), (7, 3, 600, "add up"),
    (7, 3, 1800, "add up"),
    (10, 1, [1 / 3, 1 / 3, 1 / 3], "third place"), (10, 1, [0, 0.27, 0.73], "to its left"),
    (10, 1, [26.9, 73.1, 0], "percent"), (10, 1, [27, 73, 0], "percent"),
    (10, 1, [0.27, 0.73], "third place"),
    (10, 2, {"v": 6}, "first layer"), (10, 2, {"x": -10, "w": -5}, "second layer"),
    (10, 2, {"x": -7.5, "w": -5, "v": 6}, "both layers"), (10, 2, {"v": 2}, "its own layer"),
    (10, 2, {"w": 8}, "its own layer"), (10, 2, {"w": -12}, "its own layer"),
    (10, 3, lambda logits, t: mg.softmax(-logits / t), "minus"),
    (10, 3, lambda logits, t: mg.softmax(logits) / t, "mg.softmax gives a list"),
    (10, 3, lambda logits, t: mg.softmax(logits) ** (1 / t), "mg.softmax gives a list"),
]  # fmt: skip


@pytest.mark.parametrize(("chapter", "number", "answer", "words"), HELPED)
def test_what_readers_tried_in_vain_gets_a_hint_of_its_own(chapter, number, answer, words):
    verdict = exercise(chapter, number).check(answer)
    assert not verdict
    assert words in str(verdict)


# How answers are compared.

TRUE = [
    (0.2, 0.1966, 2), (0.1966, 0.1966, 2), (7, 7.0, 2), (mg.Value(7.0), 7, 2),
    (np.float64(7), 7, 2), (np.array(7), 7, 2), (" Left ", "left", 2), ([1, 2.0], (1, 2), 2),
    (np.eye(2), [[1, 0], [0, 1]], 2),
    (math.inf, math.inf, 2), (math.nan, math.nan, 2), ({1, 2}, {2, 1}, 2), ([2, 1], {1, 2}, 2),
    (1234, 1234.4, 2), (True, True, 2), (range(1, 3), [1, 2], 2),
    ({"a": [1]}, {"a": np.ones(1)}, 2), ("7", 7, 2), (["0,5", "½"], [0.5, 0.5], 2),
    (Decimal("0.20"), 0.1966, 2), (" −1 / 3", Fraction(-1, 3), 6), (np.array("٣"), 3, 2),
]  # fmt: skip
FALSE = [
    ("9" * 400, 7, 2), (10**400, 7, 2),
    (0.21, 0.1966, 2), (0.2, 0.1966, 3), ("8", 7, 2), (7, "7", 2), ([1], [1, 2], 2), (True, 1, 2),
    (1, True, 2), (None, 0, 2), ([[1]], [1], 2), (0, math.nan, 2), ({1}, {1, 2}, 2),
    (1300, 1234.4, 2), (2001, 2000, 2), (2411, 2410.0, 2), (10**400, 1e308, 2),
    ({"a": 1}, {"a": 2}, 2), (np.True_, 1, 2), ("True", 1, 2), (np.ma.masked, 0, 2),
    ("(1)", 1, 2), ("1,000", 1, 2), ("1+1", 2, 2), (None, 0, 2), (Decimal("NaN"), 0, 2),
]  # fmt: skip


@pytest.mark.parametrize(("given", "right", "digits"), TRUE)
def test_answers_that_say_the_same_agree(given, right, digits):
    assert agree(given, right, digits)


@pytest.mark.parametrize(("given", "right", "digits"), FALSE)
def test_answers_that_do_not_say_the_same_disagree(given, right, digits):
    assert not agree(given, right, digits)


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_what_is_rounded_to_as_many_digits_as_asked_is_right(x, digits):
    assert agree(round(x, digits), x, digits)


def test_the_verdict_says_what_kind_of_answer_is_asked_for():
    told = [
        (Exercise("?", 7).check("seven"), "the answer is a number, not 'seven'."),
        (Exercise("?", 7).check("7,000"), "? '7,000' may be 7000 or 7.000: write it without"),
        (Exercise("?", {"a": 7}).check({"a": "(7)"}), "? a: '(7)' is 7 in brackets, or −7 as"),
        (Exercise("?", "left").check(7), "the answer is a text in quotes."),
        (Exercise("?", [[1, 2]]).check([1, 2]), "the shape is (2,); it should be (1, 2)."),
        (Exercise("?", [[1, 2]]).check([[1], [2, 3]]), "the rows have different lengths."),
        (Exercise("?", {"a": 1}).check(1), "a dict with the keys [a]"),
        (Exercise("?", {"a": 1}).check({"b": 1}), "b: is not part of this question"),
        (Exercise("?", {"a": 1, "b": 2}).check({"a": 1}), "b: no answer yet"),
        (Exercise("?", 5, probe=lambda f: f(2)).check(lambda x: 1 / 0), "raised ZeroDivisionError"),
        (Exercise("?", 5, probe=lambda f: f(2)).check(3), "raised TypeError"),
        (Exercise("?", 5).check("…"), "no answer yet"),
        (Exercise("?", [1, 2]).check(np.zeros((99, 99))), "the shape is (99, 99)"),
        (Exercise("?", 5).check([0] * 999), "0, 0…"),
        (Exercise("?", 5).check(10**5000), "✗ a huge number is not it."),
    ]
    for verdict, words in told:
        assert not verdict
        assert words in str(verdict)


@pytest.mark.parametrize(
    "nothing", ["", " ", "–", "?", math.nan, "n/a", "nan", np.ma.masked, [None]]
)
def test_an_empty_cell_is_no_answer_yet(nothing):
    assert str(Exercise("?", 5).check(nothing)) == "… no answer yet"
    verdict = Exercise("?", {"a": 5, "b": 6}).check({"a": nothing, "b": 6})
    assert str(verdict) == "… a: no answer yet\n✓ b: right"


def test_nan_is_an_answer_where_it_is_right_or_a_mistake_or_comes_of_a_function():
    task = Exercise("?", {"a": math.nan, "b": 5}, [Mistake({"b": math.nan}, "It is finite.")])
    verdict = task.check({"a": math.nan, "b": math.nan})
    assert str(verdict) == "✓ a: right\n✗ b: nan is not it. It is finite."
    function = Exercise("?", lambda: 5.0, probe=lambda f: f())
    assert str(function.check(lambda: math.nan)) == "✗ nan is not it."


def test_keys_of_answers_may_be_written_in_any_way_but_none_takes_the_place_of_another():
    task = Exercise("?", {"x_0": 1, "b": 2, 3: 4})
    assert task.check({" X_0": 1, "B ": 2, "3.0": 4})
    assert task.check({"x_0": "X_0 = 1", "ｂ": 2, 3.0: 4})
    verdict = task.check({"x_0": 1, "X_0": 7, "b": 2, "3": 4})
    assert str(verdict).splitlines()[-1] == "✗ X_0: is not part of this question"
    letters = Exercise("?", {"w": 1, "W": 2})
    assert letters.check({"w": 1, "W": 2})
    assert "is not part of this question" in str(letters.check({" w": 1, "W": 2}))


def test_a_function_is_judged_by_what_it_does():
    task = Exercise(
        "Square it.", lambda x: x * x, [Mistake(lambda x: 2 * x, "That doubles.")],
        why="x times x.", probe=lambda f: [f(x) for x in (1.0, 3.0)],
    )  # fmt: skip
    assert task.check(lambda x: x**2)
    assert str(task.check(lambda x: x + x)) == "✗ That doubles."
    assert "not it" in str(task.check(lambda x: x))
    assert task.solution() == "x times x."


# What could not be checked in time is neither right nor wrong.


@pytest.mark.parametrize("patience", [0.001, 0.05])
def test_a_right_engine_that_could_not_be_checked_in_time_gets_no_cross(patience, monkeypatch):
    monkeypatch.setattr(chapter09, "PATIENCE", patience)
    assert str(exercise(9, 1).check(chapter09.MyValue)) == chapter09.UNFINISHED


def test_an_engine_that_hangs_is_shown_the_program_and_gets_no_cross(monkeypatch):
    monkeypatch.setattr(chapter09, "PATIENCE", 6.0)  # so half a second for each program

    class Hangs(chapter09.MyValue):
        def backward(self):
            while True:
                time.sleep(0.01)

    verdict = exercise(9, 1).check(Hangs)
    assert not verdict
    assert verdict.lines[0] == chapter09.UNFINISHED
    assert "✗" not in str(verdict)
    assert "backward()" in str(verdict)


def test_what_an_engine_lacks_is_told_however_little_time_there_is(monkeypatch):
    monkeypatch.setattr(chapter09, "PATIENCE", 0.3)
    verdict = exercise(9, 1).check(type("MyValue", (chapter09.MyValue,), {"__neg__": None}))
    assert str(verdict) in ("✗ it has no `-x` yet", chapter09.UNFINISHED)


# The usual mistakes of a backward pass, each where it shows.


def circuit():
    """One gate of each role, a value that is used twice, and a minus."""
    a, b, c, d = mg.Value(3.0, "a"), mg.Value(2.0, "b"), mg.Value(7.0, "c"), mg.Value(5.0, "d")
    y = (a * b - mg.maximum(a, d)) * (a + c)
    y.label = "y"
    return y


def test_every_mistake_gives_another_number_somewhere():
    root = circuit()
    right = mg.gradients(root)
    for hint, wrong in gradient_mistakes(root):
        assert any(wrong.get(v, right[v]) != right[v] for v in right), hint


def test_a_pass_without_a_mistake_is_the_engines():
    from microgrid.course.mistakes import backward_pass

    root = circuit()
    rows = mg.explain(root).rows
    assert backward_pass(root, rows) == mg.gradients(root)


@pytest.mark.parametrize(("number", "hint"), list(enumerate(GRADIENT_MISTAKES)))
def test_each_mistake_is_recognised_where_no_other_gives_its_number(number, hint):
    root = circuit()
    task = gradients_of("…", circuit(), "abcd", {})
    found = gradient_mistakes(root)
    _, wrong = found[number]
    named = {v.label: g for v, g in wrong.items() if v.label in task.right}
    others = [g for i, (_, g) in enumerate(found) if i < number]
    names = {v.label: v for v in mg.gradients(root)}
    for name, g in named.items():
        known = any(o.get(names[name]) == g for o in others)
        if g == task.right[name] or known:
            continue
        answer = task.right | {name: g}
        if str(task.check(answer)).count("✗") == 1 and hint in str(task.check(answer)):
            return
    pytest.fail(f"nothing in the circuit shows: {hint}")
