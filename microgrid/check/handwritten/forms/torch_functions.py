"""A PyTorch `autograd.Function`: its forward under PyTorch's own autograd is the exact side.

PyTorch is optional: it is imported where a Function comes in, which means that it is there.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms.fit import Fit
from microgrid.check.handwritten.forms.reading import returned
from microgrid.check.handwritten.forms.search import fits
from microgrid.check.handwritten.forward.exact import Exact
from microgrid.check.handwritten.trial import Array, LayerError, Pass, Trial
from microgrid.engine.value import Value


class Context:
    """What stands for `ctx`: it keeps what forward saves, and any attribute.

    >>> ctx = Context((True,))
    >>> ctx.save_for_backward("x")
    >>> ctx.saved_tensors
    ('x',)
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.saved_tensors: tuple[Any, ...] = ()
        self.constants: list[int] = []  # ids of the outputs without a gradient
        self.materialize = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for backward."""
        self.saved_tensors = tensors

    save_for_forward = save_for_backward

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """The old name of `saved_tensors`."""
        return self.saved_tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs have no gradient."""
        self.constants += [id(t) for t in tensors]

    def mark_dirty(self, *tensors: Any) -> None:
        """Inputs that forward changed in place: nothing to do here."""

    def set_materialize_grads(self, value: bool) -> None:
        """Whether an output without a gradient gives zeros (True) or None."""
        self.materialize = value


@dataclass
class TorchTrial(Trial):
    """A trial whose exact side is PyTorch's: see `exact_torch`."""

    function: Any = None
    fit: Fit = field(default_factory=Fit)

    def exact(self) -> TorchExact:
        """The exact side of this trial."""
        return exact_torch(self)


@dataclass
class TorchExact(Exact):
    """The exact side by PyTorch: numbers and a Jacobian, no nodes and so no lines."""

    matrix: Array = field(default_factory=lambda: np.zeros((0, 0)))

    def jacobian(
        self, inputs: Iterable[str] | None = None, cut: Collection[Value] = frozenset()
    ) -> Array:
        """∂output/∂entry; there are no nodes to cut."""
        wanted = set(self.leaves if inputs is None else inputs)
        keep = [n in wanted for n, leaves in self.leaves.items() for _ in leaves]
        return self.matrix[:, keep]


def is_function(layer: Any) -> bool:
    """Whether it is a subclass of `torch.autograd.Function`; PyTorch is not imported for that.

    >>> is_function(dict)
    False
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(layer, type):
        return False
    return issubclass(layer, torch.autograd.Function) and layer is not torch.autograd.Function


def trials(
    function: Any, grads: Mapping[str, str] | None = None, seed: int = 0, **given: Any
) -> list[Trial]:
    """The trials of an `autograd.Function`; its inputs are given or found as those of a function.

    LayerError for one that is not written, or whose forward runs on nothing that was tried.
    """
    if grads:
        raise LayerError(
            f"{function.__name__}: grads is for classes; a Function returns its gradients"
        )
    for name in ("forward", "backward"):
        if name not in {n for c in function.__mro__[:-1] if is_theirs(c) for n in vars(c)}:
            raise LayerError(f"{function.__name__} has no {name}: write one as a @staticmethod")
    signature = inspect.signature(function.forward).parameters
    ctx = 0 if has_setup(function) else 1
    parameters = dict(list(signature.items())[ctx:])

    def run(arguments: dict[str, Any]) -> list[Any]:
        return [numbers(y) for y in forward(function, tensors_of(arguments), False)[1]]

    name = function.__name__
    found = fits(function.forward, given, seed, parameters=parameters, run=run, name=name)
    return [trial_of(function, fit, list(parameters)) for fit in found]


def is_theirs(cls: type) -> bool:
    """Whether somebody wrote this class, not PyTorch."""
    return cls.__module__.split(".")[0] not in ("torch", "builtins")


def has_setup(function: Any) -> bool:
    """Whether it has the newer form: `forward(x)` and `setup_context(ctx, inputs, output)`."""
    return any("setup_context" in vars(c) for c in function.__mro__ if is_theirs(c))


@contextmanager
def doubles() -> Iterator[Any]:
    """PyTorch with float64 as its default, and the same random numbers each time."""
    import torch

    before = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float64)
        try:
            yield torch
        finally:
            torch.set_default_dtype(before)


def tensors_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with tensors in the place of arrays."""
    import torch

    return {n: torch.tensor(x) if isinstance(x, np.ndarray) else x for n, x in arguments.items()}


def numbers(x: Any) -> Any:
    """A tensor as an array of NumPy."""
    return x.detach().numpy()


def forward(function: Any, tensors: dict[str, Any], graph: bool) -> tuple[Context, list[Any], Any]:
    """One forward: the context, the differentiable outputs, and all that it returned."""
    with doubles() as torch, torch.set_grad_enabled(graph):
        ctx = Context(tuple(torch.is_tensor(x) and x.is_floating_point() for x in tensors.values()))
        if has_setup(function):
            returned = function.forward(*tensors.values())
            function.setup_context(ctx, tuple(tensors.values()), returned)
        else:
            returned = function.forward(ctx, *tensors.values())
    several = returned if isinstance(returned, tuple | list) else (returned,)
    outputs = [y for y in several if torch.is_tensor(y) and y.is_floating_point()]
    return ctx, [y for y in outputs if id(y) not in ctx.constants], several


def trial_of(function: Any, fit: Fit, order: list[str]) -> Trial:
    """The trial of a Function with these arguments."""

    def run(inputs: Mapping[str, Any]) -> Pass:
        arguments = fit.arguments(inputs)
        tensors = tensors_of({n: arguments[n] for n in order if n in arguments})
        ctx, outputs, several = forward(function, tensors, False)
        wanted = [any(y is out for out in outputs) for y in several]

        def pull(upstream: Sequence[Any]) -> dict[str, Any]:
            return pull_of(function, ctx, list(tensors), zip(several, wanted), upstream, fit)

        return Pass([numbers(y) for y in outputs], pull)

    none: list[str] = []
    with suppress(Exception):  # a backward that crashes is told later
        none = [n for n, g in run(fit.inputs).pull(ones(run, fit)).items() if g is None]
    if len(none) < len(fit.inputs):  # None says that this one has no gradient
        fit.bound |= {n: fit.inputs.pop(n) for n in none}
    names = returned(function.backward)
    shown = dict(zip(order, names)) if len(names) == len(order) else {}
    return TorchTrial(
        name=function.__name__,
        inputs=fit.inputs,
        run=run,
        modules=[m for m in [sys.modules.get(function.__module__)] if m],
        forwards=[f for f in [function.forward] if isinstance(f, FunctionType)],
        backwards=[f for f in [function.backward] if isinstance(f, FunctionType)],
        places={n: shown.get(n) or f"d{n}" for n in fit.inputs},
        setting=fit.setting,
        samples=fit.samples,
        function=function,
        fit=fit,
    )


def ones(run: Callable[[Mapping[str, Any]], Pass], fit: Fit) -> list[Any]:
    """A gradient of ones for each output."""
    return [np.ones(np.shape(y)) for y in run(fit.inputs).outputs]


def pull_of(
    function: Any,
    ctx: Context,
    order: list[str],
    outputs: Iterable[tuple[Any, bool]],
    upstream: Sequence[Any],
    fit: Fit,
) -> dict[str, Any]:
    """Run their backward: a gradient for each argument of forward, None where there is none."""
    with doubles() as torch, torch.no_grad():
        given, douts = iter(upstream), []
        for y, wanted in outputs:
            if wanted:
                douts.append(torch.as_tensor(next(given), dtype=y.dtype))
            else:
                douts.append(
                    torch.zeros_like(y) if ctx.materialize and torch.is_tensor(y) else None
                )
        returned = function.backward(ctx, *douts)
    several = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
    if len(several) < len(order):
        raise ValueError(
            f"backward returns {len(several)} gradients for {len(order)} arguments of forward"
        )
    found = dict(zip(order, several))
    return {n: None if found.get(n) is None else numbers(found[n]) for n in fit.inputs}


def exact_torch(trial: TorchTrial) -> TorchExact:
    """The exact side: its forward differentiated by PyTorch, one output after the other.

    LayerError for a forward that PyTorch cannot follow, as one that goes through NumPy.
    """
    names = list(trial.inputs)
    arguments = trial.fit.arguments(trial.inputs)
    tensors = tensors_of(arguments)
    order = [n for n in inspect.signature(trial.function.forward).parameters if n in tensors]
    leaves = {n: tensors[n].requires_grad_() for n in names}
    try:
        given = {n: leaves[n].clone() if n in leaves else tensors[n] for n in order}
        outputs = forward(trial.function, given, True)[1]
        matrix = jacobian(outputs, list(leaves.values()))
    except Exception as error:
        raise LayerError(
            f"PyTorch does not differentiate the forward of {trial.name} "
            f"({type(error).__name__}: {error})"
        ) from error
    found = TorchExact(
        {n: [Value(float(x), n) for x in trial.inputs[n].ravel()] for n in names},
        [float(x) for y in outputs for x in numbers(y).ravel()],
        [tuple(y.shape) for y in outputs],
        trial.run(trial.inputs).pull,
        matrix=matrix,
    )
    check(found, trial)
    return found


def jacobian(outputs: Sequence[Any], leaves: Sequence[Any]) -> Array:
    """The derivatives of all outputs by all inputs, a row for each entry of an output."""
    import torch

    rows = []
    for y in outputs:
        for entry in y.reshape(-1):
            if not entry.requires_grad:
                rows.append(np.zeros(sum(x.numel() for x in leaves)))
                continue
            found = torch.autograd.grad(entry, leaves, retain_graph=True, allow_unused=True)
            parts = [torch.zeros_like(x) if g is None else g for g, x in zip(found, leaves)]
            rows.append(np.concatenate([numbers(g).ravel() for g in parts]))
    return np.array(rows)


def check(found: TorchExact, trial: TorchTrial) -> None:
    """LayerError where the Jacobian is not what finite differences of the forward say."""
    rng = np.random.default_rng(0)
    way = {n: rng.normal(size=x.shape) for n, x in trial.inputs.items()}
    step, ends = 1e-5, []
    for sign in (1, -1):
        moved = {n: x + sign * step * way[n] for n, x in trial.inputs.items()}
        ends.append(np.concatenate([np.ravel(y) for y in trial.run(moved).outputs]))
    slope = (ends[0] - ends[1]) / (2 * step)
    expected = found.jacobian() @ np.concatenate([w.ravel() for w in way.values()])
    if not np.allclose(expected, slope, rtol=1e-4, atol=1e-5 * (1 + np.abs(slope).max(initial=0))):
        raise LayerError(
            f"PyTorch does not follow the forward of {trial.name}: its derivative is not what "
            "finite differences give; does it leave PyTorch, by .detach(), .data or NumPy?"
        )
