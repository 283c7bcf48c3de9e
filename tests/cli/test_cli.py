"""The command line, as its user meets it."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import pytest
from shared.playground import playing

import microgrid
from microgrid.check.command import ADAPTERS
from microgrid.cli.checks import SHIPPED
from microgrid.cli.commands import COMMANDS, EXAMPLES, main, parser_of
from microgrid.cli.layers import inputs_of as layer_inputs


def run(*arguments, **environment):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "microgrid", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        timeout=60,
    )


def test_demo_prints_tables_shows_that_graph_and_formulas_agree_and_writes_pictures(
    tmp_path, capsys
):
    assert main(["demo", "-o", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "w_0 * x_0" in text
    assert text.count("equal to the last bit") == 3
    assert "DIFFERENT" not in text
    assert all(len(line) <= 80 for line in text.splitlines() if not line.startswith("wrote"))
    for name in ("sigmoid_circuit", "affine_layer"):
        for suffix, start in ((".svg", b"<"), (".png", b"\x89PNG")):
            path = tmp_path / "out" / (name + suffix)
            assert path.read_bytes().startswith(start)
            assert f"wrote {path}" in text


def test_demo_without_a_layout_engine_writes_dot_and_says_what_to_install(
    tmp_path, monkeypatch, capsys
):
    from microgrid.views.files import LayoutError

    class NoEngine:
        def save(self, path):
            if path.suffix != ".dot":
                raise LayoutError("there is no layout program")
            path.write_text("digraph {}")
            return path

    monkeypatch.setattr("microgrid.cli.demo.draw", lambda root, **_: NoEngine())
    assert main(["demo", "-o", str(tmp_path)]) == 0
    assert (tmp_path / "sigmoid_circuit.dot").read_text() == "digraph {}"
    assert "there is no layout program" in capsys.readouterr().out


def test_explain_prints_the_table(capsys):
    assert main(["explain", "(a*b + a) * a", "a=3", "b=2"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "f = 27, upstream 1"
    assert "router" not in out


def test_explain_says_where_local_gradients_come_from(capsys):
    assert main(["explain", "a**2 * b", "--rules", "a=3", "b=2"]) == 0
    head, *rows = [line.split("  ") for line in capsys.readouterr().out.splitlines()[1:]]
    assert "rule" in [cell.strip() for cell in head]
    assert "2 * a" in [cell.strip() for cell in rows[-1]]


def test_explain_of_a_name_lists_its_paths(capsys):
    assert main(["explain", "(a*b + a) * a", "a=3", "b=2", "--of", "a"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "3 paths, ∂f/∂a = 18"


def test_a_tangent_shows_forward_mode_in_every_view(capsys, tmp_path):
    given = ["w*x", "w=2", "x=-1", "--tangent", "w", "--tangent", "x=-½"]
    assert main(["explain", *given]) == 0
    begin = "w = 2, tangent 1; x = -1, tangent -0.5; f = -2, tangent -2"
    assert capsys.readouterr().out.splitlines()[0] == begin
    assert main(["draw", *given, "--color-by", "share", "-o", str(tmp_path / "f.dot")]) == 0
    picture = (tmp_path / "f.dot").read_text(encoding="utf-8")
    assert "blue: tangents, red: gradients; w moves at 1.00, x moves at −0.50; thick" in picture
    assert main(["steps", *given, "-o", str(tmp_path / "f.html")]) == 0
    assert "Forward mode of f: w, x move" in (tmp_path / "f.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("suffix", "start"), [("html", "<!DOCTYPE"), ("svg", "<svg")])
def test_steps_writes_a_page_or_an_animation(suffix, start, tmp_path):
    path = tmp_path / f"steps.{suffix}"
    assert main(["steps", "x*x", "x=3", "-o", str(path)]) == 0
    assert start.lower() in path.read_text(encoding="utf-8")[:300].lower()


def test_steps_writes_slides(tmp_path, capsys):
    circuit = ["steps", "x*x", "x=3", "--frames", str(tmp_path / "slides")]
    more = ["--choose", "2,4-5", "--kinds", "svg,tex", "--aspect", "4:3", "--font-size", "30"]
    assert main([*circuit, *more, "--color", "value=#0072b2", "--color", "lit=#ffff00"]) == 0
    names = ["frame-02.svg", "frame-04.svg", "frame-05.svg", "slides.tex"]
    assert sorted(path.name for path in (tmp_path / "slides").iterdir()) == names
    assert f"slides: {', '.join(names)}" in capsys.readouterr().out
    assert "#0072b2" in (tmp_path / "slides" / names[0]).read_text(encoding="utf-8")
    assert main([*circuit[:3]]) == 2
    assert main([*circuit[:3], "-o", str(tmp_path / "a.html"), "--no-captions"]) == 2
    assert "--no-captions is an option of slides" in capsys.readouterr().err
    assert main([*circuit, "--kinds", "svg", "--color", "dark"]) == 0


@pytest.mark.parametrize(
    ("suffix", "entry"),
    [("tex", "x_{12}"), ("md", "x_{12}"), ("txt", "x₁₂"), ("html", "<mn>12</mn>")],
)
def test_derive_writes_a_document(suffix, entry, tmp_path):
    path = tmp_path / f"affine.{suffix}"
    assert main(["derive", "affine", "--n", "1", "--d", "2", "--m", "2", "-o", str(path)]) == 0
    assert entry in path.read_text(encoding="utf-8")
    assert main(["derive", "matmul", "--k", "1"]) == 0


def test_derive_prints_a_section_in_other_letters(capsys):
    letters = ["--letter", "W=\\Theta", "--letter", "L=E"]
    assert main(["derive", "affine", *letters, "--dX", "dY @ Θ.T", "--only", "formulas"]) == 0
    assert "∂E/∂X = ∂E/∂Y Θᵀ\n∂E/∂Θ = Xᵀ ∂E/∂Y" in capsys.readouterr().out
    assert main(["derive", "affine", "--only", "Q"]) == 2
    assert main(["derive", "affine", "--letter", "X=AB"]) == 2


def test_a_wrong_claim_ends_with_exit_code_1_and_a_counterexample(capsys, tmp_path):
    assert main(["derive", "affine", "--dX", "dY @ W"]) == 1
    printed = capsys.readouterr()
    assert (printed.out.count("N = 1, D = 2, M = 2"), printed.err) == (1, "")
    assert main(["derive", "affine", "--dX", "dY @ W", "-o", str(tmp_path / "a.tex")]) == 1
    assert capsys.readouterr().err.count("N = 1, D = 2, M = 2") == 1


def test_worksheet_writes_a_sheet_and_its_answers(tmp_path, capsys):
    sheet, answers, again = (tmp_path / "new" / name for name in ("s.html", "a.tex", "again.html"))
    arguments = ["worksheet", "--seed", "-7", "--kind", "forks", "-n", "2"]
    assert main([*arguments, "-o", str(sheet), "--answers", str(answers)]) == 0
    assert capsys.readouterr().out == f"wrote {sheet}\nwrote {answers}\n"
    assert "Name" in sheet.read_text(encoding="utf-8")
    assert r"\begin{document}" in answers.read_text(encoding="utf-8")
    assert main([*arguments, "-o", str(again)]) == 0
    assert again.read_bytes() == sheet.read_bytes()


def test_help_of_worksheet_has_examples_and_says_what_the_kinds_are():
    done = run("worksheet", "--help")
    assert "microgrid worksheet --seed 7 --kind forks" in done.stdout
    assert "values that are used more than once" in done.stdout


def test_negative_numbers_and_quotients_are_numbers(capsys):
    assert main(["explain", "w*x", "w=-2", "x=1/4"]) == 0
    assert "f = -0.5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("x=−2", "-2"), ("x=–2", "-2"), ("x=0,5", "0.5"), ("x=1 / 4", "0.25"), ("x=½", "0.5"),
        ("x = 3", "3"), ("x=.5", "0.5"), ("x=25%", "0.25"), ("x=1_000", "1000"), ("x=inf", "inf"),
        ("x=٣", "3"), ("ｘ=2", "2"),
    ],
)  # fmt: skip
def test_a_number_may_be_written_as_people_write_it(word, value, capsys):
    assert main(["explain", "x", word]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith(f"x = {value}, ")


def test_a_name_may_be_copied_from_a_picture(capsys):
    assert main(["explain", "x₁*x_2", "x_1=2", "x₂=3"]) == 0
    assert "f = 6" in capsys.readouterr().out


def test_options_read_numbers_as_the_rest_does(tmp_path, capsys):
    sheets = [tmp_path / "a.html", tmp_path / "b.html"]
    for seed, n, sheet in (("-7", "2", sheets[0]), ("−7", "2.0", sheets[1])):
        assert main(["worksheet", "--seed", seed, "-n", n, "-o", str(sheet)]) == 0
    assert sheets[0].read_bytes() == sheets[1].read_bytes()


def test_the_version_is_that_of_the_installed_distribution(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"microgrid {microgrid.__version__}\n"
    with suppress(PackageNotFoundError):
        assert microgrid.__version__ == version("microgrid-autodiff")


def test_a_checkout_that_is_not_installed_has_a_version_too(tmp_path):
    package = Path(microgrid.__file__).parent
    (tmp_path / "microgrid").symlink_to(package, target_is_directory=True)
    for needed in ("numpy", "graphviz"):
        (tmp_path / needed).symlink_to(Path(find_spec(needed).origin).parent)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import microgrid as mg; "
    program += "print(mg.__version__)"
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True)
    assert done.stdout == "0+unknown\n", done.stderr


def test_the_command_alone_prints_its_help():
    done = run()
    assert done.returncode == 2
    assert "worksheet" in done.stdout
    assert done.stderr == "microgrid: a COMMAND is required\n"


@pytest.mark.parametrize(
    ("answers", "links"),
    [("s.html", {}), ("./s.html", {}), ("new/../s.html", {}), ("t.html", {"t.html": "s.html"})],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("exists", [False, True])
def test_the_answers_do_not_overwrite_the_sheet(answers, links, exists, tmp_path, capsys):
    sheet = tmp_path / "s.html"
    if exists:
        sheet.write_text("kept")
    for link, target in links.items():
        (tmp_path / link).symlink_to(tmp_path / target)
    assert main(["worksheet", "-o", str(sheet), "--answers", f"{tmp_path}/{answers}"]) == 2
    assert "are one file: give two names" in capsys.readouterr().err
    assert sheet.exists() == exists
    assert not exists or sheet.read_text() == "kept"


def test_a_hard_link_is_the_same_file_too(tmp_path):
    (tmp_path / "s.html").write_text("kept")
    os.link(tmp_path / "s.html", tmp_path / "t.html")
    paths = [str(tmp_path / name) for name in ("s.html", "t.html")]
    assert main(["worksheet", "-o", paths[0], "--answers", paths[1]]) == 2
    assert (tmp_path / "t.html").read_text() == "kept"


def test_no_report_overwrites_another_or_the_engine(tmp_path, monkeypatch, capsys):
    engine = tmp_path / "engine.py"
    engine.write_text("mine")
    monkeypatch.chdir(tmp_path)
    report = str(tmp_path / "r")
    for target, *options in (
        [str(engine), "--html", str(engine)], [f"{engine}:Value", "--json", str(engine)],
        ["engine", "--html", report, "--json", report], ["engine", "--html", "-", "--json", "-"],
        ["engine", "--json", "engine.py"], ["engine:Value", "--junit", str(engine)],
    ):  # fmt: skip
        assert main(["check", target, *options]) == 2
        assert "are one file" in capsys.readouterr().err
    assert engine.read_text() == "mine"
    assert not Path(report).exists()


AFFINE = """
import numpy as np

def affine_forward(x, w, b, reg=0.1):
    return x @ w + b, (x, w)

def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, DB
"""


@pytest.fixture
def affine(tmp_path):
    """The file of an affine layer with this gradient of its bias."""

    def written(db="dout.sum(axis=0)"):
        (tmp_path / "affine.py").write_text(AFFINE.replace("DB", db))
        return str(tmp_path / "affine.py")

    return written


def test_layers_says_what_is_right_and_what_is_wrong(affine, capsys):
    for db, code, words in (
        ("dout.sum(axis=0)", 0, "✓ db  right"), ("dout.mean(axis=0)", 1, "✗ db  wrong, 5 of 5"),
        ("dout.sum(axis=0, keepdims=True)", 1, "(1, 5)"), ("dout @ dout", 1, "crashes"),
        ("None", 0, "· db  not written"),
    ):  # fmt: skip
        assert main(["layers", affine(db), "x=3x4", "w=4x5", "b=5"]) == code
        assert words in capsys.readouterr().out


def test_layers_writes_every_report(affine, tmp_path, capsys):
    files = {name: tmp_path / "out" / name for name in ("html", "json", "junit", "gradescope")}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    assert main(["layers", f"{affine()}:affine", "--quiet", "--seed", "3", *options]) == 0
    assert capsys.readouterr().out == "passes: 3 right in 1 layer\n"
    assert all(path.stat().st_size > 200 for path in files.values())
    assert main(["layers", affine(), "--json", "-"]) == 0
    assert capsys.readouterr().out.startswith("{")


def test_layers_does_not_write_over_the_file_that_it_checks(affine, capsys):
    path = affine()
    assert main(["layers", f"{path}:affine", "--html", path]) == 2
    assert "are one file" in capsys.readouterr().err
    assert "affine_forward" in Path(path).read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.py"], "there is no file nothing.py"), (["."], "is a folder"),
        (["AFFINE:conv"], "affine"), (["AFFINE", "z=3"], "no argument 'z'"),
        (["AFFINE", "x=3x"], "is no input"), (["AFFINE", "x=[[1], [2, 3]]"], "is no input"),
        (["AFFINE", "x="], "is not name=value"), (["AFFINE", "3x4"], "is not name=value"),
        (["AFFINE", "w=3", "w.x=3"], "this was given already"),
        (["AFFINE", "--grads", "dW"], "is not name=value, as in --grads"),
        (["AFFINE", "x=3x4", "w=9x5"], "checked"),
    ],
)  # fmt: skip
def test_what_layers_cannot_do_is_told_in_a_sentence(words, said, affine, capsys):
    assert main(["layers", *[word.replace("AFFINE", affine()) for word in words]]) == 2
    told = capsys.readouterr()
    assert said in told.out + told.err
    assert "Traceback" not in told.out + told.err


def test_the_layers_of_a_notebook_are_checked(tmp_path, capsys):
    layer = "def twice_forward(x): return 2 * x, None\ndef twice_backward(dout, cache): return dout"
    cells = [{"cell_type": "code", "source": text} for text in (layer, "1 / 0")]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    assert main(["layers", str(tmp_path / "a.ipynb")]) == 1
    assert "twice" in capsys.readouterr().out
    (tmp_path / "a.ipynb").write_text("{}")
    assert main(["layers", str(tmp_path / "a.ipynb")]) == 2
    assert "it is no notebook" in capsys.readouterr().err


GIVEN = {
    "x=3x4": (3, 4), "x=3×4": (3, 4), "x=(3, 4)": (3, 4), "x=3,4": (3, 4), "b=5": (5,),
    "b=(5,)": (5,), "x = 3 x 4": (3, 4), "y=classes": "classes", "stride=2": 2, "pad=1": 1,
    "n_in=4": 4, "hidden_size=6": 6, "reg=0.1": 0.1, "lr=1e-3": 1e-3, "mode=train": "train",
    "train=True": True, "mask=none": None, "known=7": 7, "deep=7": 7, "unknown=7": (7,),
    "parameters.W1=5x3": {"W1": (5, 3)}, "conv_param.stride=2": {"stride": 2}, "scale=-2": -2,
}  # fmt: skip


@pytest.mark.parametrize("word", GIVEN)
def test_an_input_of_layers_is_a_shape_or_a_number_as_its_name_says(word):
    names = {"known": 1, "deep": 2.5, "unknown": None, "x": None, "b": None, "y": None}
    names |= {w.split("=")[0].strip(): None for w in GIVEN if "." not in w.split("=")[0]}
    names |= {"known": 1, "deep": 2.5}
    name = word.split("=")[0].strip().split(".")[0]
    assert layer_inputs([word], names) == {name: GIVEN[word]}
    assert type(layer_inputs([word], names)[name]) is type(GIVEN[word])


def test_lists_are_arrays_and_entries_of_a_dict_are_collected():
    [labels] = layer_inputs(["y=[1, 0, 4]"], {}).values()
    assert labels.tolist() == [1, 0, 4]
    words = ["W1=5x3", "b1=5x1", "X=3x4", "conv_param.pad=1", "conv_param.stride=2"]
    assert layer_inputs(words, {"X": None, "parameters": None}) == {
        "parameters": {"W1": (5, 3), "b1": (5, 1)}, "X": (3, 4),
        "conv_param": {"pad": 1, "stride": 2},
    }  # fmt: skip


@pytest.mark.parametrize("suffix", ["svg", "png", "dot"])
def test_draw_writes_the_format_of_the_file_name(suffix, tmp_path):
    path = tmp_path / "new" / f"f.{suffix}"
    assert main(["draw", "x*x", "x=3", "-o", str(path)]) == 0
    assert path.stat().st_size > 200


def test_draw_forward_has_no_gradients(tmp_path):
    for name, extra in (("after", []), ("before", ["--forward"])):
        assert main(["draw", "x*x", "x=3", "-o", str(tmp_path / f"{name}.dot"), *extra]) == 0
    assert "6.00" in (tmp_path / "after.dot").read_text()
    assert "6.00" not in (tmp_path / "before.dot").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["explain", "x +", "x=1"], "is missing after +\n  x +\n     ^"),
        (["explain", "x", "x=one"], "not a number"),
        (["explain", "x", "x"], "name=number"),
        (["explain", "x", "x", "=", "1"], "without spaces"),
        (["explain", "x", "x="], "name=number"),
        (["explain", "x=1", "x"], "after the expression"),
        (["explain", "x", "x=True"], "not a number, such as 2, -0.5, 1/3"),
        (["explain", "x", "x=1+1"], "not a number"),
        (["explain", "x", "x=1,000"], "may be 1000 or 1.000"),
        (["explain", "x", "x=(1)"], "leave the brackets out"),
        (["explain", "x", "x=1e400"], "too large for a float"),
        (["explain", "x", "x=1e-400"], "too small for a float"),
        (["explain", "x", "x=" + "9" * 5000], "not a number"),
        (["explain", "x*y", "x=1"], "y has no number"),
        (["explain", "x", "x=1/0"], "not a number"),
        (["explain", "9**9**9"], "too large for a float"),
        (["draw", "x", "x=1", "-o", "f.gif"], ".svg or .png or .pdf or .tex or .dot"),
        (["draw", "__import__('os').system('true')", "-o", "f.svg"], "a text is not arithmetic"),
        (["explain", "x*2", "x=1", "--of", "y"], "the expression has x, f"),
        (["explain", "x*2", "x=1", "--tangent", "y"], "--tangent y: the expression has x, f"),
        (["explain", "x*2", "x=1", "--tangent", "x=a"], "not a number"),
        (["explain", "x*2", "x=1", "--tangent", "x", "--tangent", "x"], "x has two numbers"),
        (["explain", "x*2", "x=1", "--tangent", "x", "--of", "x"], "no --tangent"),
        (["explain", "x*2", "x=1", "--rules", "--of", "x"], "--rules are those of the rows"),
        (["draw", "x*2", "x=1", "--color-by", "size", "-o", "f.svg"], "invalid choice"),
        (["derive", "matmul", "--d", "3"], "matmul has no --d"),
        (["derive", "affine", "--dX", "open('x')"], "a formula is made of"),
        (["derive", "affine", "--n", "0"], "1"),
        (["derive", "affine", "-o", "f.pdf"], ".tex"),
        (["steps", "x", "x=1", "-o", "f.gif"], ".html or .svg"),
        (["explain", "x<[y]", "x=1", "y=2"], "wrong operands"),
        (["worksheet"], "required"),
        (["worksheet", "--kind", "x", "-o", "f.html"], "values, gradients, forks, routers, mixed"),
        (["worksheet", "-n", "51", "-o", "f.html"], "1 to 50"),
        (["worksheet", "-n", "two", "-o", "f.html"], "invalid int"),
        (["worksheet", "--seed", "1.5", "-o", "f.html"], "invalid int"),
        (["worksheet", "-o", "f.pdf"], ".html or .tex"),
        (["worksheet", "-o", "f.html", "--answers", "f.pdf"], ".html or .tex"),
        (["worksheet", "-o", "f.html", "x=1"], "unrecognized"),
        (["check", "cli.py", "--seed", "1,000"], "invalid int"),
        (["check", "cli.py", "--timeout", "0,5"], "from 1 to 86400"),
        (["check", "cli.py", "--examples", "2.5"], "from 1 to 100000"),
        (["nonsense"], "invalid choice"),
        (["explian", "x", "x=1"], "no command 'explian': did you mean 'explain'?"),
        (["draw", "x", "x=1"], "required"),
        (["draw", "x", "x=1", "--digits", "99", "-o", "f.svg"], "from 0 to 17, got 99"),
        (["steps", "x", "x=1", "--digits", "99", "-o", "f.html"], "from 0 to 17, got 99"),
        (["explain", r"\theta*x", r"\theta=1", "θ=2", "x=1"], "θ has two numbers"),
        ([], "required"),
    ],
    ids=str,
)
def test_wrong_input_ends_with_exit_code_2_and_one_clear_message(
    arguments, words, monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert words in capsys.readouterr().err


def test_wrong_input_has_no_traceback_in_a_process_of_its_own():
    done = run("explain", "log(x)", "x=-1")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "microgrid explain: log(x = -1.0): no real value: needs x > 0; log_sigmoid(x) for "
        "log(sigmoid(x)), logsumexp for the log of a sum",
        "  log(x)",
        "  ^",
    ]


def test_lines_and_what_is_written_by_hand_are_read(capsys):
    assert main(["explain", "h = 2x − b²; f = |h|", "x=0,5", "b=−2"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == "f = 3, upstream 1"
    assert told.err == ""
    assert main(["explain", "a·b·c² − b − a", "a=1", "b=2", "c=½", "--of", "c"]) == 0
    assert "∂f/∂c = 2" in capsys.readouterr().out
    given = [r"\theta_1=2", "W⁽¹⁾=3", "ŷ=1"]
    assert main(["explain", r"\theta_1 \cdot W^{(1)} − \hat{y}", *given, "--of", "W^{(1)}"]) == 0
    assert "∂f/∂W⁽¹⁾ = 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expression", "note"),
    [
        ("x^2", "^ is read as a power: a^2 is a**2"),
        ("x*1e200*1e200", "the value of mul(mul(…) = 3e+200, 1e+200) f is inf"),
        ("sqrt(x - x)", "sqrt(sub(…) = 0.0) f sends back the gradient inf: upstream 1 × local inf"),
    ],
)
def test_what_could_be_read_otherwise_or_is_not_finite_is_noted_once(expression, note, capsys):
    assert main(["explain", expression, "x=3"]) == 0
    [told] = capsys.readouterr().err.splitlines()
    assert told.startswith(f"microgrid explain: note: {note}")


def test_a_sheet_without_pictures_is_noted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("microgrid.views.picture.LAYOUTS", ("no-such-dot",))
    assert main(["worksheet", "-n", "1", "-o", str(tmp_path / "s.html")]) == 0
    [note] = capsys.readouterr().err.splitlines()
    assert "note: tables stand in the place of pictures; there is no layout program" in note
    assert "pip install" in note
    assert main(["worksheet", "-n", "1", "-o", str(tmp_path / "s.tex")]) == 0
    assert capsys.readouterr().err == ""


def test_all_packages_that_the_checker_lacks_are_told_at_once(monkeypatch, capsys):
    for name in [n for n in sys.modules if n.startswith("microgrid.check.properties")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert main(["check", "--example"]) == 2
    assert capsys.readouterr().err == (
        'microgrid check: the checker needs hypothesis, tqdm: pip install "hypothesis>=6.100" '
        '"tqdm>=4.60" (in a checkout of microgrid: pip install ".[check]")\n'
    )


def test_an_input_called_f_is_not_mistaken_for_the_result(capsys):
    assert main(["explain", "f*2", "f=3", "--of", "f"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "1 path, ∂y/∂f = 2"
    assert main(["explain", "n1*n2+n1", "n1=3", "n2=4"]) == 0
    assert "f = node2 + n1" in capsys.readouterr().out
    assert main(["explain", "x", "x=1", "x=2"]) == 2
    assert "two numbers" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", "-x", "x=2"],
        ["explain", "-3*x", "x=2"],
        ["explain", "x*2", "--of", "x", "x=3"],
        ["explain", "µ*2", "µ=3"],
    ],
    ids=str,
)
def test_natural_command_lines_are_understood(arguments, capsys):
    assert main(arguments) == 0


def test_output_that_cannot_show_every_letter_is_no_reason_to_stop(tmp_path):
    done = run("demo", "-o", str(tmp_path), PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert (tmp_path / "affine_layer.svg").exists()


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m microgrid derive affine --n 3 --d 3 --m 3 | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.startswith("Backpropagation")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_80_columns_explains_each_argument_and_has_examples_of_this_command(
    command, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "80")
    parser = parser_of([command])
    if command:
        parser = next(a for a in parser._actions if a.dest == "command").choices[command]
    lines = parser.format_help().splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert [action.dest for action in parser._actions if not action.help] == []
    assert parser.description.endswith(".")
    examples = [shlex.split(line)[1] for line in lines if line.startswith("  microgrid ")]
    assert {*examples} == {command} if command else {*examples} == {*COMMANDS}


LINEAR = """
import numpy as np

class Linear:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = dout.T @ self.x, dout.sum(axis=0)
        return dout @ self.W.T
"""
SHIPPED_ENGINE = SHIPPED.read_text(encoding="utf-8")
LAYERS = [
    (SHIPPED.parent / "handwritten/museum/layers" / name).read_text(encoding="utf-8")
    for name in ("affine_pair.py", "conv_naive.py", "softmax_loss.py")
]
CALLED = SHIPPED_ENGINE.replace("data", "value").replace("backward", "backprop")
CELL = {"cell_type": "code", "source": CALLED}
RIGHT = Path(__file__).parent.parent / "check" / "adapters" / "right.mjs"
FILES = {  # what the examples of help need
    "my_engine.py": f"{SHIPPED_ENGINE}\nScalar = Value\n",
    "homework.ipynb": json.dumps({"cells": [CELL]}),
    "engine.mjs": RIGHT.read_text(encoding="utf-8"),
    "my_adapter.mjs": ADAPTERS["javascript"].read_text(encoding="utf-8"),
    "javascript_names.mjs": (ADAPTERS["javascript"].with_name("javascript_names.mjs")).read_text(
        encoding="utf-8"
    ),
    "layers.py": "\n".join(LAYERS).replace("ward_naive", "ward"),
    "network.py": LINEAR,
    "answers.csv": "name,1.a\nAda,5\n",
}  # fmt: skip
WITH_MISTAKES = {"--example", "my_engine.py", "my_engine.py:Scalar", "homework.ipynb", "--dX"}


@pytest.mark.parametrize("example", EXAMPLES.strip().splitlines(), ids=str.strip)
def test_every_example_of_help_runs(example, tmp_path, monkeypatch, capsys, request):
    words = shlex.split(example)[1:]
    if words[0] == "play":  # it runs until it is ended
        with playing(*[word for word in words[1:] if word != "--open"]) as (_, address):
            assert address.startswith("http://127.0.0.1:")
            return
    if any("mjs" in word for word in words) and shutil.which("node") is None:
        pytest.skip("node is not installed")
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    if "--runtime" in words:
        Path("runtime").symlink_to(request.getfixturevalue("npm_packages"))
    if words[0] == "mark":
        main(["worksheet", "-o", "sheet.html"])
    if "--example" in words:
        Path("my_engine.py").unlink()
    only = "order" if "--export" in words else "one operation"
    quick = ["--draws", "1", "--only", only] if words[0] == "check" else []
    assert main([*words, *quick]) == (1 if WITH_MISTAKES & {*words} else 0)
    told = capsys.readouterr()
    assert told.out or told.err
    for option in ("-o", "--answers", "--html", "--gradescope", "--export"):
        if option in words:
            assert Path(words[words.index(option) + 1]).stat().st_size > 20


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_and_version_wait_for_no_other_module(word):
    program = "import sys; from microgrid.cli import main\n"
    program += f"try: main([{word!r}])\n"
    program += "finally: print([*sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(eval(done.stdout.splitlines()[-1]))
    assert "microgrid.engine.value" in loaded
    assert not loaded & {"numpy", "graphviz", "microgrid.views.drawing", "microgrid.course"}


def test_output_that_is_no_terminal_has_no_colours(tmp_path):
    done = run("demo", "-o", str(tmp_path))
    assert done.returncode == 0
    assert "\033" not in done.stdout


def test_the_installed_command_is_the_same_program():
    command = Path(sys.executable).parent / "microgrid"
    if not command.exists():
        pytest.skip("microgrid is not installed beside this python")
    done = subprocess.run([command, "explain", "x*x", "x=2"], capture_output=True, text=True)
    assert "switcher" in done.stdout
