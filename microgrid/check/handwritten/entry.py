"""`microgrid.check.layer` and `layers`: a layer that is given, and all layers of a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from microgrid.check.handwritten.process.job import Job, name_of, place_of
from microgrid.check.handwritten.process.launch import Progress, run
from microgrid.check.handwritten.report import LayerReport
from microgrid.check.handwritten.trial import LayerError


def layer(
    forward: Any, backward: Any = None, *, grads: Mapping[str, str] | None = None, seed: int = 0,
    timeout: float = 120.0, **inputs: Any,
) -> LayerReport:  # fmt: skip
    """Whether a backward pass is right that somebody wrote for their own forward pass.

    `forward` is a function (`backward` is looked for beside it where it is left out), a class or
    an object with both, a `torch.autograd.Function`, a list of these as a chain, or
    "FILE.py:NAME". The inputs are shapes (`x=(3, 4)`), arrays, numbers, or "classes" for labels;
    those that are left out are drawn by their names, with the same `seed` the same ones. `grads`
    says where a gradient is that is not found by name: `{"W": "dW.T"}`. It runs in a process of its
    own, for at most `timeout` seconds. LayerError if it cannot be checked.

    >>> def affine_forward(x, w, b):
    ...     return x @ w + b, (x, w)
    >>> def affine_backward(dout, cache):
    ...     x, w = cache
    ...     return dout @ w.T, x.T @ dout, dout.mean(axis=0)
    >>> report = layer(affine_forward, affine_backward, x=(3, 4), w=(4, 5), b=(5,))
    >>> bool(report), report.verdict
    (False, 'fails: 1 wrong, 2 right in 1 layer')
    """
    if isinstance(forward, str | os.PathLike):
        place, name = place_of(os.fspath(forward))
        job = Job(place, name, None, grads or {}, inputs, seed)
    else:
        job = Job(name_of(forward), "", (forward, backward), grads or {}, inputs, seed)
    report = run(job, timeout)
    if not report.gradients and not report.unfinished:
        raise LayerError(
            "; ".join(found.refusal for found in report.found) or "it has no gradients"
        )
    return report


def layers(
    target: str | os.PathLike[str], /, *, grads: Mapping[str, str] | None = None, seed: int = 0,
    timeout: float = 120.0, progress: Progress | None = None, **inputs: Any,
) -> LayerReport:  # fmt: skip
    """The report on all layers of a file, or on one: "FILE.py" or "FILE.py:NAME".

    The options are those of `layer`. A layer that cannot be checked is told in the report, with its
    reason, and the others are checked. `progress` is called before each layer with its name, how
    many were checked, and of how many. LayerError if the file has no layers, or does not load.

    >>> layers("missing.py")
    Traceback (most recent call last):
        ...
    microgrid.check.handwritten.trial.LayerError: there is no file missing.py
    """
    place, name = place_of(os.fspath(target))
    return run(Job(place, name, None, grads or {}, inputs, seed), timeout, progress)
