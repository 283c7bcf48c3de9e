"""Every notebook runs from top to bottom, says what its committed outputs say, and teaches.

`python tests/test_notebooks.py` runs all notebooks and writes their outputs back.
"""

import os
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import microgrid

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURE = {"image/svg+xml", "image/png"}
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
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", coalesce_streams=True)
    client.resources = {"metadata": {"path": str(path.parent)}}
    client.execute(env={**os.environ, **places})
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = {}
        if "outputs" in cell:  # the first run on a machine says that it compiles
            said = "microgrid compiles"
            cell.outputs = [o for o in cell.outputs if said not in o.get("text", "")]
        for output in cell.get("outputs", []):
            if PICTURE & set(output.get("data", {})):
                output.data.pop("text/plain", None)  # where the object lay in memory
                output.metadata = {}
    return notebook


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(cell):
    """What a cell's outputs say: all of them but the pixels of images."""
    return [
        output.get("text")
        or {kind: "image" if kind in PICTURE else shown for kind, shown in output.data.items()}
        for output in cell.outputs
        if output.output_type != "error"
    ]


def test_there_are_notebooks():
    assert NOTEBOOKS


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
def test_it_opens_with_a_question_and_ends_with_an_exercise(path):
    texts = [cell.source for cell in committed(path).cells if cell.cell_type == "markdown"]
    assert "?" in texts[0]
    assert "Exercise" in "".join(texts[-3:])
    assert "<details>" in texts[-1]


@every_notebook
def test_code_cells_have_one_to_five_lines(path):
    for cell in code_cells(committed(path)):
        assert 1 <= len(cell.source.splitlines()) <= 5, cell.source
        assert max(map(len, cell.source.splitlines())) <= 100, cell.source


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
def test_the_file_is_small_and_has_no_trace_of_a_machine_or_an_hour(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < 300_000
    assert not re.search(r"/(home|root|work|tmp|Users)/\w|[A-Z]:\\\\|\b0x[0-9a-f]{6,}", text)
    notebook = committed(path)
    assert notebook.metadata == METADATA
    assert not any(cell.metadata for cell in notebook.cells)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


if __name__ == "__main__":
    for path in NOTEBOOKS:
        nbformat.write(executed(path), path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
