"""Optimizers: how gradients move parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgrid.calculus import flat
from microgrid.errors import ParameterError
from microgrid.nn.module import Module
from microgrid.optim.schedules import Schedule
from microgrid.value import Value

Array = NDArray[np.float64]


class Optimizer(ABC):
    """Moves parameters against their gradients; `lr` is a number or a schedule.

    In a loop of your own it is made with parameters (a Module, or Values in lists or arrays) and
    used through `zero_grad` and `step`; `fit` needs no parameters here. It remembers what it has
    done: a second `fit` goes on where the first ended.
    """

    def __init__(self, parameters: Module | Iterable[Any] = (), lr: float | Schedule = 0.01):
        if isinstance(parameters, float | int):
            raise ParameterError(f"parameters come first: write lr={parameters!r}")
        found = (
            parameters.parameters() if isinstance(parameters, Module) else flat(list(parameters))
        )
        self.parameters = list(dict.fromkeys(found))
        for p in self.parameters:
            if not isinstance(p, Value) or p.op is not None:
                raise ParameterError(f"an optimizer moves leaves, got {p!r}")
        if not callable(lr) and not lr > 0:
            raise ParameterError(f"the learning rate is a number above 0 or a schedule, got {lr!r}")
        self.lr = lr
        self.steps = 0  # how often parameters have been moved
        self.moving = 0  # how many they are

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.lr(self.steps) if callable(self.lr) else self.lr

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to zero."""
        for p in self.parameters:
            p.grad = 0.0

    def step(self) -> None:
        """Move every parameter once, by the gradient that it holds."""
        if not self.parameters:
            raise ParameterError("this optimizer has no parameters: hand it those of your model")
        numbers = np.array([p.data for p in self.parameters], dtype=float)
        gradient = np.array([p.grad for p in self.parameters], dtype=float)
        for p, x in zip(self.parameters, self.moved(numbers, gradient).tolist()):
            p.data = x

    def moved(self, numbers: Array, gradient: Array) -> Array:
        """The numbers after one step, as a new array."""
        if self.steps and self.moving != len(numbers):
            raise ParameterError(
                f"this optimizer remembers {self.moving} parameters; make a new one for "
                f"{len(numbers)}"
            )
        self.moving = len(numbers)
        new = numbers - self.rate * self.direction(gradient)
        self.steps += 1
        return new

    @abstractmethod
    def direction(self, gradient: Array) -> Array:
        """What is subtracted, but for the learning rate."""


class SGD(Optimizer):
    """w ← w − η v with v ← μ v + ∂L/∂w; without momentum μ plain gradient descent.

    >>> w = Value(3.0)
    >>> optimizer = SGD([w], lr=0.5)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w.data
    0.0
    """

    def __init__(
        self, parameters: Module | Iterable[Any] = (), lr: float | Schedule = 0.01,
        momentum: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr)
        self.momentum = momentum
        self.velocity: Any = 0.0

    def direction(self, gradient: Array) -> Array:
        self.velocity = self.momentum * self.velocity + gradient
        return np.asarray(self.velocity)


class Adam(Optimizer):
    """w ← w − η m̂ / (√v̂ + ε), with running means m of ∂L/∂w and v of its square.

    Kingma and Ba, Adam: A Method for Stochastic Optimization; m̂ and v̂ are m and v without the bias
    towards their start at zero.
    """

    def __init__(
        self, parameters: Module | Iterable[Any] = (), lr: float | Schedule = 0.001,
        betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr)
        self.betas, self.eps = betas, eps
        self.first: Any = 0.0
        self.second: Any = 0.0

    def direction(self, gradient: Array) -> Array:
        (a, b), t = self.betas, self.steps + 1
        self.first = a * self.first + (1 - a) * gradient
        self.second = b * self.second + (1 - b) * gradient * gradient
        first, second = self.first / (1 - a**t), self.second / (1 - b**t)
        return np.asarray(first / (np.sqrt(second) + self.eps))
