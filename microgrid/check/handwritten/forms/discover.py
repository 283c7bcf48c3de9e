"""The layers of a file: pairs, losses, networks and classes, in the order of the source."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from microgrid.check.handwritten.forms import chains, classes, names, pairing, reading
from microgrid.check.handwritten.forms.functions import title, trials
from microgrid.check.handwritten.forms.which_classes import classes_of
from microgrid.check.handwritten.trial import LayerError, Trial

LOSS = {"loss", "cost", "entropy", "criterion", "objective", "propagate", "svm", "softmax", "mse"}


@dataclass
class Layer:
    """A layer of a file that is not made yet: `trials(...)` draws its inputs."""

    name: str
    line: int
    aliases: tuple[str, ...]  # what else it is called: the names of its functions
    make: Callable[..., list[Trial]]

    def trials(
        self,
        *,
        given: Mapping[str, Any] | None = None,
        grads: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> list[Trial]:
        """Its trials, one for each setting; LayerError if it cannot be run."""
        return self.make(given=given, grads=grads, seed=seed)


def layers_of(module: ModuleType, name: str = "") -> list[Layer]:
    """The layers of a module, or those called `name`: "affine", "Linear", "Softmax+CrossEntropy".

    LayerError, which lists what there is, where it has none.

    >>> import types
    >>> layers_of(types.ModuleType("empty"))
    Traceback (most recent call last):
        ...
    microgrid.check.handwritten.trial.LayerError: empty has no layers: functions such as ...
    """
    if "+" in name:
        return [chain_of(module, [part.strip() for part in name.split("+")])]
    alone = [of_class(cls) for cls in classes_of(module)] if name else []
    found = [
        *pairs_of(module),
        *losses_of(module),
        *flagged(module),
        *(alone or class_layers(module)),
    ]
    found.sort(key=lambda layer: layer.line)
    if name:
        return of_name(found, module, name)
    if not found:
        raise LayerError(
            f"{file_of(module)} has no layers: functions such as f_forward with f_backward, losses "
            "that return (loss, dx), or classes with forward and backward are looked for"
        )
    return found


def file_of(module: ModuleType) -> str:
    """The name of a module's file, without folders; of a module without a file its own name.

    >>> import types
    >>> file_of(types.ModuleType("typed"))
    'typed'
    """
    return Path(getattr(module, "__file__", None) or module.__name__).name


def of_name(found: list[Layer], module: ModuleType, name: str) -> list[Layer]:
    """Those of the layers that are called so; LayerError with the nearest names if none is."""
    for same in (str, str.lower):
        mine = [x for x in found if same(name) in (same(n) for n in (x.name, *x.aliases))]
        if mine:
            return mine
    known = [layer.name for layer in found]
    near = difflib.get_close_matches(name, known, 1)
    guess = f"; did you mean {near[0]}?" if near else ""
    has = f"its layers are {', '.join(known)}" if known else "it has no layers"
    raise LayerError(f"{file_of(module)} has no layer {name}: {has}{guess}")


def functions_of(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The functions that are written in a module, without those that it imports."""
    return {
        n: f
        for n, f in vars(module).items()
        if inspect.isfunction(inspect.unwrap(f) if callable(f) else f)
        and getattr(inspect.unwrap(f), "__globals__", None) is vars(module)
    }


def line_of(function: Callable[..., Any]) -> int:
    """The line of the source where a function begins."""
    return int(inspect.unwrap(function).__code__.co_firstlineno)


def place_of(cls: type) -> int:
    """The line of a class; 0 where its source is not known."""
    with suppress(OSError, TypeError):
        return inspect.getsourcelines(cls)[1]
    return 0


def pairs_of(module: ModuleType) -> list[Layer]:
    """The functions of a module with the backward that belongs to each by its name."""
    functions = functions_of(module)
    found, by = [], pairing.pairs(functions)
    for backward, forward in by.items():
        f, b = functions[forward], functions[backward]
        name = title(f)
        first = next(b for b, f in by.items() if f == forward)
        if backward != first:  # a second backward of the same forward
            name = pairing.stem(backward) if pairing.stem(backward) != name else backward
        found.append(layer_of(name, f, b, (forward, backward)))
    return found


def losses_of(module: ModuleType) -> list[Layer]:
    """Functions that return (loss, gradients) by themselves."""
    functions = functions_of(module)
    pairs = pairing.pairs(functions)
    taken = {*pairs, *pairs.values()}
    return [
        layer_of(title(f), f, None, (name,))
        for name, f in functions.items()
        if name not in taken and returns_gradients(f)
    ]


def flagged(module: ModuleType) -> list[Layer]:
    """Activations that give their derivative by a flag: `sigmoid(x, derivative=True)`."""
    found = []
    for name, f in functions_of(module).items():
        for flag, p in inspect.signature(f).parameters.items():
            if names.short(flag) in FLAGS and p.default is False:
                pair = (at_flag(f, flag, False), at_flag(f, flag, True))
                found.append(layer_of(name, *pair, (name,)))
    return found


FLAGS = ("deriv", "derivative", "prime", "grad", "derive", "gradient", "backward", "der", "isgrad")


def at_flag(function: Callable[..., Any], flag: str, value: bool) -> Callable[..., Any]:
    """A function with its flag for the derivative set."""

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named, **{flag: value})

    signature = inspect.signature(function)
    rest = [p for n, p in signature.parameters.items() if n != flag]
    vars(called)["__signature__"] = signature.replace(parameters=rest)
    return called


def returns_gradients(function: Callable[..., Any]) -> bool:
    """Whether a function returns a loss and gradients, by the names that it returns."""
    said = reading.returned(function)
    if len(said) < 2 or not inspect.signature(function).parameters:
        return False
    grads = [n for n in said if n.lower().startswith(("d", "grad")) or "grad" in n.lower()]
    losses = [n for n in said if names.short(n) in ("loss", "cost", "j", "l", "totalloss", "err")]
    named = LOSS & set(pairing.words(function.__name__))
    unnamed = "" in said  # an expression: `return loss, (p - y) / N`
    sure = named - {"softmax", "propagate"} and len(said) == 2  # `return np.mean(d**2), 2 * d / N`
    return bool((grads and (losses or named)) or (unnamed and named and (losses or sure)))


def layer_of(
    name: str, forward: Callable[..., Any], backward: Callable[..., Any] | None, aliases: Any
) -> Layer:
    """The layer of a forward, perhaps with its backward."""

    def make(**how: Any) -> list[Trial]:
        return trials(forward, backward, name=name, **how)

    return Layer(name, line_of(forward), aliases, make)


def class_layers(module: ModuleType) -> list[Layer]:
    """The classes; a loss that returns p − y and a softmax that hands it through are one layer."""
    pairs = chains.chains_of(module)
    fused = {loss for _, loss in pairs} | {
        first for first, _ in pairs if chains.hands_through(first)
    }
    together = [chain_of(module, [cls.__name__ for cls in pair]) for pair in pairs]
    return [*(of_class(c) for c in classes_of(module) if c not in fused), *together]


def of_class(cls: type) -> Layer:
    """The layer of a class."""

    def make(given: Mapping[str, Any] | None, **how: Any) -> list[Trial]:
        return classes.trials(cls, **how, **(given or {}))

    return Layer(cls.__name__, place_of(cls), (), make)


def chain_of(module: ModuleType, parts: list[str]) -> Layer:
    """The layer of two or more classes, which are given by name."""
    for part in parts:
        if not inspect.isclass(vars(module).get(part)):
            known = [c.__name__ for c in classes_of(module)]
            has = f"its classes are {', '.join(known)}" if known else "it has no such classes"
            raise LayerError(f"{file_of(module)} has no class {part}: {has}")
    both = [vars(module)[part] for part in parts]
    return Layer(
        " + ".join(parts),
        place_of(both[-1]),
        (),
        lambda given, **how: chains.chain(both, **how, **(given or {})),
    )
