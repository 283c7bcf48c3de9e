"""A program as text about whole arrays: Y = X @ W + b, vectors of elementwise lines, dW = X.T @ dY.

vectors.py finds the statements. Here they get their names, and what is used once, and has no name
of its own, is written where it is used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from math import prod
from operator import itemgetter
from typing import Any

import numpy as np

from microgrid.engine.errors import GraphError
from microgrid.engine.value import Op
from microgrid.program.plan.lines import FORWARD, UNDIVIDED
from microgrid.program.plan.schedule import passes
from microgrid.program.signature import Signature
from microgrid.program.structure import Structure
from microgrid.program.tape import Ints, Tape
from microgrid.program.text.branchless import LIBRARIES, Untranslatable, literal
from microgrid.program.text.gathering import BITS, NOWHERE, Array, Writer
from microgrid.program.text.source import (
    WIDTH,
    Module,
    Scalars,
    bracketed,
    fitted,
    key_text,
    rows_of,
)
from microgrid.program.text.statements import RESERVED, identifier
from microgrid.program.text.vectors import Vectors
from microgrid.program.text.views import Shape
from microgrid.views.wording import split

Labels = dict[int, str]
MARK = re.compile(r"«(\d+)»")
FEW = 1000  # lines; more, each with two statements of its own, are never shorter
MOST = 4  # parameters of a layer, each of which is an array of its own


def source(
    tape: Tape, signature: Signature, language: str, axes: tuple[int | None, ...] | None = None
) -> str:
    """The text of a program in a language, for a batch with these axes of the samples.

    Arrays or numbers: what is shorter. A batch has arrays.
    """
    if language == "python" and axes is not None:
        raise GraphError('plain Python has no arrays for a batch: "numpy", "jax" or "torch"')
    if language == "python" or language not in LIBRARIES:
        return Scalars(tape, signature, language).text()
    if axes is None and all(x.kind is float for x in signature.arguments):
        return Scalars(tape, signature, language).text()
    text = Arrays(tape, signature, language, axes).text()
    if axes is not None or len(tape) > FEW:
        return text
    return min(text, Scalars(tape, signature, language).text(), key=len)


class Arrays(Module):
    """A program, or a batched one, as a module that computes with arrays.

    `axes` are those of the samples, None for an argument that they share; None for no batch.
    """

    def __init__(
        self, tape: Tape, signature: Signature, language: str,
        axes: tuple[int | None, ...] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(tape, signature, language)
        self.axes = axes or (None,) * len(signature.names)
        self.has_samples = axes is not None
        batched = sum([1 << k for k, axis in enumerate(self.axes) if axis is not None])
        wanted = tuple(range(len(self.axes))) if self.single else None
        found = passes(tape, batched, wanted, window=UNDIVIDED)
        self.taken = {*RESERVED, *self.helpers.reserved}
        self.parameters = [identifier(name, self.taken) for name in signature.names]
        self.constants: dict[str, str] = {}
        write = Writer(
            self.library.prefix, self.library.array, self.operation, self.several, literal,
            self.indices, self.table,
        )  # fmt: skip
        self.vectors = v = Vectors(found, write)
        self.parts: dict[int, list[Ints]] = {}  # the places of those of an array
        self.prepared: list[int | str] = []  # arrays and statements, in order
        self.leaves: list[list[int]] = []
        begin = 0
        for form, axis, name in zip(signature.arguments, self.axes, self.parameters):
            self.leaves.append([*self.arguments(form, axis, begin, name, name, tape.labels)])
            begin += form.size
        if self.has_samples:
            first = next(x[0] for x, axis in zip(self.leaves, self.axes) if axis is not None)
            at = v.add(v.new(1)[0], f"«{first}».shape[0]", False, kind="argument")
            v.arrays[at].name = identifier("n", self.taken)
            v.samples = f"«{at}»"
            self.prepared.append(at)
            v.add(np.array(found.samples), f"{self.library.array}(«{at}»)", False)
        v.run()
        self.results = self.returns(tape.outputs, found)
        self.finish(tape)

    # What the statements are written with.

    def operation(self, v: Any, names: dict[Any, str]) -> str:
        return self.written(v, names)

    def several(self, op: Op, operands: Sequence[tuple[str, str]]) -> str:
        try:
            return self.helpers.over(op, operands)
        except Untranslatable as why:
            raise self.unwritten(op, why) from None

    def named(self, stem: str, text: str) -> str:
        """A constant of the module with this text, by its name."""
        if text not in self.constants:
            self.constants[text] = identifier(f"{stem}_{len(self.constants) + 1}", self.taken)
        return self.constants[text]

    def indices(self, rows: Ints) -> str:
        prefix = self.library.prefix
        text = str(rows.tolist())
        plain = rows.ndim == 1 and prefix != "jnp"
        whole = text if plain else f"{prefix}.{'tensor' if prefix == 'torch' else 'array'}({text})"
        return whole if rows.size <= 8 else self.named("index", whole)

    def table(self, numbers: Any) -> str:
        text = str(numbers).replace("inf", "math.inf").replace("nan", "math.nan")
        return (
            f"{self.library.array}({text if np.size(numbers) <= 6 else self.named('table', text)})"
        )

    # Arguments and results.

    def arguments(
        self, form: Structure, axis: int | None, begin: int, text: str, name: str, labels: Labels
    ) -> Iterator[int]:
        """The arrays that an argument consists of; adds the statements that prepare them.

        `name` is taken already, and the name of an array that is the whole of it.
        """
        if is_array(form, axis is not None):
            row = labels if form.kind is np.ndarray else {}
            yield self.argument(form.common_shape or (), axis, begin, text, name, row)
            return
        keys = [key_text(key) for key in form.keys]
        stems = keys if form.kind is dict else [f"{name}_{i}" for i in range(len(form.parts))]
        words = [re.sub(r"\W+", " ", x).strip().replace(" ", "_") or "x" for x in stems]
        names = [identifier(x if x.isidentifier() else f"{name}_{x}", self.taken) for x in words]
        texts = [f"{text}[{key}]" for key in keys] if form.kind is dict else names
        if form.kind is not dict:
            self.prepared.append(f"{', '.join(names)}{',' * (len(names) == 1)} = {text}"
                                 if names else f"() = {text}")  # fmt: skip
        for part, own, inner in zip(form.parts, names, texts):
            yield from self.arguments(part, axis, begin, inner, own, labels)
            begin += part.size

    def argument(
        self, shape: Shape, axis: int | None, begin: int, text: str, name: str, labels: Labels
    ) -> int:
        """An array of an argument; where it is a row of parameters, with its parts."""
        v, has_samples = self.vectors, axis is not None
        slots = begin + np.arange(prod(shape)).reshape(shape)
        if axis:
            text = f"{self.library.prefix}.moveaxis({self.library.array}({text}), {axis}, 0)"
        sizes = ['"n"'] * has_samples + [*map(str, shape)]
        at = v.add(slots, f"shaped({', '.join([text, *sizes])})", has_samples, kind="argument")
        v.arrays[at].name = name
        self.prepared.append(at)
        own = [labels.get(s, "") for s in slots.tolist()] if len(shape) == 1 else []
        parts = [] if has_samples else [*parts_by_label(own)]
        for stem, start, inner in parts if len(parts) > 1 else ():
            places = start + np.arange(prod(inner)).reshape(inner)
            text = v.exactly((at << BITS) + places).text
            made = v.add(begin + places, text, has_samples, kind="argument")
            v.arrays[made].name = identifier(stem, self.taken)
            self.prepared.append(made)
            self.parts.setdefault(at, []).append(places)
        return at

    def returns(self, outputs: Ints, found: Any) -> dict[str, str]:
        """What the functions return, as texts."""
        v, result = self.vectors, self.signature.result
        value = self.structured(result, v.to[outputs], self.has_samples, None, False)
        texts = {"value": value}
        if self.single:
            gradients = []
            for k, (form, slots) in enumerate(zip(self.signature.arguments, found.gradients)):
                axis = self.axes[k]
                own = axis is not None
                text = self.structured(form, v.to[slots], own, axis, own, self.leaves[k])
                gradients.append(text)
            several = ", ".join(gradients)
            several = several if len(gradients) == 1 else f"({several})"
            texts["value_and_grad"] = f"{value}, {several}"
        return texts

    def structured(
        self, form: Structure, slots: Ints, batched: bool, axis: int | None, as_batch: bool,
        leaves: Sequence[int] = (),
    ) -> str:  # fmt: skip
        """Slots as text in a structure, with the samples along this axis of each array.

        Where this is the gradient of `leaves` that are taken apart, each part is written alone.
        """
        texts = []
        for k, (shape, offset) in enumerate(pieces_of(form, as_batch)):
            places = self.vectors.places(slots[offset : offset + prod(shape)].reshape(shape))
            parts = self.parts.get(leaves[k], []) if leaves else []
            if parts:
                own = [self.vectors.exactly(places[x], batched).text for x in parts]
                own = [x if y.ndim == 1 else f"{x}.reshape(-1)" for x, y in zip(own, parts)]
                text = f"{self.library.prefix}.concatenate([{', '.join(own)}])"
            else:
                text = self.vectors.exactly(places, batched).text
            if axis:
                text = f"{self.library.prefix}.moveaxis({text}, 0, {axis})"
            texts.append(text)
        return bracketed(within(form, iter(texts), as_batch))

    # Names, and what is written in place.

    def finish(self, tape: Tape) -> None:
        """Name the arrays that are used, and write the statements."""
        arrays = self.vectors.arrays
        texts = [a.text for a in arrays]
        live = {name: self.reached(text, texts) for name, text in self.results.items()}
        every = {leaf for some in self.leaves for leaf in some}.union(*live.values())
        uses = Counter([int(i) for k in every for i in MARK.findall(texts[k])])
        final = Counter([int(i) for text in self.results.values() for i in MARK.findall(text)])
        place = self.vectors.place
        for k in every:
            primal = self.vectors.primal[arrays[k].slots]
            if arrays[k].phase != FORWARD and (primal >= 0).all() and (place[primal] >= 0).all():
                owners = np.unique(place[primal] >> BITS)
                if len(owners) == 1:
                    arrays[k].primal = int(owners[0])
        inline = {k for k in every if arrays[k].kind != "argument" and not final[k]
                  and uses[k] == 1 and self.passing(arrays[k], texts[k])}  # fmt: skip
        for k in sorted(every):
            texts[k] = MARK.sub(lambda m: self.put(m, texts, inline), texts[k])
        count = Counter[str]()
        for k in sorted(every - inline):
            if not arrays[k].name:
                arrays[k].name = identifier(self.stem(arrays, k, texts[k], count, tape), self.taken)
        names = {k: arrays[k].name for k in every}
        self.order = sorted(every - inline)
        self.live = {name: some - inline for name, some in live.items()}
        self.lines = {}
        for k in self.order:
            a = arrays[k]
            text = MARK.sub(lambda m: names[int(m[1])], texts[k])
            sizes = [*["n"] * a.batched, *map(str, a.shape)]
            shape = "" if text.startswith("shaped(") else " × ".join(sizes)
            self.lines[k] = f"{a.name} = {text}", shape
        self.results = {name: MARK.sub(lambda m: names[int(m[1])], text)
                        for name, text in self.results.items()}  # fmt: skip

    def reached(self, text: str, texts: Sequence[str]) -> set[int]:
        """The arrays that a text needs."""
        found: set[int] = set()
        stack = [int(i) for i in MARK.findall(text)]
        while stack:
            k = stack.pop()
            if k not in found:
                found.add(k)
                stack += [int(i) for i in MARK.findall(texts[k])]
        return found

    def passing(self, a: Array, text: str) -> bool:
        """Whether an array needs no name of its own."""
        if a.kind == "product" and a.phase == FORWARD:
            return True
        return a.phase != FORWARD and a.primal == NOWHERE and len(text) < 60

    def put(self, found: re.Match[str], texts: Sequence[str], inline: set[int]) -> str:
        """The text of an array where it is used, in brackets where it needs them."""
        k = int(found[1])
        if k not in inline:
            return found[0]
        text, whole = texts[k], found.string
        before, after = whole[: found.start()], whole[found.end() :]
        loose = re.search(r" [-+] |^-", outside(text)) is not None
        open_ = before.endswith(("(", "[", ", ")) or not before
        shut = after.startswith((")", "]", ",")) or not after
        if open_ and shut:
            return text
        term = (open_ or before.endswith((" + ", " - "))) and (
            shut or after.startswith((" + ", " - "))
        )
        atom = re.search(r" [-+*/@] | \*\* |^-", outside(text)) is None
        return text if atom or (term and not loose) else f"({text})"

    def stem(
        self, arrays: Sequence[Array], k: int, text: str, count: Counter[str], tape: Tape
    ) -> str:
        """What an array is called."""
        a = arrays[k]
        if a.primal != NOWHERE:
            own = arrays[a.primal].name
            return f"d{own}" if own else "t"
        labels = {split(tape.labels.get(int(s), ""))[0] for s in a.slots}
        if a.phase == FORWARD and len(labels) == 1 and "" not in labels:
            return labels.pop()
        forward = "y" if "@" in text and a.shape else "h" if a.kind == "h" else "v"
        kind = forward if a.phase == FORWARD else "t"
        count[kind] += 1
        return f"{kind}{count[kind]}"

    # The text.

    def body(self, name: str) -> tuple[list[str], list[str], list[str]]:
        arrays = self.vectors.arrays
        mine = [k for k in self.order if k in self.live[name]]
        leaves = {leaf for some in self.leaves for leaf in some}
        unpacked = [k for k in self.prepared if isinstance(k, str) or k in leaves or k in mine]
        rest = [k for k in mine if k not in unpacked]
        forward = [k for k in rest if arrays[k].phase == FORWARD]
        backward = [k for k in rest if arrays[k].phase != FORWARD]
        found = []
        for some in (unpacked, forward, backward):
            rows = [(k, "") if isinstance(k, str) else self.lines[k] for k in some]
            width = max([len(x) for x, shape in rows if shape and len(x) < 60], default=0)
            found.append([f"{x:{width}}  # {shape}" if shape and len(x) <= 70 else x
                          for x, shape in rows])  # fmt: skip
        return found[0], found[1], found[2]

    def returned(self, name: str) -> str:
        return self.results[name]

    def tables(self) -> list[str]:
        """Those lists of indices and tables of numbers that are used."""
        used = " ".join([text for text, _ in self.lines.values()] + [*self.results.values()])
        return [fitted(f"{name} = {text}") for text, name in self.constants.items()
                if re.search(rf"\b{name}\b", used)]  # fmt: skip

    def notes(self) -> list[str]:
        note = "Lists may also be arrays." if any(map(holds_list, self.signature.arguments)) else ""
        said = [note + " Gradients of lists of numbers are arrays." * bool(note and self.single)]
        if self.has_samples:
            own = [f"{p} (axis {k})" for p, k in zip(self.parameters, self.axes) if k is not None]
            words = (
                f"Each of n samples has its own {', '.join(own)}, and a value. Gradients of what "
            )
            said += rows_of(f"{words}they share are summed over the samples.", WIDTH)
        if self.library.prefix == "torch":
            said.append('Within torch.device("cuda") all is computed on a GPU.')
        return said


def outside(text: str) -> str:
    """A text without what stands in brackets."""
    while True:
        shorter = re.sub(r"\([^()]*\)|\[[^][]*\]", "", text)
        if shorter == text:
            return text
        text = shorter


def holds_list(form: Structure) -> bool:
    """Whether there is a list of numbers in a structure."""
    return any(x.kind is float or holds_list(x) for x in form.parts)


def is_regular(form: Structure) -> bool:
    """Whether nested lists of numbers could be an array."""
    if form.kind is np.ndarray:
        return True
    plain = form.kind is not dict and not hasattr(form.kind, "_fields")
    alone = all(x.kind is float or (x.kind is not np.ndarray and is_regular(x)) for x in form.parts)
    return plain and alone and form.common_shape is not None


def is_array(form: Structure, as_batch: bool) -> bool:
    """Whether a structure is one array in the text; `as_batch` if it has an axis of samples."""
    return form.has_one_axis if as_batch else form.kind is float or is_regular(form)


def pieces_of(form: Structure, as_batch: bool) -> Iterator[tuple[Shape, int]]:
    """The arrays that a structure consists of: the shape of each, and where it begins."""
    if is_array(form, as_batch):
        yield form.common_shape or (), 0
        return
    begin = 0
    for inner in form.parts:
        for shape, offset in pieces_of(inner, as_batch):
            yield shape, begin + offset
        begin += inner.size


def within(form: Structure, texts: Iterator[str], as_batch: bool) -> Any:
    """Texts of arrays as nested lists and dicts in a structure."""
    if is_array(form, as_batch):
        return next(texts)
    if form.kind is dict:
        return {key_text(k): within(x, texts, as_batch) for k, x in zip(form.keys, form.parts)}
    return [within(x, texts, as_batch) for x in form.parts]


def parts_by_label(labels: Sequence[str]) -> Iterator[tuple[str, int, Shape]]:
    """The arrays of which the parameters of a model are a row, by the labels of its entries.

    With each its name, where it begins and its shape. A layer of many neurons is one array with a
    row for each neuron.

    >>> [*parts_by_label(["layer0.w_1", "layer0.w_2", "layer0.b"])]
    [('layer0.w', 0, (2,)), ('layer0.b', 2, ())]
    """
    names = [split(label) for label in labels]
    begin = 0
    for layer, entries in groupby(names, key=lambda x: x[0].partition(".")[0]):
        own = [*entries]
        stems = [(stem, [x for _, x in some]) for stem, some in groupby(own, key=itemgetter(0))]
        rows = [len([*some]) for _, some in groupby(own, key=lambda x: x[0].rpartition(".")[0])]
        if len(stems) > MOST and len({*rows}) == 1:
            yield layer, begin, (len(rows), rows[0])
            begin += len(own)
            continue
        for stem, subscripts in stems:
            yield stem, begin, shape_of(subscripts)
            begin += len(subscripts)


def shape_of(subscripts: Sequence[str]) -> Shape:
    """The shape of an array with entries of these subscripts: (2, 2) for 11, 12, 21, 22."""
    digits = [x.split(",") if "," in x else [*x] for x in subscripts]
    index = [tuple(map(int, x)) if all(map(str.isdigit, x)) else () for x in digits]
    shape = index[-1]
    regular = {*map(len, index)} == {len(shape)}
    if regular and index == [tuple([i + 1 for i in place]) for place in np.ndindex(shape)]:
        return shape
    return (len(subscripts),)
