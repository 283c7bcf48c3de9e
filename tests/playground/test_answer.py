"""The playground's answers: the numbers of the engine, and words that are true of them."""

import contextlib
import io
import json
import math
import re
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared.circuits import numbers, texts

import microgrid as mg
from microgrid.course.mistakes import NOT_KNOWN, share_mistakes
from microgrid.matrices.formulas import affine_backward
from microgrid.playground.answer import Playground
from microgrid.playground.circuits import circuit, put_in_blocks
from microgrid.playground.examples import EXAMPLES
from microgrid.views.files import LayoutError
from microgrid.views.stepper import steps

FUNCTIONS = {"tanh": mg.tanh, "sigmoid": mg.sigmoid, "relu": mg.relu, "max": mg.maximum}
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1" width="1pt" height="1pt"/>"""
PLAY = Playground(lambda dot: SVG)  # what is laid out by a program is tested where it is named
examples = pytest.mark.parametrize("shown", EXAMPLES, ids=lambda shown: shown.name)


def ask(what, text="", **more):
    return PLAY.answer({"ask": what, "text": text, **more})


def right(what, text="", **more):
    answer = ask(what, text, **more)
    assert "error" not in answer, answer
    return answer


def by_python(text, at):
    """The result and the leaves by Python itself: each line is a line of Python."""
    names = {x: mg.Value(v, x) for x, v in at.items()}
    leaves = dict(names)
    for line in text.split("\n"):
        name, formula = line.split(" = ")
        y = eval(formula, {**FUNCTIONS, **names})
        names[name] = y if isinstance(y, mg.Value) else mg.Value(float(y), name)
        if not isinstance(y, mg.Value):
            leaves[name] = names[name]
    y.backward() if isinstance(y, mg.Value) else names[name].backward()
    return names[name], leaves


@given(texts(), numbers)
def test_values_and_gradients_are_those_of_the_engine(text, at):
    y, leaves = by_python(text, at)
    answer = right("circuit", text, numbers=at, rows=True)
    assert answer["result"]["value"] == y.data
    for leaf in answer["leaves"]:
        x = leaves[leaf["name"]]
        assert (leaf["value"], leaf["gradient"]) == (x.data, x.grad)
    used = {name for name in "abc" if re.search(rf"\b{name}\b", text)}
    assert used == {leaf["name"] for leaf in answer["leaves"]} & {*"abc"}
    totals = {row["to"]: row["total"] for rows in answer["rows"].values() for row in rows}
    assert all(totals[x] == leaves[x].grad for x in {*totals} & {*leaves})


# Drawings


def film(text, at):
    found = circuit(text, at)
    put_in_blocks([*found.lines.values(), found.root])
    return found.root, steps(found.root, prefix="p-")


def bare(shown):
    """What a layout program sees, without the numbers; and the ids of the numbers."""
    number = r'(<font color="#(?:0a7d20|c62828)">)[^/]*(</b>)?(</font>)'
    ids = [span[0] for span in shown.data()["spans"]]
    return re.sub(number, r"\1\3", shown.layout.source), ids


@given(texts(), numbers, numbers)
def test_the_key_is_the_same_if_and_only_if_the_drawing_is_but_for_its_numbers(text, one, two):
    (_, first), (_, second) = film(text, one), film(text, two)
    assert (first.key == second.key) == (bare(first) == bare(second))


@given(texts(), numbers, numbers, st.integers(0, 30))
@example("f = (a * b)", {"a": 1e200, "b": 1e200, "c": 0.0}, {"a": 1e300, "b": 1e10, "c": 0.0}, 2)
def test_while_a_number_moves_the_answer_is_a_part_of_the_full_one(text, one, two, k):
    key = right("circuit", text, numbers=one)["key"]
    full = right("circuit", text, numbers=two, have=key)
    brief = right("circuit", text, numbers=two, have=key, brief=True, frame=k)
    assert ("svg" in full) == ("svg" in brief) == (full["key"] != key)
    if "svg" not in brief:
        frames = brief["film"]["frames"]
        assert frames == {i: full["film"]["frames"][i] for i in frames}
        assert brief["film"]["spans"] == full["film"]["spans"]
        for part in ("leaves", "result", "trouble", "notes", "gates"):
            assert brief[part] == full[part]


def test_one_drawing_does_for_all_numbers_of_its_key():
    """With a real program: the paths stay, and the texts are those of the spans."""
    play, text = Playground(), "h = w*x + b\nf = tanh(h)*h"

    def pieces(x):
        answer = play.answer({"ask": "circuit", "text": text, "numbers": {"x": x}})
        shown = {span[0]: span[3] for span in answer["film"]["spans"]}
        new = Playground().answer({"ask": "circuit", "text": text, "numbers": {"x": x}})["svg"]
        tree = ElementTree.fromstring(new)
        texts = {e.get("id"): e for e in tree.findall(".//{*}text") if e.get("id")}
        assert {id: e.text for id, e in texts.items()} == shown
        places = {id: e.get("x") for id, e in texts.items() if e.get("text-anchor") == "middle"}
        return answer["key"], places, [e.attrib for e in tree.findall(".//{*}path")]

    assert pieces(0.25) == pieces(0.75)
    assert pieces(0.25)[0] != pieces(123.0)[0]


def test_only_a_new_drawing_is_laid_out_and_each_question_has_one_answer():
    laid_out = []
    play = Playground(lambda dot: laid_out.append(dot) or SVG)
    question = {"ask": "circuit", "text": "a*b", "numbers": {"a": 1.5}}
    first = play.answer(question)
    for x in (1.75, -2.25):
        play.answer(question | {"numbers": {"a": x}})
    assert len(laid_out) == 1
    again = json.loads(play.reply(json.dumps(question)))
    assert again == json.loads(json.dumps(first))
    assert "svg" not in play.answer(question | {"have": first["key"]})
    assert "folded" not in first


def test_a_drawing_that_is_not_wanted_or_fails_leaves_all_else():
    def failing(dot):
        raise LayoutError("dot took more than 10 s")

    asked = {"ask": "circuit", "text": "a*b"}
    slow = Playground(failing).answer(asked)
    assert (slow["undrawn"], slow["result"]["value"]) == ("dot took more than 10 s", 1.0)
    large = right("circuit", "a*b*c", most=1)
    assert large["undrawn"].startswith("2 gates")
    assert not {"svg", "key"} & {*slow} | {"svg", "key"} & {*large}


def test_lines_of_several_gates_are_blocks_that_fold():
    text = "\n".join(f"h_{i} = tanh(w_{i}*{f'h_{i - 1}' if i else 'x'} + b)" for i in range(5))
    answer = right("circuit", text, folded=True)
    names = {home["name"]: len(home["gates"]) for home in answer["film"]["homes"]}
    assert names == dict.fromkeys(["h₀", "h₁", "h₂", "h₃", "h₄"], 3)
    assert len(answer["folded"]) == 6
    assert right("circuit", "a*b + c")["film"]["homes"] == []


# Predict


def spellings(x):
    written = f"{x:.12f}"
    yield from (repr(x), written, written.replace(".", ","), written.replace("-", "−"))
    yield from (str(Fraction(x)), f" = {x!r} ")


@settings(max_examples=25)
@given(texts(), numbers, st.data())
def test_a_right_guess_is_right_and_a_mistake_is_called_by_its_name(text, at, data):
    answer = right("circuit", text, numbers=at, rows=True)
    if not answer["rows"]:
        return
    k = data.draw(st.sampled_from([*answer["rows"]]))
    i = data.draw(st.integers(0, len(answer["rows"][k]) - 1))
    where = {"numbers": at, "frame": int(k), "to": i}
    for written in spellings(answer["rows"][k][i]["total"]):
        assert right("guess", text, **where, guess=written)["right"], written
    root, shown = film(text, at)
    before = [row for frame in shown.frames[: int(k)] for row in frame.rows]
    mistakes = [*share_mistakes(root, [*before, *shown.frames[int(k)].rows[: i + 1]])]
    for hint, wrong in {x: (hint, x) for hint, x in mistakes[::-1]}.values():
        told = right("guess", text, **where, guess=repr(float(wrong)))
        near = [h for h, x in mistakes if abs(x - wrong) <= 0.02 * abs(wrong) + 0.01]
        assert told["right"] or told["hint"] in [h.replace("*", "") for h in near], hint


NO_NUMBER = "write a number"
GUESSES = [  # text, numbers, the sum of which share of which frame from the last; guess, hint
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "4", "That is the local gradient alone"),
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "2", "That is the upstream of the gate"),
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "-8", "The sign is wrong"),
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "6", "A multiply gate switches"),
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "8,0", ""),
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "x = 16/2", ""),
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "y = 8", "'y = 8' is about y"),
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "1,000", "'1,000' may be"),
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "eight", NO_NUMBER),
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "", NO_NUMBER),
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "17", NOT_KNOWN),
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "7.995", ""),  # to the last decimal that is shown
    ("x*y*2", {"x": 3, "y": 4}, -2, 0, "7.99", NOT_KNOWN),
    ("x*x*2", {"x": 3}, -2, 1, "6", "You have the last share only"),
    ("x*x*2", {"x": 3}, -2, 1, "12", ""),
    ("x*x*2", {"x": 3}, -2, 1, "36", "The shares of several uses are added"),
    ("3*(x + y)", {"x": 3, "y": 4}, -2, 0, "1.5", "An add gate hands its whole upstream"),
    ("2*max(x, y)", {"x": 3, "y": 4}, -2, 0, "2", "A router hands"),
    ("2*max(x, y)", {"x": 4, "y": 4}, -2, 0, "2", "That is the upstream of the gate"),
    ("x*y*2", {"x": 3, "y": -4}, -2, 0, "8", "A minus is missing"),
    ("x/3", {"x": 1}, -2, 0, "0.33", ""),
    ("x/3", {"x": 1}, -2, 0, "1/3", ""),
    ("x/3", {"x": 1}, -2, 0, "0.3", NOT_KNOWN),
    ("x/400", {"x": 1}, -2, 0, "0", NOT_KNOWN),  # shown as 0.0025: nothing is not it
    ("sigmoid(x)*0.37", {"x": 0.3}, -2, 0, "0.09", ""),
    ("x*1e200*1e200", {"x": 1}, -2, 0, "inf", ""),
    ("x*1e200*1e200", {"x": 1}, -2, 0, "5", NOT_KNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "frame", "to", "guess", "hint"), GUESSES)
def test_the_usual_mistakes_are_known_and_what_follows_from_shown_numbers_is_right(
    text, at, frame, to, guess, hint
):
    frame += len(right("circuit", text, numbers=at)["film"]["frames"])
    told = right("guess", text, numbers=at, frame=frame, to=to, guess=guess)
    assert told["right"] == (hint == "")
    assert told["hint"].startswith(hint)


def test_each_share_is_asked_for_in_words():
    rows = right("circuit", "(a*b + a)*a", rows=True)["rows"].values()
    assert [row["question"] for frame in rows for row in frame if row["to"] == "a"] == [
        f"What is the gradient of a after {n} of its 3 shares?" for n in (1, 2, 3)
    ]


# Moves

NUDGES = [  # text, numbers, leaf, step; what is said
    ("3*w + x", {}, "w", 0.01, "w + 0.01 moves f by 0.0300; the gradient says 0.0300"),
    ("3*w + x", {}, "w", -0.5, "w − 0.5 moves f by −1.5000; the gradient says −1.5000"),
    ("x^2", {"x": 3}, "x", 0.1, "moves f by 0.6100; the gradient says 0.6000: f is curved"),
    ("relu(x)", {"x": -0.005}, "x", 0.01, "by 0.0050; the gradient says 0.0000: relu has a kink"),
    ("where(x > 0, 2, x)", {"x": -0.1}, "x", 0.2, "says 0.2000: another branch is taken there"),
    ("log(x)", {"x": 0.01}, "x", -0.02, "x − 0.02: f has no value there: log("),
    ("x*1e308", {"x": 1}, "x", 1.0, "x + 1: f would be inf; the gradient says 1.000e+308"),
    ("sqrt(x)", {"x": 0}, "x", 0.01, "x + 0.01: f would be 0.1000; the gradient says inf"),
    ("stop_gradient(x)*x", {"x": 2}, "x", 0.01, "through stop_gradient nothing flows back"),
    ("0.1*x", {"x": 1e308}, "x", 0.01, "by 0.0000; the gradient says 0.0010: floats as large as"),
    ("(1e20 + x) - 1e20", {"x": 1}, "x", 0.01, "says 0.0100: floats as large as these do not show"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "leaf", "by", "said"), NUDGES)
def test_a_nudge_says_what_moves_and_why_the_gradient_says_another_number(text, at, leaf, by, said):
    assert said in right("nudge", text, numbers=at, leaf=leaf, by=by)["sentence"]


@given(texts(), numbers, st.integers(1, 4), st.sets(st.sampled_from("abc")))
def test_descent_moves_each_leaf_against_its_gradient(text, at, count, fixed):
    answer = right("descend", text, numbers=at, rate=0.25, steps=count, fixed=[*fixed])
    now, losses = dict(at), []
    for _ in range(count + 1):
        y, leaves = by_python(text, now)
        losses.append(y.data)
        last, now = now, {
            x: now[x] - 0.25 * leaves[x].grad * (x not in fixed) for x in "abc"
        }  # fmt: skip
    if not any(name in leaves for name in ("h", "k", "f")):  # a line with a number alone moves, too
        assert answer["losses"] == losses
        assert answer["numbers"].items() <= last.items()


STOPS = [
    ("sqrt(y - 1) + x", 0.1, 9, "stopped after 0 steps: the gradient of y is inf$"),
    ("x*x", 10.0, 1000, r"stopped after \d+ steps: f would be inf; try a smaller rate"),
    ("log(x)", 2.0, 9, r"stopped after 0 steps: log\(.*no real value.*; try a smaller rate"),
    ("x + " * 180 + "x", 1e-3, 1000, "stopped after 276 steps: a circuit of this size takes"),
]


@pytest.mark.parametrize(("text", "rate", "count", "said"), STOPS)
def test_descent_stops_where_there_is_no_number_and_says_so(text, rate, count, said):
    answer = right("descend", text, rate=rate, steps=count)
    assert re.match(said, answer["said"])
    assert all(map(math.isfinite, [*answer["losses"], *answer["numbers"].values()]))


# Copies


def run(script):
    names = {}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(script, names)
    return names, out.getvalue()


def assert_script(text, at):
    """The script of a circuit gives the numbers of the answer."""
    answer = right("circuit", text, numbers=at)
    script = right("copy", text, numbers=at, **{"as": "python"})["text"]
    names, out = run(script)
    nodes = {v.label: v for v in names.values() if isinstance(v, mg.Value)}
    assert nodes[answer["result"]["name"]].data == answer["result"]["value"]
    for leaf in answer["leaves"]:
        assert nodes[leaf["name"]].grad == leaf["gradient"]
        assert f"{leaf['name']} = {leaf['gradient']}" in out.replace("-0.0\n", "0.0\n")


@settings(max_examples=25)
@given(texts(), numbers)
@example("9**20*mg + print + math*leaf + mg_ - max_", {"print": 2.0})
@example("c = 2/3\nπ*max(x, 2, y) + c^2 + |x|/σ(-x) + ln(e + x²)", {"x": 3.0})
@example("where(x > 1 > 0, min([x, y]), logsumexp(x, y)) + dot([x, 2], [y, x])", {"x": 2.0})
@example(r"\theta_1 * W^{(1)} + 2x₁", {"W^{(1)}": 3.0})
@example("w", {"w": 3.0})
@example("2 + 3", {})
@example("h = where(x > 0, 2, 3)\nwhere(x < h, 1, 5)", {})
@example("h = w\nh*h", {"w": 3.0})
def test_the_python_copy_runs_and_gives_the_same_numbers(text, at):
    assert_script(text, at)


@examples
def test_each_example_runs_as_a_script_and_is_told_with_its_numbers(shown):
    assert_script(shown.text, shown.numbers)
    leaves = {leaf["name"] for leaf in right("circuit", shown.text)["leaves"]}
    assert {*shown.numbers} <= leaves
    assert {*shown.hold} <= leaves
    assert {"name", "text", "point"} <= right("examples")["examples"][0].keys()
    assert shown.point[-1] == "."
    assert len(shown.point) <= 100


def test_copies_as_latex_picture_and_worksheet():
    text, play = "h = w_1*x + b\nf = tanh(h)/h", Playground()

    def copy(kind):
        found = play.answer({"ask": "copy", "text": text, "as": kind})
        return found["text"], found["name"], found["kind"]

    latex, name, _ = copy("latex")
    assert latex.split("\n")[1:3] == [
        r"  h &= w_1 x + b \\", r"  f &= \frac{\tanh(h)}{h} \\"
    ]  # fmt: skip
    assert name == "circuit.tex"
    svg, name, kind = copy("svg")
    assert "hidden" not in svg
    assert (ElementTree.fromstring(svg).tag[-3:], name, kind) == (
        "svg", "circuit.svg", "image/svg+xml"
    )  # fmt: skip
    made = right("copy", "h_10 = x\nf_10 = h_10*2", **{"as": "worksheet"})["text"]
    assert "f₁₀ = x·2" in made
    sheet, name, _ = copy("worksheet")
    page = ElementTree.fromstring(sheet)
    blank, solved = page.findall(".//{*}article")
    words = ["".join(article.itertext()) for article in (blank, solved)]
    assert ["0.48" in said for said in words] == [False, True]
    assert name == "circuit.html"


LATEX = {
    "2*3": "f = 6", "x": "x", "y = 0.5": "y = 0.5",
    "c = 2e20\nf = c*x": (
        "\\begin{aligned}\n  c &= 2 \\cdot 10^{20} \\\\\n  f &= c x \\\\\n\\end{aligned}"
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", LATEX)
def test_numbers_alone_are_in_the_latex_too(text):
    assert right("copy", text, **{"as": "latex"})["text"] == LATEX[text]


def test_what_the_result_does_not_depend_on_is_told():
    notes = right("circuit", "h_1 = 2*a\nk = 3\nf = (b + 0*c)*(d - d)")["notes"]
    assert notes == ["f does not depend on a, k, h₁: not drawn"]
    assert right("circuit", "h = w\nf = h*0")["notes"] == []


# The examples keep what they say


def gradients_of(number):
    found = right("circuit", EXAMPLES[number].text, numbers=EXAMPLES[number].numbers)
    return {leaf["name"]: leaf["gradient"] for leaf in found["leaves"]}


def test_the_points_of_the_examples_are_true():
    fork, sigmoid, gates, skip, dead, chain, softmax, _, affine = map(gradients_of, range(9))
    assert fork == {"a": -8.0, "b": 4.0}
    assert [round(sigmoid[x], 2) for x in ("w_0", "x_0", "w_1")] == [-0.2, 0.39, -0.39]
    assert gates == {"x": -8.0, "y": 6.0, "z": 2.0, "w": 0.0}
    assert skip["x"] == 4.0
    assert (dead["w"], dead["b"]) == (0, 0)
    assert chain["w_1"] < chain["w_4"] / 4**3
    assert sum(softmax.values()) == pytest.approx(0)
    learning = EXAMPLES[7]
    after = right("descend", learning.text, numbers=learning.numbers, rate=0.1, steps=100,
                  fixed=[*learning.hold])  # fmt: skip
    assert after["losses"][-1] < 0.01 < after["losses"][0]
    X, W, b, dY = mg.examples.X, mg.examples.W, mg.examples.B, mg.examples.DY
    for letter, right_ones in zip("xwb", affine_backward(X, W, b, dY)):
        for index, x in np.ndenumerate(right_ones):
            assert affine[f"{letter}_{''.join(str(i + 1) for i in index)}"] == x


# What people and others write

REFUSED = [  # text: message, line and column
    ("", "there is no expression", 1, 1),
    ("w*x +", "a number or a name is missing after +", 1, 6),
    ("a = 2\nb = a +* 3", "", 2, 8),
    ("__import__('os')", "", 1, None),
    ("().__class__", "", 1, None),
    ("[x for x in y]", "", 1, None),
    ("open('/etc/passwd')", "", 1, None),
    ("x := 3", "", 1, None),
    ("lambda: 0", "a name must not be a word of Python", 1, 1),
    ("<script>alert(1)</script>", "", 1, 1),
    ("'<img src=x>'", "a text is not arithmetic", 1, 1),
    ("9**9**9*x", "", 1, None),
    ("1e309*x", "too large for a float", 1, 1),
    ("(" * 300 + "x" + ")" * 300, "nested too deeply", 1, None),
    ("1/0*x", "", 1, 2),
    ("a = b\nb = a", "b is used before this line defines it", 2, 1),
    ("x" * 4001, "4001 characters: there may be 4000", 0, 0),
    ("\n" * 60 + "x", "61 lines: there may be 60", 0, 0),
    ("+".join(["x"] * 202), "201 gates: there may be 200", 0, 0),
    (None, "text: a text is needed", 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said", "line", "column"), REFUSED, ids=lambda x: str(x)[:20])
def test_what_is_no_circuit_is_refused_at_its_place_in_one_line(text, said, line, column):
    found = ask("circuit", text)["error"]
    assert found["message"].startswith(said)
    assert "\n" not in found["message"]
    assert found["line"] == line
    assert column in (None, found["column"])


STRANGE = {  # text: the names of its leaves
    "constructor*__proto__": ["constructor", "__proto__"],
    "x\u202e*\u200fy": ["x", "y"],
    "hasOwnProperty + toString*valueOf": ["hasOwnProperty", "toString", "valueOf"],
    "ﬁ·１x": ["fi", "x"],
    "x*1e308": ["x"],
    "x # <script>": ["x"],
    "mg*math*print": ["mg", "math", "print"],
    "π*µ": ["μ"],
}


@pytest.mark.parametrize("text", STRANGE)
def test_strange_names_are_names_and_stay_within_json(text):
    answer = json.loads(PLAY.reply(json.dumps({"ask": "circuit", "text": text, "rows": True})))
    assert [leaf["name"] for leaf in answer["leaves"]] == STRANGE[text]


WRONG = [  # questions
    {"ask": "what"},
    {"ask": ["circuit"]},
    {"ask": "circuit", "text": "x", "numbers": [1]},
    {"ask": "circuit", "text": "x", "numbers": {"x": "2"}},
    {"ask": "circuit", "text": "x", "numbers": {"x": True}},
    {"ask": "circuit", "text": "x", "numbers": {"x": math.nan}},
    {"ask": "circuit", "text": "x", "numbers": {"x": 10**400}},
    {"ask": "circuit", "text": "x", "digits": 99},
    {"ask": "circuit", "text": "x", "digits": 2.0},
    {"ask": "guess", "text": "x*y", "frame": 0, "to": 0, "guess": "1"},
    {"ask": "guess", "text": "x*y", "frame": 3, "to": 9, "guess": "1"},
    {"ask": "guess", "text": "x*y", "frame": 3, "to": 0, "guess": 1},
    {"ask": "guess", "text": "x", "frame": 1, "to": 0, "guess": "1"},
    {"ask": "nudge", "text": "x", "leaf": "z"},
    {"ask": "nudge", "text": "x", "leaf": "x", "by": "a lot"},
    {"ask": "descend", "text": "x", "steps": 1001},
    {"ask": "descend", "text": "x", "fixed": "x"},
    {"ask": "descend", "text": "x*1e200", "numbers": {"x": 1e200}},
    {"ask": "copy", "text": "x", "as": "exe"},
    {"ask": "copy", "text": "x"},
]  # fmt: skip


@pytest.mark.parametrize("text", ["0.5^y", "(x + 1)^(y + 1)*2", "y*(0.999^y)"])
def test_a_huge_exponent_is_no_endless_answer(text):
    """Exact fractions to such a power would take hours."""
    answer = right("circuit", text, numbers={"x": -0.5, "y": 1e9}, rows=True, table=True)
    assert answer["result"]["value"] == 0.0


@pytest.mark.parametrize("question", WRONG, ids=str)
def test_a_question_that_cannot_be_is_answered_by_words(question):
    assert PLAY.answer(question)["error"]["message"]


def test_the_first_number_that_is_not_finite_is_named_with_its_place():
    shown = right("circuit", "h = x*x\nf = h*2", numbers={"x": 1e200})["trouble"]
    assert shown == {"words": "h is inf, the first number that is not finite", "node": "p-n1"}
    shown = right("circuit", "sqrt(x)*2", numbers={"x": 0})["trouble"]
    assert shown["words"].startswith("sqrt sends local inf × upstream 2 = inf to x: the first")
    assert right("circuit", "x*2")["trouble"] is None
