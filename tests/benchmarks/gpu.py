"""The text of a program on a GPU: its numbers, and its times beside the same network by hand.

A network is recorded for one sample, its `batched(…).source(…)` written for PyTorch and JAX. Both
texts run on the GPU in float64, and so do the same formulas as one writes them in these libraries.
Values and gradients of all four must agree with those of the program on the CPU to 1e-9 of the
largest number, or the script ends with an error. The first step holds what is compiled; a step is
the median over turns in which the four alternate.

The text for PyTorch computes the gradients of the samples and targets, too; of that for JAX the
compiler leaves them out. NumPy runs the program here, so that nothing else need be installed.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from program import TOLERANCE, MissingError, gap, mlp_data, mlp_program, peer, quantity

WORKS = (((784, 128, 10), 100), ((64, 64, 64, 10), 10_000))
TURNS, REPEATS = 15, 20
TABLE = "{:<38}{:>12}{:>12}{:>12}"


class Side(NamedTuple):
    """One way to compute value and gradients on a device; `wait` until they are there."""

    name: str
    step: Callable[[], Any]
    wait: Callable[[Any], Any]


def loaded(text: str) -> Any:
    """`value_and_grad` of a text."""
    space: dict[str, Any] = {}
    exec(compile(text, "<source>", "exec"), space)
    return space["value_and_grad"]


def torch_sides(batch: Any, points: int, sizes: tuple[int, ...], device: str) -> list[Side]:
    """The text for PyTorch, and the network by hand."""
    torch = peer("torch")
    params, X, labels = mlp_data(points, sizes)
    run = loaded(batch.source("torch"))
    leaves = [torch.tensor(p, device=device) for p in params]
    own = [p.clone().requires_grad_() for p in leaves]
    inputs, classes = torch.tensor(X, device=device), torch.tensor(labels, device=device)
    targets = torch.eye(sizes[-1], dtype=torch.float64, device=device)[classes]

    def text() -> Any:
        losses, (gradients, *_) = run(leaves, inputs, targets)
        return losses.sum(), gradients

    def by_hand() -> Any:
        h = inputs
        for W, b in zip(own[:-2:2], own[1:-2:2]):
            h = torch.relu(h @ W.T + b)
        loss = torch.nn.functional.cross_entropy(h @ own[-2].T + own[-1], classes)
        return loss, list(torch.autograd.grad(loss, own))

    def wait(_: Any) -> None:
        if device != "cpu":
            torch.cuda.synchronize()

    return [Side("source for PyTorch", text, wait), Side("PyTorch by hand", by_hand, wait)]


def jax_sides(batch: Any, points: int, sizes: tuple[int, ...], device: str) -> list[Side]:
    """The text for JAX, and the network by hand, both compiled by `jax.jit`."""
    jax = peer("jax")
    jax.config.update("jax_enable_x64", True)
    params, X, labels = mlp_data(points, sizes)
    target = jax.devices("gpu" if device != "cpu" else "cpu")[0]
    leaves, inputs, targets = jax.device_put((params, X, np.eye(sizes[-1])[labels]), target)
    run = loaded(batch.source("jax"))

    @jax.jit
    def text(params: Any, x: Any, t: Any) -> Any:
        losses, (gradients, *_) = run(params, x, t)
        return losses.sum(), gradients

    @jax.jit
    @jax.value_and_grad
    def by_hand(params: Any, x: Any, t: Any) -> Any:
        for W, b in zip(params[:-2:2], params[1:-2:2]):
            x = jax.nn.relu(x @ W.T + b)
        logits = x @ params[-2].T + params[-1]
        return -(jax.nn.log_softmax(logits) * t).sum(axis=-1).mean()

    return [
        Side(name, lambda f=f: f(leaves, inputs, targets), jax.block_until_ready)
        for name, f in (("source for JAX, jit", text), ("JAX by hand, jit", by_hand))
    ]


def on_cpu(x: Any) -> Any:
    """Tensors and arrays as NumPy's."""
    if isinstance(x, list | tuple):
        return [on_cpu(y) for y in x]
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)


def compared(
    sizes: tuple[int, ...], points: int, device: str, turns: int = TURNS
) -> dict[str, tuple[float, float, float]]:
    """Of each side the seconds of its first step and of a step, and the gap to the program."""
    start = perf_counter()
    batch, arguments = mlp_program(points, sizes, "relu", {"backend": "numpy"})
    losses, gradients = batch.value_and_grad(*arguments)
    right = losses.sum(), gradients
    print(f"\n{'-'.join(map(str, sizes))} relu, batch of {points}: recorded, run on the CPU in "
          f"{quantity(perf_counter() - start, 's')}")  # fmt: skip
    sides = []
    for make in (torch_sides, jax_sides):
        start = perf_counter()
        try:
            sides += make(batch, points, sizes, device)
        except MissingError as missing:
            print(missing)
        print(f"  {make.__name__.removesuffix('_sides')}: texts and data ready in "
              f"{quantity(perf_counter() - start, 's')}")  # fmt: skip
    first, apart, seconds = [], [], dict[str, list[float]]()
    for side in sides:
        start = perf_counter()
        found = side.step()
        side.wait(found)
        first.append(perf_counter() - start)
        apart.append(gap(on_cpu(right), on_cpu(found)))
    for _ in range(turns):
        for side in sides:
            start = perf_counter()
            for _ in range(REPEATS):
                found = side.step()
            side.wait(found)
            seconds.setdefault(side.name, []).append((perf_counter() - start) / REPEATS)
    steps = [statistics.median(seconds[side.name]) for side in sides]
    return {s.name: x for s, *x in zip(sides, first, steps, apart)}  # type: ignore[misc]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    device = parser.parse_args().device
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # it shares the GPU
    torch = peer("torch")
    print(torch.cuda.get_device_name() if device == "cuda" else "on the CPU, to try the script")
    print(", ".join([f"{name} {peer(name).__version__}" for name in ("numpy", "torch", "jax")]))
    torch.ones(9, device=device).sum().item()  # the device starts up before any clock does
    wrong = False
    for sizes, points in WORKS:
        found = compared(sizes, points, device)
        print(TABLE.format("", "first step", "step", "apart"))
        for name, (first, step, apart) in found.items():
            cells = quantity(first, "s"), quantity(step, "s"), f"{apart:.1e}"
            print(TABLE.format(f"  {name}", *cells), "" if apart <= TOLERANCE else "WRONG")
            wrong |= not apart <= TOLERANCE
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
