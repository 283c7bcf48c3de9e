"""The report on layers: its verdict, and its forms for people and for machines."""

import json
import xml.etree.ElementTree as ET
from itertools import product

import pytest

from microgrid.check import LayerReport
from microgrid.check.handwritten.judge import combined
from microgrid.check.handwritten.results import (
    BY_DESIGN,
    CRASHES,
    FAILING,
    GUARD,
    NOT_WRITTEN,
    ORDER,
    RIGHT,
    SHAPE,
    TIE,
    TRANSPOSED,
    WRONG,
    Found,
    Gradient,
    Line,
    Term,
    Worst,
)  # fmt: skip


def report(*verdicts, **more):
    """The report on one layer whose gradients have these verdicts."""
    gradients = [Gradient(f"x{i}", f"dx{i}", v) for i, v in enumerate(verdicts)]
    return LayerReport("layers.py", [Found("affine", "x (3, 4)", gradients)], **more)


WORST = Worst("dw[2, 4]", 0.776544, -1.21662,
              [Term("out[0, 4]", -0.0, 0.640423, "missing"), Term("out[2, 4]", 2.0, 2.0)],
              ["yours: x_{31}·dy_{32}", "right: x_{11}·dy_{12} + x_{31}·dy_{32}"])  # fmt: skip
FOUND = [
    Found("affine", "x (3, 4), w (4, 5), b (5,)", [
        Gradient("x", "dx", RIGHT, 12, line=Line(11, "dx = dout @ w.T")),
        Gradient("w", "dw", WRONG, 20, 19, 1.3, worst=WORST, line=Line(12, "dw = x[-1:].T @ dout"),
                 sentences=["nothing comes from `out[0]`", "right for `out[2]` only"]),
        Gradient("b", "db", SHAPE, 5, detail="it has shape (1, 5), but b has (5,)"),
    ], ["it changes dout in place"], "`dvar` is the first wrong gradient"),
    Found("conv", "stride=2", [Gradient("w", "dw", WRONG, 9, 9, setting="stride=2",
                                        hidden="stride=1")]),
    Found("loss", "", [Gradient("x", "dx", GUARD, 4, 4, detail="all but a guard of 1e-7"),
                       Gradient("y", "dy", NOT_WRITTEN), Gradient("z", "dz", TIE)]),
    Found("stops", "", [Gradient("", "", CRASHES, detail="it ended the process")]),
    Found("old", refusal="its forward fails on floats, too: NameError"),
]  # fmt: skip
FULL = LayerReport("layers.py", FOUND, 3, ["it replaces numpy.dot for everybody"])


@pytest.mark.parametrize("verdict", ORDER)
def test_a_report_is_true_and_ends_with_a_code_as_its_worst_gradient_says(verdict):
    fine = verdict in (RIGHT, GUARD, BY_DESIGN, TIE)
    for given in ((RIGHT, verdict), (verdict, RIGHT)):
        assert bool(report(*given)) is report(*given).ok is fine
        assert report(*given).exit_code == (verdict in FAILING)


def test_what_was_not_checked_is_not_right():
    for nothing in ((), (NOT_WRITTEN,), (TIE,), (NOT_WRITTEN, TIE)):
        assert not report(*nothing)
        assert report(*nothing).exit_code == 2
    for verdict, code in ((RIGHT, 2), (WRONG, 1)):
        unfinished = report(verdict, unfinished="60 s were over: not checked were conv")
        assert (bool(unfinished), unfinished.exit_code) == (False, code)
        assert "60 s were over" in unfinished.verdict
    refused = report(RIGHT)
    refused.found.append(Found("old", refusal="its forward fails"))
    assert (bool(refused), refused.exit_code) == (False, 0)
    assert not LayerReport("layers.py", [])


def test_the_verdict_counts_every_kind():
    for a, b in product(ORDER, ORDER):
        counts = report(a, a, b).verdict.partition(": ")[2]
        for verdict in {a, b}:
            assert f"{(a, a, b).count(verdict)} {verdict}" in counts
    assert report(RIGHT).verdict == "passes: 1 right in 1 layer"
    assert report(WRONG, RIGHT).verdict == "fails: 1 wrong, 1 right in 1 layer"


def test_the_text_names_each_gradient_with_a_mark_and_what_is_wrong_with_its_line():
    text = str(FULL)
    assert text == repr(FULL)
    for line in (
        "affine  x (3, 4), w (4, 5), b (5,)", "  ✓ dx  right", "  ✗ dw  wrong, 19 of 20 entries",
        "      line 12: dw = x[-1:].T @ dout", "      nothing comes from `out[0]`",
        "      dw[2, 4]: yours 0.776544, right -1.21662", "                      yours     right",
        "        of out[0, 4]      0  0.640423  missing", "        of out[2, 4]      2         2",
        "        yours: x_{31}·dy_{32}", "  ✗ db  shape: it has shape (1, 5), but b has (5,)",
        "  inside: `dvar` is the first wrong gradient", "  habit: it changes dout in place",
        "  ✗ dw  wrong with stride=2, 9 of 9 entries; right with stride=1, which hides it",
        "  ~ dx  guard: all but a guard of 1e-7", "  · dy  not written",
        "  ? dz  not differentiable here", "  ✗ crashes: it ended the process",
        "  ? not checked: its forward fails on floats, too: NameError",
        "  it replaces numpy.dot for everybody",
    ):  # fmt: skip
        assert line in text.splitlines(), line
    assert "line 11" not in text
    assert text.splitlines()[0] == "layers.py"
    assert text.splitlines()[-1].startswith("fails: ") or FULL.verdict in " ".join(text.split())


def test_the_setting_of_a_mistake_is_told_where_it_is_not_the_layers_own():
    for setting, hidden, told in (
        ("stride=2", "", "wrong"), ("stride=1", "", "wrong with stride=1"),
        ("stride=2", "stride=1", "wrong with stride=2; right with stride=1, which hides it"),
    ):  # fmt: skip
        gradient = Gradient("w", "dw", WRONG, setting=setting, hidden=hidden)
        found = Found("conv", "x (3, 4), stride=2", [gradient])
        assert f"  ✗ dw  {told}" in str(LayerReport("layers.py", [found])).splitlines()


def settings_found(*verdicts):
    """What comes of one gradient that has these verdicts in settings 1, 2, …"""
    return combined([
        Found("conv", f"x (3, {i}), p={{'a': 1, 'b': 2}}, stride={i}, pad=1",
              [Gradient("w", "dw", v, setting=f"stride={i}, pad=1")])
        for i, v in enumerate(verdicts, 1)
    ])  # fmt: skip


@pytest.mark.parametrize(("verdicts", "told"), [
    ((RIGHT, RIGHT), "right"), ((WRONG, WRONG), "wrong"), ((GUARD, RIGHT), "guard"),
    ((WRONG, RIGHT), "wrong with stride=1; right with stride=2, which hides it"),
    ((RIGHT, WRONG), "wrong with stride=2; right with stride=1, which hides it"),
    ((SHAPE, WRONG, CRASHES), "crashes with stride=3"), ((RIGHT, GUARD), "guard"),
])  # fmt: skip
def test_all_settings_are_told_and_the_one_that_hides_a_mistake(verdicts, told):
    found = settings_found(*verdicts)
    others = "".join(f"; also with stride={i}" for i in range(2, len(verdicts) + 1))
    text = str(LayerReport("layers.py", [found]))
    settings = f"conv  x (3, 1), p={{'a': 1, 'b': 2}}, stride=1, pad=1{others}\n"
    assert " ".join(settings.split()) in " ".join(text.split())
    assert any(line.endswith(f" dw  {told}") for line in text.splitlines()), text


def test_settings_that_differ_in_their_shapes_alone_are_told_by_these():
    founds = [Found("f", f"x ({n}, 4), w (4, 5)", [Gradient("x", "dx")]) for n in (3, 5, 5)]
    assert combined(founds).also == ["x (5, 4)"]


def test_a_setting_that_could_not_be_run_is_told_everywhere_and_costs_nothing():
    said = "stride=1: its forward fails on floats, too"
    found = report(RIGHT)
    found.found[0].refused = [said]
    assert (found.ok, found.exit_code) == (True, 0)
    assert f"  ? not checked with {said}" in str(found).splitlines()
    assert f"not checked with {said}" in found.html()
    assert json.loads(found.json())["layers"][0]["refused"] == [said]
    skipped = ET.fromstring(found.junit()).find("testsuite/testcase/skipped")
    assert skipped.get("message") == f"with {said}"
    assert json.loads(found.gradescope())["score"] == 1
    assert len(json.loads(found.gradescope())["tests"]) == 1


def test_the_text_is_at_most_80_columns_wide_but_for_longer_words():
    long = "a_very_long_name" * 9
    gradient = Gradient("w", long, WRONG, 9, 9, detail=f"{long} {long}", sentences=[f"{long} is"],
                        line=Line(1, long), setting=long)  # fmt: skip
    wide = LayerReport("layers.py", [Found(long, long, [gradient], [long], long, long)], 0, [long])
    assert max(map(len, str(FULL).splitlines())) <= 80
    assert all(len(line) <= 80 or line.split() == [long] for line in str(wide).splitlines())


def test_json_has_everything_and_no_number_that_json_has_not():
    FOUND[0].gradients[1].error = float("nan")
    said = json.loads(FULL.json(), parse_constant=pytest.fail)
    assert (said["ok"], said["exit_code"], said["seed"]) == (False, 1, 3)
    assert said["verdict"] == FULL.verdict
    assert said["layers"][0]["gradients"][1]["worst"]["terms"][0]["note"] == "missing"
    assert said["layers"][4]["refusal"] == FOUND[4].refusal


def test_junit_has_a_case_for_each_gradient_and_for_each_refusal():
    suite = ET.fromstring(FULL.junit()).find("testsuite")
    outcomes = {case.get("name"): [x.tag for x in case] for case in suite.iter("testcase")}
    assert outcomes == {
        "affine: dx": [], "affine: dw": ["failure"], "affine: db": ["failure"],
        "conv: dw (stride=2)": ["failure"], "loss: dx": [], "loss: dy": ["skipped"],
        "loss: dz": ["skipped"], "stops": ["failure"], "old": ["skipped"],
    }  # fmt: skip
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("9", "4", "3")
    failure = suite.find("testcase/failure")
    assert failure.get("message") == "wrong; nothing comes from `out[0]`"
    assert "of out[0, 4]      0  0.640423  missing" in failure.text
    stopped = ET.fromstring(report(RIGHT, unfinished="60 s were over").junit())
    assert stopped.find("testsuite").get("errors") == "1"


def test_gradescope_gives_points_for_what_is_right_alone():
    grades = json.loads(FULL.gradescope(2.5))
    passed = {t["name"] for t in grades["tests"] if t["status"] == "passed"}
    assert passed == {"affine: dx", "loss: dx"}
    assert grades["score"] == sum(t["score"] for t in grades["tests"]) == 5
    assert {t["max_score"] for t in grades["tests"]} == {2.5}


def test_the_page_shows_the_mistakes_and_no_words_of_theirs_as_markup():
    evil = "<script>alert(1)</script>"
    bad = Gradient("w", evil, WRONG, 9, 9, detail=evil, sentences=[evil], line=Line(1, evil),
                   worst=Worst(evil, 1, 2, [Term(evil, 1, 2, evil)], [evil]), setting=evil,
                   hidden=evil)  # fmt: skip
    page = LayerReport(evil, [Found(evil, evil, [bad], [evil], evil, evil)], 0, [evil]).html()
    assert "<script" not in page
    assert "http" not in FULL.html()
    assert "`" not in FULL.html()
    for words in (
        "nothing comes from <code>out[0]</code>",
        "0.640423",
        "dw = x[-1:].T @ dout",
        "it replaces numpy.dot",
        "it ended the process",
        "habit: it changes dout",
    ):
        assert words in FULL.html()
    assert FULL._repr_html_() in FULL.html()


@pytest.mark.parametrize("suffix", ["html", "json", "txt", "xml"])
def test_a_report_is_saved_as_its_files_suffix_says(tmp_path, suffix):
    path = FULL.save(tmp_path / f"report.{suffix}")
    assert len(path.read_text(encoding="utf-8")) > 500


def test_verdicts_of_all_kinds_have_a_mark():
    for verdict in (CRASHES, WRONG, SHAPE, TRANSPOSED, NOT_WRITTEN, TIE, BY_DESIGN, GUARD, RIGHT):
        assert any(mark in str(report(verdict)) for mark in "✓✗~·?")
