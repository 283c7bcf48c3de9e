"""Plots for lessons: losses, boundaries, the flow of gradients, the errors of differences.

They need matplotlib (extra `course`). A notebook shows each plot; `save` writes it to a file.
"""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgrid.check.gradient_check import GradientReport
from microgrid.engine.calculus import derivative, gradients, value_and_grad
from microgrid.engine.errors import ParameterError, ShapeError
from microgrid.engine.extras import needs
from microgrid.engine.hints import Hinted
from microgrid.engine.labels import scope_of
from microgrid.engine.lazy import public
from microgrid.engine.renamed import renamed
from microgrid.engine.settings import whole
from microgrid.engine.trees import ordered_leaves, outline, tree_leaves
from microgrid.engine.value import Value
from microgrid.nn.prediction import predict
from microgrid.program.structure import labels, plain_number
from microgrid.views.files import LayoutError, save_by_suffix
from microgrid.views.picture import IMAGES, smaller
from microgrid.views.wording import GREEN, INK, RED, decimals, lowered, plural
from microgrid.views.wording import signed as with_minus

__all__ = [
    "Plot",
    "decision_boundary",
    "functions",
    "gradient_flow",
    "gradient_sizes",
    "loss_curve",
    "saliency",
    "u_curve",
]
__dir__ = public(__name__)

Floats = NDArray[np.float64]

# Okabe and Ito's first three colours that are legible on white, and more.
COLORS = ("#0072b2", "#c2500c", "#007a5e", "#8a4f7d", "#6b6100", INK)
STYLE: Any = {
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK,
    "font.size": 10, "font.sans-serif": ["DejaVu Sans"],
    "svg.fonttype": "none", "svg.hashsalt": "microgrid",
}  # fmt: skip
SIZE = (6.4, 3.6)  # inches
LEAST = 1e-18  # stands for zero on a logarithmic axis


class Plot(Hinted):
    """A figure of matplotlib, which a notebook shows as SVG and PNG: the same bytes each time.

    `figure` is matplotlib's, for whatever else you want to change.

    >>> plot = loss_curve([1.0, 0.5, 0.3])
    >>> plot.figure.axes[0].set_title("ten samples")
    Text(0.5, 1.0, 'ten samples')
    >>> plot.bytes("svg")[:5]
    b'<?xml'
    """

    def __init__(self, figure: Any) -> None:
        self.figure = figure

    def bytes(self, kind: str) -> bytes:
        """The picture as "svg", "png" or "pdf", small enough for a notebook."""
        import matplotlib

        buffer = io.BytesIO()
        with matplotlib.rc_context(STYLE):
            meta: Any = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {}}[kind]
            self.figure.savefig(buffer, format=kind, dpi=96, metadata=meta)
        if kind == "svg":
            svg = re.sub(rb"<metadata>.*?</metadata>|\s+", b" ", buffer.getvalue(), flags=re.DOTALL)
            places = rb' (?:d|x|y)="[^"]*"'  # to a tenth of a point
            return re.sub(places, tenths, svg.replace(b"> <", b"><"))
        return smaller(buffer.getvalue()) if kind == "png" else buffer.getvalue()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the plot as .svg, .png or .pdf; the path. LayoutError for other suffixes."""
        return save_by_suffix(path, {kind: partial(self.bytes, kind[1:]) for kind in IMAGES})

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        svg = self.bytes("svg").decode()
        return {"image/svg+xml": svg[svg.index("<svg") :], "image/png": self.bytes("png")}

    def __repr__(self) -> str:
        axes = plural(len(self.figure.axes), "pair of axes", "pairs of axes")
        return f"<Plot of {axes}; a notebook shows it, else save('plot.svg')>"


def tenths(numbers: re.Match[bytes]) -> bytes:
    return re.sub(rb"(\.\d)\d+", rb"\1", numbers[0])


def axes(columns: int = 1) -> tuple[Plot, Any]:
    """An empty plot and its axes, one or a row of them; LayoutError without matplotlib."""
    if find_spec("matplotlib") is None:
        raise LayoutError(needs("plots need", "course"))
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        return Plot(figure), figure.subplots(1, columns)


def loss_curve(history: Any, log: bool | None = None, unit: str = "step") -> Plot:
    """The losses of one training, with its other curves, or of several trainings by name.

    An `optim.History` has the loss of each step and the numbers of each epoch; a list has a loss
    for each `unit`. With `log=None` the axis is logarithmic where the losses span a factor of 30.

    >>> loss_curve({"small steps": [1.0, 0.9, 0.8], "large steps": [1.0, 0.3, 0.4]})
    <Plot of ...>
    """
    if hasattr(history, "epochs"):
        return plot_history(history, log)
    plot, ax = axes()
    curves = history if isinstance(history, Mapping) else {"": history}
    for (name, curve), color in zip(curves.items(), cycle(COLORS)):
        losses = curve.steps if hasattr(curve, "epochs") else list(curve)
        ax.plot(range(1, len(losses) + 1), losses, color=color, label=name, linewidth=1.5)
    finish(ax, unit, "loss", log)
    return plot


def plot_history(history: Any, log: bool | None) -> Plot:
    """Losses on the left; metrics on the right, if there are any."""
    losses = [name for name in history.names if name in ("loss", "validation")]
    others = [name for name in history.names if name not in losses]
    plot, found = axes(1 + bool(others))
    left, *right = np.atleast_1d(found)
    per_epoch = len(history.steps) / max(len(history), 1)
    steps = np.arange(1, len(history.steps) + 1) / max(per_epoch, 1)
    if per_epoch > 1:
        left.plot(steps, history.steps, color="#b8c4d0", linewidth=0.8, label="each step")
    epochs = range(1, len(history) + 1)
    for name, color in zip(losses, COLORS):
        left.plot(epochs, history[name], color=color, label=name)
    finish(left, "epoch", "loss", log)
    for ax in right:
        for name, color in zip(others, cycle(COLORS[2:])):
            ax.plot(epochs, history[name], color=color, label=name)
        finish(ax, "epoch")
    return plot


def wide(ax: Any) -> bool:
    """Whether the curves span a factor of 30, so that only a logarithmic axis shows them."""
    found = np.concatenate([[1.0], *[line.get_ydata() for line in ax.get_lines()]])
    seen = found[1:][np.isfinite(found[1:]) & (found[1:] > 0)]
    return bool(len(seen) and seen.max() > 30 * seen.min())


def finish(ax: Any, x: str, y: str = "", log: bool | None = False, legend: bool = True) -> None:
    """Label the axes, draw a grid, and a legend where a curve has a name.

    With `log=None` the span of the curves decides.
    """
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(color="#e4e8ec", linewidth=0.6)
    ax.set_axisbelow(True)
    if wide(ax) if log is None else log:
        ax.set_yscale("log", nonpositive="mask")
    ax.minorticks_off()
    if legend and ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False)


@renamed(points="resolution")
def decision_boundary(
    model: Any, X: Any, y: Any, resolution: int = 120, margin: float = 0.4
) -> Plot:
    """Points of the plane in two classes, and the line where the model's score changes its sign.

    X has shape (n, 2); y are n classes, those above 0 in one colour. `model` is a Module of two
    inputs and one output, or a function from an array (n, 2) to n scores, asked at `resolution`
    places each way. ShapeError for others, ParameterError for a resolution below 2.

    >>> decision_boundary(lambda X: X[:, 0] - X[:, 1], [[0.0, 1.0], [1.0, 0.0]], [-1, 1])
    <Plot of ...>
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y)
    if X.ndim != 2 or X.shape[1] != 2 or y.shape != (len(X),):
        raise ShapeError(f"points of shape (n, 2) and n classes, got {X.shape} and {y.shape}")
    resolution = whole("resolution", resolution, 2)
    low, high = X.min(axis=0) - margin, X.max(axis=0) + margin
    across, up = (np.linspace(a, b, resolution) for a, b in zip(low, high))
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    scores = predict(model, grid) if hasattr(model, "with_parameters") else model(grid)
    Z = np.asarray(scores, dtype=float)
    if Z.size != len(grid) or not np.isfinite(Z).all():
        raise ShapeError(
            f"a boundary needs a finite score for each of {len(grid)} points, got shape {Z.shape}"
        )
    Z = Z.reshape(resolution, resolution)
    plot, ax = axes()
    size = max(float(np.abs(Z).max()), 1e-9)
    ax.contourf(across, up, Z, levels=np.linspace(-size, size, 13), cmap="RdBu", alpha=0.55)
    ax.contour(across, up, Z, levels=[0.0], colors=INK, linewidths=1.5)
    for inside, color, marker in ((y > 0, COLORS[0], "o"), (y <= 0, RED, "s")):
        ax.scatter(*X[inside].T, s=18, c=color, marker=marker, edgecolors="white", linewidths=0.5)
    ax.set_aspect("equal")
    finish(ax, "x₁", "x₂")
    return plot


def gradient_sizes(root: Value) -> dict[str, tuple[float, float]]:
    """How much gradient reaches each `scope` of root's graph; changes no node.

    For each block (each layer of a `nn.Sequential` is one), in the order of the forward pass: the
    median of |∂root/∂node| over its nodes whose gradient is not zero, and the share of nodes, from
    0 to 1, whose gradient is zero. Behind a shut relu these are nodes of the layer *before* it.
    ShapeError for a graph without a scope.

    >>> from microgrid import scope
    >>> x = Value(3.0)
    >>> with scope("square"):
    ...     y = x * x
    >>> with scope("double"):
    ...     z = 2 * y
    >>> gradient_sizes(z)
    {'square': (2.0, 0.0), 'double': (1.0, 0.0)}
    """
    blocks: dict[str, list[float]] = {}
    for v, g in gradients(root).items():
        if scope_of(v) and v.op is not None:
            blocks.setdefault(scope_of(v)[0], []).append(abs(float(g)))
    if not blocks:
        raise ShapeError("no node of this graph was made inside a scope: with mg.scope('layer 0'):")
    return {
        name: (median([g for g in sizes if g] or [0.0]), sizes.count(0.0) / len(sizes))
        for name, sizes in blocks.items()
    }


def gradient_flow(root: Value) -> Plot:
    """The `gradient_sizes` of root's graph as bars.

    Where gradients vanish, the bars shrink towards the first layer. Dead relus show in the layer
    before them, which no gradient reaches.

    >>> from microgrid import nn
    >>> model = nn.Sequential(nn.Affine(2, 3, seed=1), nn.ReLU(), nn.Affine(3, 1, seed=2))
    >>> gradient_flow(nn.squared_error(model([1.0, -1.0]), [0.5]))
    <Plot of ...>
    """
    sizes = gradient_sizes(root)
    typical, dead = zip(*sizes.values())
    plot, (left, right) = axes(2)
    seen = [t for t in typical if t and math.isfinite(t)] or [1.0]
    left.barh(list(sizes), [max(t, LEAST) for t in typical], color=RED)
    left.set_xscale("log")
    low, high = math.log10(min(seen)), math.log10(max(seen))
    left.set_xlim(10.0 ** (math.floor(low) - 1), 10.0 ** math.ceil(high + 0.1))
    finish(left, "typical |gradient|")
    right.barh(list(sizes), [100 * share for share in dead], color=COLORS[0])
    right.set_xlim(0, 100)
    right.set_yticks([])
    if not any(dead) and len(seen) == len(typical):
        right.text(50, (len(sizes) - 1) / 2, "none", ha="center", va="center", color=INK)
    finish(right, "% of gradients exactly 0")
    for ax in (left, right):
        ax.invert_yaxis()
    return plot


def saliency(f: Any, x: Any, signed: bool = False) -> Plot:
    """Which entries of x matter: |∂f/∂x| in the form of x, with `signed` ∂f/∂x itself.

    A matrix gives a picture of its numbers and one of the slopes beside it; a vector, or numbers in
    any other form, gives a bar for each. `f` is a function of x with one number as its result, like
    `lambda x: model(x)[2]`, a model or a program; or the root of a graph, and x its leaves. The
    title names the entry with the largest slope. ShapeError for an x without entries.

    >>> plot = saliency(lambda x: x[0] * x[0] + x[1], [3.0, 1.0])
    >>> plot.figure.get_suptitle()
    'largest: |∂f/∂x₁| = 6.00'
    """
    if isinstance(f, Value):
        slopes: Any = gradients(f, x)
    else:
        slopes = getattr(f, "value_and_grad", value_and_grad(f))(x)[1]
    if not (leaves := tree_leaves(x)):
        raise ShapeError("saliency needs at least one number, got an x without entries")
    numbers, found = [
        np.array([float(plain_number(v)) for v in row])
        for row in (leaves, ordered_leaves(outline(x), slopes))
    ]
    found = found if signed else np.abs(found)
    own = [getattr(v, "label", "") or name for v, name in zip(leaves, labels([x], ["x"])[0])]
    names, what = [*map(lowered, own)], "∂f/∂{}" if signed else "|∂f/∂{}|"
    sizes = np.where(np.isfinite(found), np.abs(found), -1.0)
    first = int(sizes.argmax())
    title = f"largest: {what.format(names[first])} = {written(found[first])}"
    title = title if sizes[first] > 0 else "all slopes are 0"
    if lost := int((sizes < 0).sum()):
        title += f"; {lost} of {lost + int((sizes >= 0).sum())} not finite"
    if shape := matrix_shape(x):
        plot = heat_maps(numbers.reshape(shape), found.reshape(shape), what.format("x"), signed)
    else:
        plot = bars([f"{n} = {written(v)}" for n, v in zip(names, numbers)], found, signed)
        plot.figure.axes[0].set_xlabel(what.format("x"))
    plot.figure.suptitle(title, fontsize="medium")
    return plot


def heat_maps(x: Floats, slopes: Floats, name: str, signed: bool) -> Plot:
    """A matrix and its slopes side by side, with the numbers in the cells where there is room."""
    plot, found = axes(2)
    size = max([abs(v) for v in slopes.flat if math.isfinite(v)] + [0.0]) or 1.0
    looks = {"cmap": "RdBu", "vmin": -size} if signed else {"cmap": "Reds", "vmin": 0.0}
    for ax, numbers, title, colors in (
        (found[0], x, "x", {"cmap": "Greys"}),
        (found[1], slopes, name, looks | {"vmax": size}),
    ):
        image = ax.imshow(np.ma.masked_invalid(numbers), **colors)
        plot.figure.colorbar(image, ax=ax, shrink=0.7)
        ax.set(xticks=[], yticks=[], title=title)
        for (i, j), number in np.ndenumerate(numbers) if numbers.size <= 36 else ():
            red, green, blue, _ = image.to_rgba(number)
            dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.6
            color = "white" if dark and math.isfinite(number) else INK
            ax.text(j, i, written(number), ha="center", va="center", fontsize=8, color=color)
    return plot


def bars(names: Sequence[str], slopes: Floats, signed: bool) -> Plot:
    """A bar for each name; of signed ones those below 0 are red, the others blue."""
    plot, ax = axes()
    plot.figure.set_figheight(max(SIZE[1], 0.2 * len(names)))
    colors = [COLORS[0] if v > 0 else RED for v in slopes] if signed else RED
    ax.barh(range(len(names)), np.where(np.isfinite(slopes), slopes, 0.0), color=colors)
    ax.set_yticks(range(len(names)), names)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.invert_yaxis()
    finish(ax, "")
    return plot


def written(x: float) -> str:
    return with_minus(decimals(x))


def matrix_shape(x: Any) -> tuple[int, ...]:
    """(m, n) for rows of equal length; empty for all that is no matrix."""
    try:
        found = np.shape(x) if isinstance(x, np.ndarray | list | tuple) else ()
    except ValueError:  # rows of different lengths
        return ()
    return found if len(found) == 2 else ()


def u_curve(report: GradientReport) -> Plot:
    """The error of central differences over their step, for the first entries of a `gradcheck`.

    On the left rounding, on the right truncation; the best step lies between.

    >>> from microgrid import exp, gradcheck
    >>> u_curve(gradcheck(exp, 1.0))
    <Plot of ...>
    """
    plot, ax = axes()
    for entry, color in zip(report.entries, COLORS):
        steps = [h for h, _ in entry.curve]
        errors = [max(e, LEAST) if math.isfinite(e) else math.nan for _, e in entry.curve]
        ax.plot(steps, errors, marker="o", markersize=4, color=color, label=entry.name)
    ax.set_xscale("log")
    finish(ax, "step h", "|difference − gradient|", True, legend=len(report.entries) > 1)
    return plot


@renamed(points="resolution")
def functions(
    curves: Mapping[str, Callable[[Any], Any]], start: float = -3.0, end: float = 3.0,
    slopes: bool = True, resolution: int = 241,
) -> Plot:  # fmt: skip
    """Functions of one number, and beside them their derivatives by the engine.

    Each is computed at `resolution` places. The curve has a gap where a function has no value, like
    log of −1. ParameterError for curves that are no dict, and for a resolution below 2.

    >>> from microgrid import log, sqrt
    >>> functions({"log": log, "sqrt": sqrt}, start=-1.0)
    <Plot of ...>
    """
    if not isinstance(curves, Mapping):
        got = getattr(curves, "__name__", type(curves).__name__)
        raise ParameterError(f'curves are functions by name, like {{"sin": mg.sin}}, got {got}')
    plot, found = axes(1 + slopes)
    left, *right = np.atleast_1d(found)
    x = np.linspace(start, end, whole("resolution", resolution, 2)).tolist()
    for (name, f), color in zip(curves.items(), cycle(COLORS)):
        for ax, g in zip((left, *right), (f, derivative(f))):
            ax.plot(x, [number(g, a) for a in x], color=color, label=name)
    for ax, title, color in zip((left, *right), ("value", "slope"), (GREEN, RED)):
        ax.set_title(title, color=color)
        finish(ax, "x", legend=ax is left)
    return plot


def number(f: Callable[[Any], Any], x: float) -> float:
    """f(x) as a float; nan where f has no value."""
    try:
        y = f(x)
    except (ArithmeticError, ValueError):
        return math.nan
    return float(y.data if isinstance(y, Value) else y)
