"""Slides: which frames, of which size, in which colours; the Beamer file shows each as it is."""

import re
import struct
import subprocess
from shutil import which
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.strategies import programs
from shared.tex import balanced

from microgrid import Value, examples, nn, steps
from microgrid.engine.errors import ParameterError
from microgrid.views.slides import Slides, chosen, overlaid, spans
from microgrid.views.theme import PALETTE
from microgrid.views.tikz import groups

SVG = "{http://www.w3.org/2000/svg}"
SIGMOID = steps(examples.sigmoid_circuit())  # 19 frames: 1 start, 8 forward, 1 seed, 8 back, 1 done


def fork(a: str = "a", b: str = r"\theta_1", y: str = r"\hat{y}") -> Value:
    x, w = Value(3.0, a), Value(2.0, b)
    root = (w * x + x) * x
    root.label = y
    return root


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        ("all", range(1, 20)),
        ("backward", range(10, 20)),
        ("gates", range(11, 19)),
        ("lecture", [1, *range(9, 20)]),
        ("1,10-12", [1, 10, 11, 12]),
        ("18-", [18, 19]),
        (range(3, 5), [3, 4]),
        (7, [7]),
        ([2, 2, 1], [2, 1]),
    ],
)
def test_frames_are_chosen_by_a_word_or_by_their_numbers(which, numbers):
    assert chosen(SIGMOID.frames, which) == [k - 1 for k in numbers]


def test_a_film_of_forward_mode_has_a_slide_for_each_gate_too():
    film = steps(examples.sigmoid_circuit(), mode="forward")
    assert len(chosen(film.frames, "gates")) == 8
    assert chosen(film.frames, "lecture") == chosen(film.frames, "all")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": "forwards"}, "there are all, backward, gates, lecture, and numbers"),
        ({"frames": "0"}, "frames 1 to 19"),
        ({"frames": "3-40"}, "frame 20: the film has frames 1 to 19"),
        ({"frames": "1,20-999999999999"}, "frame 20: the film has frames 1 to 19"),
        ({"frames": [1.5]}, "a whole number from 1 on"),
        ({"frames": []}, "the film has none"),
        ({"kinds": "svg,gif"}, "kind 'gif': there are svg, png, pdf, tex"),
        ({"aspect": "wide"}, "such as 16:9"),
        ({"aspect": "16:0"}, "such as 16:9"),
        ({"font_size": 1000}, "from 4 to 100"),
        ({"font_size": "big"}, "font_size is a number"),
        ({"colors": "pink"}, "there are light, dark, and colours by name"),
        ({"colors": {"values": "#000000"}}, "color 'values': there are background, gate"),
        ({"colors": {"value": "red"}}, "a colour is written like #0072b2"),
    ],
)
def test_what_no_slide_can_be_is_refused_before_a_file_is_written(options, message, tmp_path):
    with pytest.raises(ParameterError, match=message):
        SIGMOID.save_frames(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_slides_of_an_aspect_are_of_its_size_and_nothing_moves(tmp_path):
    paths = steps(fork()).save_frames(tmp_path, 96, frames="6-9", aspect="16:9", font_size=24)
    assert [path.name for path in paths[:2]] == ["frame-06.svg", "frame-06.png"]
    circles, sizes = set(), set()
    for path in paths:
        data = path.read_bytes()
        if path.suffix == ".png":
            assert struct.unpack(">II", data[16:24]) == (1280, 720)
            continue
        root = ElementTree.fromstring(data)
        assert (root.get("width"), root.get("height")) == ("960pt", "540pt")
        (scale,) = re.search(r"scale\(([\d.]+) ", data.decode()).groups()
        circles.add(tuple(e.get("cx") for e in root.iter(f"{SVG}ellipse")))
        words = [e for e in root.iter(f"{SVG}text") if "local" in (e.text or "")]
        sizes |= {round(float(e.get("font-size")) * float(scale)) for e in words}
    assert len(circles) == 1
    assert sizes == {24}


def test_captions_are_left_out_and_colours_changed(tmp_path):
    colors = {"gradient": "#d55e00", "background": "#101010", "words": "#eeeeee"}
    (path,) = steps(fork()).save_frames(
        tmp_path, frames=7, kinds=["svg"], captions=False, colors=colors
    )
    text = path.read_text(encoding="utf-8")
    assert "local" not in text
    assert "#c62828" not in text
    assert {"#d55e00", "#101010", "#eeeeee", "#0a7d20"} <= {*re.findall("#[0-9a-f]{6}", text)}


def test_on_a_dark_slide_nothing_keeps_a_colour_of_light_ones(tmp_path):
    """The names on frames, too: text that has no colour of its own is black."""
    root = nn.MLP(1, [2, 1])([Value(1.0, "x")])
    (path,) = steps(root).save_frames(tmp_path, frames="gates", kinds="svg", colors="dark")[:1]
    dark = {pair[1] for pair in PALETTE.values()}
    assert {*re.findall('"(#[0-9a-f]{6})"', path.read_text(encoding="utf-8"))} <= dark
    texts = [e for e in ElementTree.parse(path).iter() if e.tag.endswith("}text")]
    assert {"layer0.neuron0", "layer0.neuron1"} <= {e.text for e in texts}
    assert all(e.get("fill") for e in texts)


@settings(max_examples=25)
@given(words=st.lists(st.text("abc =×", min_size=1, max_size=60), min_size=1, max_size=9))
def test_lines_are_broken_between_words_and_nothing_is_lost(words):
    film = steps(Value(1.0, "x") * 2)
    film.frames[0] = film.frames[0]._replace(lines=tuple(words))
    slides = Slides(film._film, [0], "4:3", 60)
    assert " ".join(slides.lines(0)).split() == " ".join(film.frames[0].few_lines).split()
    assert slides.height_of_words <= 0.5 * 540


@given(st.sets(st.integers(1, 30), min_size=1))
def test_the_numbers_of_overlays_are_read_back(numbers):
    read = set()
    for piece in spans(sorted(numbers)).split(","):
        first, _, last = piece.partition("-")
        read |= {*range(int(first), int(last or first) + 1)}
    assert read == numbers


@settings(max_examples=6, deadline=None)
@given(programs())
def test_each_overlay_of_the_beamer_file_is_the_picture_of_its_frame(program):
    film = steps(program.nodes(Value)[-1])._film
    pictures = [groups(film.picture(k).pipe("svg")) for k in range(len(film.frames))]
    shown = {k: [] for k in range(1, len(pictures) + 1)}
    on = {*shown}
    for line in overlaid(dict(enumerate(pictures, 1))):
        if match := re.fullmatch(r"\\only<([\d,-]+)>\{%", line):
            on = set()
            for piece in match[1].split(","):
                first, _, last = piece.partition("-")
                on |= {*range(int(first), int(last or first) + 1)}
        elif line == "}":
            on = {*shown}
        else:
            for k in on:
                shown[k].append(line)
    ground, *_ = pictures[0].values()  # which says the size: the same for all
    for k, picture in enumerate(pictures, 1):
        _, *others = picture.values()
        assert shown[k] == [*ground, *[line for group in others for line in group]]
    balanced(Slides(film, range(len(pictures)), "16:9").beamer())


def test_a_pdf_has_a_page_of_its_size_for_each_frame(tmp_path):
    (path,) = steps(fork()).save_frames(tmp_path, frames="gates", kinds="pdf", aspect="4:3")
    data = path.read_bytes()
    assert len(re.findall(rb"/Type /Page\b(?!s)", data)) == 3
    assert data.count(b"/MediaBox [ 0 0 720 540 ]") == 3


@pytest.mark.skipif(which("pdflatex") is None, reason="needs LaTeX")
@pytest.mark.parametrize(
    ("colors", "root"),
    [
        ("light", nn.MLP(2, [2, 1])([1.0, 2.0])),  # it folds
        ("dark", fork(r"W^{(1)}", r"\dot{x}^\ast", r"z^\star")),  # not all T1 has
    ],
)
def test_latex_compiles_the_beamer_file(colors, root, tmp_path):
    film = steps(root)
    (path,) = film.save_frames(tmp_path, kinds="tex", frames="lecture", colors=colors)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stdout[-800:]
    assert f"({len(chosen(film.frames, 'lecture'))} pages".encode() in done.stdout
    assert b"Overfull" not in done.stdout
