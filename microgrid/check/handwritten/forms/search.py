"""The inputs of a layer: what its arguments are, and numbers that hide no mistake."""

from __future__ import annotations

import contextlib
import copy
import inspect
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms import names, reading
from microgrid.check.handwritten.forms.failing import failure
from microgrid.check.handwritten.forms.filling import Filling
from microgrid.check.handwritten.forms.fit import (
    Fit,
    Parameters,
    Signature,
    is_shape,
    is_whole,
    parameters_of,
)
from microgrid.check.handwritten.forms.gates import kinds_of
from microgrid.check.handwritten.forms.keywords import attributes_of
from microgrid.check.handwritten.forms.kinds import GENERIC, OPTIONAL, Form, Kind, kinds
from microgrid.check.handwritten.trial import Array, LayerError

Run = Callable[[dict[str, Any]], Sequence[Any]]  # arguments -> the outputs
TRIES = ((False, 2), (True, 2), (False, 3), (False, 1))  # with defaults, layers of a network
SURE = ("affine", "matrices")  # shapes that only fit if they are right
NORMALIZATIONS = ("spatial", "normalization")
MOST_TRIES, MOST_RUNS = 60, 1500  # tries of a form, and in all
FAILS, RUNS, DEPENDS, AGREES = range(4)  # how well arguments go: the last with the backward
NO_DEFAULT = inspect.Parameter.empty
UNWRITTEN = (NameError, ModuleNotFoundError, NotImplementedError)
OF_PROBABILITIES = "crossentropy|bce|nll|logloss|likelihood|logistic|entropy|kl"
INSIDE = ("w", "b", "wx", "wh", "gamma", "beta")  # an object has them


def fits(
    function: Callable[..., Any],
    given: Mapping[str, Any] | None = None,
    seed: int = 0,
    *,
    parameters: Parameters | None = None,
    run: Run | None = None,
    agrees: Callable[[Fit], bool] | None = None,
    name: str = "",
    every_input: bool = False,
) -> list[Fit]:
    """The arguments that a function runs with: one Fit for each setting worth checking.

    Those in `given` are as the user says: shapes, arrays, numbers, dicts of these, "classes". What
    the others are is known by their names, or found by trying: the forward has to run on floats
    and to give finite numbers that depend on every array. What is guessed without a name has to go
    with the backward, too, if that is possible: `agrees` says so. LayerError if nothing fits.

    >>> [fit] = fits(lambda data, m: data @ m)
    >>> {name: x.shape for name, x in fit.inputs.items()}
    {'data': (3, 4), 'm': (4, 5)}
    """
    known = parameters if parameters is not None else parameters_of(function)
    takes = Signature(name or getattr(function, "__name__", "the forward"), function, known)
    takes = replace(takes, every_input=every_input)
    run = run or (lambda arguments: [first_of(function(**arguments))])
    return Search(takes, given or {}, seed, run, agrees).fits()


class Search:
    """The search for the arguments of one layer.

    >>> f = lambda x: 2 * x
    >>> search = Search(Signature("f", f, parameters_of(f)), {}, 0, lambda given: [f(**given)])
    >>> search.fits()[0].inputs["x"].shape
    (3, 4)
    """

    def __init__(
        self,
        takes: Signature,
        given: Mapping[str, Any],
        seed: int,
        run: Run,
        agrees: Callable[[Fit], bool] | None = None,
        features: Callable[[], Sequence[int]] = tuple,  # sizes that the data may have
    ) -> None:
        self.takes, self.seed, self.run, self.features = takes, seed, run, features
        self.name, self.parameters = takes.name, takes.parameters
        self.agrees = agrees or (lambda fit: True)
        self.said = ""  # by the first try that failed
        self.tried: Fit | None = None  # that one
        self.unfit: Collection[str] = ()  # the names of its arrays whose shapes do not fit
        self.made = takes.cls is None  # whether an object could be made
        self.size: int | None = None  # of the features, where an object asks for it
        self.left = MOST_RUNS
        self.spread: list[Fit] = []  # that run as shapes happen to broadcast
        self.whole = False  # whether whole numbers that are given stay whole
        self.given = self.known(dict(given))

    def known(self, given: dict[str, Any]) -> dict[str, Any]:
        """What is given, by argument: parameters of a network go into its dict."""
        other = [n for n in given if n not in self.parameters]
        dicts = [n for n in self.parameters if self.role(n) == "params"]
        if other and len(dicts) == 1 and all(re.match(r"[A-Za-z]+\d*$", n) for n in other):
            entries = {n: given[n] for n in other} | dict(given.get(dicts[0], {}))
            return {n: v for n, v in given.items() if n not in other} | {dicts[0]: entries}
        if other:
            has = ", ".join(self.parameters) or "none"
            if self.takes.cls is not None and other[0] in {*attributes_of(self.takes.cls)}:
                raise LayerError(
                    f"{self.name} makes {other[0]} itself, from its arguments: give {has}"
                )
            raise LayerError(f"{self.name} has no argument {other[0]}: its arguments are {has}")
        return given

    def fits(self) -> list[Fit]:
        """The arguments; labels and numbers among them only if not every one has a gradient."""
        if self.takes.every_input:
            with contextlib.suppress(LayerError):
                found = self.of_kinds()
                needs = [n for n, p in self.parameters.items() if p.default is NO_DEFAULT]
                inputs = {*found[0].inputs, *self.takes.making}
                if inputs.issuperset(needs) and self.agrees(found[0]):
                    return found
            self.takes = replace(self.takes, every_input=False)
            self.said, self.tried, self.left = "", None, MOST_RUNS
        return self.of_kinds()

    def of_kinds(self) -> list[Fit]:
        """Those of the first kind that fits: kinds of this name first, names as they are told."""
        alone = self.takes.cls is not None and not self.takes.making and self.size is None
        if alone and (fitting := self.of_features()):
            return fitting
        every = kinds(self.name)
        if self.of_probabilities():
            every.sort(key=lambda kind: "probabilities" not in kind.name)
        likely = [k for k in every if k.words.search(self.name) or k.name in GENERIC]
        guesses: list[Fit] = []  # that do not go with the backward
        for some, loose in itertools.product((likely, every), (False, True)):
            weak: list[Fit] = []
            for kind in some:
                found = self.of_kind(kind, loose)
                named = kind.words.search(self.name)
                if found and found[0][1]:
                    if not self.guessed(kind) or self.agrees(found[0][0]):
                        return self.worded([fit for fit, _ in found])
                    guesses += [found[0][0]]
                weak += [fit for fit, _ in found if named]
            if weak:  # an array has no influence: a mistake of the forward
                return self.worded(weak[:1])
            if not loose and (gates := self.of_gates()):
                return self.worded(gates)
        if guesses:
            return self.worded(guesses[:1])
        if self.takes.making and self.size is None and (fitting := self.of_features()):
            return fitting
        if self.spread and self.size is None:
            return self.worded(self.spread[:1])
        if not self.whole and any(is_whole(x) for x in self.given.values()):
            self.whole, self.left = True, MOST_RUNS  # they are indices, whatever their names
            with contextlib.suppress(LayerError):
                return self.fits()
        raise LayerError(self.refusal())

    def of_features(self) -> list[Fit]:
        """Those whose data has as many features as one of the object's arrays has entries."""
        for size in self.features():
            self.size = size
            with contextlib.suppress(LayerError):
                return self.of_kinds()
        self.size = None
        return []

    def of_probabilities(self) -> bool:
        """Whether it is a loss of probabilities: named so, without an exponential of its own."""
        data = [n for n in self.parameters if n not in self.takes.making and n != self.takes.label]
        looks = re.search(OF_PROBABILITIES, self.name, re.IGNORECASE) and not re.search(
            "logit|softmax|sigmoid", self.name, re.IGNORECASE)  # fmt: skip
        predicted = any(names.role(n) == "p" for n in data)
        source = self.takes.cls or self.takes.function
        return bool(looks) and (
            predicted or not reading.mentions(source, "exp", "softmax", "sigmoid", "logsumexp")
        )

    def guessed(self, kind: Kind) -> bool:
        """Whether its shapes are not told by names: only a backward can bear them out."""
        arrays = self.arrays(kind.forms[0], False)
        parts = [self.role(a) for a in arrays]
        unknown = any(part not in kind.forms[0].shapes for part in parts)
        unknown = unknown or len({*parts}) < len(parts)  # x and z
        if "params" in kind.forms[0].shapes:
            return True  # the layout of its biases
        sure = (
            kind.name.startswith(SURE)
            and "one sample" not in kind.name  # it goes with every sum
            and not self.takes.every_input
        )
        return len(arrays) > 1 and unknown and not sure

    def of_gates(self) -> list[Fit]:
        """Layers with many weights, by the letters of their names."""
        every = {n: "" for n in self.parameters if n.isidentifier()}
        arrays = self.arrays(Form(every), False)
        tried = []
        for kind, roles in kinds_of([a for a in arrays if names.settings(a) is None]):
            for fit in self.filled(kind.forms[0], roles, False, 2).fits(kind.name):
                if self.works(fit) == DEPENDS:
                    tried.append(fit)
                    if self.agrees(fit):
                        return [fit]
        return tried[:1]

    def of_kind(self, kind: Kind, loose: bool) -> list[tuple[Fit, bool]]:
        """The fits of a kind, each with whether the outputs depend on all of its arrays."""
        found: list[tuple[Fit, bool]] = []
        parts: dict[str, str] = {}  # that the arrays play in all forms of the kind
        named, sure = bool(kind.words.search(self.name)), not self.guessed(kind)
        for form in kind.forms:
            inside = self.takes.cls is not None and "w" not in parts.values()
            other = form.also and (bool(form.numbers or form.only) or not inside)
            if (form.only and not self.any_axes(form.only)) or (found and not other):
                continue
            best: tuple[int, Fit | None] = (FAILS, None)
            tries = (
                (fit, roles)
                for roles in self.roles(form, named, loose)
                if not parts or roles == parts
                for how in (TRIES if "params" in form.shapes else TRIES[:2])
                for fit in self.filled(form, roles, *how).fits(kind.name)
            )
            for fit, roles in itertools.islice(tries, MOST_TRIES):
                level = self.works(fit)
                if level == DEPENDS and (sure or self.agrees(fit)):
                    level = AGREES
                if level > best[0]:
                    best, kept = (level, fit), roles
                if level == AGREES:
                    break
            if best[1] is not None:
                parts = kept
                found.append((best[1], best[0] >= DEPENDS))
        return sorted(found, key=lambda pair: not pair[1])

    def filled(self, form: Form, roles: dict[str, str], defaults: bool, depth: int) -> Filling:
        return Filling(
            self.takes, self.given, form, roles, self.seed, defaults, depth, self.size, self.whole
        )

    def any_axes(self, only: str) -> bool:
        """Whether a normalization means the last axis of any array, not the second of two."""
        source = self.takes.cls or self.takes.function
        said = inspect.getdoc(source) or ""
        return bool(re.search(only, self.name, re.IGNORECASE)) and (
            reading.last_axis(source) and "(N, D)" not in said
        )

    def arrays(self, form: Form, numbers: bool) -> list[str]:
        """The arguments that are to be arrays; with `numbers` also those called as numbers are."""
        return [n for n in self.parameters if self.is_array(n, form, numbers)]

    def is_array(self, name: str, form: Form, numbers: bool) -> bool:
        parameter, part = self.parameters[name], self.role(name)
        making = name in self.takes.making
        if making and (names.count(name) or parameter.annotation in (int, "int")):
            return False
        if name in self.given:
            window = names.count(name) == "window" or names.HIDING.match(names.short(name))
            if isinstance(self.given[name], float):  # an array without axes
                alone = len(self.parameters) == 1 or part
                required = parameter.default is NO_DEFAULT and names.number(name) is None
                return bool(alone) and required and not making
            return self.given[name] == "classes" if isinstance(self.given[name], str) else not (
                window or isinstance(self.given[name], int | dict | bool)
            )  # fmt: skip
        if parameter.default is not NO_DEFAULT and (
            parameter.default is not None or part not in form.shapes
        ):
            return False
        if names.settings(name) is not None or self.word(name):
            return False
        if making:
            return part in INSIDE or bool(re.match(r"[WUbwu][a-z]{0,2}\d?$", name))
        if names.is_context(name) and self.takes.cls is None:
            return False
        known = part in form.shapes or ("*" in form.shapes and part == "x")
        return numbers or known or names.number(name) is None or self.takes.every_input

    def word(self, name: str) -> bool:
        """Whether the code compares it with words, or looks up settings in it."""
        keys = self.takes.keys(name)
        return bool(self.takes.choices(name)) or (
            bool(keys) and all(names.number(k) is not None or names.count(k) for k in keys)
        )

    def roles(self, form: Form, named: bool, loose: bool) -> Iterator[dict[str, str]]:
        """The parts that the arrays may play in a form, by their names; loosely by any order."""
        several = [self.arrays(form, numbers) for numbers in ((False, True) if loose else (False,))]
        for arrays in several if several[0] != several[-1] else several[:1]:
            if "*" in form.shapes:
                yield dict.fromkeys(arrays, "*")
                if "number" in form.shapes and arrays[1:]:  # the last of them is one
                    yield dict.fromkeys(arrays[:-1], "*") | {arrays[-1]: "number"}
            else:
                yield from self.parts(form, arrays, named, loose)

    def parts(
        self, form: Form, arrays: list[str], named: bool, loose: bool
    ) -> Iterator[dict[str, str]]:
        needed = {r for r in form.shapes if r not in OPTIONAL}
        needed -= {"y"} if "params" in form.shapes else set()
        needed -= set(INSIDE) if self.takes.cls is not None and "y" not in needed else set()
        told = {} if loose and not named else {a: self.role(a) for a in arrays}
        known = {a: r for a, r in told.items() if r in form.shapes}
        if len(set(known.values())) < len({a.rstrip("0123456789") for a in known}):
            known = {}
        free = [a for a in arrays if a not in known]
        closed = (
            () if named and not self.takes.every_input else names.BOUND
        )  # an unknown name is no label
        left = [r for r in form.shapes if r not in known.values() and r not in closed]
        if len(free) > len(left) or (not loose and any(told[a] for a in free) and not named):
            return
        for choice in itertools.permutations(left, len(free)):
            found = known | dict(zip(free, choice))
            played = set(found.values())
            played |= {"x", "p"} if played & {"x", "p"} else set()
            if needed <= played and ("params" not in form.shapes or self.network(played)):
                yield {a: found[a] for a in arrays}

    def role(self, name: str) -> str:
        looked_up, label = self.takes.keys(name), self.takes.label
        if any(re.match(r"[Wwb]\d?$", k) for k in looked_up):
            return "params"
        if label and name not in self.takes.making:
            return "y" if name == label else "p" if names.role(name) == "y" else names.role(name)
        part = names.role(name)
        return "" if self.takes.every_input and part in names.BOUND else part

    def network(self, played: set[str]) -> bool:
        return "params" in played or any(isinstance(v, dict) for v in self.given.values())

    def works(self, fit: Fit) -> int:
        """FAILS, RUNS, or DEPENDS: it runs, and what it gives depends on every array."""
        self.left -= 1
        if self.left < 0:
            return FAILS
        of: Collection[str] = ()
        try:
            with np.errstate(all="ignore"):
                before = self.outputs(fit, fit.inputs)
                held = [n for n in fit.inputs if self.is_held(n, fit)]
                flaw = flaw_of(before, alike=bool(held))
                if not flaw:
                    there = moved(fit.inputs, held, self.seed)
                    before = self.outputs(fit, there) if held else before
                    drawn = [n for n in fit.inputs if n not in held]
                    every = all(self.depends(fit, there, name, before) for name in drawn)
                    if every and self.broadcasts(fit, before) and not self.agrees(fit):
                        self.spread.append(fit)
                        return FAILS
                    return DEPENDS if every else RUNS
        except LayerError:
            raise
        except Exception as error:
            unwritten = self.takes.cls is None and type(error) in UNWRITTEN
            if self.said and not unwritten:
                return FAILS
            flaw, of = failure(error, self.takes.function)
            if unwritten:
                raise LayerError(f"{self.name} fails on floats, too: {flaw}") from error
        if not self.said:
            self.said, self.tried, self.unfit = flaw, fit, of
        return FAILS

    def outputs(self, fit: Fit, inputs: Mapping[str, Any]) -> list[Array]:
        found = self.run(fit.arguments({k: v.copy() for k, v in inputs.items()}))
        return [np.array(y, dtype=float) for y in found]

    def is_held(self, name: str, fit: Fit) -> bool:
        """Whether the user gave the numbers of an input: they are taken as they are."""
        argument, key = fit.within.get(name, (name, None))
        told = self.given.get(argument)
        told = told.get(key) if key is not None and isinstance(told, dict) else told
        return told is not None and not isinstance(told, str) and not is_shape(told)

    def broadcasts(self, fit: Fit, outputs: list[Array]) -> bool:
        """Whether the outputs have more axes than the data, or a normalization other ones.

        Then the shapes of the others are likely wrong ones, with which it happens to run.
        """
        own = [n for n in self.parameters if n not in self.takes.making]
        data = next((n for n in own if self.role(n) in ("x", "p", "q")), own[0] if own else "")
        if data not in fit.inputs:
            return False
        shape = fit.inputs[data].shape
        scaled = any(self.role(n) in ("gamma", "beta") for n in fit.inputs)
        if scaled and fit.kind.startswith(NORMALIZATIONS) and outputs[0].shape != shape:
            return True
        return any(y.ndim > max(len(shape), 1) for y in outputs)

    def depends(self, fit: Fit, inputs: Mapping[str, Any], name: str, before: list[Array]) -> bool:
        """Whether an input has an influence on the outputs."""
        after = self.outputs(fit, {**inputs, name: inputs[name] * 1.25})
        return any(a.shape != b.shape or (a != b).any() for a, b in zip(after, before))

    def worded(self, found: list[Fit]) -> list[Fit]:
        """A Fit more for every word that the code compares a setting with: "relu", "sigmoid"."""
        first, more = found[0], []
        for name, value in first.bound.items():
            if name in self.given or not isinstance(value, str):
                continue
            for word in self.takes.choices(name):
                other = copy.deepcopy(first)
                other.bound[name] = word
                other.chosen = list(dict.fromkeys([*first.chosen, name]))
                if word != value and self.works(other) != FAILS:
                    more.append(other)
        return [*found, *more]

    def is_number(self, name: str) -> bool:
        """Whether an argument is likely a number: a size, or a setting known as one."""
        known = isinstance(names.number(name), int | float) and not self.role(name)
        return known or bool(names.count(name)) or name in self.takes.making

    def refusal(self) -> str:
        """Why nothing fits, and how the inputs are told."""
        tried = self.tried.inputs if self.tried is not None else {}
        lacking = [
            n for n, p in self.parameters.items()
            if n not in self.given and (n in tried or p.default is NO_DEFAULT)
        ]  # fmt: skip
        if not lacking and not self.given:
            return f"{self.name} has no argument that could be an array"
        told = {n for n in self.unfit if n in self.parameters}
        if not lacking or (told and told <= {*self.given}):
            why = self.said or "no layer that is known has arrays with so many axes"
            return f"{self.name} does not run on the given inputs: {why}"
        shapes = ", ".join(f"{n} {x.shape}" for n, x in tried.items())
        why = f" (with {shapes}: {self.said})" if shapes and self.said else ""
        first = next((n for n in lacking if n in tried), lacking[0])
        how = f"as in {first}=(3, 4), on the command line {first}=3x4"
        if first not in tried and self.is_number(first):
            how = f"as in {first}=3"
        if why and all(self.role(n) for n in tried):
            return f"{self.name} fails on floats, too{why}; other inputs are given {how}"
        are = "are" if len(lacking) > 1 else "is"
        return (
            f"no inputs were found on which {self.name} runs{why}; "
            f"say what {', '.join(lacking)} {are}, {how}"
        )


def moved(inputs: Mapping[str, Any], held: Sequence[str], seed: int) -> dict[str, Any]:
    """The inputs, those that are held each a little from where they were, zeros and ones, too."""
    rng = np.random.default_rng(seed)
    return {
        n: x + np.where(x == 0, 0.01, 0.05 * abs(x)) * rng.uniform(-1, 1, x.shape)
        if n in held else x
        for n, x in inputs.items()
    }  # fmt: skip


def flaw_of(outputs: list[Array], alike: bool = False) -> str:
    """Why these outputs cannot be differentiated, or ""; all may be `alike`."""
    if not outputs:
        return "it returns no array of floats"
    if not all(np.isfinite(y).all() for y in outputs):
        return "it gives numbers that are not finite"
    if not alike and all(y.size > 1 and np.ptp(y) == 0 for y in outputs):
        return "all numbers that it gives are the same"
    return ""


def first_of(result: Any) -> Any:
    """The first result, where there are several."""
    return result[0] if isinstance(result, tuple) else result
