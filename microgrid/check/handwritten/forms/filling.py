"""A form filled with numbers: what each argument of a layer is given."""

from __future__ import annotations

import copy
import inspect
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms import names
from microgrid.check.handwritten.forms.fit import Fit, Signature, is_shape, shape_of
from microgrid.check.handwritten.forms.kinds import SIZES, Form
from microgrid.check.handwritten.forms.random_arrays import labels, of_kind
from microgrid.check.handwritten.trial import LayerError

NO_DEFAULT = inspect.Parameter.empty
FREE_SIZES = (3, 4, 5, 7, 6, 8, 9, 10, 11, 13, 17, 19)  # sizes to differ by
OMIT: Any = object()  # an argument that is left to its default
COUNTED = {"words": "V", "steps": "T", "batch": "N", "height": "X", "width": "Y"}  # symbols
MOST_SETTINGS = 12  # combinations of settings


class Kept(dict[str, Any]):
    """A place for what a forward keeps, by keys or in attributes.

    >>> ctx = Kept()
    >>> ctx.x = 3
    >>> ctx["x"]
    3
    """

    __setattr__ = dict.__setitem__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self:
            raise AttributeError(f"nothing is kept as {name}")
        return self[name]

    def save_for_backward(self, *kept: Any) -> None:
        """Keep these as `saved_tensors`, as PyTorch does."""
        self["saved_tensors"] = kept


class Optimizer:
    """A step of 0.5 down the gradient, for the layers that want an optimizer.

    >>> float(Optimizer().update(np.ones(2), np.ones(2))[0])
    0.5
    """

    lr = learning_rate = 0.5

    def update(self, w: Any, gradient: Any, *_: Any, **__: Any) -> Any:
        """The parameter after the step."""
        return w - self.lr * gradient

    step = __call__ = apply = update


@dataclass
class Filling:
    """One try: a form, the parts that the arrays play in it, and where defaults are taken.

    `depth` is the number of layers of a network whose parameters are not named in its code;
    `features` replaces the size of the features.
    """

    takes: Signature
    given: Mapping[str, Any]
    form: Form
    roles: Mapping[str, str]
    seed: int
    defaults: bool = False
    depth: int = 2
    features: int | None = None
    rng: np.random.Generator = field(init=False)
    made: Fit = field(init=False)  # the one that is being filled
    table: dict[str, int] = field(init=False)  # the size of each symbol
    outs: list[int] = field(init=False)  # sizes of what comes out, of one layer after another

    def fits(self, kind: str = "") -> Iterator[Fit]:
        """The arguments, likeliest first; none where the given shapes do not go with the form."""
        sizes = self.sizes()
        if sizes is None:
            return
        self.table = SIZES | sizes
        self.outs = [self.table[self.form.outcome], *FREE_SIZES[3:]]
        free = [n for n in self.takes.parameters if n not in self.roles and n not in self.given]
        options = [self.options(n) for n in free]
        for values in itertools.islice(itertools.product(*options), MOST_SETTINGS):
            guessed = [v for n, v in zip(free, values) if type(v) is int and not self.known(n)]
            named = [v for n, v in zip(free, values) if "shape" in names.short(n)]
            shapes = [v for v in named if type(v) in (int, tuple)]
            same = len({int(np.prod(shape)) for shape in shapes}) < 2  # of a reshape
            if len(set(guessed)) == len(guessed) and same:
                yield self.filled(kind, dict(zip(free, values)))

    def known(self, name: str) -> bool:
        return self.number(name) is not None or bool(names.count(name))

    def filled(self, kind: str, settings: Mapping[str, Any]) -> Fit:
        self.rng = np.random.default_rng(self.seed)
        self.made = Fit(kind=kind)
        for name in self.takes.parameters:
            if name in self.roles:
                self.array(name, self.roles[name])
            elif name in self.given:
                self.told(name, self.given[name])
            elif settings[name] is not OMIT:
                self.made.bound[name] = copy.deepcopy(settings[name])
                self.made.chosen += [name] if self.tells(name, settings[name]) else []
        self.classes()
        self.made.samples = self.samples()
        return self.made

    def tells(self, name: str, value: Any) -> bool:
        """Whether a setting is worth telling: one that somebody chose."""
        default = self.takes.parameters[name].default
        return value is not None and not isinstance(value, Kept) and not (
            default is not NO_DEFAULT and (self.number(name) is None or callable(default))
        )  # fmt: skip

    def sizes(self) -> dict[str, int] | None:
        """The sizes that the given shapes ask for; None where the form has other axes."""
        found: dict[str, int] = {}
        for name, part in self.roles.items():
            told = self.given.get(name)
            if told is None or isinstance(told, str) or part == "*":
                continue
            shape, symbols = shape_of(told), self.form.parts(part)[1]
            if len(shape) != len(symbols):
                return None
            if any(found.get(s, n) != n for s, n in zip(symbols, shape)):
                return None
            found |= dict(zip(symbols, shape))
        network = self.ends() if "params" in self.form.shapes else {}
        if network is None:
            return None
        found |= network
        for name in self.takes.making & {n for n, x in self.given.items() if type(x) is int}:
            symbol = {"in": self.form.feature, "out": self.form.outcome}.get(names.count(name))
            found |= {symbol: self.given[name]} if symbol and symbol not in found else {}
        if self.features is not None:
            found.setdefault(self.form.feature, self.features)
        taken = set(found.values())
        own = {s for part in self.form.shapes for s in self.form.parts(part)[1]}
        symbols = [*"NDMCT", *sorted(own & {*"PE"})] if found else []
        for symbol in symbols:  # so that sizes differ, still
            if symbol not in found and SIZES[symbol] in taken:
                found[symbol] = next(n for n in FREE_SIZES if n not in taken)
                taken.add(found[symbol])
        return found

    def ends(self) -> dict[str, int] | None:
        """The sizes at the ends of a network whose parameters are given as a dict of shapes."""
        told = next((v for v in self.given.values() if isinstance(v, dict)), {})
        kind, [out, *_] = self.form.parts("params")
        before, after = (1, 0) if kind == "columns" else (0, 1)
        weights = [shape_of(w) for key, w in told.items() if str(key)[:1] in "Ww"]
        weights = [w for w in weights if len(w) == 2]
        if not weights:
            return {}
        first, last = weights[0][before], weights[-1][after]
        if out == "1" and last != 1:
            return None
        return {"D": first} if out == "1" else {"D": first, out: last}

    def array(self, name: str, part: str) -> None:
        """An array, drawn in its shape; labels and masks are bound, the others are inputs."""
        told = self.given.get(name)
        if isinstance(told, str):  # "classes": when all shapes are known
            self.made.bound[name] = told
            return
        kind, symbols = self.form.parts(part)
        if part == "params":
            self.entries(name, kind, self.table[symbols[0]])
            return
        if kind.startswith("int") and self.table["C"] != SIZES["C"]:
            kind = f"int:{self.table['C']}"
        shape = tuple(self.table[s] for s in symbols)
        if is_shape(told):
            shape = shape_of(told)
        value = np.array(told) if told is not None and not is_shape(told) else (
            of_kind(kind, shape, self.rng)
        )  # fmt: skip
        if value.dtype.kind not in "fO" or part in names.BOUND:
            self.made.bound[name] = value if value.ndim else value[()]
        else:
            self.made.inputs[name] = value

    def told(self, name: str, told: Any) -> None:
        """What the user says: a number or a word; a dict of these, or of shapes and arrays."""
        self.made.bound[name] = told
        self.made.chosen.append(name)
        if not isinstance(told, dict):
            return
        self.made.bound[name] = rest = dict(names.settings(name) or {})
        for key, entry in told.items():
            if is_shape(entry) or (isinstance(entry, np.ndarray) and entry.dtype.kind == "f"):
                drawn = of_kind("", entry, self.rng) if is_shape(entry) else entry
                self.made.inputs[str(key)] = drawn
                self.made.within[str(key)] = (name, key)
            else:
                rest[key] = entry

    def options(self, name: str) -> list[Any]:
        """What to try for a setting: by its default, its name, or the words of the code."""
        default, ours = self.takes.parameters[name].default, self.number(name)
        if name in self.takes.making and (sizes := self.of_constructor(name, default)):
            return sizes
        hiding = names.HIDING.match(names.short(name)) is not None
        looked_up, words = self.takes.keys(name), self.takes.choices(name)
        known = names.settings(name)
        if default is not NO_DEFAULT and (self.defaults or not hiding or ours is None
                                     or (isinstance(default, str) and words)):  # fmt: skip
            return [default if name not in self.takes.making else OMIT]
        context = names.is_context(name)
        more = {k: self.entry(k) for k in looked_up if k not in (known or {})}
        if known is not None or (not context and more and None not in more.values()):
            table = {k: self.number(k, v) for k, v in (known or {}).items()}
            return [table | {k: v for k, v in more.items() if v is not None}]
        if context and self.takes.cls is None:
            return [Kept()]
        if looked_up:
            return []
        if words or ours is not None:
            pair = isinstance(default, tuple) and type(ours) is int
            return [words[0] if words else (ours, ours) if pair else ours]
        unknown = name in self.takes.making and default is NO_DEFAULT
        return [self.table[self.form.feature], self.outs[0], None] if unknown else []

    def of_constructor(self, name: str, default: Any) -> list[Any]:
        """What to try for a size, a shape or an optimizer; [] for anything else."""
        what, word = names.count(name), names.short(name)
        if word == "size" and "kernelsize" in self.form.numbers:
            what = "window"
        if "optim" in word or name == "opt":
            return [Optimizer()] if default is NO_DEFAULT else [OMIT]
        if "shape" in word and what in ("in", "shape"):
            found = self.shapes(what)
        elif what == "window":
            windows = self.windows("shape" in name)
            found = [x for x in windows if default is NO_DEFAULT or isinstance(x, type(default))]
        elif what in ("in", "out", "embed"):
            found = [self.width(name, what, default)]
        elif what:
            found = [self.table[COUNTED[what]]]
        else:
            return []
        return [*([OMIT] if default is None else []), *found]

    def shapes(self, what: str) -> list[Any]:
        """Shapes of one sample coming in, or of what comes out of a reshape."""
        data = tuple(self.table[s] for s in self.form.data)
        if what == "in":
            return [data[1:], self.table[self.form.feature], data]
        return [(int(np.prod(data[1:])),), data[:0:-1], (int(np.prod(data)),)]

    def windows(self, as_shape: bool) -> list[Any]:
        """Sizes of a window: one number, two, or the shape of all weights."""
        n = self.form.numbers.get("kernelsize", names.number("kernelsize"))
        whole = (n, n, self.table[self.form.feature], self.table[self.form.outcome])
        return [(n, n), n, whole] if as_shape else [n, (n, n), whole]

    def width(self, name: str, what: str, default: Any) -> int:
        """How many features come in, or out; those of all layers differ."""
        feature = self.table[self.form.feature]
        words = self.form.parts(self.form.first)[0].startswith("int")
        if default is None or not (what == "out" or (what == "embed" and words)):
            return feature
        known = any(names.count(n) == "words" for n in self.takes.making)
        apart = (feature, self.table["V"] if known else 0)
        outs = [n for n in self.outs if n not in apart]
        return outs[self.place(name) % len(outs)]

    def place(self, name: str) -> int:
        """Which of the sizes out of a constructor it is: hidden, then out."""
        outs = [n for n in self.takes.parameters
                if n in self.takes.making and names.count(n) in ("out", "embed")]  # fmt: skip
        return outs.index(name) if name in outs else 0

    def entry(self, key: str) -> Any:
        """What stands in a dict of settings: a number, a size or a word; None if unknown."""
        if (found := self.number(key)) is None and self.takes.cls is not None:
            found = next(
                iter([*self.of_constructor(key, NO_DEFAULT), *self.takes.choices(key)]), None
            )
        return found

    def number(self, name: str, known: Any = None) -> Any:
        """The number of a setting, as the form wants it or else as the table has it."""
        word = names.short(name)
        if word == "s" and not re.search("conv|pool", self.takes.name.lower()):
            return known
        said = names.NUMBER_NAMED.get("stride" if word == "s" else word)
        if said is None:
            return known
        value = names.NUMBERS[said] if known is None else known
        return self.form.numbers.get(said.split()[0], value)

    def entries(self, name: str, layout: str, out: int) -> None:
        """A dict of parameters, by the keys that the code looks up: "W1", "b1"; or W1 to b2."""
        layers = range(1, self.depth + 1)
        keys = self.takes.keys(name) or [f"{c}{n}" for n in layers for c in "Wb"]
        self.made.bound[name] = {}
        last = max((int(d) for key in keys for d in re.findall(r"\d+$", key)), default=1)
        widths = [self.table["D"], *(6, 8, 9, 10, 11)[: last - 1], out]
        for key in keys:
            layer = min(int((re.findall(r"\d+$", key) or ["1"])[0]), last)
            shape = (widths[layer], *([widths[layer - 1]] if key[0] in "Ww" else []))
            shape += (1,) * (layout != "vectors" and len(shape) == 1)
            self.made.inputs[key] = of_kind(
                "", shape if layout == "columns" else shape[::-1], self.rng
            )
            self.made.within[key] = (name, key)

    def classes(self) -> None:
        """Labels for the last axis of the first input, where the user says "classes"."""
        arrays = {n: x for n, x in self.made.inputs.items() if x.ndim}
        for name in [n for n, told in self.given.items() if isinstance(told, str)]:
            if self.given[name] != "classes":
                continue
            if not arrays:
                raise LayerError(f'{name}="classes" needs an input whose last axis are the classes')
            data = [x for n, x in arrays.items() if names.role(n) in ("x", "p")]
            x = data[0] if data else next(iter(arrays.values()))
            ws = [w for w in arrays.values() if w is not x and w.ndim == 2]
            count = next((w.shape[1] for w in ws if w.shape[0] == x.shape[-1]), x.shape[-1])
            self.made.bound[name] = labels(x.shape[:-1], count, self.rng)

    def samples(self) -> int:
        """N, the length of the axis of samples of the data."""
        arrays = {**self.made.bound, **self.made.inputs}
        for name, part in self.roles.items():
            symbols, shape = self.form.parts(part)[1], np.shape(arrays.get(name, ()))
            axis = next((symbols.index(s) for s in "NTP" if s in symbols), None)
            data = part in ("x", "p", "q", "*") or names.role(part) == "x"
            if data and axis is not None and len(shape) == len(symbols):
                return int(shape[axis])
        return 1
