"""The report of the checker as people read it: text, page, pictures, and the engine to try."""

import ast
import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid import cli
from microgrid.check import check, example_engine
from microgrid.check.anatomy import anatomy, unnested
from microgrid.check.columns import WIDTH, folded, wrapped
from microgrid.check.example import Example
from microgrid.check.kinds import KINDS, STATES, failing
from microgrid.check.page import CLASSES
from microgrid.check.strategies import programs
from microgrid.cli.commands import COMMANDS
from microgrid.views.files import LayoutError
from microgrid.views.picture import Picture
from microgrid.views.theme import DRAWN, PALETTE
from microgrid.views.wording import GREEN, INK, RED

SAMPLE = Path(example_engine.__file__)


@pytest.fixture(scope="module")
def report():
    return check(SAMPLE, draws=3)


@pytest.fixture(scope="module")
def finding(report):
    return next(f for f in report.findings if f.prop.name == "one operation")


def of_kind(report, finding, kind):
    """The report if this finding, of that kind, were its only one."""
    result = next(r for r in report.results if finding in r.findings)
    alone = replace(result, findings=[replace(finding, kind=kind)], follows={}, waits={})
    return replace(report, results=[alone])


# The text.


def test_the_text_has_80_columns(report):
    lines = str(report).splitlines()
    assert [line for line in lines if len(line) > WIDTH and " " in line[6:].strip()] == []


def test_a_word_that_is_too_long_stays_whole():
    path = "/folder" * 20
    assert path in "\n".join(wrapped(f"{path}: a class of a module that is there", rest="  "))


LONG = {
    "statements": ["a = Value(2.5); b = Value(-1.25); c = Value(3); f = a * b + c; f.backward()"],
    "a loop": ["for _ in range(1500): f = f * x + a; g = g + f; h = h * g; k = k + h"],
    "brackets": ["Y = [[sum((x * w for x, w in zip(row, c)), b) for c in W] for row in X]"],
    "both": ["X = [[Value(v) for v in row] for row in ([1, 2], [3, 4])]; dY = [[1], [3]]; f = X"],
}


@pytest.mark.parametrize("lines", LONG.values(), ids=LONG)
@pytest.mark.parametrize("width", [40, 50, 76])
def test_a_program_is_broken_where_python_allows_it(lines, width):
    broken = folded(lines, width)
    assert max(map(len, broken)) <= width
    assert ast.dump(ast.parse("\n".join(broken))) == ast.dump(ast.parse("\n".join(lines)))


@given(programs(), st.integers(20, 80))
def test_a_program_means_the_same_when_it_is_broken(program, width):
    line = "; ".join(str(program).splitlines())
    broken = folded([line], width)
    assert ast.dump(ast.parse("\n".join(broken))) == ast.dump(ast.parse(line))


def test_what_is_not_python_and_what_has_no_place_to_break_stays_as_it_is():
    for line in ("a := new(2)" * 10, f"x = {'a' * 100}"):
        assert folded([line], 40) == [line]


def test_a_line_ends_within_brackets_only():
    line = "value = first + second + third + len([v for v in many if v is not None])"
    assert folded([line], 30)[0] == "value = first + second + third + len([v"


def test_a_finding_of_another_operation_is_told_with_its_number(report, finding):
    more = replace(
        finding, more=["a = Value(2); f = a / a; f.backward()  # a.grad = 1, expected 0"]
    )
    assert "    a = Value(2); f = a / a; f.backward()\n    # a.grad = 1, expected 0\n" in str(more)
    result = replace(report.results[0], findings=[more])
    assert "# a.grad = 1, expected 0" in replace(report, results=[result]).html()


# Every kind of finding, told in its colour.


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_one_mark_and_one_colour(kind, report, finding):
    told, (mark, color, *_) = of_kind(report, finding, kind), STATES[kind]
    assert f"{mark} {told.results[0].prop.name}" in str(told)
    assert f"{kind.upper()} one operation" in str(told)
    assert told.verdict == f"{'fails' if kind == 'wrong' else 'passes'}: 1 {kind}"
    page = told.html()
    assert f'<span class="kind {color}">{kind}</span>' in page
    (_, actual, expected), *_ = told.findings[0].comparison
    assert re.search(f'<td class="number *{color}">{actual}</td>', page)
    assert (PALETTE[color][0], f"actual {actual}") in texts(page)
    assert any(words.endswith(expected) for _, words in texts(page))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strict", [False, True])
def test_a_check_fails_by_what_is_wrong_and_if_strict_by_what_is_lacking(
    kind, strict, report, finding
):
    told = replace(of_kind(report, finding, kind), strict=strict)
    assert told.exit_code == (kind == "wrong" or (strict and kind != "convention"))
    assert (kind in failing(strict)) == bool(told.exit_code)


def test_a_graph_is_shown_where_a_gradient_is_wrong():
    example = unnested(Example(("a = Value(2); f = a * a; f.backward()",), ("a.grad",)))
    assert anatomy(example, {"a.grad": 4.0, "f.grad": 1.0}, 1e-8) is None
    assert anatomy(example, {"a.grad": 2.0, "f.grad": 1.0}, 1e-8) is not None


def test_another_convention_is_neither_red_nor_green(report, finding):
    told = of_kind(report, finding, "convention")
    assert {color for color, _ in texts(told.html())}.isdisjoint({RED, GREEN})
    assert "PyTorch has" in str(told)


def texts(page):
    """The words of the pictures of a page, with their colours."""
    found = []
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
            found.append((element.get("fill"), (element.text or "").strip()))
    return found


def test_red_is_a_wrong_number_and_green_the_right_one_in_table_and_picture(report):
    for each in report.findings:
        told = of_kind(report, each, "wrong").html()
        red = {words.removeprefix("actual ") for color, words in texts(told) if color == RED}
        green = {words.removeprefix("expected ") for color, words in texts(told) if color == GREEN}
        cells = re.findall(r'<td class="number +(\w+)">([^<]*)</td>', told)
        if red:
            assert {"wrong", "holds"} == {color for color, _ in cells}
            assert {words for color, words in cells if color == "wrong"} <= red
            assert {words for color, words in cells if color == "holds"} <= green


def test_numbers_have_the_same_digits_in_table_tree_and_picture(report, finding):
    (_, actual, expected), *_ = finding.comparison
    assert len(actual) > 6
    tree, drawn = "\n".join(finding.anatomy.text()), [words for _, words in texts(report.html())]
    assert f"gradient {actual}  ✗ expected {expected}" in tree
    assert {f"actual {actual}", f"expected {expected}"} <= {*drawn}
    values = re.findall(r" = (\S+)   gradient", tree)
    assert {*values} <= {*drawn}


@pytest.mark.parametrize(
    ("backward", "shown"),
    [("f.backward()", True), ("f.backward(); h.backward(); f.backward()", False)],
)
def test_shares_are_shown_at_a_fork_where_they_make_up_the_gradient(backward, shown):
    example = Example((f"a = Value(2); h = a * 2; f = a * 3 + h; {backward}",), ("a.grad",))
    picture = anatomy(unnested(example), {"a.grad": 100.0}, 1e-8).picture()
    near = {words for color, words in texts(picture.pipe("svg", encoding="utf-8")) if color == INK}
    assert ("3" in near) == shown


# The page.


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear))


@pytest.mark.parametrize("name", CLASSES)
def test_every_colour_can_be_read_on_a_light_and_on_a_dark_page(name):
    for color, ground in zip(PALETTE[name], ("#ffffff", "#1b1f24")):
        low, high = sorted(map(luminance, (color, ground)))
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_every_colour_of_a_picture_is_another_in_the_dark(report):
    for kind in KINDS:
        page = "".join(of_kind(report, f, kind).html() for f in report.findings)
        for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
            used = set(re.findall(r'(?:fill|stroke)="(.*?)"', svg)) - {"none", "transparent"}
            for color in used:
                light, dark = PALETTE[DRAWN[color]]
                assert light != dark, color


class Tags(HTMLParser):
    """The tags that are open."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_closes_its_tags_and_has_one_main_and_one_h1(report):
    page, tags = report.html(), Tags()
    tags.feed(page)
    assert tags.open == []
    assert page.count("<main>") == page.count("<h1>") == 1
    assert "<th></th>" not in page


def test_without_a_layout_program_the_page_has_the_tree(report, finding, monkeypatch):
    def refuse(*_, **__):
        raise LayoutError("no layout program")

    monkeypatch.setattr(Picture, "pipe", refuse)
    page = report.html()
    assert "<svg" not in page
    assert html.escape("\n".join(finding.anatomy.text())) in page


def test_an_engine_of_another_language_has_no_import(report):
    about = {**report.about, "language": "JavaScript", "module": "", "remarks": ["an\x1bd so"]}
    told = replace(report, about=about)
    assert str(told).splitlines()[0].endswith(": Value, in JavaScript")
    assert "import *" not in told.html() + str(told)
    assert "\x1b" not in str(told)


# The command.


def test_the_example_has_the_two_mistakes_that_it_is_there_for(report):
    wrong = [f for f in report.findings if f.kind == "wrong"]
    named = {(f.diagnosis.mistake.name, *f.subjects) for f in wrong}
    assert named == {("unsquared", "tanh"), ("overwrites", "relu")}


def test_the_example_can_be_written_to_be_mended(tmp_path, capsys):
    path = tmp_path / "my_engine.py"
    arguments = ["--only", "values", "--draws", "1", "--quiet"]
    assert cli.main(["check", "--example", str(path), *arguments]) == 0
    assert path.read_bytes() == SAMPLE.read_bytes()
    path.write_text("mended")
    assert cli.main(["check", "--example", str(path), *arguments]) == 2
    assert path.read_text() == "mended"
    assert "a new .py file" in capsys.readouterr().err


def test_the_example_is_checked_where_it_lies(capsys):
    assert cli.main(["check", "--example", "--only", "values", "--draws", "1"]) == 0
    assert str(SAMPLE) in capsys.readouterr().out


def test_without_an_engine_the_command_says_what_to_try(capsys):
    assert cli.main(["check"]) == 2
    assert "microgrid check --example" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_tells_its_version(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main([*command.split(), "--version"])
    assert re.fullmatch(r"microgrid \d\S*\n", capsys.readouterr().out)
