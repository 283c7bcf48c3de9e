"""Their own forward, run on Values: its outputs, its exact Jacobian, what its lines made."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from microgrid.check.handwritten.crash import Crash, guarded
from microgrid.check.handwritten.forward.jacobians import Jacobians
from microgrid.check.handwritten.forward.rewritten import place
from microgrid.check.handwritten.forward.stand_in import standing_in
from microgrid.check.handwritten.trial import Array, LayerError, Pass, Trial, copies, plain
from microgrid.engine.forward import order_of
from microgrid.engine.modes import ieee_arithmetic
from microgrid.engine.value import Value
from microgrid.engine.value_array import as_array, bare
from microgrid.matrices.arrays import matrix

Place = tuple[str, int]  # the file, with its folders, and the number of a line


@dataclass
class Exact:
    """A forward on Values, and the graph that it made.

    `leaves` are the Values of each input, row by row; `outputs` the Values and numbers of all
    outputs, one after the other, `numbers` what they are; `lines` the nodes that each line of their
    files made, `inner` the arrays that their functions held at their ends, by name.
    """

    leaves: dict[str, list[Value]]
    outputs: list[Any]
    shapes: list[tuple[int, ...]]
    pull: Callable[[Sequence[Any]], Mapping[str, Any]]
    single: bool = False  # it computes in float32, or on less
    lines: dict[Place, set[Value]] = field(default_factory=dict)
    inner: dict[str, Array] = field(default_factory=dict)
    graphs: dict[tuple[str, ...], Jacobians] = field(default_factory=dict, repr=False)

    @property
    def numbers(self) -> Array:
        """The outputs as floats."""
        return np.array([float(getattr(y, "_number", y)) for y in self.outputs])

    def jacobian(
        self, inputs: Iterable[str] | None = None, cut: Collection[Value] = frozenset()
    ) -> Array:
        """∂output/∂entry: a row for each output, a column for each entry of the inputs, in order.

        The paths through the nodes of `cut` are left out. `inputs` are names; None is for all.
        """
        return self.graph(inputs).jacobian(cut)

    def gradients(self, upstream: Sequence[Any]) -> dict[Value, float]:
        """∂(upstream · outputs)/∂v of every node v; the upstreams have the shapes of the outputs.

        A node that no output depends on is not there.
        """
        return self.graph(None).gradients(joined(upstream))

    def gradient_of(self, name: str, gradients: Mapping[Value, float]) -> Array | None:
        """That of an array inside, from those of all nodes; None if it holds plain numbers."""
        entries = np.asarray(self.inner[name], dtype=object)
        if not entries.size or not all(isinstance(v, Value) for v in entries.ravel()):
            return None
        found = np.array([gradients.get(v, 0.0) for v in entries.ravel()])
        return found.reshape(entries.shape)

    def graph(self, inputs: Iterable[str] | None) -> Jacobians:
        """The graph from these inputs to the outputs, made once."""
        names = tuple(self.leaves) if inputs is None else tuple(inputs)
        if names not in self.graphs:
            with ieee_arithmetic():  # slopes, too, are inf where NumPy's numbers go on
                leaves = [x for n in names for x in self.leaves[n]]
                self.graphs[names] = Jacobians(self.outputs, leaves)
        return self.graphs[names]


def exact(trial: Trial) -> Exact:
    """Their forward run on Values, which is differentiated as it stands.

    LayerError where the forward does not run, on floats or on Values, gives other numbers, or loses
    a gradient.

    >>> trial = Trial("square", {"x": np.array([1.0, 3.0])}, lambda d: Pass([d["x"] ** 2], dict))
    >>> exact(trial).jacobian()
    array([[2., 0.],
           [0., 6.]])
    """
    if (own := getattr(trial, "exact", None)) is not None:  # PyTorch's graph
        return own()  # type: ignore[no-any-return]
    expected = on_floats(trial)
    held = {n: matrix(np.asarray(x, float), n) for n, x in trial.inputs.items()}
    given = {n: entry(a) for n, a in held.items()}
    with standing_in(trial.modules, trial.forwards) as seen, ieee_arithmetic():
        try:
            with guarded(trial):
                made = trial.run(given)
        except Crash as crash:
            raise LayerError(f"its forward does not run on Values: {crash}") from crash
    found = Exact(
        {n: [*bare(a).ravel()] for n, a in held.items()},
        [y for out in made.outputs for y in flat(out)],
        [np.shape(out) for out in made.outputs],
        pulled(trial, made),
    )
    held_inside = {n: as_array(np.asarray(x, dtype=object)) for n, x in seen.inner.items()}
    found.inner = {n: a for n, a in held_inside.items() if nodes_of(a)}
    found.lines = find_lines(nodes_of([found.outputs, *found.inner.values()]))
    check_numbers(found, expected, trial)
    check_jacobian(found, expected, trial)
    return found


def pulled(trial: Trial, made: Pass) -> Callable[[Sequence[Any]], Mapping[str, Any]]:
    """Their backward, which may be run on Values, too."""

    def pull(upstream: Sequence[Any]) -> Mapping[str, Any]:
        with standing_in(trial.modules, [*trial.forwards, *trial.backwards]), ieee_arithmetic():
            written = made.pull(upstream)
        find_lines([v for x in written.values() for v in flat(x) if isinstance(v, Value)])
        return written

    return pull


def entry(x: Any) -> Any:
    """A copy of an input for a forward, which may write into it; one without axes is its entry."""
    made = as_array(np.array(bare(x), dtype=object))
    return made if made.ndim else made[()]


def flat(out: Any) -> list[Any]:
    return [out] if isinstance(out, Value) else list(np.asarray(bare(out)).ravel())


def on_floats(trial: Trial, inputs: Mapping[str, Array] | None = None) -> list[Array]:
    """The outputs of a forward as they run it; LayerError where it fails.

    >>> on_floats(Trial("double", {"x": np.ones(2)}, lambda d: Pass([2 * d["x"]], dict)))
    [array([2., 2.])]
    """
    try:
        with guarded(trial):
            return [
                np.asarray(plain(out)) for out in trial.run(copies(inputs or trial.inputs)).outputs
            ]
    except Crash as crash:
        raise LayerError(f"its forward fails on floats, too: {crash}") from None


def check_numbers(found: Exact, expected: list[Array], trial: Trial) -> None:
    """LayerError unless the outputs on Values are those on floats."""
    shapes = [x.shape for x in expected]
    if shapes != found.shapes:
        raise LayerError(
            f"the forward gives other shapes on Values: {found.shapes}, on floats {shapes}"
        )
    whole = joined(expected)
    apart = np.abs(found.numbers - whole)
    apart[(found.numbers == whole) | (np.isnan(found.numbers) & np.isnan(whole))] = 0.0
    scale = 1 + np.abs(whole).max(initial=0.0, where=np.isfinite(whole))
    found.single = any(x.dtype.kind == "f" and x.dtype.itemsize < 8 for x in expected)
    if not (apart <= 1e-8 * scale).all() and speaks_of_single(trial):
        found.single = True
    bad = np.flatnonzero(~(apart <= (1e-5 if found.single else 1e-8) * scale))
    if len(bad):
        k = int(bad[0])
        raise LayerError(
            f"the forward gives other numbers on Values: {len(bad)} of {len(whole)}, the first is "
            f"{found.numbers[k]:.6g} at output {k}, on floats {whole[k]:.6g}"
        )


def speaks_of_single(trial: Trial) -> bool:
    """Whether their code names float32 or float16."""
    files = {str(getattr(m, "__file__", None)) for m in trial.modules}
    files |= {f.__code__.co_filename for f in trial.forwards}
    source = "".join(line for file in files for line in linecache.getlines(file))
    return any(word in source for word in ("float32", "float16", "single", "half"))


def nodes_of(x: Any) -> list[Value]:
    """The Values in an array, or in lists of arrays."""
    if isinstance(x, list):
        return [v for y in x for v in nodes_of(y)]
    return [v for v in flat(x) if isinstance(v, Value)]


def find_lines(roots: list[Value]) -> dict[Place, set[Value]]:
    """The nodes of some graphs by the lines that made them; their labels are taken off."""
    lines: dict[Place, set[Value]] = {}
    for v in order_of(roots) if roots else ():
        line = place(v._label) if v._label else None
        if line is not None:
            lines.setdefault(line, set()).add(v)
            v._label = ""
    return lines


def check_jacobian(found: Exact, expected: list[Array], trial: Trial) -> None:
    """LayerError where the Jacobian is not what finite differences of the forward say.

    That is a gradient that was lost on the way, like that of a number taken out of a Value.
    """
    if found.single or not np.isfinite(found.numbers).all():
        return
    names, here = list(found.leaves), joined(expected)
    if agrees(found, here, trial, names):
        return
    lost = [n for n in names if not agrees(found, here, trial, [n])] or names
    raise LayerError(
        f"the forward loses the gradient of {' and '.join(lost)} on Values: its Jacobian is not "
        "what finite differences give; does it make plain numbers of its arrays, as by .data?"
    )


def agrees(found: Exact, here: Array, trial: Trial, names: list[str]) -> bool:
    """Whether J·d is the difference along a drawn direction d of these inputs, off the kinks."""
    rng = np.random.default_rng(0)
    d = {n: rng.choice([-1.0, 1.0], size=np.shape(trial.inputs[n])) for n in names}
    exactly = found.jacobian(names) @ joined(d.values())
    for h in (1e-6, 1e-5, 1e-7):  # a kink may lie within one of them
        sides = []
        for step in (h, -h):
            moved = {n: x + step * d[n] if n in d else x for n, x in trial.inputs.items()}
            try:
                sides.append((joined(on_floats(trial, moved)) - here) / step)
            except LayerError:
                return True  # nothing can be said
        scale = 1e-3 * (1 + np.abs(exactly).max(initial=0.0) + np.abs(here).max(initial=0.0))
        smooth = np.abs(sides[0] - sides[1]) <= scale
        if (np.abs(sides[0] - exactly)[smooth] <= scale).all():
            return True
    return False


def joined(arrays: Iterable[Any]) -> Array:
    """The entries of all arrays in a row, as floats."""
    return np.concatenate([np.zeros(0), *[np.ravel(x).astype(float) for x in arrays]])
