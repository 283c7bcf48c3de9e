"""Optimizers: how gradients move parameters."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Set, ValuesView
from inspect import ismethod, signature
from typing import Any, ClassVar

import numpy as np

from microgrid.engine.errors import ParameterError, ShapeError
from microgrid.engine.guards import real
from microgrid.engine.hints import Hinted, hinted
from microgrid.engine.settings import number
from microgrid.engine.trees import ordered_leaves, outline, shape_of, tree_leaves
from microgrid.engine.value import Value, peek, peek_grad
from microgrid.matrices.arrays import Array
from microgrid.nn.module import Module
from microgrid.nn.saving import Saved, numbers_of, same_names
from microgrid.optim.schedules import Schedule
from microgrid.optim.updates import adam, clipped, decayed, sgd
from microgrid.program.tape import Floats
from microgrid.views.wording import plural


class Optimizer(Hinted, Saved, ABC):
    """Moves parameters against their gradients; `lr` is a number above 0 or a schedule.

    In a loop of your own, give it the parameters (a Module, or Values in lists or arrays) and call
    `zero_grad` and `step`; for `fit` it needs none. It keeps its state: a second `fit` continues
    from where the first ended; `save` and `load` carry it through a file into another process. A
    subclass defines `update_direction`, and names in `memory` the attributes in which it remembers
    a number for each parameter, 0.0 before the first step.

    A gradient that is longer than `clip_norm` (Euclidean, over all parameters) is scaled to that
    length. `weight_decay` λ adds λ w to the gradient, as the penalty λ/2 Σ w² would. Both work as
    in PyTorch, and in the same order; but a parameter that holds no gradient has gradient 0.
    ParameterError for settings that no training can use.

    Its settings are attributes, which may be changed between two steps; `parameters` are the
    leaves that it moves, `steps` counts the steps done, `size` is how many parameters they moved.

    >>> import numpy as np
    >>> class SignDescent(Optimizer):
    ...     def update_direction(self, gradient):
    ...         return np.sign(gradient)
    >>> w = Value(3.0)
    >>> optimizer = SignDescent([w], lr=0.5)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w.data, optimizer
    (2.5, SignDescent(1 parameter, lr=0.5, step 1))
    """

    _kept = "state of an optimizer"
    _decoupled = False  # whether the weights decay by themselves, and not by the gradient
    memory: ClassVar[tuple[str, ...]] = ()

    @hinted
    def __init__(
        self, parameters: Module | Iterable[Any] = (), lr: float | Schedule = 0.01,
        weight_decay: float = 0.0, clip_norm: float | None = None,
    ) -> None:  # fmt: skip
        self.parameters, self._form = leaves(parameters)
        self.steps = 0  # steps done
        self.size = 0  # how many parameters they moved
        self.lr = lr
        if not callable(lr):
            number("the learning rate", lr, "above 0", " or a schedule")
        self.weight_decay = number("weight_decay", weight_decay, "from 0 on")
        self.clip_norm = None if clip_norm is None else number("clip_norm", clip_norm, "above 0")
        _ = self.rate  # a schedule that gives no rates fails here, not in the first step

    def __repr__(self) -> str:
        of = plural(self.size or len(self.parameters), "parameter")
        lr = getattr(self.lr, "__name__", self.lr)
        set_ = [f"{name}={x!r}" for name, x in self._settings()]
        return f"{type(self).__name__}({', '.join([of, f'lr={lr}', *set_])}, step {self.steps})"

    def _settings(self) -> Iterator[tuple[str, Any]]:
        """What is set to something else than by default, in the order of the signature."""
        for name, parameter in signature(type(self)).parameters.items():
            x = getattr(self, name, parameter.default)
            if name not in ("parameters", "lr") and x != parameter.default:
                yield name, x

    @property
    def rate(self) -> float:
        """The learning rate of the next step; ParameterError where it is none.

        >>> from microgrid import optim
        >>> optim.SGD(lr=optim.linear(0.5, 0.0, steps=10)).rate
        0.5
        """
        return self._rate_of(self.steps)

    def _rate_of(self, step: int) -> float:
        rate = self.lr(step) if callable(self.lr) else self.lr
        return number(f"the learning rate of step {step}", rate, "from 0 on")

    def state(self) -> dict[str, Array]:
        """The steps done, the number of parameters, and what it remembers of each of them.

        The settings are not in it: who resumes a training makes the optimizer as it was made.

        >>> w = Value(3.0)
        >>> optimizer = SGD([w], momentum=0.9)
        >>> optimizer.step([2.0])
        >>> {name: x.tolist() for name, x in optimizer.state().items()}
        {'steps': 1.0, 'size': 1.0, 'velocity': [2.0]}
        """
        names = ["steps", "size", *self.memory]
        return {name: np.array(getattr(self, name), dtype=float) for name in names}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue where `state()` of an optimizer of this kind was taken, to the last bit.

        ParameterError for the state of another kind, or of another number of parameters; then
        nothing changes.

        >>> w = Value(3.0)
        >>> one, other = [SGD([w], momentum=0.9) for _ in range(2)]
        >>> one.step([2.0])
        >>> other.load_state(one.state())
        >>> other
        SGD(1 parameter, lr=0.01, momentum=0.9, step 1)
        """
        kind = type(self).__name__
        same_names(state, ["steps", "size", *self.memory], f"{kind}, which remembers {{}},")
        steps, size = [float(numbers_of(name, state[name], ())) for name in ("steps", "size")]
        if steps % 1 or size % 1 or min(steps, size) < 0:
            raise ParameterError(f"steps and size are whole numbers, got {steps} and {size}")
        if steps and self.parameters and len(self.parameters) != size:
            of, mine = plural(int(size), "parameter"), len(self.parameters)
            raise ParameterError(f"this is a state of {of}; this optimizer moves {mine}")
        shape = (int(size),) if steps else ()
        kept = {name: numbers_of(name, state[name], shape) for name in self.memory}
        self.steps, self.size = int(steps), int(size)
        for name, numbers in kept.items():
            setattr(self, name, numbers if steps else 0.0)

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to zero, before the next backward pass adds to it."""
        for p in self.parameters:
            p._grad = None

    def step(self, gradient: Any = None) -> None:
        """Move every parameter once: by the gradient that it holds, or by this one.

        A program leaves no gradients in the parameters: hand over the one that its `value_and_grad`
        returned, or that of `grad`: in the form of the parameters, or as one row with a number for
        each; or the dict of `gradients(loss)`. ParameterError where there is no gradient at all,
        ShapeError for one of another form.

        >>> import microgrid as mg
        >>> w = Value(3.0)
        >>> program = mg.record(lambda w: w * w, 0.0)
        >>> loss, gradient = program.value_and_grad(w.data)
        >>> SGD([w], lr=0.5).step(gradient)
        >>> w.data
        0.0
        """
        if not self.parameters:
            raise ParameterError("this optimizer has no parameters: hand it those of your model")
        if gradient is None and all(peek_grad(p) is None for p in self.parameters):
            raise ParameterError(
                "no parameter has a gradient: call backward() after zero_grad(), or hand over the "
                "gradient of a program, step(gradient)"
            )
        found = [p.grad for p in self.parameters] if gradient is None else self._row(gradient)
        numbers = np.array([p.data for p in self.parameters], dtype=float)
        new = self._updated(numbers, np.array(found, dtype=float))
        for p, x in zip(self.parameters, new.tolist()):
            p.data = x

    def _row(self, gradient: Any) -> list[Any]:
        """The numbers of a gradient, in the order of the parameters."""
        if isinstance(gradient, Mapping) and not gradient.keys().isdisjoint(self.parameters):
            gradient = [gradient.get(p, 0.0) for p in self.parameters]  # of `gradients(loss)`
        given, count = outline(gradient), len(self.parameters)
        same = given == self._form
        if not (same or given == [None] * count or (given is None and count == 1)):
            got = (
                shape_of(gradient) if given else getattr(gradient, "__name__", f"{gradient!r:.60}")
            )
            raise ShapeError(
                f"the gradient is {got}, for {plural(count, 'parameter')}: give it the form of the "
                "parameters, or one row with a number for each"
            )
        found = ordered_leaves(self._form if same else given, gradient)
        return [peek(g) if isinstance(g, Value) else real(g) for g in found]

    def _updated(self, numbers: Floats, gradient: Floats) -> Floats:
        """The numbers after one step, as a new array."""
        if self.steps and self.size != len(numbers):
            remembers = f"this optimizer remembers {self.size} parameters"
            raise ParameterError(f"{remembers}; make a new one for {len(numbers)}")
        rate, self.size = self.rate, len(numbers)
        gradient = clipped(gradient, self._longest)
        shrunk, gradient = decayed(numbers, gradient, rate, self.weight_decay, self._decoupled)
        new = shrunk * numbers - rate * self.update_direction(gradient)
        self.steps += 1
        return new

    @property
    def _longest(self) -> float:
        """The length from which on a gradient is clipped."""
        return math.inf if self.clip_norm is None else self.clip_norm

    @abstractmethod
    def update_direction(self, gradient: Floats) -> Floats:
        """The update, before it is multiplied by the learning rate: what a subclass defines.

        The gradient is a row of floats, clipped and with the weight decay in it; so is the result.
        """


class Ruled(Optimizer):
    """An optimizer whose update is a function of updates.py, which numba compiles, too."""

    _update: ClassVar[Callable[..., Any]]

    def update_direction(self, gradient: Floats) -> Floats:
        remembered = [getattr(self, name) for name in self.memory]
        settings = self._settings_of(self.steps + 1)
        direction, *remembered = type(self)._update(gradient, *remembered, *settings)
        self._remember(remembered)
        return np.asarray(direction)

    @abstractmethod
    def _settings_of(self, step: int) -> tuple[float, ...]:
        """The settings of a step, counted from 1, as the update takes them."""

    def _remember(self, rows: Iterable[Floats]) -> None:
        for name, row in zip(self.memory, rows):
            setattr(self, name, row)


class SGD(Ruled):
    """w ← w − η v with v ← μ v + ∂L/∂w; without momentum μ plain gradient descent.

    With `nesterov` w ← w − η (∂L/∂w + μ v), as if the gradient were taken one step ahead: Sutskever
    et al., On the importance of initialization and momentum in deep learning, in PyTorch's form.
    ParameterError for settings that no training can use, like `nesterov` without a momentum.

    >>> w = Value(3.0)
    >>> optimizer = SGD([w], lr=0.5)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w.data
    0.0
    """

    memory = ("velocity",)
    _update = staticmethod(sgd)

    @hinted
    def __init__(
        self, parameters: Module | Iterable[Any] = (), lr: float | Schedule = 0.01,
        momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, weight_decay, clip_norm)
        self.momentum = number("momentum", momentum, "from 0 to below 1")
        if nesterov and not self.momentum:
            raise ParameterError("nesterov needs a momentum above 0, got 0: write momentum=0.9")
        if not isinstance(nesterov, bool | np.bool_):
            raise ParameterError(f"nesterov is True or False, got {nesterov!r}")
        self.nesterov = bool(nesterov)
        self.velocity: Any = 0.0

    def _settings_of(self, step: int) -> tuple[float, ...]:
        return self.momentum, self.nesterov


class Adam(Ruled):
    """w ← w − η m̂ / (√v̂ + ε), with running means m of ∂L/∂w and v of its square.

    Kingma and Ba, Adam: A Method for Stochastic Optimization; m̂ and v̂ are m and v without the bias
    towards their start at zero. ParameterError for betas outside of 0 to 1, or eps that is not
    above 0.

    >>> w = Value(3.0)
    >>> optimizer = Adam([w], lr=0.5)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.data, 6), optimizer
    (2.5, Adam(1 parameter, lr=0.5, step 1))
    """

    memory = ("first", "second")
    _update = staticmethod(adam)

    @hinted
    def __init__(
        self, parameters: Module | Iterable[Any] = (), lr: float | Schedule = 0.001,
        betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, weight_decay, clip_norm)
        if not isinstance(betas, list | tuple | np.ndarray) or len(betas) != 2:
            raise ParameterError(f"betas are two numbers, like (0.9, 0.999), got {betas!r}")
        a, b = [number("each of betas", x, "from 0 to below 1") for x in betas]
        self.betas, self.eps = (a, b), number("eps", eps, "above 0")
        self.first: Any = 0.0
        self.second: Any = 0.0

    def _settings_of(self, step: int) -> tuple[float, ...]:
        a, b = self.betas
        return a, b, self.eps, 1 / (1 - a**step), 1 / (1 - b**step)


class AdamW(Adam):
    """Adam with w ← w − η λ w in each step: the weights decay, and the running means do not see it.

    Loshchilov and Hutter, Decoupled Weight Decay Regularization, in PyTorch's form.

    >>> w = Value(3.0)
    >>> AdamW([w], lr=0.5, weight_decay=0.5).step([0.0])  # no gradient: the weight decays alone
    >>> w.data
    2.25
    """

    _decoupled = True

    @hinted
    def __init__(
        self, parameters: Module | Iterable[Any] = (), lr: float | Schedule = 0.001,
        betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.01,
        clip_norm: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, betas, eps, weight_decay, clip_norm)


def leaves(parameters: Any) -> tuple[list[Value], Any]:
    """The parameters of a model, or those in any form, each once; and their form."""
    if isinstance(parameters, float | int):
        raise ParameterError(f"parameters come first: write lr={parameters!r}")
    if isinstance(parameters, Iterator | Set | ValuesView):
        parameters = list(parameters)
    for x in parameters if isinstance(parameters, list | tuple) else ():
        if isinstance(x, Mapping) and "params" in x:
            raise ParameterError(
                "an optimizer moves leaves, not groups of them: make one for each learning rate"
            )
    found = tree_leaves(parameters)
    for p in found:
        if not isinstance(p, Value) or p.op is not None:
            call = f": call it, {p.__name__}()" if ismethod(p) else ""
            raise ParameterError(f"an optimizer moves leaves, got {p!r:.80}{call}")
    once = list(dict.fromkeys(found))
    return once, outline(parameters) if len(once) == len(found) else [None] * len(once)
