"""What is given to be checked, as the layers to examine, each with a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from microgrid.check.handwritten.arguments import known
from microgrid.check.handwritten.job import Job, Task
from microgrid.check.handwritten.results import Found
from microgrid.check.handwritten.trial import LayerError, Trial
from microgrid.check.worker import load


def tasks(job: Job) -> list[Task]:
    """The layers of a job: those of its file, or the one that it holds."""
    from microgrid.check.handwritten import discover

    given = {"grads": job.grads, "inputs": job.inputs, "seed": job.seed}
    if job.layer is None:
        module = load(job.target, True)
        known(job.inputs, [module])
        return [Task(*found) for found in discover.layers_of(module, job.name, **given)]
    known(job.inputs, job.layer)
    return [Task(*discover.layer_of(*job.layer, **given))]


def examine(trials: Sequence[Trial], seed: int) -> Found:
    """The verdicts on one layer in all of its settings."""
    from microgrid.check.handwritten import judge

    return judge.examine(trials, seed)


def place_of(target: str) -> tuple[str, str]:
    """The file and the name of FILE[:NAME]; LayerError if that is no file of Python.

    >>> place_of("missing.py:affine")
    Traceback (most recent call last):
        ...
    microgrid.check.handwritten.trial.LayerError: there is no file missing.py
    """
    place, name = target, ""
    before, colon, after = target.rpartition(":")
    if colon and not Path(target).exists() and len(before) > 1:  # C:\\ begins with a drive
        place, name = before, after
    path = Path(place)
    if not path.exists():
        raise LayerError(f"there is no file {place}")
    if path.is_dir():
        raise LayerError(f"{place} is a folder: name the file, as in {path / 'layers.py'}")
    if path.suffix == ".ipynb":
        raise LayerError(
            f"{place} is a notebook: begin the cell of the layer with %%writefile layers.py and "
            "check that file, or call microgrid.check.layer in the notebook"
        )
    if path.suffix != ".py":
        raise LayerError(f"{place} is not a Python file: its name must end with .py")
    return place, name


def name_of(thing: Any) -> str:
    """What the report calls a layer that is given itself."""
    if isinstance(thing, list | tuple):
        return " + ".join(map(name_of, thing))
    return str(getattr(thing, "__name__", type(thing).__name__))
