"""Worksheets: friendly numbers, right answers, marks that know the usual mistakes, clean pages."""

import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared.processes import printed
from shared.tex import balanced

import microgrid as mg
from microgrid.course.mistakes import SIGN, VALUE_MISTAKES, gradient_mistakes
from microgrid.course.question import ExerciseError
from microgrid.course.worksheets import KINDS, worksheet
from microgrid.course.worksheets import page as worksheet_page
from microgrid.course.worksheets.diagnosis import NOT_KNOWN
from microgrid.course.worksheets.marks import Marks
from microgrid.engine.errors import MicrogridError
from microgrid.engine.labels import LabelError
from microgrid.engine.value import topological
from microgrid.views.files import LayoutError
from microgrid.views.wording import signed

SVG = "{http://www.w3.org/2000/svg}"
RED, GREEN = "#c62828", "#0a7d20"
PRINTED = ["f = a·b·c − d", "f = (a − b + c·d)²", "f = (a + b − c)·d", "f = a·(−b + c)·d"]
ANSWERS = {"d": -12, "r": -2, "q": -12, "c": -12, "p": -12, "b": 12, "a": 4}


class NAType:
    """As the empty cell of pandas: it has no truth."""

    __bool__ = None

    def __ne__(self, other):
        return self

    def __repr__(self):
        return "<NA>"


kinds = st.sampled_from(sorted(KINDS))
seeds = st.integers(-(10**9), 10**9)
sheets = st.builds(worksheet, seeds, kinds, st.integers(1, 3))
BACKWARD = [name for name, kind in KINDS.items() if kind.gradients and not kind.values]


def evaluated(expression, numbers):
    """The value of a line like p = a + b, f = p·p by Python's own arithmetic."""
    python = expression.replace("·", "*").replace("²", "**2").replace("−", "-")
    names = {**numbers, "max": max, "relu": lambda x: max(x, 0)}
    for part in re.split(r", (?=[a-z] = )", python):
        name, text = part.split(" = ")
        names[name] = eval(text, {}, names)
    return names["f"]


def leaves(problem):
    return {v.label: Fraction(v.data) for v in problem.order if not v.op}


# The circuits


@given(seeds, kinds)
def test_numbers_are_whole_small_and_rarely_0_and_no_gate_is_at_a_kink(seed, kind):
    for problem in worksheet(seed, kind, 2).problems:
        order = topological(problem.root)
        gates = [v for v in order if v.op]
        assert 3 <= len(gates) <= 6
        values, passed = [v.data for v in order], mg.gradients(problem.root, order)
        assert all(type(x) is int and abs(x) <= 99 for x in (*values, *passed))
        assert 3 * passed.count(0) <= len(passed)
        for row in mg.explain(problem.root).rows:  # nothing cancels, as in a + b - a
            assert passed[order.index(row.parent_node)] or not row.share
        sizes = [abs(v.data) for v in order if not v.op]
        assert 0 not in sizes
        assert len(set(sizes)) == len(sizes) >= 2
        for v in gates:
            xs = [p.data for p in v.parents]
            if v.op.role == "router":
                assert 0 not in xs if len(xs) == 1 else len(set(xs)) == 2
            else:
                assert v.data


@given(sheets)
def test_nodes_have_names_and_problems_differ(sheet):
    assert len({problem.expression for problem in sheet.problems}) == len(sheet.problems)
    for problem in sheet.problems:
        names = [v.label for v in problem.order]
        assert all(names)
        assert len(set(names)) == len(names)
        assert [v.label for v in problem.order if not v.op] == list("abcde")[: len(problem.leaves)]
        assert problem.root.label == "f"


def test_no_two_problems_of_a_long_sheet_are_the_same():
    for seed in range(5):
        assert len({problem.expression for problem in worksheet(seed, n=50).problems}) == 50


@settings(max_examples=20)
@given(seeds)
def test_each_kind_is_about_what_it_says(seed):
    for name, kind in KINDS.items():
        for problem in worksheet(seed, name, 2).problems:
            uses = Counter(p for v in problem.order for p in v.parents)
            routers = sum(v.op.role == "router" for v in problem.order if v.op)
            assert {b.gradient for b in problem.blanks} == {
                *[False] * kind.values, *[True] * kind.gradients
            }  # fmt: skip
            if name in ("gradients", "routers"):
                assert set(uses.values()) == {1}
            if name in ("forks", "mixed"):
                assert max(uses.values()) > 1
            assert routers >= kind.routers


@given(seeds, kinds)
def test_the_usual_mistakes_give_other_numbers_in_some_of_the_blanks(seed, kind):
    for problem in worksheet(seed, kind, 2).problems:
        telling = set()
        for hint, wrong in gradient_mistakes(problem.root):
            if any(wrong.get(b.node, b.right) != b.right for b in problem.blanks if b.gradient):
                telling.add(hint)
        assert len(telling) >= KINDS[kind].tells
        for blank in problem.blanks:
            if not blank.gradient:
                operands = [p.data for p in blank.node.parents]
                forms = [wrong(*operands) for wrong in VALUE_MISTAKES[blank.node.op].values()]
                assert blank.right not in forms or len(set(forms)) > 1 or blank.right


@given(seeds, kinds)
def test_the_line_of_text_is_the_circuit(seed, kind):
    for problem in worksheet(seed, kind, 2).problems:
        assert evaluated(problem.expression, leaves(problem)) == problem.root.data


@given(seeds, kinds)
def test_the_right_answers_are_the_slopes_of_that_line(seed, kind):
    h = Fraction(1, 10**6)
    for problem in worksheet(seed, kind, 2).problems:
        xs = leaves(problem)
        for blank in problem.blanks:
            if blank.gradient and not blank.node.op:
                name = blank.node.label
                up, down = (
                    evaluated(problem.expression, {**xs, name: xs[name] + s}) for s in (h, -h)
                )
                assert abs((up - down) / (2 * h) - blank.right) < Fraction(1, 1000)


@given(sheets)
def test_the_right_answers_are_those_of_the_engine_and_of_a_backward_pass(sheet):
    for problem in sheet.problems:
        problem.root.backward()
        for blank in problem.blanks:
            right = blank.node.grad if blank.gradient else blank.node.data
            assert problem.answers[blank.key] == right
        nodes = [b.node for b in problem.blanks if b.gradient]
        assert [b.right for b in problem.blanks if b.gradient] == mg.gradients(problem.root, nodes)


def test_a_longer_sheet_begins_with_a_shorter_one_and_another_seed_is_another_sheet():
    long, short = worksheet(3, "forks", 6), worksheet(3, "forks", 2)
    assert list(long.answers.values())[:2] == list(short.answers.values())
    assert len({worksheet(seed, "forks", 2).problems[0].expression for seed in range(-9, 9)}) > 9
    assert worksheet(3).answers != worksheet(-3).answers


def test_the_same_seed_is_the_same_sheet_in_every_process():
    program = (
        "from microgrid.course.worksheets import *\n"
        "for kind in KINDS:\n"
        "    s = worksheet(7, kind, 2); print(s, s.answers, s.html(), s.html(True), s.latex())"
    )
    assert "f = " in printed(program)


def test_the_sheet_of_a_seed_is_the_one_that_was_printed_last_year():
    assert [problem.expression for problem in worksheet(7).problems] == PRINTED
    assert worksheet(7).answers["4"] == ANSWERS


def test_neither_hypothesis_nor_matplotlib_is_needed():
    program = (
        "import sys; sys.modules['hypothesis'] = sys.modules['matplotlib'] = None\n"
        "from microgrid.course.worksheets import worksheet\n"
        "sheet = worksheet(1, 'mixed', 2); sheet.html(True); sheet.latex()\n"
        "print(bool(sheet.check(sheet.answers)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1, "matrices"), "'matrices': there are values, gradients, forks, routers, mixed"),
        ((1, "forks", 0), "1 to 50"), ((1, "forks", 51), "1 to 50"), ((1, "forks", -1), "1 to 50"),
        (("one",), "'one'"), ((1.5,), "1.5"), ((1, "forks", 2.0), "2.0"), ((None,), "None"),
        ((1, None), "kind None"), ((1, ["forks"]), "kind"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_sheet_is_an_error_that_says_what_there_is(arguments, words):
    with pytest.raises(ExerciseError, match=words) as error:
        worksheet(*arguments)
    assert isinstance(error.value, MicrogridError)


# Marks


@given(sheets)
def test_right_answers_get_full_marks_in_any_form(sheet):
    flat = {f"{i}.{k}": x for i, xs in sheet.answers.items() for k, x in xs.items()}
    by_number = {int(i): xs for i, xs in sheet.answers.items()}
    as_text = {key: f" {x}".replace("-", "−") for key, x in flat.items()}
    nearly = {key: float(x) + 1e-12 for key, x in flat.items()}
    for answers in (sheet.answers, flat, by_number, as_text, nearly):
        marks = sheet.check(answers)
        assert marks
        assert marks.points == marks.total == len(flat)
        assert not marks.mistakes


@given(sheets)
def test_an_empty_form_is_no_mistake_and_no_point(sheet):
    for answers in (sheet.form, {}, dict.fromkeys(sheet.form), {key: {} for key in sheet.form}):
        marks = sheet.check(answers)
        assert (bool(marks), marks.points, marks.carried) == (False, 0, 0)
        assert {m.hint for m in marks.marks} == {"no answer yet"}
        assert not marks.mistakes


@given(seeds, st.sampled_from(["gradients", "forks", "routers", "mixed"]), st.data())
def test_one_wrong_number_gets_the_hint_of_the_mistake_that_gives_it(seed, kind, data):
    sheet = worksheet(seed, kind, 1)
    (problem,) = sheet.problems
    for blank in problem.blanks:
        wrong = {}  # number: the hints that lead to it
        for hint, made in gradient_mistakes(problem.root) if blank.gradient else []:
            wrong.setdefault(made.get(blank.node, blank.right), set()).add(hint)
        for x, hints in wrong.items():
            if x != blank.right:
                marks = sheet.check({"1": {**problem.answers, blank.key: x}})
                assert marks.points == marks.total - 1
                (mark,) = [m for m in marks.marks if m.verdict != "✓"]
                assert (mark.key, mark.verdict) == (f"1.{blank.key}", "✗")
                assert mark.hint in hints


@given(seeds, st.sampled_from(["values", "mixed"]))
def test_one_wrong_value_gets_the_hint_of_its_gate(seed, kind):
    sheet = worksheet(seed, kind, 1)
    (problem,) = sheet.problems
    for blank in problem.blanks:
        if not blank.gradient:
            operands = [p.data for p in blank.node.parents]
            forms = [(h, wrong(*operands)) for h, wrong in VALUE_MISTAKES[blank.node.op].items()]
            forms.append((SIGN, -blank.right))
            for _, x in forms:
                if x != blank.right:
                    marks = sheet.check({"1": {**problem.answers, blank.key: x}})
                    mark = next(m for m in marks.marks if m.key == f"1.{blank.key}")
                    assert mark.hint in {hint for hint, y in forms if y == x}


@given(seeds, st.sampled_from(BACKWARD))
def test_a_mistake_made_all_along_is_recognised_wherever_it_is_made(seed, kind):
    sheet = worksheet(seed, kind, 1)
    (problem,) = sheet.problems
    for hint, made in gradient_mistakes(problem.root):
        answers = {b.key: made.get(b.node, b.right) for b in problem.blanks}
        marks = sheet.check({"1": answers})
        assert NOT_KNOWN not in marks.mistakes
        right = sum(answers[b.key] == b.right for b in problem.blanks)
        assert marks.points == right
        assert bool(marks.mistakes) == (right < marks.total), hint


@given(seeds, st.integers(1, 9))
def test_a_mistake_made_once_is_recognised_on_top_of_another(seed, off):
    (problem,) = worksheet(seed).problems[:1]
    for child in problem.order:
        if child.op and child.op.role == "switcher" and child is not problem.root:
            written = problem.answers | {child.label: problem.answers[child.label] + off}
            for v in child.parents:
                x = written[child.label] * v.data  # by its own value, not by the other one
                marks = worksheet(seed).check({"1": written | {v.label: x}})
                (mark,) = [m for m in marks.marks if m.key == f"1.{v.label}"]
                follows = x == honest(problem, written, problem_blank(problem, v))
                if x != problem.answers[v.label]:
                    assert mark.verdict == ("→" if follows else "✗")
                    assert mark.hint != NOT_KNOWN


def problem_blank(problem, v):
    return next(b for b in problem.blanks if b.node is v and b.gradient)


@given(seeds, kinds, st.data())
def test_what_follows_from_a_wrong_number_by_right_steps_is_carried_on(seed, kind, data):
    sheet = worksheet(seed, kind, 1)
    (problem,) = sheet.problems
    blank = data.draw(st.sampled_from(problem.blanks))
    off = data.draw(st.integers(1, 9))
    written = dict(problem.answers) | {blank.key: blank.right + off}
    later = problem.blanks[problem.blanks.index(blank) + 1 :]
    for b in later:
        written[b.key] = honest(problem, written, b)
    marks = sheet.check({"1": written})
    wrong = [b for b in problem.blanks if written[b.key] != b.right]
    assert sum(marks.mistakes.values()) == 1
    assert marks.carried == len(wrong) - 1
    assert marks.points == marks.total - len(wrong)


def honest(problem, written, blank):
    """What a careful student writes into a blank who goes on with the numbers written so far."""
    prefix = "d" if problem.kind.values else ""

    def value(v):
        return written.get(v.label, v.data) if problem.kind.values else v.data

    def upstream(v):
        return 1 if v is problem.root else written[prefix + v.label]

    if not blank.gradient:
        return blank.node.op.forward(*map(value, blank.node.parents))
    shares = []
    for v in problem.order:
        for k, p in enumerate(v.parents):
            if p is blank.node:
                xs = list(map(value, v.parents))
                shares.append(upstream(v) * v.local_gradients[k](v.op.forward(*xs), *xs))
    return sum(shares)


@pytest.mark.parametrize(
    ("answer", "verdict", "hint"),
    [
        ("many", "✗", "a number"), (True, "✗", "a number"), ([1], "✗", "a number"),
        (float("nan"), "…", "no answer"), (float("inf"), "✗", "a number"),
        (10**400, "✗", "a number"), ("1e999999999", "✗", "a number"), ("1/0", "✗", "a number"),
        pytest.param("9" * 5000, "✗", "a number", id="long"),
        (3 + 0j, "✗", "a number"), ("", "…", "no answer"),
        ("  ", "…", "no answer"), (None, "…", "no answer"), (..., "…", "no answer"),
        ("1234/5", "✗", "usual"), (1e300, "✗", "usual"), ("2.5", "✗", "usual"),
        ("<script>", "✗", "a number"), ("2.5/3", "✗", "a number"), ("1./2", "✗", "a number"),
        ("1 2", "✗", "a number"), pytest.param(10**5000, "✗", "a number", id="huge"),
        ("77.", "✗", "usual"),
        pytest.param([10**5000], "✗", "a number", id="[huge]"),
        ("a\nb", "✗", "a number"), ({}, "…", "no answer"),
        (mg.Value(77), "✗", "usual"), ({"a": 1}, "✗", "a number"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_said_to_be_none(answer, verdict, hint):
    sheet = worksheet(7, "mixed", 1)
    for key in sheet.answers["1"]:
        marks = sheet.check({"1": {**sheet.answers["1"], key: answer}})
        mark = next(m for m in marks.marks if m.key == f"1.{key}")
        assert mark.verdict == verdict
        assert hint in mark.hint
        assert marks.points == marks.total - 1
        assert "<script>" not in marks._repr_html_()
        assert all(len(line) < 140 for line in str(marks).splitlines())


@pytest.mark.parametrize(
    "eight",
    ["8,0", ".8e1", "8.", "80e-1", "=8", "= 8", "b=8", "B = +8", "８", "٨", "16 / 2",
     "7.9999999999", "8.0000000000", 7.9999999999, Decimal("8.0"), Decimal("7.9999999999"),
     Fraction(16, 2), np.int8(8), np.float32(8), np.longdouble(8), np.array(8),
     np.array("8"), mg.Value(8), "8\u00a0", "\ufeff8\r\n", "800 %", "0008", "8,000000"],
    ids=repr,
)  # fmt: skip
def test_a_right_number_is_right_however_it_is_written(eight):
    (mark,) = [m for m in worksheet(7, "forks", 1).check({"1.b": eight}).marks if m.key == "1.b"]
    assert (mark.verdict, mark.hint) == ("✓", "")


@pytest.mark.parametrize("minus", "-−–—‒‐‑―－﹣﹘⁻➖")
def test_every_dash_is_a_minus(minus):
    for answer in (f"{minus}19", f"{minus} 19,0", f"(\u200e{minus}19)", f"={minus}19"):
        assert worksheet(7, "forks", 1).check({"1.a": answer}).points == 1


@given(st.decimals(-99, 99, places=10), st.sampled_from([float, str, Fraction, np.float64]))
def test_a_number_gets_the_same_mark_in_every_type(x, kind):
    sheet = worksheet(7, "forks", 1)
    decimal, other = sheet.check({"1.b": x}).marks, sheet.check({"1.b": kind(x)}).marks
    assert [(m.verdict, m.hint) for m in decimal] == [(m.verdict, m.hint) for m in other]


@pytest.mark.parametrize(
    "nothing",
    [float("nan"), np.float64("nan"), Decimal("nan"), NAType(), np.datetime64("NaT", "s"),
     np.ma.masked, None, ..., "", " ", "\u00a0", "-", "–", "--", "?", "??", "…", "...", "/",
     "nan", "NaN", "n/a", "#N/A", "<NA>", "None", "NULL", "_", "\u200b", {}, [None]],
    ids=repr,
)  # fmt: skip
def test_an_empty_cell_is_no_answer_and_no_mistake(nothing):
    sheet = worksheet(7, "forks", 1)
    marks = sheet.check({"1": {**sheet.answers["1"], "b": nothing}})
    (mark,) = [m for m in marks.marks if m.verdict != "✓"]
    assert mark == ("1.b", "", "…", "no answer yet")
    assert not marks.mistakes


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("8,000", "may be 8000 or 8.000"), ("(8)", "leave the brackets out"),
        ("a=8", "is about a: here the number is that of b"),
    ],
)  # fmt: skip
def test_what_could_be_two_numbers_is_asked_for_again_and_is_no_mistake(answer, words):
    marks = worksheet(7, "forks", 1).check({"1.b": answer})
    (mark,) = [m for m in marks.marks if m.key == "1.b"]
    assert mark.verdict == "?"
    assert words in mark.hint
    assert not marks.mistakes
    assert "1 not understood" in marks._start


@pytest.mark.parametrize(
    "key", ["1.B", "1. b", " 1.b ", "01.b", "１.b", "1b", "1-b", "1_b", "(1) b", "1)b", (1, "b")]
)
def test_a_key_may_be_written_in_any_way(key):
    assert worksheet(7, "forks", 1).check({key: 8}).points == 1


def test_the_number_of_a_problem_may_come_from_a_table_and_the_blank_in_capitals():
    sheet = worksheet(7, "mixed", 2)
    capitals = {float(i): {k.upper(): x for k, x in xs.items()} for i, xs in sheet.answers.items()}
    assert sheet.check(capitals)


def test_two_answers_to_one_blank_are_told_unless_they_are_the_same():
    sheet = worksheet(7, "forks", 1)
    for second, points in ((8.0, 1), ("", 1), (None, 1), (9, 0), ("eight", 0)):
        marks = sheet.check({"1.b": 8, "1": {"B": second}})
        assert marks.points == points
        assert ("several answers" in str(marks)) == (not points)


def test_a_row_of_pandas_is_a_dict():
    class Row(dict):  # what a Series offers
        ndim, to_dict = 1, dict.copy
        keys = property()  # it is no Mapping

    assert worksheet(7, "forks", 1).check(Row({"1.b": 8})).points == 1


def test_a_key_that_no_blank_has_is_told_with_those_there_are():
    sheet = worksheet(7, "forks", 2)
    told = {
        "l.a": "keys like 1.a", "3.a": "2 problems", "a": "keys like 1.a",
        "1.z": "problem 1 asks for s, r, q, c, p, b, a", "1": "problem 1 asks for s, r",
    }  # fmt: skip
    for key, words in told.items():
        marks = sheet.check({key: 8})
        assert not marks
        assert [(m.key, m.verdict) for m in marks.marks if m.hint != "no answer yet"] == [
            (key, "?")
        ]
        assert words in str(marks)
        assert "1 not understood" in marks._start


def test_a_class_is_told_what_was_not_understood_and_of_whom():
    sheet = worksheet(7, "forks", 1)
    marks = sheet.mark_all(
        {"Ada": {"l.a": 1}, "Ben": {"l.a": 2, "1.b": "8,000"}, "Cy": [1, 2], "Di": None, "<E>": {}}
    )
    assert [(words[:3], dict(who)) for words, who in marks.unclear] == [
        ("l.a", {"Ada": 1, "Ben": 1}), ("1.b", {"Ben": 1}), ("the", {"Cy": 1})
    ]  # fmt: skip
    for shown in (str(marks), marks._repr_html_()):
        assert "not understood" in shown
        assert "Ada 1, Ben 1" in shown
    assert "not understood" not in str(sheet.mark_all({"Ada": sheet.answers, "Di": None}))


@pytest.mark.parametrize("answers", [[{"1.a": 5}], "answers.csv", None, 5, np.zeros(3), iter(())])
def test_what_is_no_class_is_an_error_that_says_what_one_is(answers):
    with pytest.raises(
        ExerciseError, match=r"a dict of students like \{'Ada': \{'1.a': 5\}\}, got"
    ):
        worksheet(7, n=1).mark_all(answers)


def test_two_students_of_one_name_are_not_one():
    with pytest.raises(ExerciseError, match="two students are called 5"):
        worksheet(7, n=1).mark_all({5: {}, "5": {}})


def test_unknown_blanks_are_named_and_what_is_no_dict_is_told_the_form():
    sheet = worksheet(7, n=1)
    marks = sheet.check({**sheet.answers, "9": {"z": 3}, "1.<b>": 4})
    assert not marks
    assert marks.points == marks.total
    assert [m.key for m in marks.marks if m.verdict == "?"] == ["9.z", "1.<b>"]
    assert "is not part of this sheet" in str(marks)
    assert "<b>" not in marks._repr_html_()
    for answers in (None, 5, [1, 2], "a"):
        marks = sheet.check(answers)
        assert (bool(marks), marks.points) == (False, 0)
        assert "{'1': {'a': 5}}" in str(marks)


@given(sheets, st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.fractions(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["1", 1, "1.a", "a", "p", "dp", "f", ""]), inner),
    max_leaves=12,
))  # fmt: skip
@example(worksheet(1), {"1": {"a": 2**1000, "p": "0." + "1" * 99}})
def test_any_answers_are_marked(sheet, answers):
    marks = sheet.check(answers)
    assert isinstance(marks, Marks)
    assert 0 <= marks.points <= marks.total == sum(map(len, sheet.answers.values()))
    assert str(marks)
    assert (
        ElementTree.fromstring(
            re.sub(r"[\x00-\x1f\ud800-\udfff\ufffe\uffff]", "", marks._repr_html_())
        )
        is not None
    )


def test_a_class_shows_its_points_and_its_common_mistakes():
    sheet = worksheet(7, "forks", 3)

    def with_mistake(k):
        made = [gradient_mistakes(problem.root)[k][1] for problem in sheet.problems]
        return {
            str(i): {b.key: made[i - 1].get(b.node, 0) for b in problem.blanks}
            for i, problem in enumerate(sheet.problems, 1)
        }

    last, switched = (
        gradient_mistakes(sheet.problems[0].root)[0][0],
        gradient_mistakes(sheet.problems[0].root)[3][0],
    )
    marks = sheet.mark_all(
        {
            "Ada": sheet.answers,
            "Ben": with_mistake(0),
            "<Cy>": with_mistake(3),
            "Di": with_mistake(0),
            5: None,
        }
    )
    who = dict(marks.mistakes)
    assert set(who) == {last, switched}
    assert set(who[last]) == {"Ben", "Di"}
    assert who[last]["Ben"] == who[last]["Di"] == sheet.check(with_mistake(0)).mistakes[last]
    assert marks.marks["Ada"]
    points, mistakes = str(marks).split("\n\n")
    total = str(marks.marks["Ada"].total)
    assert [line.split()[:4] for line in points.splitlines()[:2]] == [
        ["student", "right", "carried", "on"], ["Ada", total, "0", total]
    ]  # fmt: skip
    times = [int(line.split()[0]) for line in mistakes.splitlines()[1:]]
    assert times == sorted(times, reverse=True)
    assert times == [who[hint].total() for hint, _ in marks.mistakes]
    assert "<Cy>" not in marks._repr_html_()
    assert "&lt;Cy&gt;" in marks._repr_html_()
    assert len(str(sheet.mark_all({})).splitlines()) == 1


# Pages


def parsed(page):
    assert page.startswith("<!DOCTYPE html>\n")
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


@settings(max_examples=10)
@given(sheets)
def test_a_page_is_well_formed_and_asks_nothing_of_anybody(sheet):
    for answers in (False, True):
        page = sheet.html(answers)
        root = parsed(page)
        tags = {e.tag.removeprefix(SVG) for e in root.iter()}
        assert not tags & {"script", "link", "img", "iframe", "object", "image", "use", "a"}
        for e in root.iter():
            for name, text in e.attrib.items():
                assert not name.startswith("on")
                assert "href" not in name
                assert name != "src"
                assert "//" not in text
        assert "url(" not in page
        assert "@import" not in page
        assert len(list(root.iter(f"{SVG}svg"))) == len(sheet.problems)
        ids = [e.get("id") for e in root.iter() if e.get("id")]
        assert len(set(ids)) == len(ids)
    assert {e.get("id") for e in parsed(sheet.html()).iter()} & set(ids) == set()


def drawn(svg, color):
    return sorted(
        t.text.replace("\xa0", " ") for t in svg.iter(f"{SVG}text") if t.get("fill") == color
    )


@settings(max_examples=10)
@given(sheets)
def test_the_sheet_has_a_box_for_each_blank_and_its_number_is_in_the_answers_alone(sheet):
    for problem, empty, full in zip(
        sheet.problems,
        parsed(sheet.html()).iter(f"{SVG}svg"),
        parsed(sheet.html(answers=True)).iter(f"{SVG}svg"),
    ):
        values = sorted(signed(str(v.data)) for v in problem.order)
        given_ = sorted(
            signed(str(problem.given[v.label])) for v in problem.order if v.label in problem.given
        )
        assert drawn(full, GREEN) == values
        assert drawn(empty, GREEN) == given_
        assert drawn(empty, RED) == ["1"] * problem.kind.gradients
        wanted = Counter(
            signed(str(g)) for g in problem.gradients.values() if problem.kind.gradients
        )
        assert wanted <= Counter(drawn(full, RED))
        boxes = [p for p in empty.iter(f"{SVG}polygon") if p.get("stroke") == "#8093ab"]
        assert len(boxes) == len(problem.blanks)
        assert not [p for p in full.iter(f"{SVG}polygon") if p.get("stroke") == "#8093ab"]
        names = {"".join(t.itertext()) for t in empty.iter(f"{SVG}text")}
        assert {v.label for v in problem.order} <= names


def test_a_page_has_lines_for_name_and_date_and_says_how_to_make_it_again():
    page = worksheet(7, "forks", 2).html()
    for words in ("<span>Name</span>", "<span>Date</span>", "--seed 7 --kind forks -n 2", "@page"):
        assert words in page
    answers = worksheet(7, "forks", 2).html(answers=True)
    assert "Name" not in answers
    assert "Answers to" in answers
    assert "The shares of several uses are added, not multiplied." in answers
    assert "*other*" not in answers


def test_a_notebook_shows_the_sheet_without_its_answers():
    sheet = worksheet(7)
    shown = ElementTree.fromstring(sheet._repr_html_())
    assert shown.tag == "div"
    assert "@page" not in sheet._repr_html_()
    assert "Answers" not in "".join(shown.itertext())


def test_a_backward_pass_by_hand_changes_no_page_and_a_page_changes_no_node():
    sheet = worksheet(7, "forks", 1)
    before = sheet.html(answers=True)
    assert not [v for v in sheet.problems[0].order if v.grad]
    sheet.problems[0].root.backward()
    sheet.problems[0].root.backward()
    assert sheet.html(answers=True) == before
    assert sheet.check(sheet.answers)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_layout_engine_there_is_a_table_with_blanks(kind, monkeypatch):
    class NoEngine:
        def pipe(self, *_, **__):
            raise LayoutError("no layout engine")

    monkeypatch.setattr(worksheet_page, "draw", lambda *_, **__: NoEngine())
    sheet = worksheet(7, kind, 1)
    (table,) = [t for t in parsed(sheet.html()).iter("table") if t.get("class") == "blanks"]
    rows = [[cell.text or "" for cell in row] for row in table]
    assert rows[0] == ["node", "gate", "value", *["gradient"] * KINDS[kind].gradients]
    numbers = [cell for row in rows[1:] for cell in row[2:]]
    assert numbers.count("") == len(sheet.problems[0].blanks)
    full = [t for t in parsed(sheet.html(True)).iter("table") if t.get("class") == "blanks"]
    assert not [cell for row in full[0] for cell in row[2:] if not cell.text]


@settings(max_examples=30)
@given(sheets, st.booleans())
def test_latex_is_balanced_and_has_a_blank_for_each_blank(sheet, answers):
    text = sheet.latex(answers)
    assert text.isascii()
    balanced(text)
    assert re.sub(r"\\[$&]", "", text).count("$") % 2 == 0
    blanks = sum(len(problem.blanks) for problem in sheet.problems)
    assert text.count(r"\blank") - 1 == (0 if answers else blanks)
    for columns, body in re.findall(
        r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.S
    ):
        rows = body.split(r"\\")[:-1]
        assert {row.count("&") + 1 for row in rows} == {len(columns)}
    allowed = {
        "documentclass", "usepackage", "setlength", "parindent", "renewcommand", "arraystretch",
        "newcommand", "blank", "framebox", "rule", "begin", "end", "section", "hrulefill",
        "makebox", "par", "medskip", "smallskip", "textwidth", "textbf", "quad", "hline", "max",
        "operatorname", "left", "right", "vfill", "footnotesize", "texttt", "cdot",
    }  # fmt: skip
    assert set(re.findall(r"\\([A-Za-z]+)", text)) <= allowed


def test_files_are_written_as_their_names_say(tmp_path):
    sheet = worksheet(7, n=1)
    assert sheet.save(tmp_path / "new" / "s.html").read_text(encoding="utf-8") == sheet.html()
    assert sheet.save(str(tmp_path / "s.tex")).read_text(encoding="utf-8") == sheet.latex()
    answers = sheet.save(tmp_path / "A.HTML", answers=True).read_bytes()
    assert answers == sheet.html(answers=True).encode()
    for name in ("s.pdf", "s", ".html"):
        with pytest.raises(ExerciseError, match=r"it is saved as \.html or \.tex"):
            sheet.save(tmp_path / name)


# Blanks in pictures


def fork():
    a, b = mg.Value(3.0, "a"), mg.Value(2.0, "b")
    p = b * a
    p.label = "p"
    y = (p + a) * a
    y.label = "y"
    y.backward()
    return a, p, y


def picture(root, **options):
    return ElementTree.fromstring(mg.draw(root, **options).pipe("svg"))


def test_a_blank_gradient_is_told_by_no_share_either():
    a, _, y = fork()
    assert "18.00" in drawn(picture(y), RED)
    assert "9.00" in drawn(picture(y), RED)
    blank = picture(y, blank_gradients=[a])
    assert drawn(blank, RED) == ["1.00", "3.00", "3.00", "9.00"]  # y, p, p + a, b
    assert drawn(picture(y, blank_gradients=[a], share_leaves=False), RED) == drawn(blank, RED)


def test_a_blank_value_leaves_the_name_and_the_gradient():
    _, p, y = fork()
    blank = picture(y, blank_values=iter([p]))
    assert drawn(blank, GREEN) == [x for x in drawn(picture(y), GREEN) if x != "6.00"]
    assert drawn(blank, RED) == drawn(picture(y), RED)
    assert "p" in {"".join(t.itertext()) for t in blank.iter(f"{SVG}text")}


def test_the_size_of_a_box_tells_nothing_about_the_number():
    sizes = []
    for x in (1.0, 12345.0):
        v = mg.Value(x, "x")
        sizes.append(picture(v, blank_values=[v]).attrib)
    assert sizes[0] == sizes[1]


def test_no_block_hides_a_box_or_tells_its_number():
    x = y = mg.Value(2.0, "x")
    for _ in range(70):
        y = y + 1
    assert "class=gate" not in mg.draw(y).source
    assert mg.draw(y, blank_values=[y]).source.count("class=gate") == 70
    with pytest.raises(LabelError, match="blanks"):
        mg.draw(y, level="blocks", blank_gradients=[x])


def test_a_picture_without_blanks_is_what_it_was():
    _, _, y = fork()
    assert mg.draw(y, blank_values=(), blank_gradients=[]).source == mg.draw(y).source
