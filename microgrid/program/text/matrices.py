"""A program as text about whole arrays: Y = X @ W + b, vectors of elementwise lines, dW = X.T @ dY.

vectors.py finds the statements. Here they get their names, and what is used once, and has no name
of its own, is written where it is used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from math import prod
from typing import Any

import numpy as np

from microgrid.engine.errors import GraphError
from microgrid.engine.value import Op
from microgrid.program.plan.lines import FORWARD, UNDIVIDED
from microgrid.program.plan.schedule import passes
from microgrid.program.signature import Signature
from microgrid.program.structure import Structure
from microgrid.program.tape import Ints, Tape
from microgrid.program.text.arguments import (
    Held,
    arrays_of,
    holds_list,
    is_array,
    pieces_of,
)
from microgrid.program.text.branchless import LIBRARIES, Untranslatable, literal
from microgrid.program.text.gathering import BITS, NOWHERE, Array, Writer
from microgrid.program.text.letters import letter_of, result_names, short_names
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
from microgrid.views.labels import split

Piece = list[tuple[str, Held]]  # the arrays in one of an argument, with their short names
MARK = re.compile(r"«(\d+)»")
FEW = 1000  # lines; more, each with two statements of its own, are never shorter


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
        found = passes(tape, batched, wanted, UNDIVIDED, apart=True)
        self.taken = {*RESERVED, *self.helpers.reserved}
        self.parameters = [identifier(name, self.taken) for name in signature.names]
        self.constants: dict[str, str] = {}
        write = Writer(
            self.library.prefix, self.library.array, self.written, self.several, literal,
            self.indices, self.table,
        )  # fmt: skip
        self.vectors = v = Vectors(found, write)
        self.parts: dict[int, list[Ints]] = {}  # the places of those of an array, as tables
        self.prepared: list[int | str] = []  # arrays and statements, in order
        self.leaves: list[list[int]] = []
        pieces = self.pieces(tape.labels)
        for form, axis, name in zip(signature.arguments, self.axes, self.parameters):
            own = [*islice(pieces, len([*pieces_of(form, axis is not None)]))]
            self.leaves.append([*self.arguments(form, axis, own, name, name)])
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

    def pieces(self, labels: dict[int, str]) -> Iterator[Piece]:
        """The arrays of all arguments."""
        found, begin = list[list[Held]](), 0
        for form, axis, name in zip(self.signature.arguments, self.axes, self.signature.names):
            found += arrays_of(form, begin, labels, name, axis is not None)
            begin += form.size
        every = [x for arrays in found for x in arrays]
        names = iter(short_names(every, [False] * len(every)))
        for arrays in found:
            yield [(next(names), x) for x in arrays]

    def arguments(
        self, form: Structure, axis: int | None, pieces: list[Piece], text: str, name: str
    ) -> Iterator[int]:
        """The arrays that an argument consists of; adds the statements that prepare them.

        `name` is taken already, and the name of an array that is the whole of it.
        """
        as_batch = axis is not None
        if is_array(form, as_batch):
            yield self.argument(pieces[0], form.common_shape or (), axis, text, name)
            return
        keys, rest = [key_text(key) for key in form.keys], iter(pieces)
        stems = keys if form.kind is dict else [f"{name}_{i}" for i in range(len(form.parts))]
        words = [re.sub(r"\W+", " ", x).strip().replace(" ", "_") or "x" for x in stems]
        owns = [[*islice(rest, len([*pieces_of(x, as_batch)]))] for x in form.parts]
        names = [
            identifier(spelled(own[0][0][0]) if is_array(part, as_batch) and len(own[0]) == 1
                       else x if x.isidentifier() else f"{name}_{x}", self.taken)
            for part, own, x in zip(form.parts, owns, words)
        ]  # fmt: skip
        texts = [f"{text}[{key}]" for key in keys] if form.kind is dict else names
        if form.kind is not dict:
            self.prepared.append(f"{', '.join(names)}{',' * (len(names) == 1)} = {text}"
                                 if names else f"() = {text}")  # fmt: skip
        for part, own, inner, x in zip(form.parts, owns, texts, names):
            yield from self.arguments(part, axis, own, inner, x)

    def argument(self, piece: Piece, shape: Shape, axis: int | None, text: str, name: str) -> int:
        """An array of an argument; where it is a row of parameters, with its parts."""
        v, has_samples = self.vectors, axis is not None
        slots = np.concatenate([np.zeros(0, dtype=int), *[x.slots.ravel() for _, x in piece]])
        slots = np.sort(slots).reshape(shape)
        if axis:
            text = f"{self.library.prefix}.moveaxis({self.library.array}({text}), {axis}, 0)"
        sizes = ['"n"'] * has_samples + [*map(str, shape)]
        at = v.add(slots, f"shaped({', '.join([text, *sizes])})", has_samples, kind="argument")
        v.arrays[at].name = name
        self.prepared.append(at)
        spans = list[tuple[int, int, Shape]]()
        for short, x in piece if len(piece) > 1 and not has_samples else ():
            places = x.slots - slots[0]
            made = v.add(x.slots, v.exactly((at << BITS) + places).text, False, kind="argument")
            v.arrays[made].name, v.arrays[made].origin = (
                identifier(spelled(short), self.taken),
                x.path,
            )
            self.prepared.append(made)
            begin, end = int(places.min()), int(places.max()) + 1
            if spans and begin < spans[-1][1]:  # columns of one table: W and b of neurons
                spans[-1] = spans[-1][0], max(end, spans[-1][1]), (len(places), -1)
            else:
                spans.append((begin, end, x.slots.shape))
        self.parts[at] = [np.arange(a, b).reshape(form) for a, b, form in spans]
        return at

    def returns(self, outputs: Ints, found: Any) -> dict[str, str]:
        """What the functions return, as texts."""
        v, result = self.vectors, self.signature.result
        value = self.structured(result, v.tables.to[outputs], self.has_samples, None, False)
        texts = {"value": value}
        if self.single:
            gradients = []
            for k, (form, slots) in enumerate(zip(self.signature.arguments, found.gradients)):
                axis = self.axes[k]
                own = axis is not None
                text = self.structured(form, v.tables.to[slots], own, axis, own, self.leaves[k])
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
            if parts := self.parts[leaves[k]] if leaves else []:
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
        users = {int(i): k for k in every for i in MARK.findall(texts[k])}
        inline = {k for k in every if arrays[k].kind != "argument" and not final[k]
                  and uses[k] == 1 and self.passing(k, texts, users[k])}  # fmt: skip
        for k in sorted(every):
            texts[k] = MARK.sub(lambda m: self.put(m, texts, inline), texts[k])
        self.order = sorted(every - inline)
        self.name(arrays, texts, tape)
        names = {k: arrays[k].name for k in every}
        self.live = {name: some - inline for name, some in live.items()}
        self.lines = {}
        for k in self.order:
            a = arrays[k]
            text = MARK.sub(lambda m: names[int(m[1])], texts[k])
            sizes = [*["n"] * a.batched, *map(str, a.shape)]
            shape = "" if text.startswith("shaped(") else " × ".join(sizes)
            shape = f"{a.origin}: {shape}" if a.origin else shape
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

    def passing(self, k: int, texts: Sequence[str], user: int) -> bool:
        """Whether an array that one other uses needs no name: a product among others, a short text.

        A product alone has a name, but where it is added to others: X W + H U.
        """
        arrays = self.vectors.arrays
        a = arrays[k]
        if a.phase == FORWARD:
            others = [arrays[int(i)].kind for i in MARK.findall(texts[user])]
            among = arrays[user].kind == "linear" and "product" in others
            return a.kind == "product" or (a.kind == "whole" and among)
        return a.primal == NOWHERE and len(texts[k]) < 60

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

    def name(self, arrays: Sequence[Array], texts: Sequence[str], tape: Tape) -> None:
        """Name the arrays without a name: by their labels or a letter; dW is the gradient of W."""
        new = [k for k in self.order if not arrays[k].name]
        results = list[tuple[int, str, set[int]]]()
        for k in [k for k in new if arrays[k].phase == FORWARD]:
            a, used = arrays[k], {int(i) for i in MARK.findall(texts[k])}
            stems = {split(tape.labels.get(int(s), ""))[0] for s in a.slots}
            letter = letter_of("@" in texts[k], a.kind == "function", used).lower()
            if len(stems) == 1 and "" not in stems:
                a.name = identifier(stems.pop(), self.taken)
            elif a.slots.size == 1:
                is_result = (
                    len(tape.outputs) == 1 and self.vectors.tables.to[tape.outputs[0]] in a.slots
                )
                results.append((k, "L" if is_result else "s", used))
            else:
                results.append((k, letter, used))
        for k, name in result_names(results, self.taken).items():
            arrays[k].name = identifier(spelled(name), self.taken)
        count = 0
        for a in [arrays[k] for k in new if not arrays[k].name]:
            own = arrays[a.primal].name if a.primal != NOWHERE else ""
            count += not own
            a.name = identifier(f"d{own}" if own else f"t{count}", self.taken)

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


def spelled(name: str) -> str:
    """A name as Python has it: W1 for W_1."""
    stem, below = split(name)
    return f"{stem}{below}" if below.isdigit() else name


def within(form: Structure, texts: Iterator[str], as_batch: bool) -> Any:
    """Texts of arrays as nested lists and dicts in a structure."""
    if is_array(form, as_batch):
        return next(texts)
    if form.kind is dict:
        return {key_text(k): within(x, texts, as_batch) for k, x in zip(form.keys, form.parts)}
    return [within(x, texts, as_batch) for x in form.parts]
