"""Training: move parameters until the loss is small."""

from __future__ import annotations

import copy
import math
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np

from microgrid.engine.calculus import refuse_node
from microgrid.engine.errors import MicrogridError, ParameterError, RangeError, ShapeError
from microgrid.engine.hints import hinted
from microgrid.engine.settings import whole
from microgrid.engine.trees import tree_leaves
from microgrid.engine.value import Value
from microgrid.nn.data import checked, drawn, taken
from microgrid.nn.initial import generator
from microgrid.optim.epochs import Batches, Epochs, epochs_of
from microgrid.optim.history import History
from microgrid.optim.objective import Data, Objective
from microgrid.optim.optimizers import Optimizer
from microgrid.program import Program
from microgrid.program.tape import Floats

Callback = Callable[[History], Any]  # True ends the training
Found = TypeVar("Found", float, tuple[float, Floats])


class DivergedError(MicrogridError, ArithmeticError):
    """Training has left the finite numbers; `history` is what happened until then.

    Mostly the learning rate is too large: each step overshoots by more than the one before. Else a
    node of the loss gives inf or nan at some sample: `first_nonfinite(loss)` finds it.

    - Try a tenth of the learning rate; begin with fewer (`schedules`, `warmup`); clip the gradient
      (`clip_norm` of an optimizer).
    - Look at `error.history`, or `plots.loss_curve(error.history)`: when did it begin?

    >>> from microgrid import optim
    >>> optim.fit(lambda w: w**4, 1.0, optimizer=optim.SGD(lr=100.0))
    Traceback (most recent call last):
        ...
    microgrid.optim.training.DivergedError: the loss or its gradient is not finite at step ...
    """

    explained = True

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


@hinted
def fit(
    f: Callable[..., Any] | Program, parameters: Any, data: Any = (), *, optimizer: Optimizer,
    epochs: int = 10, batch_size: int | None = 32, seed: int | np.random.Generator = 0,
    validation: Any = (), metrics: Mapping[str, Callable[[Any], float]] | None = None,
    callbacks: Callback | list[Callback] | tuple[Callback, ...] = (), patience: int | None = None,
    progress: bool | None = None,
) -> History:  # fmt: skip
    """Minimise the mean of f(parameters, *sample) over the samples; the history of the training.

    `f` is an ordinary function, or a Program of it, which gives the same numbers (sums over a batch
    up to their rounding) hundreds of times as fast. `parameters` are numbers in any structure; they
    do not change, but for a Module and Values among them, which are trained in place:
    `history.parameters` are the trained ones. `data` is a tuple of arrays with the samples along
    their first axis, like `(X, y)`, or a list of samples that are tuples, `[(x, y), …]`; without
    data each epoch is one step on f(parameters). f gets copies of the samples, as floats; of an
    array with one integer for each sample, like class numbers, it gets that integer. Each epoch
    draws batches of `batch_size` (None: all) from `seed`.

    After each epoch `fit` computes the mean loss over the samples of `validation`, if there are
    any, and each of `metrics`, which it calls with the parameters; then it calls the `callbacks`
    with the history: one that returns True ends the training. `patience` ends it when the
    validation loss (else that of all samples) has not fallen for so many epochs, and restores the
    best parameters. `progress` shows a bar: True, False, or None, on a terminal and in a notebook.

    With a program of the compiled engine, an optimizer of this package, and a learning rate that is
    a number or one of `schedules`, whole epochs run inside that engine, with the same numbers; a
    batch of more than 2,048 samples goes to several threads instead.

    A used optimizer continues from its saved state. DivergedError where the loss is no finite
    number; ShapeError or NumberError where data do not fit.

    >>> from microgrid.optim import SGD
    >>> line = lambda w, x, y: (w[0] * x + w[1] - y) ** 2
    >>> x = np.linspace(-1, 1, 20)
    >>> history = fit(line, [0.0, 0.0], (x, 3 * x + 1), optimizer=SGD(lr=0.1), epochs=200)
    >>> [round(w, 2) for w in history.parameters]
    [3.0, 1.0]
    """
    refuse_node("fit", f)
    called = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    counts = {"epochs": epochs, "batch_size": batch_size, "patience": patience}
    check_settings(optimizer, parameters, counts, metrics, called)
    rng, data = generator(seed), checked(data, "data")
    training = Training(f, parameters, data, checked(validation, "validation"), patience)
    training.epochs = epochs_of(training.objective, optimizer, data, batch_size)
    try:
        for _ in bar(epochs, progress, training.history):
            loss = training.learn(optimizer, drawn(data, batch_size, rng))
            training.measure(loss, metrics or {}, looked_at=bool(metrics or called))
            if training.ends(called):
                break
        if not np.isfinite(training.numbers).all():
            raise training.diverged(math.inf)
    finally:  # an interrupted training keeps what it has learnt
        training.restore()
    return training.history


class Training:
    """One call of `fit`: the parameters as a row of numbers, the best ones so far, the history."""

    def __init__(
        self, f: Any, parameters: Any, data: Data, validation: Data, patience: int | None
    ) -> None:
        if validation and len(validation) != len(data):
            raise ShapeError(f"{len(data)} arrays of data, but {len(validation)} for validation")
        self.objective = Objective(f, parameters, len(data))
        self.objective.check_shapes(data)
        self.objective.check_shapes(validation)
        self.data, self.validation, self.patience = data, validation, patience
        self.watched = "validation" if validation else "loss"
        self.history, self.epoch = History(parameters), 0
        self.numbers = self.best_numbers = self.objective.start()
        self.best_loss = math.inf
        self.epochs: Epochs | None = None  # what does steps in the compiled engine

    def learn(self, optimizer: Optimizer, batches: Batches) -> float:
        """Move the parameters once for each batch; the mean loss of the samples on the way."""
        self.epoch, done = len(self.history), 0
        while done < len(batches):
            done += self.compiled_steps(optimizer, batches[done:])
            for chosen in batches[done : done + 1]:  # whose loss or gradient is to be looked at
                self.step(optimizer, taken(self.data, chosen))
                done += 1
        self.objective.check_dependence()
        whole = len(self.data[0]) if self.data else 1
        sizes = [whole if chosen is None else len(chosen) for chosen in batches]
        return float(np.average(self.history.steps[-len(sizes) :], weights=sizes))

    def compiled_steps(self, optimizer: Optimizer, batches: Batches) -> int:
        """How many steps the compiled engine has done; without it none."""
        if self.epochs is None:
            return 0
        self.epochs.start(self.numbers)
        try:
            return self.epochs.run(optimizer, batches, self.history.steps)
        finally:
            self.numbers = self.epochs.numbers()

    def step(self, optimizer: Optimizer, batch: Data) -> None:
        """Move the parameters once."""
        loss, gradient = self.finite(self.objective.value_and_grad, batch)
        with np.errstate(over="ignore", invalid="ignore"):
            self.numbers = optimizer._updated(self.numbers, gradient)
        self.history.steps.append(loss)

    def measure(
        self, loss: float, metrics: Mapping[str, Callable[[Any], float]], looked_at: bool
    ) -> None:
        """Add this epoch to the history, and keep the parameters if they are the best so far.

        Where they are `looked_at`, by metrics or callbacks, Values and Modules get their numbers.
        """
        row, history = {"loss": loss}, self.history
        if self.validation:
            row["validation"] = self.finite(self.objective.loss, self.validation)
        if looked_at:  # else they come at the end
            history.parameters = self.objective.shaped(self.numbers)
        row |= {name: float(metric(history.parameters)) for name, metric in metrics.items()}
        history.epochs.append(row)
        now = row[self.watched]
        if self.patience is not None and not self.validation:  # of the last numbers of the epoch
            now = self.finite(self.objective.loss, self.data)
        if now < self.best_loss:
            self.best_loss, self.best_numbers, history.best = now, self.numbers, self.epoch

    def ends(self, callbacks: Sequence[Callback]) -> bool:
        """Whether this epoch is the last, because of a callback or of `patience`."""
        answers = [callback(self.history) for callback in callbacks]
        if any(isinstance(x, bool | np.bool_) and x for x in answers):
            self.history.stopped = "stopped by a callback"
        elif self.patience is not None and self.epoch - self.history.best >= self.patience:
            self.history.stopped = f"{self.watched} has not fallen for {self.patience} epochs"
        return bool(self.history.stopped)

    def restore(self) -> None:
        """Put the last numbers into the parameters, or with `patience` the best ones."""
        best = self.patience is not None and len(self.history)
        chosen = self.best_numbers if best else self.numbers
        self.history.parameters = self.objective.shaped(chosen)

    def finite(self, measure: Callable[[Floats, Data], Found], batch: Data) -> Found:
        """The loss of a batch, or loss and gradient; DivergedError unless they are finite."""
        try:
            found = measure(self.numbers, batch)
        except RangeError as error:  # a number beyond the floats, on the way to the loss
            raise self.diverged(math.inf) from error
        loss, gradient = found if isinstance(found, tuple) else (found, np.zeros(0))
        if not math.isfinite(loss) or not np.isfinite(gradient).all():
            raise self.diverged(loss)
        return found

    def diverged(self, loss: float) -> DivergedError:
        return DivergedError(loss, self.epoch, len(self.history.steps), self.history)


def check_settings(
    optimizer: Any, parameters: Any, counts: Mapping[str, Any], metrics: Any, callbacks: Any
) -> None:
    """ParameterError for settings that no training can use; all counts but epochs may be None."""
    if not isinstance(optimizer, Optimizer):
        raise ParameterError(f"optimizer is made first, like optim.SGD(lr=0.1); got {optimizer!r}")
    moved = [v for v in tree_leaves(parameters) if isinstance(v, Value)]
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
    """The epochs, with a progress bar that shows their numbers, if tqdm is installed."""
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
            shown.total = shown.n  # a training that ends early leaves a full bar in a notebook
