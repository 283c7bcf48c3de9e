"""The inputs of a layer: what its arguments are, and numbers that hide no mistake."""

from __future__ import annotations

import copy
import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from microgrid.check.handwritten import names, reading
from microgrid.check.handwritten.forms import GENERIC, OPTIONAL, SIZES, Form, Kind, kinds
from microgrid.check.handwritten.random_arrays import labels, of_kind
from microgrid.check.handwritten.trial import Array, LayerError

Parameters = Mapping[str, inspect.Parameter]
Run = Callable[[dict[str, Any]], Sequence[Any]]  # arguments -> the outputs
_DULL = ("eps", "epsilon", "momentum", "seed", "verbose")  # not worth telling
_NONE = inspect.Parameter.empty


@dataclass
class Fit:
    """The arguments of a layer: the arrays to differentiate, and all that is bound.

    `within` says of an input that is an entry of a dict which argument and which key it has.
    """

    inputs: dict[str, Array] = field(default_factory=dict)
    bound: dict[str, Any] = field(default_factory=dict)
    within: dict[str, tuple[str, Any]] = field(default_factory=dict)
    samples: int = 1
    kind: str = ""
    chosen: list[str] = field(default_factory=list)  # the bound arguments that a report tells

    @property
    def setting(self) -> str:
        """What is bound, as a report tells it: "stride=2, pad=1"."""
        told = {k: self.bound[k] for k in self.chosen}
        flat = {k: v for k, v in told.items() if not isinstance(v, dict)}
        flat |= {k: v for d in told.values() if isinstance(d, dict) for k, v in d.items()}
        shown = {k: v for k, v in flat.items() if np.ndim(v) == 0 and k not in _DULL}
        return ", ".join(f"{k}={v!r}" for k, v in shown.items())

    def arguments(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name; what is bound is copied, as a forward may write into it.

        >>> Fit(inputs={"x": np.ones(3)}, bound={"stride": 2}).arguments({"x": 1.0})
        {'stride': 2, 'x': 1.0}
        """
        given = copy.deepcopy(self.bound)
        for name, value in inputs.items():
            argument, key = self.within.get(name, (name, None))
            if key is None:
                given[argument] = value
            else:
                given.setdefault(argument, {})[key] = value
        return given


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The arguments of a function by name, without *args and **kwargs.

    >>> list(parameters_of(lambda x, w=1: x))
    ['x', 'w']
    """
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError):
        raise LayerError(f"the arguments of {function!r} are not to be read: wrap it in a def")
    stars = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: p for name, p in found.items() if p.kind not in stars}


def fits(
    function: Callable[..., Any],
    given: Mapping[str, Any] | None = None,
    seed: int = 0,
    *,
    parameters: Parameters | None = None,
    run: Run | None = None,
    name: str = "",
) -> list[Fit]:
    """The arguments that a function runs with: one Fit for each setting worth checking.

    Those in `given` are as the user says: shapes, arrays, numbers, dicts of these, "classes". What
    the others are is known by their names, or found by trying: the forward has to run on floats
    and to give finite numbers that depend on every array. LayerError if nothing fits.

    >>> [fit] = fits(lambda data, m: data @ m)
    >>> {name: x.shape for name, x in fit.inputs.items()}
    {'data': (3, 4), 'm': (4, 5)}
    """
    search = _Search(function, dict(given or {}), seed, parameters, run, name)
    return search.fits()


class _Search:
    def __init__(
        self,
        function: Callable[..., Any],
        given: dict[str, Any],
        seed: int,
        parameters: Parameters | None,
        run: Run | None,
        name: str,
    ) -> None:
        self.function, self.given, self.seed = function, given, seed
        self.parameters = parameters if parameters is not None else parameters_of(function)
        self.name = name or getattr(function, "__name__", "the forward")
        self.run = run or (lambda arguments: [_first(function(**arguments))])
        self.said = ""  # by the first try that failed
        self.tried: Fit | None = None  # that one
        unknown = [n for n in given if n not in self.parameters]
        if unknown:
            has = ", ".join(self.parameters) or "none"
            raise LayerError(f"{self.name} has no argument {unknown[0]}: its arguments are {has}")

    def fits(self) -> list[Fit]:
        likely = [k for k in kinds(self.name) if k.words.search(self.name) or k.name in GENERIC]
        for some, loose in itertools.product((likely, kinds(self.name)), (False, True)):
            weak: list[Fit] = []
            for kind in some:
                found = self.of_kind(kind, loose)
                if found and found[0][1]:
                    return self.settings([fit for fit, _ in found])
                weak += [fit for fit, _ in found if kind.words.search(self.name)]
            if weak:  # an array has no influence: a mistake of the forward
                return self.settings(weak[:1])
        raise LayerError(self.refusal())

    def of_kind(self, kind: Kind, loose: bool) -> list[tuple[Fit, bool]]:
        """The fits of a kind, each with whether the outputs depend on all of its arrays."""
        found: list[tuple[Fit, bool]] = []
        parts: dict[str, str] = {}  # that the arrays play in all forms of the kind
        for form in kind.forms:
            if (form.only and not self.any_axes(form.only)) or (found and not form.also):
                continue
            named = bool(kind.words.search(self.name))
            tries = (
                (self.works(fit), fit, roles)
                for roles in self.roles(form, named, loose)
                if not parts or roles == parts
                for defaults, depth in ((False, 2), (True, 2), (False, 3), (False, 1))
                if (fit := self.drawn(kind, form, roles, defaults, depth)) is not None
            )
            tried = [one for one in itertools.islice(tries, 60) if one[0]]
            if tried:
                works, fit, parts = max(tried, key=lambda one: one[0])
                found.append((fit, works > 1))
        return sorted(found, key=lambda pair: not pair[1])

    def any_axes(self, only: str) -> bool:
        """Whether a normalization means the last axis of any array, not the second of two."""
        said = inspect.getdoc(self.function) or ""
        return bool(re.search(only, self.name)) and (
            reading.last_axis(self.function) and "(N, D)" not in said
        )

    def arrays(self, form: Form) -> list[str]:
        """The arguments that are to be arrays: not told otherwise, no settings, no defaults."""
        found = []
        for name, parameter in self.parameters.items():
            part = names.role(name)
            fixed = isinstance(self.given.get(name), int | float | str | dict | bool)
            has = parameter.default is not _NONE and parameter.default is not None
            setting = (names.number(name) is not None and part not in form.shapes) or (
                names.settings(name) is not None
            )
            if name in self.given and not fixed:
                found.append(name)
            elif not (fixed or has or setting or self.optional(name, form) or self.word(name)):
                found.append(name)
        return found

    def optional(self, name: str, form: Form) -> bool:
        return self.parameters[name].default is None and names.role(name) not in form.shapes

    def word(self, name: str) -> bool:
        """Whether the code compares it with words, or looks up settings in it."""
        keys = reading.keys(self.function, name)
        return bool(reading.choices(self.function, name)) or (
            bool(keys) and all(names.number(key) is not None for key in keys)
        )

    def roles(self, form: Form, named: bool, loose: bool) -> Iterator[dict[str, str]]:
        """The parts that the arrays may play in a form."""
        arrays = self.arrays(form)
        if "*" in form.shapes:
            yield dict.fromkeys(arrays, "*")
            return
        needed = {r for r in form.shapes if r not in OPTIONAL}
        needed -= {"y"} if "params" in form.shapes else set()
        roles = list(form.shapes)
        told = {} if loose and not named else {a: self.role(a) for a in arrays}
        known = {a: r for a, r in told.items() if r in roles}
        if len(set(known.values())) < len(known):
            known = {}
        free = [a for a in arrays if a not in known and a not in self.given]
        free += [a for a in arrays if a not in known and a in self.given]
        left = [r for r in roles if r not in known.values()]
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

    def sizes(self, form: Form, roles: dict[str, str]) -> dict[str, int] | None:
        """The sizes that the given shapes ask for; None where a form has other axes."""
        found: dict[str, int] = {}
        for name, part in roles.items():
            told = self.given.get(name)
            if told is None or isinstance(told, str):
                continue
            shape, symbols = told if is_shape(told) else np.shape(told), form.parts(part)[1]
            symbols = [s for s in symbols if s]
            if part != "*" and len(shape) != len(symbols):
                return None
            if any(found.get(s, n) != n for s, n in zip(symbols, shape)):
                return None
            found |= dict(zip(symbols, shape)) if part != "*" else {}
        for name, told in self.given.items():
            if isinstance(told, dict) and "params" in form.shapes:
                kind, out = form.parts("params")
                ws = [v for v in told.values() if is_shape(v) or np.ndim(v) == 2]
                ws = [w if is_shape(w) else np.shape(w) for w in ws]
                ws = [w for w in ws if len(w) == 2 and (w[1 if kind == "columns" else 0] > 1)]
                if ws:
                    ends = (ws[0][1], ws[-1][0]) if kind == "columns" else (ws[0][0], ws[-1][1])
                    if out[0] == "1" and ends[1] != 1:
                        return None
                    found |= {"D": ends[0]} | ({out[0]: ends[1]} if out[0] != "1" else {})
        taken = set(found.values())
        for symbol in "NDMCT":  # so that they differ, still
            if found and symbol not in found and SIZES[symbol] in taken:
                found[symbol] = next(n for n in (3, 4, 5, 7, 6, 8, 9, 10, 11) if n not in taken)
                taken.add(found[symbol])
        return found

    def drawn(self, kind: Kind, form: Form, roles: dict[str, str], defaults: bool, depth: int
    ) -> Fit | None:
        rng = np.random.default_rng(self.seed)
        fit = Fit(kind=kind.name)
        sizes = self.sizes(form, roles)
        if sizes is None:
            return None
        for name, parameter in self.parameters.items():
            told = self.given.get(name)
            if name in roles:
                self.array(fit, name, form, roles[name], sizes, rng, depth)
            elif name in self.given:
                self.told(fit, name, told, rng)
            elif not self.bind(fit, name, parameter, form, defaults, rng):
                return None
        self.classes(fit, rng)
        self.count(fit, form, roles)
        return fit

    def array(
        self,
        fit: Fit,
        name: str,
        form: Form,
        part: str,
        sizes: dict[str, int],
        rng: np.random.Generator,
        depth: int,
    ) -> None:
        told = self.given.get(name)
        if isinstance(told, str):  # "classes": when all shapes are known
            fit.bound[name] = told
            return
        kind, _ = form.parts(part)
        shape = form.shape(part, sizes)
        if part == "params":
            self.entries(fit, name, kind, shape[0], sizes, rng, depth)
            return
        if kind.startswith("int") and sizes:
            kind = f"int:{sizes.get('C', int(kind[4:]))}"
        if is_shape(told):
            shape = tuple(told)
            value = of_kind(kind, shape, rng)
        else:
            value = of_kind(kind, shape, rng) if told is None else np.asarray(told)
        if value.dtype.kind not in "fO" or part in names.BOUND:
            fit.bound[name] = value if value.ndim else value[()]
        else:
            fit.inputs[name] = value

    def told(self, fit: Fit, name: str, told: Any, rng: np.random.Generator) -> None:
        if not isinstance(told, dict):
            fit.bound[name] = told
            fit.chosen.append(name)
            return
        fit.bound[name] = {}
        for key, entry in told.items():
            if is_shape(entry):
                fit.inputs[str(key)] = of_kind("", entry, rng)
            elif isinstance(entry, np.ndarray) and entry.dtype.kind == "f":
                fit.inputs[str(key)] = entry
            else:
                fit.bound[name][key] = entry
                continue
            fit.within[str(key)] = (name, key)
        if fit.bound[name]:
            fit.chosen.append(name)

    def bind(
        self,
        fit: Fit,
        name: str,
        parameter: inspect.Parameter,
        form: Form,
        defaults: bool,
        rng: np.random.Generator,
    ) -> bool:
        """A setting by its name, its default, or what the code compares it with."""
        default = parameter.default
        ours = _number(name, form)
        hiding = names.HIDING.match(names.short(name)) is not None
        looked_up = reading.keys(self.function, name)
        if default is not _NONE and (defaults or not hiding or ours is None):
            if isinstance(default, int | float | str) and not isinstance(default, bool):
                fit.chosen += [name] if ours is not None else []
            fit.bound[name] = copy.deepcopy(default)
        elif looked_up or names.settings(name) is not None:
            known = names.settings(name)
            if known is None and any(_number(key, form) is None for key in looked_up):
                return False
            table = {k: _number(k, form, v) for k, v in (known or {}).items()}
            more = {k: _number(k, form) for k in looked_up if k not in table}
            fit.bound[name] = table | {k: v for k, v in more.items() if v is not None}
            fit.chosen.append(name)
        elif words := reading.choices(self.function, name):
            fit.bound[name] = words[0]
            fit.chosen.append(name)
        elif ours is not None:
            fit.bound[name] = ours
            fit.chosen.append(name)
        else:
            return False
        return True

    def entries(
        self,
        fit: Fit,
        name: str,
        layout: str,
        out: int,
        sizes: dict[str, int],
        rng: np.random.Generator,
        depth: int,
    ) -> None:
        """A dict of parameters, by the keys that the code looks up: "W1", "b1"; or W1 to b2."""
        layers = range(1, depth + 1)
        keys = reading.keys(self.function, name) or [f"{c}{n}" for n in layers for c in "Wb"]
        fit.bound[name] = {}
        last = max((int(d) for key in keys for d in re.findall(r"\d+$", key)), default=1)
        widths = [(SIZES | sizes)["D"], *(6, 8, 9, 10, 11)[: last - 1], out]
        for key in keys:
            layer = int((re.findall(r"\d+$", key) or ["1"])[0])
            above, below = widths[layer], widths[layer - 1]
            shape = (above, below) if key[0] in "Ww" else (above, 1)
            fit.inputs[key] = of_kind("", shape if layout == "columns" else shape[::-1], rng)
            fit.within[key] = (name, key)

    def classes(self, fit: Fit, rng: np.random.Generator) -> None:
        """Labels for the last axis of the first input, where the user says "classes"."""
        for name in [n for n, told in self.given.items() if isinstance(told, str)]:
            if self.given[name] != "classes":
                continue
            arrays = {n: x for n, x in fit.inputs.items() if x.ndim}
            if not arrays:
                raise LayerError(f'{name}="classes" needs an input whose last axis are the classes')
            x = next((x for n, x in arrays.items() if names.role(n) in "xp"), None)
            x = next(iter(arrays.values())) if x is None else x
            ws = [w for n, w in arrays.items() if w is not x and w.ndim == 2]
            count = next((w.shape[1] for w in ws if w.shape[0] == x.shape[-1]), x.shape[-1])
            fit.bound[name] = labels(x.shape[:-1], count, rng)

    def count(self, fit: Fit, form: Form, roles: dict[str, str]) -> None:
        for name, part in roles.items():
            value = fit.inputs.get(name, fit.bound.get(name))
            symbols = form.parts(part)[1]
            if np.ndim(value) and np.ndim(value) == len(symbols):
                axis = next((symbols.index(s) for s in "NTP" if s in symbols), None)
                if part in ("x", "p", "q", "*") and axis is not None:
                    fit.samples = int(np.shape(value)[axis])
                    return

    def works(self, fit: Fit) -> int:
        """0: it fails; 1: it runs; 2: it depends on every array, too."""
        try:
            with np.errstate(all="ignore"):
                before = self.outputs(fit, fit.inputs)
                if not before:
                    self.said = self.said or "it returns no array of floats"
                    return 0
                if not all(np.isfinite(y).all() for y in before):
                    self.said = self.said or "it gives numbers that are not finite"
                    return 0
                if all(y.size > 1 and np.ptp(y) == 0 for y in before):
                    return 0
                return 2 if all(self.depends(fit, name, before) for name in fit.inputs) else 1
        except LayerError:
            raise
        except Exception as error:
            text = str(error).split("\n")[0][:100]
            text = f"{type(error).__name__}: {text}".removesuffix(": ")
            if type(error) in (NameError, ModuleNotFoundError, NotImplementedError):
                raise LayerError(f"{self.name} fails on floats, too: {text}") from error
            self.said = self.said or text
            self.tried = self.tried or fit
            return 0

    def outputs(self, fit: Fit, inputs: Mapping[str, Any]) -> list[Array]:
        found = self.run(fit.arguments({k: v.copy() for k, v in inputs.items()}))
        return [np.array(y, dtype=float) for y in found]

    def depends(self, fit: Fit, name: str, before: list[Array]) -> bool:
        moved = dict(fit.inputs)
        moved[name] = moved[name] * 1.25
        after = self.outputs(fit, moved)
        return any(a.shape != b.shape or (a != b).any() for a, b in zip(after, before))

    def settings(self, found: list[Fit]) -> list[Fit]:
        """A Fit more for every word that the code compares a setting with: "relu", "sigmoid"."""
        first, more = found[0], []
        for name in first.bound:
            if name in self.given or not isinstance(first.bound[name], str):
                continue
            for word in reading.choices(self.function, name):
                other = copy.deepcopy(first)
                other.bound[name] = word
                if word != first.bound[name] and self.works(other):
                    more.append(other)
        return [*found, *more]

    def refusal(self) -> str:
        lacking = [n for n in self.parameters if n not in self.given]
        if not lacking:
            return f"{self.name} does not run on the given inputs: {self.said}"
        tried = self.tried.inputs.items() if self.tried is not None else ()
        with_ = ", ".join(f"{n} {x.shape}" for n, x in tried)
        why = f" (with {with_}: {self.said})" if with_ and self.said else ""
        first = next((n for n in lacking if n in dict(tried)), lacking[0])
        if why and all(self.role(n) for n in dict(tried)):
            return (
                f"{self.name} fails on floats, too{why}; other inputs are given as in "
                f"{first}=(3, 4), on the command line {first}=3x4"
            )
        return (
            f"no inputs were found on which {self.name} runs{why}; say what "
            f"{', '.join(lacking)} {'are' if len(lacking) > 1 else 'is'}, as in {first}=(3, 4), "
            f"on the command line {first}=3x4"
        )


def is_shape(told: Any) -> bool:
    """Whether the user gave a shape: a tuple of ints.

    >>> is_shape((3, 4)), is_shape(()), is_shape([3, 4])
    (True, True, False)
    """
    return isinstance(told, tuple) and all(isinstance(n, int) for n in told)


def _first(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


def _number(name: str, form: Form, known: Any = None) -> Any:
    """The number of a setting, as the form wants it or else as the table has it."""
    word = names.short(name)
    for words, value in names.NUMBERS.items():
        if word in words.split():
            return form.numbers.get(words.split()[0], value if known is None else known)
    return known
