"""Functions that people write, made into trials: pairs, losses, networks, activations."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms import names, pairing, reading
from microgrid.check.handwritten.forms.fit import (
    Fit,
    Parameters,
    every_input,
    has_default,
    parameters_of,
)
from microgrid.check.handwritten.forms.forwards import COSTS, Forward, Function, called, with_cost
from microgrid.check.handwritten.forms.modules import module_of, modules_of, same_randomness
from microgrid.check.handwritten.forms.one_sample import with_hint
from microgrid.check.handwritten.forms.plan import Plan, is_numbers, matched, planned
from microgrid.check.handwritten.forms.search import fits
from microgrid.check.handwritten.trial import LayerError, Pass, Trial


def trials(
    forward: Function,
    backward: Function | None = None,
    *,
    given: Mapping[str, Any] | None = None,
    grads: Mapping[str, Any] | None = None,
    seed: int = 0,
    name: str = "",
) -> list[Trial]:
    """A layer of functions, ready to run: a Trial for each setting.

    A pair (`out, cache = f(x, w)` and `dx, dw = g(dout, cache)`), a loss that returns its
    gradients, too, a network with a dict of parameters, an activation with its derivative.
    Without a backward it is looked up by its name beside the forward. `grads` says where the
    gradient of an input is, if its name does not: a name, a key or a place.

    >>> [trial] = trials(lambda x: x**2, lambda dout, x: 2 * x * dout)
    >>> out = trial.run(trial.inputs)
    >>> sorted(out.pull([np.ones((3, 4))]))
    ['x']
    """
    backward = backward or backward_of(forward)
    layer = FunctionLayer(forward, backward, name or title(forward), dict(grads or {}), seed)
    made = layer.trials(dict(given or {}))
    return with_hint(made, lambda told: layer.trials(dict(told)), given or {})


def title(forward: Function) -> str:
    """The name of a layer: its forward's without the "forward".

    >>> title(lambda x: x)
    'the layer'
    """
    said = getattr(forward, "__name__", "the layer")
    if said == "<lambda>":
        return "the layer"
    return (pairing.stem(said) or said) if pairing.is_forward(said) else said


def backward_of(forward: Function) -> Function | None:
    """The backward pass that stands beside a forward, by its name; None if there is none."""
    module = module_of(forward)
    mine = getattr(forward, "__name__", "")
    found = {n: f for n, f in vars(module).items() if inspect.isfunction(f)} if module else {}
    if mine not in found:
        return None
    return next((found[b] for b, f in pairing.pairs(found).items() if f == mine), None)


class FunctionLayer:
    """A forward and its backward, before its inputs are known."""

    def __init__(
        self,
        forward: Function,
        backward: Function | None,
        name: str,
        grads: dict[str, Any],
        seed: int,
    ) -> None:
        self.name, self.seed, self.grads = name, seed, grads
        self.backward = backward
        if backward is None:
            self.forward = Forward(forward, parameters_of(forward), reading.returned(forward))
        else:
            self.forward = with_cost(forward, backward)
        self.takes: Parameters = parameters_of(backward) if backward is not None else {}
        self.who = getattr(backward or forward, "__name__", "its backward")
        both = [forward, *([backward] if backward is not None else [])]
        self.modules = modules_of([inspect.unwrap(f) for f in both])
        self.settled = False  # whether a plan has been found for what the forward returns

    def plan(self, result: Sequence[Any]) -> Plan:
        if all(r is None for r in result):
            said = getattr(self.forward.function, "__name__", "its forward")
            if inspect.isbuiltin(self.forward.function):
                raise LayerError(f"{said} returns None: a forward returns its outputs")
            raise LayerError(f"{said} returns None: it is not written yet")
        if self.backward is None:
            places = [i for i, r in enumerate(result) if is_numbers(r) and np.ndim(r) == 0]
            return Plan(places[:1])
        if self.forward.cost is not None:
            last = len(result) - 1
            inner = planned(
                result[:-1], self.forward.returned[:-1], list(self.forward.parameters),
                self.takes, self.who, loss=True,
            )  # fmt: skip
            return Plan([last], inner.sources)
        return planned(
            result, self.forward.returned, list(self.forward.parameters), self.takes, self.who
        )

    def outputs(self, given: dict[str, Any]) -> list[Any]:
        with same_randomness(self.seed, self.modules):
            result = self.forward(given)
        if any(isinstance(r, dict) for r in result) and self.backward is None:
            return [r for r in result if is_numbers(r) and np.ndim(r) == 0]
        return [result[i] for i in self.plan(result).outputs]

    def trials(self, given: dict[str, Any]) -> list[Trial]:
        said = getattr(self.forward.function, "__name__", self.name)
        found = fits(
            self.forward.function,
            given,
            self.seed,
            parameters=self.forward.parameters,
            run=self.outputs,
            agrees=self.agrees,
            name=said,
            every_input=self.backward is not None
            and self.forward.cost is None
            and every_input(self.backward, needed(self.forward.parameters)),
        )
        return [self.trial(fit) for fit in [*found, *self.modes(found[0], given)]]

    def agrees(self, fit: Fit) -> bool:
        """Whether the gradients that the backward gives have the shapes of the inputs."""
        run = Run(self, fit)
        try:
            run.settle()
        except LayerError:
            return False
        return run.agrees

    def modes(self, fit: Fit, given: Mapping[str, Any]) -> list[Fit]:
        """The other mode of a layer whose backward looks at modes."""
        if self.backward is None or not reading.mentions(
            self.backward, "test", "mode", "train", "training"
        ):
            return []
        found = []
        for name, value in fit.bound.items():
            mode = value.get("mode") if isinstance(value, dict) else value
            if name in given or mode not in ("train", True) or not is_mode(name, value):
                continue
            other = Fit(**{**vars(fit), "bound": dict(fit.bound)})
            new: Any = "test" if mode == "train" else False
            other.bound[name] = value | {"mode": new} if isinstance(value, dict) else new
            other.chosen = list(dict.fromkeys([*fit.chosen, name]))
            try:
                out = self.outputs(other.arguments({k: v.copy() for k, v in fit.inputs.items()}))
            except Exception:  # not a layer with this mode
                continue
            found += [other] if all(np.isfinite(np.asarray(y, float)).all() for y in out) else []
        return found

    def trial(self, fit: Fit) -> Trial:
        run = Run(self, fit)
        places = run.settle()
        functions = [f for f in (self.forward.function, self.forward.cost) if f is not None]
        backwards = [self.backward] if self.backward is not None else [self.forward.function]
        return Trial(
            self.name,
            fit.inputs,
            run,
            self.modules,
            [inspect.unwrap(f) for f in functions if inspect.isfunction(f)],
            [inspect.unwrap(f) for f in backwards if isinstance(f, FunctionType)],
            places,
            fit.setting,
            loss=not run.upstream and not run.elementwise,
            samples=fit.samples,
            again=run.again if self.backward is not None else None,
        )


def needed(parameters: Parameters) -> list[str]:
    """The arguments without a default, but the place where a forward keeps things."""
    return [n for n, p in parameters.items() if not has_default(p) and not names.is_context(n)]


def is_mode(name: str, value: Any) -> bool:
    """Whether a setting tells training from testing."""
    return isinstance(value, dict) or names.short(name) in (
        "mode", "train", "training", "istraining", "trainflg", "istrain",
    )  # fmt: skip


class Run:
    """One forward after another, each from the same state."""

    def __init__(self, layer: FunctionLayer, fit: Fit) -> None:
        self.layer, self.fit = layer, fit
        self.upstream, self.elementwise, self.of_output = True, False, False
        self.places: dict[str, int] = {}
        self.agrees = False  # whether the gradients have the shapes of their inputs

    def __call__(self, inputs: Mapping[str, Any]) -> Pass:
        layer, given = self.layer, self.fit.arguments(inputs)
        with same_randomness(layer.seed, layer.modules):
            result = layer.forward(given)
        plan = layer.plan(result)
        outputs = [result[i] for i in plan.outputs]

        def pull(douts: Sequence[Any]) -> dict[str, Any]:
            return self.named(self.pulled(plan, result, given, outputs, douts))

        return Pass(outputs, pull)

    def pulled(
        self,
        plan: Plan,
        result: list[Any],
        given: dict[str, Any],
        outputs: list[Any],
        douts: Sequence[Any],
    ) -> Any:
        """What their backward gives, as it gives it."""
        layer = self.layer
        if layer.backward is None:
            rest = [r for i, r in enumerate(result) if i not in plan.outputs]
            return rest[0] if len(rest) == 1 else tuple(rest)
        arguments = plan.arguments(result, given, douts)
        if self.of_output:
            arguments[next(iter(arguments))] = outputs[0]
        with same_randomness(layer.seed, layer.modules):
            found = called(layer.backward, arguments)
        if self.elementwise:
            found = found[0] if isinstance(found, tuple) else found
            return None if found is None else np.asarray(douts[0]) * found
        return found

    def named(self, gradients: Any) -> dict[str, Any]:
        """The gradients by the names of the inputs."""
        if gradients is None:
            return dict.fromkeys(self.places or self.fit.inputs)
        parts = self.parts(gradients)
        return {of: parts[i] for of, i in self.places.items() if i < len(parts)}

    def parts(self, gradients: Any) -> list[Any]:
        if isinstance(gradients, dict):
            return list(gradients.values())
        if not isinstance(gradients, tuple | list):
            return [gradients]
        return [x for g in gradients for x in (g.values() if isinstance(g, dict) else [g])]

    def keys(self, gradients: Any, said: list[str]) -> list[str]:
        """What each of the parts is called, "" where nothing says so."""
        if isinstance(gradients, dict):
            return [str(k) for k in gradients]
        parts = self.parts(gradients)
        if isinstance(gradients, tuple | list) and any(isinstance(g, dict) for g in gradients):
            known = said if len(said) == len(gradients) else [""] * len(gradients)
            return [str(k) for g, n in zip(gradients, known)
                    for k in (g if isinstance(g, dict) else [n])]  # fmt: skip
        return said if len(said) == len(parts) else [""] * len(parts)

    def settle(self) -> dict[str, str]:
        """Find out whose gradients they give; their names, by input."""
        layer, fit = self.layer, self.fit
        inputs = {k: v.copy() for k, v in fit.inputs.items()}
        given = fit.arguments(inputs)
        with same_randomness(layer.seed, layer.modules):
            result = layer.forward(given)
        plan = layer.plan(result)
        outputs = [result[i] for i in plan.outputs]
        scalar = len(outputs) == 1 and np.ndim(outputs[0]) == 0
        self.upstream = plan.upstream
        self.elementwise = layer.backward is not None and not self.upstream and not scalar
        if self.elementwise:
            self.of_output = self.takes_output(plan, result, outputs)
        douts = [np.random.default_rng(layer.seed).normal(size=np.shape(y)) for y in outputs]
        said = self.said()
        try:
            gradients = self.pulled(plan, result, given, outputs, douts)
        except Exception:  # the judge tells how it crashes
            gradients = tuple(None for _ in said) if any(said) else None
        return self.settled(gradients, said)

    def said(self) -> list[str]:
        """The names of the gradients in their return statement."""
        if self.layer.backward is not None:
            return reading.returned(self.layer.backward)
        found = self.layer.forward.returned
        return [n for n in found if names.short(n) not in COSTS] if len(found) > 1 else []

    def settled(self, gradients: Any, said: list[str]) -> dict[str, str]:
        layer, inputs = self.layer, self.fit.inputs
        parts = self.parts(gradients)
        if layer.backward is None and not parts:
            raise LayerError(
                f"{layer.who} returns no gradients: give its backward, too, as in layer(forward, "
                "backward)"
            )
        by_key = isinstance(gradients, dict)
        keys = self.keys(gradients, said)
        if gradients is None and not any(keys):
            keys, parts = [""] * len(inputs), [None] * len(inputs)
        told, found = {}, {}
        for of, where in layer.grads.items():
            if of not in inputs:
                raise LayerError(f"grads names {of}, but the inputs are {', '.join(inputs)}")
            if where not in keys and not (isinstance(where, int) and where < len(parts)):
                raise LayerError(
                    f"{layer.who} returns nothing called {where}: it returns "
                    f"{', '.join(k or 'a value' for k in keys)}"
                )
            told[of] = where if isinstance(where, int) else keys.index(where)
        shapes = [None if p is None else np.shape(p) for p in parts]
        rest = {k: v for k, v in inputs.items() if k not in told}
        if rest:  # that of an argument of backward, as the upstream gradient, says nothing
            silent = [k if by_key or k not in layer.takes else "" for k in keys]
            order = needed(layer.forward.parameters)
            found = matched(silent, shapes, rest, by_key=by_key, who=layer.who, order=order)
        found = told | found
        self.places = {of: found[of] for of in inputs if of in found}
        self.agrees = all(
            parts[i] is not None and np.shape(parts[i]) == inputs[of].shape
            for of, i in self.places.items()
        )
        named = [k if k not in layer.takes and keys.count(k) == 1 else "" for k in keys]
        # neither `return dout * mask` nor `return dxh[:, :D], dxh[:, D:]` names them
        return {
            of: (f"grads[{keys[i]!r}]" if by_key else named[i]) or f"d{of}"
            for of, i in self.places.items()
        }

    def takes_output(self, plan: Plan, result: list[Any], outputs: list[Any]) -> bool:
        """Whether a derivative is written for the output of the activation, not for its input.

        `s * (1 - s)` is meant for s = sigmoid(x), whatever its argument is called: if it is right
        so, and wrong of x, it is meant so.
        """
        layer, x = self.layer, next(iter(self.fit.inputs))
        at = {k: v.copy() for k, v in self.fit.inputs.items()}
        h = 1e-6
        sides = [layer.outputs(self.fit.arguments(at | {x: at[x] + d})) for d in (h, -h)]
        slope = (np.asarray(sides[0][0], float) - np.asarray(sides[1][0], float)) / (2 * h)
        fits_ = []
        for of_output in (False, True):
            self.of_output, self.elementwise = of_output, True
            try:
                found = self.pulled(plan, result, self.fit.arguments(at), outputs, [1.0])
                fits_.append(np.allclose(np.asarray(found, float), slope, 1e-4, 1e-6))
            except Exception:
                fits_.append(False)
        return fits_ == [False, True]

    def again(self, a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
        """What is wrong with a second forward before the backward of the first, or ""."""

        def copies(inputs: Mapping[str, Any]) -> dict[str, Any]:
            return {k: np.array(v) for k, v in inputs.items()}

        first = self(copies(a))
        douts = [np.random.default_rng(1).normal(size=np.shape(y)) for y in first.outputs]
        alone = first.pull([d.copy() for d in douts])
        kept = self(copies(a))
        self(copies(b))
        after = kept.pull(douts)
        for name, right in alone.items():
            other = after.get(name)
            if right is None or other is None or np.shape(right) != np.shape(other):
                continue
            if not np.allclose(np.asarray(right, float), np.asarray(other, float), equal_nan=True):
                return (
                    f"a second forward overwrites what the backward of the first one needs: "
                    f"{self.layer.who} then gives another gradient of {name}"
                )
        return ""
