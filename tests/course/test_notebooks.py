"""Every notebook runs from top to bottom, says what its committed outputs say, and teaches.

`python tests/course/test_notebooks.py` runs all notebooks, and writes their outputs and the
pictures that the README shows; `python tests/course/test_notebooks.py 03 05b` these two.
"""

import ast
import base64
import json
import os
import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import microgrid
from microgrid.course import CHAPTERS, exercises

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = {file: name for name, file in CHAPTERS.items()}
PICTURE = {"image/svg+xml", "image/png"}
WIDGET = "application/vnd.jupyter.widget-view+json"  # a progress bar, gone when it is done
VARIES = "# differs from machine to machine"  # in a cell whose digits no two processors share
COVER = {  # which picture README shows
    1: 1, 2: 1, 3: 1, 4: 0, "4b": 0, 5: 0, "5b": 1, 6: 1, 7: 2, 8: 0, 9: 1, 10: 2,
}  # fmt: skip
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@cache
def committed(path):
    return nbformat.read(path, as_version=4)


def executed(path):
    """The notebook as a fresh kernel leaves it, without what differs from run to run."""
    notebook = nbformat.read(path, as_version=4)
    package, storage = Path(microgrid.__file__).parent.parent, ROOT / ".hypothesis"
    places = {"PYTHONPATH": str(package), "HYPOTHESIS_STORAGE_DIRECTORY": str(storage)}
    client = NotebookClient(notebook, timeout=180, kernel_name="python3", coalesce_streams=True)
    client.resources = {"metadata": {"path": str(path.parent)}}
    client.execute(env={**os.environ, **places})
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            if "text" in output:  # the first run on a machine says that it compiles
                output.text = re.sub(r"microgrid compiles .*\n?", "", output.text)
        if "outputs" in cell:
            cell.outputs = [
                o for o in cell.outputs if o.get("text", "…") and WIDGET not in o.get("data", {})
            ]
        for output in cell.get("outputs", []):
            if PICTURE & set(output.get("data", {})):
                output.data.pop("text/plain", None)  # where the object lay in memory
                output.data.pop("text/html", None)  # the picture again: not every reader shows it
                output.metadata = {}
    return notebook


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(cell):
    """What a cell's outputs say, also in pictures; where digits vary, of what kinds they are."""
    said = []
    for output in cell.outputs:
        if VARIES in cell.source:
            said.append(sorted(output.get("data", {"text": ""})))
        elif "text" in output:
            said.append(output.text)
        elif output.output_type != "error":
            said.append({kind: shown(kind, data) for kind, data in output.data.items()})
    return said


def shown(kind, data):
    """The words of an SVG, nothing of a PNG, HTML without its images, all of any other data."""
    if kind == "text/html":
        return re.sub(r'src="data:image[^"]*"', "", data)
    if kind in PICTURE:
        return re.findall(r">([^<>]*)</text>", data) if kind == "image/svg+xml" else "image"
    return data


def cover(path):
    """The PNG of the notebook that stands for it in the README, and its place."""
    pictures = [
        output.data["image/png"]
        for cell in code_cells(nbformat.read(path, as_version=4))
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    place = path.parent / "pictures" / f"{file(path)}.png"
    return base64.b64decode(pictures[COVER[chapter(path)]]), place


def file(path):
    return path.stem.partition("_")[0]


def chapter(path):
    return NAMES[file(path)]


def markdown(path):
    return [cell.source for cell in committed(path).cells if cell.cell_type == "markdown"]


def test_there_is_a_notebook_for_each_chapter():
    assert list(map(chapter, NOTEBOOKS)) == list(CHAPTERS)


@every_notebook
def test_a_fresh_kernel_says_what_was_committed(path):
    for cell, again in zip(code_cells(committed(path)), code_cells(executed(path)), strict=True):
        assert words(again) == words(cell), f"{path.name}, cell {cell.id}:\n{cell.source}"


@every_notebook
def test_outputs_are_committed_from_one_run_from_top_to_bottom(path):
    cells = code_cells(committed(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)


@every_notebook
def test_no_committed_output_is_an_error_or_a_warning(path):
    for cell in code_cells(committed(path)):
        for output in cell.outputs:
            assert output.output_type != "error", cell.id
            assert output.get("name") != "stderr", cell.id


@every_notebook
def test_it_asks_lets_predict_breaks_something_and_checks_itself(path):
    texts, code = markdown(path), [cell.source for cell in code_cells(committed(path))]
    assert texts[0].startswith(f"# {chapter(path)} · ")
    assert "?" in texts[0]
    assert sum("**Predict:**" in text for text in texts) >= 3
    assert any("break" in text.lower() for text in texts)
    assert any(re.search(r"^\s*assert ", source, re.MULTILINE) for source in code)


@every_notebook
def test_it_ends_with_exercises_and_uses_all_that_there_are(path):
    code = "\n".join(cell.source for cell in code_cells(committed(path)))
    name = re.escape(json.dumps(chapter(path)))
    for i in range(1, len(exercises(chapter(path))) + 1):
        call = rf"^exercise\({name}\)" if i == 1 else rf"^exercise\({name}, {i}\)"
        assert re.search(call + "$", code, re.MULTILINE), call
        assert re.search(call + r"\.check\(", code, re.MULTILINE), call
    checks = [cell for cell in code_cells(committed(path)) if ".check(answer)" in cell.source]
    assert len(checks) == len(exercises(chapter(path)))
    for cell in checks:
        assert "no answer yet" in str(words(cell)), "committed with an answer"


@every_notebook
def test_its_links_lead_to_other_notebooks_and_the_last_to_the_next(path):
    links = re.findall(r"\]\((?!http)([^)#]+)\)", "\n".join(markdown(path)))
    assert all((path.parent / link).exists() for link in links), links
    if path != NOTEBOOKS[-1]:
        assert NOTEBOOKS[NOTEBOOKS.index(path) + 1].name in markdown(path)[-1]


@every_notebook
def test_a_notebook_has_20_to_40_cells(path):
    assert 20 <= len(committed(path).cells) <= 40


@every_notebook
def test_code_cells_have_one_to_five_lines_or_one_definition(path):
    for cell in code_cells(committed(path)):
        lines = cell.source.splitlines()
        assert lines, cell.id
        assert max(map(len, lines)) <= 100, cell.source
        if len(lines) <= 5:
            continue
        (definition,) = ast.parse(cell.source).body
        assert isinstance(definition, ast.FunctionDef | ast.ClassDef), cell.source
        assert len(lines) <= 25, cell.source


@every_notebook
def test_pictures_are_there_as_svg_and_as_png(path):
    """An untrusted notebook shows no SVG, but the PNG beside it."""
    pictures = [
        set(output.data)
        for cell in code_cells(committed(path))
        for output in cell.outputs
        if PICTURE & set(output.get("data", {}))
    ]
    assert pictures
    assert all(kinds == PICTURE for kinds in pictures)


@every_notebook
def test_the_readme_shows_a_picture_of_it(path):
    png, place = cover(path)
    assert place.read_bytes() == png
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"notebooks/{path.name}" in readme
    assert f"notebooks/pictures/{place.name}" in readme


@every_notebook
def test_the_file_is_small_and_has_no_trace_of_a_machine_or_an_hour(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < 300_000
    text = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not re.search(r"/(home|root|work|tmp|Users)/\w|[A-Z]:\\\\|\b0x[0-9a-f]{6,}", text)
    notebook = committed(path)
    assert notebook.metadata == METADATA
    assert not any(cell.metadata for cell in notebook.cells)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


@every_notebook
def test_it_names_its_sources_at_the_end_with_links(path):
    _, _, sources = markdown(path)[-1].partition("## Sources\n")
    links = re.findall(r"\]\((https://[^)\s]+)\)", sources)
    assert len(links) >= 2
    assert len(set(links)) == len(links)


KINKS = """
kinks = [  # the rows of notebook 6's table, at 0
    lambda x: relu(x),
    lambda x: abs(x),
    lambda x: maximum(x, 0 * x),
    lambda x: clip(x, 0.0, 1.0),
    lambda x: relu(x) - relu(-x),
]
"""
SLOPES = {  # what each engine says of them, printed
    "microgrid": """
from microgrid import clip, grad, maximum, relu
print([grad(f)(0.0) for f in kinks])
""",
    "torch": """
from torch import clip, maximum, relu, tensor
leaves = [tensor(0.0, requires_grad=True) for _ in kinks]
for f, x in zip(kinks, leaves): f(x).backward()
print([x.grad.item() for x in leaves])
""",
    "jax": """
from jax import grad
from jax.nn import relu
from jax.numpy import clip, maximum
print([float(grad(f)(0.0)) for f in kinks])
""",
}


@pytest.mark.parametrize(("column", "engine"), list(enumerate(SLOPES, 1)))
def test_notebook_6_says_of_each_engine_what_it_answers_at_a_kink(column, engine):
    if find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    (notebook,) = [path for path in NOTEBOOKS if chapter(path) == 6]
    row = r"^\| (.* at \$0\$.*) \| (\S+) \| (\S+) \| (\S+) \|$"
    rows = re.findall(row, "\n".join(markdown(notebook)), re.MULTILINE)
    run = [sys.executable, "-c", KINKS + SLOPES[engine]]  # apart: threads of JAX and forks clash
    place = {**os.environ, "PYTHONPATH": str(Path(microgrid.__file__).parent.parent)}
    found = subprocess.run(run, capture_output=True, text=True, env=place, check=True).stdout
    assert [float(row[column]) for row in rows] == ast.literal_eval(found)


if __name__ == "__main__":
    for path in NOTEBOOKS:
        if sys.argv[1:] and file(path) not in sys.argv[1:]:
            continue
        nbformat.write(executed(path), path)
        png, place = cover(path)
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(png)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
