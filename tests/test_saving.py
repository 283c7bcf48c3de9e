"""Every result is saved as its file's suffix says, or not at all."""

import csv
import json
import re
import subprocess
from pathlib import Path
from shutil import which
from xml.etree import ElementTree

import pytest
from shared.results import RESULTS, circuit, trained
from shared.tex import balanced

import microgrid as mg
from microgrid.course import worksheet
from microgrid.engine.errors import MicrogridError
from microgrid.views.written import as_csv, as_markdown

WELL_FORMED = {
    ".svg": lambda data: ElementTree.fromstring(data),
    ".png": lambda data: data.index(b"\x89PNG"),
    ".pdf": lambda data: data.index(b"%PDF"),
    ".html": lambda data: data.lower().index(b"<!doctype html>"),
    ".tex": lambda data: [data.index(b"\\documentclass"), data.index(b"\\end{document}")],
    ".json": json.loads,
    ".xml": lambda data: ElementTree.fromstring(data),
    ".dot": lambda data: data.index(b"digraph"),
    ".gv": lambda data: data.index(b"digraph"),
    ".csv": lambda data: [*csv.reader(data.decode("utf-8-sig").splitlines(), strict=True)],
    ".npz": lambda data: data.index(b"PK"),
    ".md": lambda data: data.decode().index("\n"),
    ".txt": lambda data: data.decode().index("\n"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_is_saved_as_the_suffix_says_and_other_suffixes_are_refused(name, tmp_path):
    make, offered = RESULTS[name]
    result, kinds = make(), offered
    assert type(result).__name__ in (name, "Affine")
    for kind in kinds:
        for path in (tmp_path / f"a{kind}", str(tmp_path / f"b{kind.upper()}")):
            assert result.save(path) == Path(path)
            WELL_FORMED[kind](Path(path).read_bytes())
    before = {path.name for path in tmp_path.iterdir()}
    assert len(before) == 2 * len(kinds)
    for path in (
        "c",
        "c.jpg",
        "c.htm",
        "c.svg.bak",
        *{f"c{k}" for k in WELL_FORMED if k not in offered},
    ):
        with pytest.raises(MicrogridError, match=r"^c[.\w]*: it is saved as ") as refused:
            result.save(tmp_path / path)
        assert set(offered) <= set(str(refused.value).replace(",", "").split())
    assert {path.name for path in tmp_path.iterdir()} == before


def test_pictures_and_films_return_the_path_of_each_of_their_files(tmp_path):
    picture, film = mg.draw(circuit()), mg.steps(mg.Value(2.0, "x") * 3)
    assert picture.save_svg(tmp_path / "a.svg") == tmp_path / "a.svg"
    assert picture.save_png(str(tmp_path / "a.png")) == tmp_path / "a.png"
    assert film.save_animation(tmp_path / "b.svg") == tmp_path / "b.svg"
    assert all(path.exists() for path in film.save_frames(tmp_path / "frames"))


def test_a_folder_is_made_for_a_file_but_not_for_a_refused_one(tmp_path):
    mg.draw(circuit()).save(tmp_path / "new" / "f.dot")
    with pytest.raises(MicrogridError):
        mg.draw(circuit()).save(tmp_path / "other" / "f.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_notebook_shows_what_html_and_markdown_return():
    for name, (make, _) in RESULTS.items():
        result = make()
        if hasattr(result, "html") and name not in ("Steps", "Report", "Worksheet", "Derivation"):
            assert result._repr_html_() == result.html()
    derivation = mg.derive.matmul(1, 1, 2)
    assert derivation._repr_markdown_() == derivation.markdown()
    assert derivation.tex() == derivation.latex()


def test_csv_holds_numbers_exactly():
    x = mg.Value(1 / 3, "x, y")
    head, *rows = csv.reader(mg.explain(x * x).csv().splitlines())
    assert head == ["gate", "role", "to", "local", "upstream", "share", "total"]
    assert [row[2] for row in rows] == ["x, y", "x, y"]
    assert [float(row[-1]) for row in rows] == [1 / 3, 1 / 3 + 1 / 3]
    history = trained()
    _, *rows = csv.reader(history.csv().splitlines())
    assert [float(row[1]) for row in rows] == history["loss"]
    assert as_csv(["a"], [[0.1 + 0.2]]) == "a\n0.30000000000000004\n"


def test_markdown_shows_the_words_of_users_as_they_are():
    line = as_markdown("", ["*a*"], [["x|y_1 <b>"]], left=1).splitlines()
    assert line == [r"| \*a\* |", "| --- |", r"| x\|y\_1 \<b\> |"]


def test_the_names_of_a_picture_are_few():
    shown = [name for name in dir(mg.draw(circuit())) if not name.startswith("_")]
    assert len(shown) <= 10
    assert {"save", "save_png", "save_svg", "source", "pipe", "render", "tikz"} < {*shown}


# A picture in TikZ


def test_tikz_has_every_word_and_line_of_the_picture():
    picture = mg.draw(circuit())
    svg, tex = picture.pipe("svg").decode(), picture.tikz()
    for tag, made in (("ellipse", "ellipse"), ("path", "controls")):
        assert svg.count(f"<{tag} ") <= tex.count(made) > 0
    assert tex.count(r"\node") == svg.count("<text ") - svg.count("baseline-shift")
    assert tex.count(r"\path") == sum(
        svg.count(f"<{tag} ") for tag in ("polygon", "path", "ellipse")
    )
    assert r"{$\textcolor{gradient}{-0.20}$}" in tex
    assert r"{$w_{0}$}" in tex
    assert r"\definecolor{value}{HTML}{0A7D20}" in tex
    assert not re.search(r"\\(fontfamily|documentclass|usepackage)", tex.partition("\n")[2])
    assert tex in picture.latex()


def test_tikz_writes_powers_and_raised_letters_as_powers():
    x = mg.Value(2.0, "W^{(1)}")
    y = 1e-9 * x**-12
    y.label = r"\hat{y}_{cd}"
    tex = mg.draw(y).tikz()
    for formula in (
        "W^{(1)}",
        "x^{-12}",
        r"\cdot 10^{-13}",
        r"1 \cdot 10^{-9}\times",
        r"\hat{y}_{",
    ):
        assert formula in tex
    balanced(tex)


@pytest.mark.parametrize(
    "label", ["100%", "a_b", r"\input{x}", "$x$", "{", "}}", "~^", "#1", "α_1"]
)
def test_no_label_is_a_command_of_latex(label):
    x = mg.Value(2.0, label)
    for picture in (mg.draw(x * 3), mg.draw(mg.Value(2.0) * 3 + x)):
        tex = picture.latex()
        assert r"\input" not in tex
        balanced(tex)
        body = tex.partition("bounding box")[2]
        assert not [line for line in body.splitlines() if line.replace(r"\%", "").count("%")]


@pytest.mark.skipif(which("pdflatex") is None, reason="needs LaTeX")
def test_latex_takes_every_document(tmp_path):
    odd = mg.Value(2e-9, r"100% {x}\^~#&$|_<α>")
    y = mg.log(odd * mg.Value(3.0, "w_{12}")) ** 2
    y.backward()
    for i, result in enumerate([mg.draw(y), mg.explain(y), mg.explain(y, of=odd), mg.latex(y),
                                mg.gradcheck(mg.sin, 1.0), mg.record(mg.tanh, 1.0).listing(),
                                worksheet(7, n=1).check({"1.a": "5_%", "z": r"\x"})]):  # fmt: skip
        path = result.save(tmp_path / f"{i}.tex")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, (type(result), done.stdout[-800:])
