"""The command line, as its user meets it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from microgrid.cli import main


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
    from microgrid.errors import LayoutError

    class NoEngine:
        source = "digraph {}"

        def save_svg(self, path):
            raise LayoutError('pip install "microgrid-autodiff[viz]"')

        save_png = save_svg

    monkeypatch.setattr("microgrid.cli.draw", lambda root, **_: NoEngine())
    assert main(["demo", "-o", str(tmp_path)]) == 0
    assert (tmp_path / "sigmoid_circuit.dot").read_text() == "digraph {}"
    assert "microgrid-autodiff[viz]" in capsys.readouterr().out


def test_explain_prints_the_table(capsys):
    assert main(["explain", "(a*b + a) * a", "a=3", "b=2"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "f = 27, upstream 1"
    assert "router" not in out


def test_explain_of_a_name_lists_its_paths(capsys):
    assert main(["explain", "(a*b + a) * a", "a=3", "b=2", "--of", "a"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "3 paths, ∂f/∂a = 18"


@pytest.mark.parametrize(("suffix", "start"), [("html", "<!DOCTYPE"), ("svg", "<svg")])
def test_steps_writes_a_page_or_an_animation(suffix, start, tmp_path):
    path = tmp_path / f"steps.{suffix}"
    assert main(["steps", "x*x", "x=3", "-o", str(path)]) == 0
    assert start.lower() in path.read_text(encoding="utf-8")[:300].lower()


@pytest.mark.parametrize("suffix", ["tex", "md"])
def test_derive_writes_a_document(suffix, tmp_path):
    path = tmp_path / f"affine.{suffix}"
    assert main(["derive", "affine", "--n", "1", "--d", "2", "--m", "2", "-o", str(path)]) == 0
    assert "x_{12}" in path.read_text(encoding="utf-8")
    assert main(["derive", "matmul", "--k", "1"]) == 0


def test_a_wrong_claim_ends_with_exit_code_1_and_a_counterexample(capsys):
    assert main(["derive", "affine", "--dX", "dY @ W"]) == 1
    assert "N = 1, D = 2, M = 2" in capsys.readouterr().err


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
        (["explain", "x +", "x=1"], "invalid syntax"),
        (["explain", "x", "x=one"], "not a number"),
        (["explain", "x", "x"], "name=number"),
        (["explain", "x*y", "x=1"], "y has no number"),
        (["explain", "x", "x=1/0"], "not a number"),
        (["explain", "9**9**9"], "out of range"),
        (["draw", "x", "x=1", "-o", "f.gif"], ".svg, .png, .dot"),
        (["draw", "__import__('os').system('true')", "-o", "f.svg"], "not arithmetic"),
        (["explain", "x*2", "x=1", "--of", "y"], "the expression has x, f"),
        (["derive", "matmul", "--d", "3"], "matmul has no --d"),
        (["derive", "affine", "--dX", "open('x')"], "a formula is made of"),
        (["derive", "affine", "--n", "0"], "1"),
        (["derive", "affine", "-o", "f.pdf"], ".tex"),
        (["steps", "x", "x=1", "-o", "f.gif"], ".html, .svg"),
        (["explain", "x<[y]", "x=1", "y=2"], "wrong operands"),
        (["worksheet"], "required"),
        (["worksheet", "--kind", "x", "-o", "f.html"], "values, gradients, forks, routers, mixed"),
        (["worksheet", "-n", "51", "-o", "f.html"], "1 to 50"),
        (["worksheet", "-n", "two", "-o", "f.html"], "invalid int"),
        (["worksheet", "--seed", "1.5", "-o", "f.html"], "invalid int"),
        (["worksheet", "-o", "f.pdf"], ".html, .tex"),
        (["worksheet", "-o", "f.html", "--answers", "f.pdf"], ".html, .tex"),
        (["worksheet", "-o", "f.html", "x=1"], "unrecognized"),
        (["nonsense"], "invalid choice"),
        (["draw", "x", "x=1"], "required"),
        ([], "required"),
    ],
    ids=str,
)
def test_wrong_input_ends_with_exit_code_2_and_one_clear_message(arguments, words):
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


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


def test_help_has_examples():
    for arguments in (["--help"], ["explain", "--help"], ["draw", "--help"], ["derive", "--help"]):
        done = run(*arguments)
        assert done.returncode == 0
        assert 'microgrid explain "' in done.stdout


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
