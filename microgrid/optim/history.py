"""The history of a training: its losses and other numbers."""

from __future__ import annotations

from typing import Any

from microgrid.engine.hints import no_key
from microgrid.views.tables import Table, short
from microgrid.views.wording import plural


class History(Table):
    """The loss of each step; and of each epoch the mean loss, the validation loss, the metrics.

    `history["loss"]` is a list with the mean loss of each epoch, `len(history)` the number of
    epochs. So are `history["validation"]`, the mean loss over the validation samples after the
    epoch, and `history[name]` of a metric; `keys()` are the names there are. `steps` has the loss
    of each step, `parameters` the trained ones, `best` the best epoch, `stopped` why the training
    ended before its last one. `plot()` draws the curves (extra `course`), `save("history.csv")`
    writes a row for each epoch.

    >>> from microgrid import optim
    >>> history = optim.fit(lambda w: w * w, 1.0, optimizer=optim.SGD(lr=0.25), epochs=3)
    >>> history, history["loss"], list(history.keys())
    (<3 epochs, 3 steps, loss 1 → 0.0625>, [1.0, 0.25, 0.0625], ['loss'])
    >>> history.steps, history.best, history.parameters, history.plot()
    ([1.0, 0.25, 0.0625], 2, 0.125, <Plot of ...>)
    >>> print(history.markdown())
    3 epochs, 3 steps, loss 1 → 0.0625
    <BLANKLINE>
    | epoch | loss |
    | --- | ---: |
    | 1 | 1 |
    | 2 | 0.25 |
    | 3 | 0.0625 |
    """

    _left = 1
    _title = "The loss of each epoch"

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters
        self.steps: list[float] = []
        self.epochs: list[dict[str, float]] = []
        self.stopped = ""  # why the training ended before its last epoch
        self.best = 0  # the epoch, counted from 0, with the smallest validation loss (else loss)

    def __getitem__(self, name: str) -> list[float]:
        if self.epochs and name not in self.names:
            raise no_key("a history", name, self.names)
        return [row[name] for row in self.epochs]

    def keys(self) -> list[str]:
        """The names, as those of a dict: `dict(history)` has a list for each."""
        return self.names

    def __len__(self) -> int:
        return len(self.epochs)

    @property
    def names(self) -> list[str]:
        """The names of the numbers of each epoch: "loss", "validation", those of the metrics."""
        return list(self.epochs[0]) if self.epochs else []

    def __str__(self) -> str:
        curves = [f"{x} {short(self[x][0])} → {short(self[x][-1])}" for x in self.names]
        why = f" ({self.stopped})" if self.stopped else ""
        count = f"{plural(len(self), 'epoch')}, {len(self.steps)} steps"
        return f"<{', '.join([count + why, *curves])}>"

    __repr__ = __str__

    @property
    def _head(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("epoch", *self.names)

    @property
    def _start(self) -> str:  # type: ignore[override]
        return str(self)[1:-1]

    def _cells(self, latex: bool = False) -> list[tuple[str, ...]]:
        """The first, the last and some epochs in between."""
        last = len(self) - 1
        chosen = sorted({round(i * last / 5) for i in range(6)}) if self.epochs else []
        return [(str(i + 1), *map(short, self.epochs[i].values())) for i in chosen]

    def records(self) -> list[tuple[Any, ...]]:
        return [(i, *epoch.values()) for i, epoch in enumerate(self.epochs, 1)]

    def plot(self) -> Any:
        """The curves of the losses and of the metrics: see `plots.loss_curve`."""
        from microgrid.plots import loss_curve

        return loss_curve(self)
