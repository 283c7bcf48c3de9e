"""What happened during training."""

from __future__ import annotations

from typing import Any

from microgrid.views.tables import html_table, short


class History:
    """The losses of all steps, and of each epoch the mean loss and whatever was asked for besides.

    `history["loss"]` is a list with a number for each epoch, so are "validation" and the names of
    the metrics; `steps` has the loss of every step, `parameters` what has been learnt.
    `plot()` draws it (extra `course`).
    """

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters
        self.steps: list[float] = []
        self.epochs: list[dict[str, float]] = []
        self.stopped = ""  # why it ended before the last epoch
        self.best = 0  # the epoch, from 0, with the smallest validation loss, else loss

    def __getitem__(self, name: str) -> list[float]:
        return [row[name] for row in self.epochs]

    def __len__(self) -> int:
        return len(self.epochs)

    @property
    def names(self) -> list[str]:
        """What is known of each epoch."""
        return list(self.epochs[0]) if self.epochs else []

    def __str__(self) -> str:
        courses = [f"{x} {short(self[x][0])} → {short(self[x][-1])}" for x in self.names]
        why = f" ({self.stopped})" if self.stopped else ""
        count = f"{len(self)} epoch{'s' * (len(self) != 1)}, {len(self.steps)} steps"
        return f"<{', '.join([count + why, *courses])}>"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The first, the last and some epochs in between as a table."""
        last = len(self) - 1
        chosen = sorted({round(i * last / 5) for i in range(6)}) if self.epochs else []
        rows = [[str(i + 1), *map(short, self.epochs[i].values())] for i in chosen]
        return html_table(str(self)[1:-1], ["epoch", *self.names], rows, left=1)

    def plot(self) -> Any:
        """The curves of the loss and of all that was measured."""
        from microgrid.plots import loss_curve

        return loss_curve(self)
