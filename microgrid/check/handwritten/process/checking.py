"""What is given to be checked, as the layers to examine, each with a name."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any

from microgrid.check.handwritten.forms import chains, classes, discover, functions
from microgrid.check.handwritten.forms.keywords import inputs_of, refuse_unknown
from microgrid.check.handwritten.process.job import Job, Task
from microgrid.check.handwritten.trial import LayerError, Trial
from microgrid.check.loading.errors import LoadError
from microgrid.check.loading.modules import load

MOST = 4  # sentences about a file
TRAINING = 1 / 3  # of the time of a layer, for what trains when its file is loaded


def tasks(job: Job, seconds: float) -> tuple[list[Task], list[str]]:
    """The layers of a job, those of its file or the one that it holds, and remarks on the file."""
    if job.layer is not None:
        refuse_unknown(job.inputs, job.layer)
        return [Task(job.target, partial(trials, *job.layer, job))], []
    try:
        loaded = load(job.target, TRAINING * seconds)
    except LoadError as error:
        raise LayerError(f"{job.target} could not be loaded: {error}") from None
    module, missing, remarks = loaded.module, loaded.missing, loaded.first(MOST)
    refused = [Task(n, partial(refuse, why)) for n, why in missing.items() if job.name in ("", n)]
    try:
        refuse_unknown(job.inputs, [module])
        found = discover.layers_of(module, job.name)
    except LayerError as error:
        if refused:
            return refused, remarks
        raise LayerError("; ".join([str(error), *remarks])) from None
    names = vars(module)
    layers = [
        Task(layer.name, partial(of_file, layer, [names.get(n) for n in parts(layer)], job))
        for layer in found
    ]
    return layers + refused, remarks


def refuse(why: str) -> list[Trial]:
    """No trials: LayerError with the reason."""
    raise LayerError(why)


def parts(layer: discover.Layer) -> list[str]:
    """What a layer of a file may be called there."""
    return [*layer.aliases, *layer.name.split(" + ")]


def of_file(layer: discover.Layer, things: Sequence[Any], job: Job) -> list[Trial]:
    """The trials of a layer of a file; inputs for other layers of the file are left out."""
    return layer.trials(given=inputs_of(job.inputs, things), grads=job.grads, seed=job.seed)


def trials(layer: Any, backward: Any, job: Job) -> list[Trial]:
    """The trials of a layer that is given itself, whatever its form."""
    given: dict[str, Any] = {"grads": job.grads, "seed": job.seed}
    if isinstance(layer, list | tuple):
        return chains.chain(layer, **given, **job.inputs)
    if isinstance(layer, type) or hasattr(layer, "backward"):
        return classes.trials(layer, **given, **job.inputs)
    if backward is not None and not callable(backward):
        raise LayerError(
            f"the backward is a function, not {backward!r:.60}: give it as in layer(forward, "
            "backward)"
        )
    if not callable(layer):
        raise LayerError(
            f"a layer is a function, a class, an object with forward and backward, a list of "
            f"these, or the text FILE.py:NAME, not {type(layer).__name__}"
        )
    if (of := owner(layer, backward)) is not None:
        by = getattr(backward, "__name__", "")
        return classes.of_methods(of, layer.__name__, by, job.grads, job.seed, job.inputs)
    return functions.trials(layer, backward, given=job.inputs, **given)


def owner(forward: Any, backward: Any) -> Any:
    """The object whose methods both are; None for functions."""
    of = getattr(forward, "__self__", None) if inspect.ismethod(forward) else None
    return of if backward is None or getattr(backward, "__self__", None) is of else None
