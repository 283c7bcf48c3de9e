"""How fast `optim.fit` trains: digits with Adam, side by side with PyTorch.

A turn is a whole training from the first weights on, recording included, and the two take turns in
one process (`race` of engine.py). The losses of all steps must agree to 1e-9, or the script ends
with an error. It reports and never fails on a time.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is imported: one thread, as for PyTorch
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
from functools import partial
from typing import Any

import numpy as np
from engine import TOLERANCE, Race, machine, race
from program import HEADS, TABLE, against, gap, line, peer, versions

import microgrid as mg
from microgrid import nn, optim

BATCH, RATE = 32, 0.005
HIDDEN = (8, 16, 32, 64, 128)
EXAMPLES = """examples:
  python tests/benchmarks/training.py
  python tests/benchmarks/training.py --epochs 2 --pairs 3 32
"""


def digits(count: int | None = None) -> tuple[Any, Any]:
    """Images of 64 grey pixels from 0 to 1, and their classes."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    return images[:count] / 16, classes[:count]


def network(hidden: int) -> nn.Sequential:
    rng = np.random.default_rng(1)
    return nn.Sequential(
        nn.Affine(64, hidden, "he", rng), nn.ReLU(), nn.Affine(hidden, 10, "lecun", rng)
    )


def loss(model: Any, x: Any, t: Any) -> Any:
    return nn.cross_entropy(model(x), t)


def train(hidden: int, epochs: int, count: int | None = None) -> list[float]:
    """The losses of all steps, from recording on."""
    X, y = digits(count)
    T, model = nn.one_hot(y, 10), network(hidden)
    program = mg.record(loss, model, X[0], T[0])
    history = optim.fit(
        program, model, (X, T), optimizer=optim.Adam(lr=RATE), epochs=epochs, batch_size=BATCH
    )
    return history.steps


def train_torch(hidden: int, epochs: int, count: int | None = None) -> list[float]:
    """The same in PyTorch, eager, one thread, in float64, on the same batches."""
    torch = peer("torch")
    torch.set_num_threads(1)
    X, y = map(torch.tensor, digits(count))
    state = {name: torch.tensor(x) for name, x in network(hidden).state().items()}
    model = torch.nn.Sequential(
        torch.nn.Linear(64, hidden, dtype=torch.float64), torch.nn.ReLU(),
        torch.nn.Linear(hidden, 10, dtype=torch.float64),
    )  # fmt: skip
    with torch.no_grad():
        for layer in (0, 2):
            model[layer].weight.copy_(state[f"layer{layer}.w"].T)
            model[layer].bias.copy_(state[f"layer{layer}.b"])
    adam, rng = torch.optim.Adam(model.parameters(), lr=RATE), np.random.default_rng(0)
    losses = []
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for first in range(0, len(X), BATCH):
            chosen = order[first : first + BATCH]
            adam.zero_grad()
            found = torch.nn.functional.cross_entropy(model(X[chosen]), y[chosen])
            found.backward()
            adam.step()
            losses.append(found.item())
    return losses


def run(hidden: int, epochs: int, pairs: int) -> Race:
    theirs, ours = partial(train_torch, hidden, epochs), partial(train, hidden, epochs)
    apart = gap(theirs(), ours())
    raced = race(lambda: [sum(theirs())], lambda: [sum(ours())], pairs, f"digits, {hidden}")
    return raced._replace(apart=apart)


def main(argv: list[str] | None = None) -> int:
    """Race what is asked for and print it; 1 if any losses differ."""
    parser = argparse.ArgumentParser(
        description="Training by optim.fit, beside PyTorch.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("hidden", nargs="*", type=int, help=f"neurons (default: {HIDDEN})")
    parser.add_argument("--epochs", type=int, default=10, help="of a training (default: 10)")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of turns (default: 5)")
    asked = parser.parse_args(argv)
    print(f"{machine()}\n{versions()}\n")
    print(TABLE.format(*HEADS))
    wrong = False
    for hidden in asked.hidden or HIDDEN:
        work = f"digits 64-{hidden}-10, {asked.epochs} epochs"
        row = against(work, "PyTorch", 0, partial(run, hidden, asked.epochs, asked.pairs))
        print(line(row), flush=True)
        wrong = wrong or not row.apart <= TOLERANCE
    print("\nthe ratio is theirs to ours, a median over pairs of whole trainings")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
