"""The inputs of a layer: what its arguments are, and numbers that hide no mistake."""

from __future__ import annotations

import copy
import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms import names, reading
from microgrid.check.handwritten.forms.filling import Filling
from microgrid.check.handwritten.forms.fit import Fit, Parameters, parameters_of
from microgrid.check.handwritten.forms.gates import kinds_of
from microgrid.check.handwritten.forms.kinds import GENERIC, OPTIONAL, Form, Kind, kinds
from microgrid.check.handwritten.trial import Array, LayerError

Run = Callable[[dict[str, Any]], Sequence[Any]]  # arguments -> the outputs
_TRIES = ((False, 2), (True, 2), (False, 3), (False, 1))  # with defaults, layers of a network
_SURE = ("affine", "matrices")  # shapes that only fit if they are right
_MOST = 60  # tries of a form
_NONE = inspect.Parameter.empty


def fits(
    function: Callable[..., Any],
    given: Mapping[str, Any] | None = None,
    seed: int = 0,
    *,
    parameters: Parameters | None = None,
    run: Run | None = None,
    agrees: Callable[[Fit], bool] | None = None,
    name: str = "",
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
    return _Search(function, dict(given or {}), seed, parameters, run, agrees, name).fits()


class _Search:
    def __init__(
        self,
        function: Callable[..., Any],
        given: dict[str, Any],
        seed: int,
        parameters: Parameters | None,
        run: Run | None,
        agrees: Callable[[Fit], bool] | None,
        name: str,
    ) -> None:
        self.function, self.seed = function, seed
        self.parameters = parameters if parameters is not None else parameters_of(function)
        self.name = name or getattr(function, "__name__", "the forward")
        self.run = run or (lambda arguments: [_first(function(**arguments))])
        self.agrees = agrees or (lambda fit: True)
        self.said = ""  # by the first try that failed
        self.tried: Fit | None = None  # that one
        self.given = self.known(given)

    def known(self, given: dict[str, Any]) -> dict[str, Any]:
        """What is given, by argument: parameters of a network go into its dict."""
        other = [n for n in given if n not in self.parameters]
        dicts = [n for n in self.parameters if self.role(n) == "params"]
        if other and len(dicts) == 1 and all(re.match(r"[A-Za-z]+\d*$", n) for n in other):
            entries = {n: given[n] for n in other} | dict(given.get(dicts[0], {}))
            return {n: v for n, v in given.items() if n not in other} | {dicts[0]: entries}
        if other:
            has = ", ".join(self.parameters) or "none"
            raise LayerError(f"{self.name} has no argument {other[0]}: its arguments are {has}")
        return given

    def fits(self) -> list[Fit]:
        """Those of the first kind that fits: kinds of this name first, names as they are told."""
        every = kinds(self.name)
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
        raise LayerError(self.refusal())

    def guessed(self, kind: Kind) -> bool:
        """Whether its shapes are not told by names: only a backward can bear them out."""
        arrays = self.arrays(kind.forms[0], False)
        unknown = any(self.role(a) not in kind.forms[0].shapes for a in arrays)
        return len(arrays) > 1 and unknown and not kind.name.startswith(_SURE)

    def of_gates(self) -> list[Fit]:
        """Layers with many weights, by the letters of their names."""
        arrays = self.arrays(Form({n: "" for n in self.parameters if n.isidentifier()}), False)
        tried = []
        for kind, roles in kinds_of([a for a in arrays if names.settings(a) is None]):
            fit = self.filled(kind.forms[0], roles, False, 2).fit(kind.name)
            if fit is not None and self.works(fit) > 1:
                tried.append(fit)
                if self.agrees(fit):
                    return [fit]
        return tried[:1]

    def of_kind(self, kind: Kind, loose: bool) -> list[tuple[Fit, bool]]:
        """The fits of a kind, each with whether the outputs depend on all of its arrays."""
        found: list[tuple[Fit, bool]] = []
        parts: dict[str, str] = {}  # that the arrays play in all forms of the kind
        named = bool(kind.words.search(self.name))
        for form in kind.forms:
            if (form.only and not self.any_axes(form.only)) or (found and not form.also):
                continue
            tries = (
                (self.works(fit), fit, roles)
                for roles in self.roles(form, named, loose)
                if not parts or roles == parts
                for how in _TRIES
                if (fit := self.filled(form, roles, *how).fit(kind.name)) is not None
            )
            tried = [one for one in itertools.islice(tries, _MOST) if one[0]]
            if tried:
                sure = not self.guessed(kind)
                works, fit, parts = max(tried, key=lambda t: (t[0], sure or self.agrees(t[1])))
                found.append((fit, works > 1))
        return sorted(found, key=lambda pair: not pair[1])

    def filled(self, form: Form, roles: dict[str, str], defaults: bool, depth: int) -> Filling:
        return Filling(
            self.function, self.parameters, self.given, form, roles, self.seed, defaults, depth
        )

    def any_axes(self, only: str) -> bool:
        """Whether a normalization means the last axis of any array, not the second of two."""
        said = inspect.getdoc(self.function) or ""
        return bool(re.search(only, self.name)) and (
            reading.last_axis(self.function) and "(N, D)" not in said
        )

    def arrays(self, form: Form, numbers: bool) -> list[str]:
        """The arguments that are to be arrays; with `numbers` also those called as numbers are."""
        return [n for n in self.parameters if self.is_array(n, form, numbers)]

    def is_array(self, name: str, form: Form, numbers: bool) -> bool:
        default, part = self.parameters[name].default, names.role(name)
        if name in self.given:
            return not isinstance(self.given[name], int | float | str | dict) or (
                self.given[name] == "classes"
            )
        if default is not _NONE and (default is not None or part not in form.shapes):
            return False
        if names.settings(name) is not None or self.word(name) or names.is_context(name):
            return False
        return numbers or part in form.shapes or names.number(name) is None

    def word(self, name: str) -> bool:
        """Whether the code compares it with words, or looks up settings in it."""
        keys = reading.keys(self.function, name)
        return bool(reading.choices(self.function, name)) or (
            bool(keys) and all(names.number(key) is not None for key in keys)
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
        told = {} if loose and not named else {a: self.role(a) for a in arrays}
        known = {a: r for a, r in told.items() if r in form.shapes}
        if len(set(known.values())) < len(known):
            known = {}
        free = [a for a in arrays if a not in known]
        closed = () if named else names.BOUND  # an unknown name is no label
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
        looked_up = reading.keys(self.function, name)
        return "params" if any(re.match(r"[Wwb]\d?$", k) for k in looked_up) else names.role(name)

    def network(self, played: set[str]) -> bool:
        return "params" in played or any(isinstance(v, dict) for v in self.given.values())

    def works(self, fit: Fit) -> int:
        """0: it fails; 1: it runs; 2: it depends on every array, too."""
        try:
            with np.errstate(all="ignore"):
                before = self.outputs(fit, fit.inputs)
                flaw = _flaw(before)
                if not flaw:
                    return 2 if all(self.depends(fit, name, before) for name in fit.inputs) else 1
        except LayerError:
            raise
        except Exception as error:
            text = str(error).split("\n")[0][:100]
            flaw = f"{type(error).__name__}: {text}".removesuffix(": ")
            if type(error) in (NameError, ModuleNotFoundError, NotImplementedError):
                raise LayerError(f"{self.name} fails on floats, too: {flaw}") from error
        if not self.said:
            self.said, self.tried = flaw, fit
        return 0

    def outputs(self, fit: Fit, inputs: Mapping[str, Any]) -> list[Array]:
        found = self.run(fit.arguments({k: v.copy() for k, v in inputs.items()}))
        return [np.array(y, dtype=float) for y in found]

    def depends(self, fit: Fit, name: str, before: list[Array]) -> bool:
        """Whether an input has an influence on the outputs."""
        after = self.outputs(fit, fit.inputs | {name: fit.inputs[name] * 1.25})
        return any(a.shape != b.shape or (a != b).any() for a, b in zip(after, before))

    def worded(self, found: list[Fit]) -> list[Fit]:
        """A Fit more for every word that the code compares a setting with: "relu", "sigmoid"."""
        first, more = found[0], []
        for name, value in first.bound.items():
            if name in self.given or not isinstance(value, str):
                continue
            for word in reading.choices(self.function, name):
                other = copy.deepcopy(first)
                other.bound[name] = word
                other.chosen = list(dict.fromkeys([*first.chosen, name]))
                if word != value and self.works(other):
                    more.append(other)
        return [*found, *more]

    def refusal(self) -> str:
        """Why nothing fits, and how the inputs are told."""
        lacking = [n for n in self.parameters if n not in self.given]
        if not lacking:
            return f"{self.name} does not run on the given inputs: {self.said}"
        tried = self.tried.inputs if self.tried is not None else {}
        shapes = ", ".join(f"{n} {x.shape}" for n, x in tried.items())
        why = f" (with {shapes}: {self.said})" if shapes and self.said else ""
        first = next((n for n in lacking if n in tried), lacking[0])
        how = f"as in {first}=(3, 4), on the command line {first}=3x4"
        if why and all(self.role(n) for n in tried):
            return f"{self.name} fails on floats, too{why}; other inputs are given {how}"
        are = "are" if len(lacking) > 1 else "is"
        return (
            f"no inputs were found on which {self.name} runs{why}; "
            f"say what {', '.join(lacking)} {are}, {how}"
        )


def _flaw(outputs: list[Array]) -> str:
    """Why these outputs cannot be differentiated, or ""."""
    if not outputs:
        return "it returns no array of floats"
    if not all(np.isfinite(y).all() for y in outputs):
        return "it gives numbers that are not finite"
    if all(y.size > 1 and np.ptp(y) == 0 for y in outputs):
        return "all numbers that it gives are the same"
    return ""


def _first(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result
