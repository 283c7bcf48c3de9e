"""How fast recorded programs are: side by side with micrograd, CasADi, PyTorch, NumPy and microGPT.

One table. Everything runs in one process, peers take turns (`race` of engine.py), a ratio is the
median over the pairs of turns, and what both compute must agree to 1e-9 of its largest number, or
the script ends with an error. It reports targets and never fails on a time. What is not installed
is said and left out. Where the other side is a limit or a size, its column holds that.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is imported: one thread, as for PyTorch
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import gc
import importlib
import importlib.metadata
import json
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from engine import (
    TOLERANCE,
    Demo,
    MicroGPT,
    MissingError,
    Race,
    load,
    machine,
    moons,
    others_unseen,
    race,
    recursion_limit,
)
from numpy.typing import NDArray

import microgrid as mg

Array = NDArray[Any]
Step = Callable[[], Any]  # one step; numbers, nested as they come
DECAY = 1e-4  # of the notebook's L2
STEPS = 100  # of the notebook's training
TURN = 0.05  # seconds at least that a turn takes
NOTHING = nullcontext()
EXAMPLES = """examples:
  python tests/benchmarks/program.py                 everything, about three minutes
  python tests/benchmarks/program.py --quick         fewer turns and smaller graphs
  python tests/benchmarks/program.py demo --pairs 21 one work, more turns
"""


# The table.


class Row(NamedTuple):
    """One line of the table: ours beside theirs, in one unit, and the ratio that is asked for."""

    work: str
    against: str
    theirs: float = 0.0
    ours: float = 0.0
    ratio: float = 0.0
    target: float = 0.0  # none
    apart: float = 0.0
    unit: str = "s"
    missing: str = ""
    note: str = ""
    wall: float = 0.0  # the ratio by the clock on the wall; the other is of processor time
    collector: str = "on"  # Python's, of cycles


TABLE = "{:<35} {:<17}{:>8}{:>8}{:>8}{:>8}{:>8}  {}"
HEADS = ("work", "against", "theirs", "ours", "ratio", "by wall", "target", "ok?")


def line(row: Row) -> str:
    """A row as it is printed."""
    if row.missing:
        return f"{row.work:<35} {row.against:<17}not run: {row.missing}"
    verdict = "" if not row.target else "yes" if row.ratio >= row.target else "missed"
    if not row.apart <= TOLERANCE:
        verdict = "WRONG"
    cells = [quantity(x, row.unit) for x in (row.theirs, row.ours)]
    cells += [times(row.ratio), times(row.wall) if row.wall else "-"]
    cells += [times(row.target) if row.target else "-"]
    return TABLE.format(row.work, row.against, *cells, verdict).rstrip()


def times(ratio: float) -> str:
    """A ratio as it is printed, to three digits or more."""
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.3g}×"


def quantity(x: float, unit: str) -> str:
    """A number with its unit, seconds in the unit that fits."""
    if unit != "s":
        return f"{x:.3g} {unit}" if x < 100 else f"{x:,.0f} {unit}"
    for factor, name in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if x * factor >= 1:
            return f"{x * factor:.3g} {name}" if x * factor < 1000 else f"{x * factor:,.0f} {name}"
    return f"{x * 1e9:.3g} ns"


def flat(x: Any) -> Array:
    """Numbers, arrays, tensors and lists of them as one row of floats."""
    if isinstance(x, list | tuple):
        return np.concatenate([np.zeros(0), *map(flat, x)])
    return np.asarray(x, dtype=float).ravel()


def gap(x: Any, y: Any) -> float:
    """The largest |x − y| over the largest |x|; infinite where one is not a number."""
    a, b = flat(x), flat(y)
    if len(a) != len(b):
        return float("inf")
    largest = np.max(np.abs(a), initial=0.0)
    apart = float(np.max(np.abs(a - b), initial=0.0) / (largest or 1.0))
    return apart if apart == apart else float("inf")


def repeated(step: Step, within: Any = NOTHING) -> tuple[Step, int]:
    """A step as often as fills a turn, and how often that is."""
    with within:
        step()
        start = perf_counter()
        step()
        count = max(1, min(2000, int(TURN / (perf_counter() - start))))

    def block() -> list[float]:
        with within:
            for _ in range(count):
                step()
        return [0.0]

    return block, count


def contest(
    theirs: Step, ours: Step, pairs: int, label: str, apart: float | None = None,
    within: Any = NOTHING,
) -> Race:  # fmt: skip
    """Two steps in turns, and how far what they return is apart before and after.

    Each turn of theirs happens within a context.
    """
    if apart is None:
        with within:
            expected = theirs()
        apart = gap(expected, ours())
    (a, m), (b, n) = repeated(theirs, within), repeated(ours)
    raced = race(a, b, pairs, label)
    return Race(raced.theirs / m, raced.ours / n, raced.ratio * n / m, apart, raced.wall * n / m)


def against(work: str, name: str, target: float, run: Callable[[], Race], note: str = "") -> Row:
    """The row of a race; what is missing if it cannot be run."""
    try:
        with recursion_limit():
            theirs, ours, ratio, apart, wall = run()
    except MissingError as missing:
        return Row(work, name, missing=str(missing))
    return Row(work, name, theirs, ours, ratio, target, apart, note=note, wall=wall)


def limit(work: str, most: float, ours: float, unit: str = "s", note: str = "") -> Row:
    """The row of a number that may be so much at most."""
    return Row(work, "at most", most, ours, most / max(ours, 1e-300), 1.0, unit=unit, note=note)


def peer(name: str) -> Any:
    """A module to compare with, by its import name; MissingError where there is none."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingError(f"{name} is not installed") from None


# The demo's network: layers of a matrix and a vector, written once for Values.


def demo_arrays(points: int) -> list[Array]:
    """The demo's parameters W₁, b₁, W₂, b₂, … (drawn after its points)."""
    layers = Demo(float, points=points).layers
    rows = [([w for w, _ in layer], [b for _, b in layer]) for layer in layers]
    return [np.array(x, dtype=float) for row in rows for x in row]


def demo_data(points: int) -> tuple[Array, Array]:
    """Points, a row each, and their classes ±1, of the demo's seed."""
    data = np.array(moons(points, random.Random(1)))
    return data[:, :2].copy(), data[:, 2].copy()


def by_neuron(arrays: Any) -> Array:
    """Arrays of layers in the order of the demo's parameters: of each neuron w, then b."""
    layers = zip(arrays[::2], arrays[1::2])
    return np.concatenate([np.column_stack([W, b]).ravel() for W, b in layers])


def score(params: Any, x: Any) -> Any:
    """The network's output for one point."""
    *hidden, W, b = params
    for V, c in zip(hidden[::2], hidden[1::2]):
        x = mg.relu(V @ x + c)
    return (W @ x + b)[0]


def demo_batch(points: int, decay: float = 0.0, backend: str = "auto", **options: Any) -> Step:
    """Mean hinge loss (and L2) with its gradients: one sample's program on a batch."""
    params, (X, y) = demo_arrays(points), demo_data(points)

    def loss(params: Any, x: Any, y: Any) -> Any:
        hinge = (1 - y * score(params, x)).relu()
        if decay:
            hinge = hinge + decay * mg.total([p * p for A in params for p in A.ravel()])
        return hinge * (1 / points)

    batched = mg.record(loss, params, X[0], y[0], backend=backend).batched((None, 0, 0), **options)

    def step() -> Any:
        losses, grads = batched.value_and_grad(params, X, y)
        return losses.sum(), grads

    return step


def demo_numpy(points: int) -> Step:
    """The same by the matrix formulas."""
    params, (X, y) = demo_arrays(points), demo_data(points)

    def step() -> Any:
        W1, b1, W2, b2, W3, b3 = params
        H = X @ W1.T
        H += b1
        np.maximum(H, 0, out=H)
        G = H @ W2.T
        G += b2
        np.maximum(G, 0, out=G)
        margin = 1 - y * (G @ W3[0] + b3[0])
        loss = np.maximum(margin, 0).sum() / points
        ds = (margin > 0) * y
        ds *= -1 / points
        dG = ds[:, None] * W3
        dG *= G > 0
        dH = dG @ W2
        dH *= H > 0
        return loss, [
            dH.T @ X, dH.sum(axis=0), dG.T @ H, dG.sum(axis=0), (ds @ G)[None], ds.sum()
        ]  # fmt: skip

    return step


def demo_torch(points: int) -> Step:
    """The same in PyTorch, eager, one thread."""
    torch = peer("torch")
    torch.set_num_threads(1)
    params = [torch.tensor(p, requires_grad=True) for p in demo_arrays(points)]
    X, y = map(torch.tensor, demo_data(points))

    def step() -> Any:
        W1, b1, W2, b2, W3, b3 = params
        for p in params:
            p.grad = None
        H = torch.relu(X @ W1.T + b1)
        G = torch.relu(H @ W2.T + b2)
        scores = (G @ W3.T + b3)[:, 0]
        loss = torch.relu(1 - y * scores).mean()
        loss.backward()
        return loss.item(), [p.grad for p in params]

    return step


# The demo's graph of many samples, flat.


def flat_demo(points: int) -> tuple[Any, Array]:
    """The demo's loss as a function of all its parameters in one vector, and the vector."""
    demo = Demo(float, points=points)
    shapes = [(len(layer), len(layer[0][0])) for layer in demo.layers]

    def loss(p: Any) -> Any:
        entries = iter(p.tolist() if isinstance(p, np.ndarray) else p)
        demo.layers = [
            [([next(entries) for _ in range(n)], next(entries)) for _ in range(m)]
            for m, n in shapes
        ]
        demo.parameters = list(p)
        return demo.loss()

    return loss, np.array(demo.parameters, dtype=float)


def flat_step(points: int) -> Step:
    """Value and gradient of the flat graph, replayed."""
    loss, p = flat_demo(points)
    program = mg.record(loss, p)
    return lambda: program.value_and_grad(p)


def micrograd_step(points: int) -> Step:
    """The notebook's step: the graph built, its backward pass, all gradients."""
    demo = Demo(load("micrograd", "micrograd/engine.py").Value, points=points)
    return lambda: (demo.step(), demo.gradients())


class Symbol:
    """A scalar of CasADi with the few operations of the demo."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __add__(self, other: Any) -> Symbol:
        return Symbol(self.x + (other.x if isinstance(other, Symbol) else other))

    def __mul__(self, other: Any) -> Symbol:
        return Symbol(self.x * (other.x if isinstance(other, Symbol) else other))

    def relu(self) -> Symbol:
        return Symbol(peer("casadi").fmax(self.x, 0))

    __radd__, __rmul__ = __add__, __mul__


def casadi_step(points: int) -> Step:
    """The same flat graph as an SX Function of value and gradient, through its buffers."""
    casadi = peer("casadi")
    loss, p = flat_demo(points)
    symbols = casadi.SX.sym("p", len(p))
    root = loss([Symbol(symbols[i]) for i in range(len(p))]).x
    made = casadi.Function("f", [symbols], [root, casadi.gradient(root, symbols)])
    buffer, run = made.buffer()
    value, gradient = np.zeros(1), np.zeros(len(p))
    buffer.set_arg(0, memoryview(p))
    buffer.set_res(0, memoryview(value))
    buffer.set_res(1, memoryview(gradient))

    def step() -> Any:
        run()
        return value[0], gradient

    step.kept = made, buffer, p  # type: ignore[attr-defined]  # run holds none of them
    return step


# Wider networks, like 64-64-64-10, with softmax and cross-entropy.


def mlp_data(points: int, sizes: tuple[int, ...]) -> tuple[list[Array], Array, Array]:
    """Weights, inputs and classes."""
    draw = np.random.default_rng(1)
    params = []
    for n, m in pairwise(sizes):
        params += [draw.normal(0, n**-0.5, (m, n)), draw.normal(0, 0.1, m)]
    return params, draw.normal(0, 1, (points, sizes[0])), draw.integers(0, sizes[-1], points)


def mlp_program(
    points: int, sizes: tuple[int, ...], act: str = "tanh", recorded: Any = (), **options: Any
) -> tuple[Any, tuple[Any, Array, Array]]:
    """One sample's share of the mean cross-entropy as a program of a batch; its arguments."""
    params, X, labels = mlp_data(points, sizes)
    targets = np.eye(sizes[-1])[labels]

    def loss(params: Any, x: Any, target: Any) -> Any:
        *hidden, W, b = params
        for V, c in zip(hidden[::2], hidden[1::2]):
            x = getattr(mg, act)(V @ x + c)
        logits = W @ x + b
        return (mg.logsumexp(logits) - mg.dot(logits, target)) * (1 / points)

    program = mg.record(loss, params, X[0], targets[0], **dict(recorded))
    return program.batched((None, 0, 0), **options), (params, X, targets)


def mlp_batch(
    points: int, sizes: tuple[int, ...], act: str = "tanh", recorded: Any = (), **options: Any
) -> Step:
    """Mean cross-entropy and its gradients: one sample's program on a batch."""
    batched, arguments = mlp_program(points, sizes, act, recorded, **options)

    def step() -> Any:
        losses, grads = batched.value_and_grad(*arguments)
        return losses.sum(), grads

    return step


def mlp_numpy(points: int, sizes: tuple[int, ...], act: str = "tanh") -> Step:
    """The same by the matrix formulas, in place where that is quicker."""
    params, X, labels = mlp_data(points, sizes)
    rows = np.arange(points)

    def step() -> Any:
        xs = [X]
        for W, b in zip(params[:-2:2], params[1:-2:2]):
            H = xs[-1] @ W.T
            H += b
            np.tanh(H, out=H) if act == "tanh" else np.maximum(H, 0, out=H)
            xs.append(H)
        Z = xs[-1] @ params[-2].T
        Z += params[-1]
        Z -= Z.max(axis=1, keepdims=True)
        P = np.exp(Z)
        sums = P.sum(axis=1)
        loss = (np.log(sums) - Z[rows, labels]).sum() / points
        P /= sums[:, None]
        P[rows, labels] -= 1
        P /= points
        grads = [P.sum(axis=0), P.T @ xs[-1]]
        for W, H, below in zip(params[-2::-2], xs[:0:-1], xs[-2::-1]):
            P = P @ W
            P *= 1 - H * H if act == "tanh" else H > 0
            grads += [P.sum(axis=0), P.T @ below]
        return loss, grads[::-1]

    return step


def mlp_torch(points: int, sizes: tuple[int, ...], act: str = "tanh") -> Step:
    """The same in PyTorch, eager, one thread."""
    torch = peer("torch")
    torch.set_num_threads(1)
    arrays, X, labels = mlp_data(points, sizes)
    params = [torch.tensor(p, requires_grad=True) for p in arrays]
    X, labels = torch.tensor(X), torch.tensor(labels)

    def step() -> Any:
        for p in params:
            p.grad = None
        H = X
        for W, b in zip(params[:-2:2], params[1:-2:2]):
            H = getattr(torch, act)(H @ W.T + b)
        loss = torch.nn.functional.cross_entropy(H @ params[-2].T + params[-1], labels)
        loss.backward()
        return loss.item(), [p.grad for p in params]

    return step


# microGPT.


class ReplayedGPT:
    """microGPT in training, its loss recorded once for each length of document.

    What depends on the letters are numbers: the embeddings of a document's tokens come in as rows,
    whose gradients are added back where they belong, its targets as rows of 0 and one 1.
    """

    HEADS = 4

    def __init__(self, width: int = 16) -> None:
        published = MicroGPT(width=width)
        model, self.tokenizer = published.model, published.tokenizer
        self.docs, self.size, self.seed = published.docs, model.block_size, model.seed
        matrices = [[[p.data for p in row] for row in A] for A in model.state_dict.values()]
        self.flat = np.concatenate([np.ravel(A) for A in matrices])
        ends = np.cumsum([np.size(A) for A in matrices])[:-1]
        views = zip(np.split(self.flat, ends), matrices)
        self.tokens, self.places, *self.weights = [v.reshape(np.shape(A)) for v, A in views]
        self.programs: dict[int, Any] = {}
        self.recording = 0.0

    def loss(self, weights: Any, tokens: Any, places: Any, targets: Any) -> Any:
        """The mean cross-entropy over one document."""
        head, *layer = weights
        keys: list[Any] = []
        values: list[Any] = []
        losses = []
        for token, position, target in zip(tokens, places, targets):
            logits = linear(head, block(layer, norm(token + position), keys, values, self.HEADS))
            losses.append(mg.logsumexp(logits) - mg.dot(logits, target))
        return mg.mean(losses)

    def program(self, count: int) -> Any:
        """The program for so many tokens."""
        if count not in self.programs:
            start = perf_counter()
            rows = self.places[:count]
            targets = np.zeros((count, len(self.tokens)))
            self.programs[count] = mg.record(self.loss, self.weights, rows, rows, targets)
            inputs = self.weights, rows, rows, targets
            self.programs[count].value_and_grad(*inputs, argnums=(0, 1, 2))  # plans it
            self.recording += perf_counter() - start
        return self.programs[count]

    def gradient(self, doc: str) -> tuple[float, Array]:
        """The loss of a document and its gradient in one row."""
        end = self.tokenizer.bos
        ids = [end, *self.tokenizer.encode(doc), end]
        count = min(self.size, len(ids) - 1)
        now, after = ids[:count], ids[1 : count + 1]
        targets = np.zeros((count, len(self.tokens)))
        targets[np.arange(count), after] = 1
        inputs = self.weights, self.tokens[now], self.places[:count], targets
        loss, (weights, tokens, places) = self.program(count).value_and_grad(
            *inputs, argnums=(0, 1, 2)
        )
        by_token, by_place = np.zeros_like(self.tokens), np.zeros_like(self.places)
        np.add.at(by_token, now, tokens)
        by_place[:count] = places
        return loss, np.concatenate([x.ravel() for x in (by_token, by_place, *weights)])

    def train(self, steps: int) -> list[float]:
        """The losses of so many steps of Adam, as the published training takes them."""
        random.seed(self.seed)
        docs = list(self.docs)
        random.shuffle(docs)
        m, v = np.zeros((2, len(self.flat)))
        losses = []
        for k in range(steps):
            loss, g = self.gradient(docs[k % len(docs)])
            m = 0.85 * m + (1 - 0.85) * g
            v = 0.99 * v + (1 - 0.99) * g * g
            rate = 0.01 * (1 - k / steps) / (1 - 0.85 ** (k + 1))
            self.flat -= rate * m / (np.sqrt(v / (1 - 0.99 ** (k + 1))) + 1e-8)
            losses.append(loss)
        return losses


def linear(W: Any, x: Any) -> list[Any]:
    """Wx."""
    return [mg.dot(row, x) for row in W]


def norm(x: Any) -> list[Any]:
    """x over the root of the mean of its squares."""
    scale = (mg.dot(x, x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def block(layer: Any, x: list[Any], keys: list[Any], values: list[Any], heads: int) -> list[Any]:
    """One layer of the transformer at one position: attention to all so far, then the MLP."""
    query, key, value, out, first, second = layer
    y = norm(x)
    q = linear(query, y)
    keys.append(linear(key, y))
    values.append(linear(value, y))
    width = len(x) // heads
    attended: list[Any] = []
    for h in range(0, len(x), width):
        part = slice(h, h + width)
        weights = mg.softmax([mg.dot(q[part], k[part]) / width**0.5 for k in keys])
        attended += [mg.dot(weights, column) for column in zip(*[v[part] for v in values])]
    x = [a + b for a, b in zip(linear(out, attended), x)]
    hidden = [y.relu() for y in linear(first, norm(x))]
    return [a + b for a, b in zip(linear(second, hidden), x)]


# Training the demo.


def train(steps: int) -> tuple[list[float], float]:
    """The notebook's training, recording included: the losses and the accuracy."""
    params, (X, y) = demo_arrays(100), demo_data(100)

    def loss(params: Any, x: Any, y: Any) -> Any:
        hinge = (1 - y * score(params, x)).relu()
        return (hinge + DECAY * mg.total([p * p for A in params for p in A.ravel()])) / len(X)

    batched = mg.record(loss, params, X[0], y[0]).batched((None, 0, 0))
    losses = []
    for k in range(steps):
        values, grads = batched.value_and_grad(params, X, y)
        for p, g in zip(params, grads):
            p -= rate(k) * g
        losses.append(float(values.sum()))
    scores = mg.record(score, params, X[0]).batched((None, 0))(params, X)
    return losses, float(np.mean((scores > 0) == (y > 0)))


def rate(k: int) -> float:
    """The notebook's learning rate."""
    return 1.0 - 0.9 * k / STEPS


def train_micrograd(steps: int) -> list[float]:
    """The losses of the same training as the notebook has it."""
    demo = Demo(load("micrograd", "micrograd/engine.py").Value)
    losses = []
    for k in range(steps):
        losses.append(demo.step())
        for p in demo.parameters:
            p.data -= rate(k) * p.grad
    return losses


# What runs in a process of its own.


def child(task: str, *numbers: int) -> dict[str, float]:
    """What this script finds in a new process."""
    command = [sys.executable, str(Path(__file__)), "--child", task, *map(str, numbers)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(found.stdout)
    return answer


def recording(nodes: int) -> dict[str, float]:
    """Seconds and megabytes of recording a flat graph of so many nodes, in this process."""
    loss, p = flat_demo(max(1, nodes // 655))
    leaves = mg.matrix(p)
    before = resident()
    start = perf_counter()
    root = loss(leaves)
    built, graph = perf_counter(), resident()
    program = mg.Program.of(root, [leaves])
    recorded, peak = perf_counter(), resident(peak=True)
    del root
    gc.collect()
    freed = perf_counter()
    first = program.value_and_grad(p)
    planned, plan_peak = perf_counter(), resident(peak=True)
    del first
    return {
        "building": built - start, "recording": recorded - built, "planning": planned - freed,
        "graph": graph - before, "growth": peak - graph, "total": peak - before,
        "with plan": plan_peak - before, "lines": len(program.tape),
    }  # fmt: skip


def resident(peak: bool = False) -> float:
    """Megabytes of memory that this process has, or has had at most."""
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage's, this peak is not inherited from the parent
        lines = status.read_text(encoding="utf-8").splitlines()
        name = "VmHWM:" if peak else "VmRSS:"
        return next(int(x.split()[1]) / 1024 for x in lines if x.startswith(name))
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2 ** (20 if sys.platform == "darwin" else 10)


def training() -> dict[str, float]:
    """Seconds of the demo's training in this process, where nothing is compiled or loaded yet."""
    start = perf_counter()
    losses, accuracy = train(STEPS)
    return {"seconds": perf_counter() - start, "accuracy": accuracy, "loss": losses[-1]}


CHILDREN: dict[str, Callable[..., dict[str, float]]] = {
    "recording": recording, "training": training
}  # fmt: skip


# The rows.


class Settings(NamedTuple):
    """How much is run."""

    pairs: int
    quick: bool


def demo_rows(how: Settings) -> Iterator[Row]:
    """The flat graph of 100 samples."""
    few = max(1, how.pairs // 2)
    yield against(
        "demo, flat graph of 100 samples", "micrograd", 1000,
        lambda: contest(micrograd_step(100), flat_step(100), few, "demo, micrograd"),
    )  # fmt: skip
    yield against(
        "demo, flat graph of 100 samples", "CasADi SX", 1,
        lambda: contest(casadi_step(100), flat_step(100), how.pairs, "demo, CasADi"),
        "CasADi's step is one call of its virtual machine; the aim beyond the target is 2×",
    )  # fmt: skip


def batch_rows(how: Settings) -> Iterator[Row]:
    """One sample's graph on batches."""
    for name, make, target in (("PyTorch", demo_torch, 1.5), ("NumPy by hand", demo_numpy, 0.8)):
        yield against(
            "demo, batch of 100", name, target,
            lambda make=make, name=name: contest(
                make(100), demo_batch(100), how.pairs, f"batch, {name}"
            ),
        )  # fmt: skip
    for threads in (1, 2):
        for name, make in (("PyTorch", demo_torch), ("NumPy by hand", demo_numpy)):
            yield against(
                f"demo, batch of 10,000, threads={threads}", name, 0,
                lambda make=make, name=name, threads=threads: contest(
                    make(10_000), demo_batch(10_000, threads=threads), how.pairs, f"10,000, {name}"
                ),
            )  # fmt: skip


def mlp_rows(how: Settings) -> Iterator[Row]:
    """A network whose matrices are wide enough for matrix products to be good at."""
    sizes = (16, 16, 16, 10) if how.quick else (64, 64, 64, 10)
    name = "-".join(map(str, sizes))
    for other, make in (("PyTorch", mlp_torch), ("NumPy by hand", mlp_numpy)):
        yield against(
            f"MLP {name}, batch of 100", other, 0,
            lambda make=make, other=other: contest(
                make(100, sizes), mlp_batch(100, sizes, threads=1), how.pairs, f"mlp, {other}"
            ),
            "matrix products keep a block of each matrix in registers; a program loads both rows "
            "of every product",
        )  # fmt: skip


def microgpt_rows(how: Settings) -> Iterator[Row]:
    """microGPT: one step of training, and the recording that comes before."""
    steps, pairs = (4, 1) if how.quick else (20, 3)
    made: list[ReplayedGPT] = []

    def run() -> Race:
        theirs, ours = MicroGPT(), ReplayedGPT()
        made.append(ours)
        for letters in range(3, 17) if not how.quick else ():
            ours.program(min(ours.size, letters + 1))
        relative: list[float] = []

        def compared(steps: int) -> tuple[list[float], list[float]]:
            losses = theirs.train(steps), ours.train(steps)
            relative.append(gap(*losses))
            return losses

        compared(steps)  # records what is yet to be recorded
        raced = race(lambda: theirs.train(steps), lambda: ours.train(steps), pairs, "microgpt")
        compared(steps)
        return raced._replace(apart=max(raced.apart, *relative))

    row = against("microGPT, one step", "strands-microgpt", 100, run)
    yield row
    if not row.missing:
        spent, lengths, count = made[0].recording, len(made[0].programs), 200
        ours = row.ours + spent / count
        yield Row(
            f"microGPT, {count} steps and recording", "strands-microgpt",
            row.theirs * count, ours * count, row.theirs / ours, apart=row.apart,
            note=f"recording and planning {lengths} lengths of document took {spent:.2g} s; "
            f"{count} times the step above",
        )  # fmt: skip


def numpy_rows(how: Settings) -> Iterator[Row]:
    """The engine that needs NumPy alone, without numba."""

    def run() -> Race:
        theirs, ours = micrograd_step(100), demo_batch(100, DECAY, "numpy")
        (a, slopes), (b, grads) = theirs(), ours()
        apart = max(gap(a, b), gap(slopes, by_neuron(grads)))
        return contest(theirs, ours, max(1, how.pairs // 2), "numpy", apart)

    yield against("demo, batch of 100, backend numpy", "micrograd", 100, run)


def record_rows(how: Settings) -> Iterator[Row]:
    """What recording costs."""
    loss, p = flat_demo(100)
    leaves = mg.matrix(p)
    apart = gap(loss(leaves).data, mg.record(loss, p)(p))
    yield against(
        "record, flat graph of the demo", "building it", 1 / 3,
        lambda: contest(
            lambda: loss(leaves), lambda: mg.record(loss, p, pure=True), how.pairs, "record", apart
        ),
        "record builds the graph, too",
    )  # fmt: skip
    nodes = 10**5 if how.quick else 10**6
    found = child("recording", nodes)
    text = f"record {nodes:,} nodes"
    yield limit(
        f"{text}, with building", 15, found["building"] + found["recording"],
        note="building {building:.3g} s, recording {recording:.3g} s, and the first call with "
        "gradients {planning:.3g} s more, for its plan; {lines:,.0f} lines".format(**found),
    )  # fmt: skip
    yield limit(f"{text}, growth", 500, found["growth"], "MB")
    yield limit(
        f"{text}, with the graph", 500, found["total"], "MB",
        note="the graph of Values has {graph:,.0f} MB, recording adds {growth:,.0f} MB; with the "
        "plan, after the graph is freed, the peak is {with plan:,.0f} MB".format(**found),
    )  # fmt: skip


def size_rows(how: Settings) -> Iterator[Row]:
    """What an instruction costs in flat graphs of growing size."""
    first = 0.0
    for exponent in range(3, 6 if how.quick else 8):
        points = 10 ** (exponent - 3)
        gc.collect()
        loss, p = flat_demo(points)
        program = mg.record(loss, p, pure=True)
        right = demo_batch(points, DECAY)()
        value, grads = program.value_and_grad(p)
        apart = max(gap(right[0], value), gap(by_neuron(right[1]), grads))
        seconds = median_time(lambda: program.value_and_grad(p))  # noqa: B023 - called at once
        lines, terms = instructions(program)
        cost = seconds / (lines + terms) * 1e9
        first = first or cost
        yield Row(
            f"an instruction, of {lines + terms:,}", "of the first", first, cost, first / cost,
            unit="ns", apart=apart,
        )  # fmt: skip


def instructions(program: Any) -> tuple[int, int]:
    """The lines of value and gradient, and the products in their sums."""
    plan = program._runner(0, (0,)).plan
    runs = np.concatenate([part.runs for part in (plan.prologue, plan.batch, plan.epilogue)])
    sums = runs[runs[:, 0] < 0].astype(int)
    products = int((sums[:, 1] * sums[:, 2] // 2).sum())
    in_blocks = sum([block.out.size * block.left.shape[1] for block in plan.blocks])
    lines = int(runs[:, 1].sum()) + sum([block.out.size - 1 for block in plan.blocks])
    return lines, products + in_blocks


def median_time(step: Step) -> float:
    """Seconds of a step, the median over turns of some length."""
    block, count = repeated(step)
    seconds = []
    for _ in range(5):
        start = perf_counter()
        block()
        seconds.append((perf_counter() - start) / count)
    return statistics.median(seconds)


def train_rows(how: Settings) -> Iterator[Row]:
    """The notebook's training from nothing to its accuracy."""
    steps = 3 if how.quick else 10
    start = perf_counter()
    losses, accuracy = train(STEPS)
    here = perf_counter() - start

    def run() -> Race:
        start = perf_counter()
        theirs = train_micrograd(steps)
        seconds = (perf_counter() - start) / steps * STEPS
        return Race(seconds, here, seconds / here, gap(theirs, losses[:steps]))

    yield against(
        f"train the demo, {STEPS} steps", "micrograd", 0, run,
        f"recording included, in this process; loss {losses[-1]:.3g}, accuracy {accuracy:.0%}; "
        f"micrograd took {steps} steps, and its time is that of {STEPS} such",
    )  # fmt: skip
    found = child("training")
    yield limit(
        f"train the demo, {STEPS} steps", 1, found["seconds"],
        note="in a process of its own, which loads numba and the compiled engine from disk",
    )._replace(apart=gap(losses[-1], found["loss"]))  # fmt: skip


WORKS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "demo": demo_rows, "batch": batch_rows, "mlp": mlp_rows, "microgpt": microgpt_rows,
    "numpy": numpy_rows, "record": record_rows, "sizes": size_rows, "train": train_rows,
}  # fmt: skip


# The report.


def versions() -> str:
    """The versions of what is compared."""
    found = []
    for name in ("numpy", "numba", "torch", "casadi", "micrograd", "strands-microgpt"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description="Benchmarks of recorded programs, beside what else computes the same.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("work", nargs="*", help=f"any of {', '.join(WORKS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer turns and smaller graphs")
    parser.add_argument("--pairs", type=int, help="pairs of turns in a race (default: 11, quick 3)")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if unknown := [w for w in asked.work if w not in WORKS]:
        parser.error(f"no such work: {', '.join(unknown)} (choose from {', '.join(WORKS)})")
    if asked.pairs is not None and asked.pairs < 1:
        parser.error("--pairs: at least 1")
    asked.work = asked.work or list(WORKS)
    asked.pairs = asked.pairs or (3 if asked.quick else 11)
    return asked


def main(argv: list[str] | None = None) -> int:
    """Run what is asked for and print it; 1 if any number is wrong."""
    asked = arguments(argv)
    if asked.child:
        task, *numbers = asked.child
        print(json.dumps(CHILDREN[task](*map(int, numbers))))
        return 0
    print(f"microgrid {importlib.metadata.version('microgrid-autodiff')}\n{machine()}")
    print(f"{versions()}\n")
    print(TABLE.format(*HEADS))
    rows: list[Row] = []
    for work in [name for name in WORKS if name in asked.work]:
        with others_unseen():
            for row in WORKS[work](Settings(asked.pairs, asked.quick)):
                rows.append(row)
                print(line(row), flush=True)
    print("\nthe ratio is theirs to ours, a median over pairs of turns; the target is the least")
    print(*dict.fromkeys(f"{row.work}: {row.note}" for row in rows if row.note), sep="\n")
    wrong = [row for row in rows if not row.apart <= TOLERANCE]
    for row in wrong:
        print(f"WRONG: {row.work}: {row.apart:.1e} from {row.against}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
