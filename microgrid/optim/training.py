"""Training: move parameters until the loss is small."""

from __future__ import annotations

import copy
import math
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from microgrid.engine.errors import MicrogridError, ParameterError, RangeError, ShapeError
from microgrid.engine.settings import whole
from microgrid.nn.initial import generator
from microgrid.nn.module import Module
from microgrid.optim.data import batches, checked
from microgrid.optim.history import History
from microgrid.optim.objective import Array, Data, Objective
from microgrid.optim.optimizers import Optimizer
from microgrid.program import Program

Callback = Callable[[History], Any]  # True ends the training


class DivergedError(MicrogridError, ArithmeticError):
    """Training has left the finite numbers; `history` is what happened until then."""

    def __init__(self, loss: float, epoch: int, step: int, history: Any) -> None:
        super().__init__(
            f"the loss or its gradient is not finite at step {step} (epoch {epoch + 1}, loss "
            f"{loss}): try a smaller learning rate; first_nonfinite(loss) finds the node"
        )
        self.loss, self.epoch, self.step, self.history = loss, epoch, step, history

    def __reduce__(self) -> tuple[Any, ...]:
        history = self.history
        try:
            pickle.dumps(history)
        except Exception:  # a model made of lambdas: the losses travel without it
            history = copy.copy(history)
            history.parameters = None
        held = vars(self) | {"history": history}  # with the notes
        return type(self), (self.loss, self.epoch, self.step, history), held


def fit(
    f: Callable[..., Any] | Program, parameters: Any, data: Any = (), *, optimizer: Optimizer,
    epochs: int = 10, batch_size: int | None = 32, seed: int | np.random.Generator = 0,
    validation: Any = (), metrics: Mapping[str, Callable[[Any], float]] | None = None,
    callbacks: Callback | list[Callback] | tuple[Callback, ...] = (), patience: int | None = None,
    progress: bool | None = None,
) -> History:  # fmt: skip
    """Minimise the mean of f(parameters, *sample) over the samples; the history of the training.

    `f` is an ordinary function or a Program of it, which gives the same numbers (sums over a batch
    up to their rounding) and is hundreds of times as fast. `parameters` are a Module, which is
    trained in place, or numbers in lists or arrays, which are not changed; the trained ones are
    `history.parameters`. `data` is a tuple of arrays with the samples along their first axis, like
    `(X, y)`, or a list of samples that are tuples, `[(x, y), …]`; without data each epoch is one
    step on f(parameters). It is copied: f gets floats, and of an array with one integer for each
    sample, like class numbers, that integer. Batches of `batch_size` (None: all) are drawn anew in
    each epoch from `seed`.

    After each epoch: the mean loss over the samples of `validation`, if given; each of `metrics`,
    called with the parameters; the `callbacks`, called with the history, which end the training by
    returning True. `patience` ends it when the validation loss (else that of all samples) has not
    fallen for so many epochs, and goes back to the best parameters. `progress` shows a bar: True,
    False, or None, on a terminal and in a notebook.

    The optimizer goes on where it was, should it have moved such parameters before. DivergedError
    where the loss is no finite number; ShapeError or NumberError where data do not fit.

    >>> from microgrid.optim import SGD
    >>> line = lambda w, x, y: (w[0] * x + w[1] - y) ** 2
    >>> x = np.linspace(-1, 1, 20)
    >>> history = fit(line, [0.0, 0.0], (x, 3 * x + 1), optimizer=SGD(lr=0.1), epochs=200)
    >>> [round(w, 2) for w in history.parameters]
    [3.0, 1.0]
    """
    asked = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    counts = {"epochs": epochs, "batch_size": batch_size, "patience": patience}
    check_settings(optimizer, parameters, counts, metrics, asked)
    rng = generator(seed)
    data, validation = checked(data, "data"), checked(validation, "validation")
    if validation and len(validation) != len(data):
        raise ShapeError(f"{len(data)} arrays of data, but {len(validation)} for validation")
    objective = Objective(f, parameters, len(data))
    objective.check_shapes(data)
    objective.check_shapes(validation)
    numbers = objective.start()
    history = History(parameters)
    best, watched = (math.inf, numbers), "validation" if validation else "loss"
    try:
        for epoch in bar(epochs, progress, history):
            losses, sizes = [], []
            for batch in batches(data, batch_size, rng):
                loss, gradient = finite(objective, numbers, batch, epoch, history)
                with np.errstate(over="ignore", invalid="ignore"):
                    numbers = optimizer.moved(numbers, gradient)
                losses.append(loss)
                sizes.append(len(batch[0]) if batch else 1)
                history.steps.append(loss)
            objective.check_dependence()
            row = {"loss": float(np.average(losses, weights=sizes))}
            if validation:
                row["validation"] = score(objective, numbers, validation, epoch, history)
            history.parameters = objective.shaped(numbers)
            measured = {
                name: metric(history.parameters) for name, metric in (metrics or {}).items()
            }
            history.epochs.append(row | {name: float(x) for name, x in measured.items()})
            now = row[watched]
            if patience is not None and not validation:  # of these numbers, not on the way to them
                now = score(objective, numbers, data, epoch, history)
            if now < best[0]:
                best, history.best = (now, numbers), epoch
            answers = [callback(history) for callback in asked]
            if any(isinstance(x, bool | np.bool_) and x for x in answers):
                history.stopped = "stopped by a callback"
                break
            if patience is not None and epoch - history.best >= patience:
                history.stopped = f"{watched} has not fallen for {patience} epochs"
                break
        if not np.isfinite(numbers).all():
            raise DivergedError(math.inf, len(history) - 1, len(history.steps), history)
    finally:  # also where it is interrupted: what has been learnt so far stays
        history.parameters = objective.shaped(
            best[1] if patience is not None and len(history) else numbers
        )
    return history


def finite(
    objective: Objective, numbers: Array, batch: Data, epoch: int, history: History
) -> tuple[float, Array]:
    """The mean loss and its gradient; DivergedError unless they are finite numbers."""
    try:
        loss, gradient = objective.both(numbers, batch)
    except RangeError as error:  # a number beyond the floats, on the way to the loss
        raise DivergedError(math.inf, epoch, len(history.steps), history) from error
    if not math.isfinite(loss) or not np.isfinite(gradient).all():
        raise DivergedError(loss, epoch, len(history.steps), history)
    return loss, gradient


def score(objective: Objective, numbers: Array, data: Data, epoch: int, history: History) -> float:
    """The mean loss of data that nothing is learnt from; DivergedError unless it is finite."""
    try:
        loss = objective.loss(numbers, data)
    except RangeError as error:
        raise DivergedError(math.inf, epoch, len(history.steps), history) from error
    if not math.isfinite(loss):
        raise DivergedError(loss, epoch, len(history.steps), history)
    return loss


def check_settings(
    optimizer: Any, parameters: Any, counts: Mapping[str, Any], metrics: Any, callbacks: Any
) -> None:
    """ParameterError for what no training can mean; of the counts any but epochs may be None."""
    if not isinstance(optimizer, Optimizer):
        raise ParameterError(f"optimizer is made first, like optim.SGD(lr=0.1); got {optimizer!r}")
    moved = parameters.parameters() if isinstance(parameters, Module) else []
    if optimizer.parameters and optimizer.parameters != moved:
        raise ParameterError("fit moves all parameters; this optimizer was made for others")
    for name, x in counts.items():
        if x is not None or name == "epochs":
            whole(name, x, 0 if name == "epochs" else 1)
    if metrics is not None and not isinstance(metrics, Mapping):
        raise ParameterError(f"metrics are functions by name, like {{'norm': f}}, got {metrics!r}")
    if taken := {"loss", "validation"} & set(metrics or ()):
        raise ParameterError(f"a metric has a name of its own, not {min(taken)!r}")
    for f in [*(metrics or {}).values(), *callbacks]:
        if not callable(f):
            raise ParameterError(f"metrics and callbacks are functions, got {f!r}")


def bar(epochs: int, progress: bool | None, history: History) -> Iterator[int]:
    """The epochs, with a progress bar that tells the last loss, where there is tqdm."""
    if progress is None:
        progress = sys.stderr.isatty() or hasattr(sys.modules.get("builtins"), "__IPYTHON__")
    try:
        tqdm: Any = import_module("tqdm.auto" if find_spec("ipywidgets") else "tqdm").tqdm
    except ImportError:
        progress = False
    if not progress:
        yield from range(epochs)
        return
    with tqdm(total=epochs, unit="epoch", leave=False) as shown:
        try:
            for epoch in range(epochs):
                yield epoch
                told = {k: f"{x:.3g}" for k, x in history.epochs[-1].items()}
                shown.set_postfix(told, refresh=False)
                shown.update()
        finally:
            shown.total = shown.n  # a notebook keeps the bar of what ends early
