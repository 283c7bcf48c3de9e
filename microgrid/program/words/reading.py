"""A program read in matrices: names for what it computes, and what is said of them, all proved."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from microgrid.program.plan.products import Found, discovered
from microgrid.program.plan.schedule import passes
from microgrid.program.signature import Signature
from microgrid.program.structure import Structure
from microgrid.program.tape import Ints, Tape
from microgrid.program.words.arrangement import Group, arranged
from microgrid.program.words.formulas import IN_LATEX, IN_TEXT, Formula, leaves_of
from microgrid.program.words.names import Matrix, Names
from microgrid.program.words.proof import Proof
from microgrid.program.words.sentences import Reader, Sentence
from microgrid.program.words.tables import Tables
from microgrid.views.notation import write
from microgrid.views.wording import split

WINDOW = 1 << 40  # lines of the tape: all in one
LONGEST = 72  # letters of a formula; a longer one gets names for its parts
CUSTOM = {"w": "W", "weight": "W", "weights": "W", "bias": "b"}


class Reading:
    """The matrices of a plan and the sentences about them, each proved."""

    def __init__(
        self, tape: Tape, signature: Signature, batched: int, rows_are_samples: bool
    ) -> None:
        wanted = tuple(range(len(signature.names))) if signature.result.size == 1 else None
        self.tape, self.rows_are_samples = tape, rows_are_samples
        self.passes = passes(tape, batched, wanted, WINDOW)
        lines = self.passes.lines
        self.zero = lines.constant(0.0)
        self.found: Found = discovered(lines, by_depth=True)
        self.tables = Tables(self.passes, self.found)
        self.names = names = Names(lines.slots, lines.constants)
        self.arguments = [names.add(m) for m in self.argument_matrices(signature)]
        if batched:
            names.add(Matrix(np.array([[self.passes.samples]]), "N", "the number of samples"))
        self.groups = arranged(self.tables, names, rows_are_samples)
        self.reader = Reader(self.tables, names, rows_are_samples)
        self.outputs = self.tables.to[self.passes.outputs]

    def argument_matrices(self, signature: Signature) -> list[Matrix]:
        """The arrays that the arguments hold, named as they are."""
        found = []
        per_sample = self.passes.lines.per_sample
        argument, begin = self.tape.argument, 0
        for structure, name in zip(signature.arguments, signature.names):
            for path, shape, slots in arrays_in(structure, begin, self.tape.labels, name):
                own = self.rows_are_samples and bool(per_sample[slots[0]])
                flexible = len(shape) == 1 and not own
                table = slots.reshape(shape[0] if len(shape) > 1 else 1, -1)
                found.append(Matrix(table, path, path, flexible))
            begin += structure.size
        named(found, self.rows_are_samples, per_sample)
        return found

    @property
    def fits(self) -> bool:
        """Whether each sample is one row of every matrix, if that is how they are read."""
        if not self.rows_are_samples:
            return True
        per_sample = self.passes.lines.per_sample
        rows = [m for m in self.names.matrices if m.slots.size and per_sample[m.slots].any()]
        batch = [p for p in self.found.products if per_sample[p.left[p.left >= 0][0]]]
        return all(len(m.slots) == 1 for m in rows) and all(
            p.shape[2] == 1 for p in batch if p.code == -2
        )

    def read(self) -> None:
        """Choose names, read and prove the sentences."""
        names, groups = self.names, self.groups
        of = {id(m): i for i, m in enumerate(names.matrices)}
        numbers = [of[id(g.matrix)] for g in groups]
        uses = Counter([i for g in groups for i in g.operands])
        into = {i for g in groups if g.is_product for i in g.factors}
        for g, i in zip(groups, numbers):
            is_result = np.isin(self.outputs, g.matrix.slots).any()
            is_summand = g.is_product and uses[i] == 1 and any(
                i in h.operands for h in groups if h.is_product)
            named = g.is_product and not is_summand or is_result or g.is_function
            if not (named or i in into or uses[i] > 1):
                names.hidden.add(i)
        for _ in range(4):  # what is too long, or no formula, gets names for its parts
            self.named_results(groups, numbers)
            self.forward = {id(g.matrix): self.reader.sentences(g.matrix)
                            for g, i in zip(groups, numbers) if i not in names.hidden}  # fmt: skip
            opened: set[int] = set()
            for g, i in zip(groups, numbers):
                if i not in names.hidden:
                    said = self.forward[id(g.matrix)]
                    if not said or max(len(self.text(s.formula)) for s in said) > LONGEST:
                        opened |= self.inner(g, groups, numbers)
            if not opened:
                break
            names.hidden -= opened
        self.backward: dict[int, list[Sentence]] = {}
        shown = [*self.arguments, *[g.matrix for g, i in zip(groups, numbers) if i not in names.hidden]]
        self.gradients = self.added_gradients(shown[::-1])
        self.unproved: list[Sentence] = []
        proof = Proof(self.tables, names, self.rows_are_samples)
        for m in shown:
            if gradient := self.gradients.get(id(m)):
                said = self.reader.sentences(gradient)
                if not said or said[0].slots is not gradient.slots or self.has_extra(said):
                    guess = self.reader.guessed(m, gradient, chain(*self.forward.values()))
                    said = [guess] if guess is not None and proof.holds(guess) else said
                self.backward[id(m)] = said
        for said in (self.forward, self.backward):
            for m, sentences in said.items():
                true = [s for s in sentences if proof.holds(s)]
                self.unproved += [s for s in sentences if s not in true]
                said[m] = true
        self.explained = proof.explained

    def has_extra(self, sentences: list[Sentence]) -> bool:
        """Whether sentences need matrices that are made for them alone."""
        names, known = self.names, {id(x) for said in self.forward.values() for s in said
                                    for x in leaves_of(s.formula)}  # fmt: skip
        return any(names.of.get(x) in names.picked and id(x) not in known
                   for s in sentences for x in leaves_of(s.formula))  # fmt: skip

    def inner(self, group: Group, groups: list[Group], numbers: list[int]) -> set[int]:
        """The matrices without a name from which a group is made."""
        return {i for i in group.operands if i in self.names.hidden}

    def named_results(self, groups: list[Group], numbers: list[int]) -> None:
        """Y for products of matrices, H for functions of these, L for the result."""
        names = self.names
        taken = {m.name for m in self.arguments} | {"N"}
        shown = [(g, i) for g, i in zip(groups, numbers) if i not in names.hidden]
        stems = []
        for g, i in shown:
            alone = len(self.outputs) == 1 and self.outputs[0] in g.matrix.slots
            stem = "L" if alone and g.matrix.slots.size == 1 else "Y" if g.is_product else "Z"
            if g.is_function and len(g.operands) == 1:
                stem = "H"
            if g.matrix.slots.size == 1 and stem != "L":
                stem = "s"
            elif 1 in g.matrix.slots.shape and not self.is_rows(g.matrix) and stem != "L":
                stem = stem.lower()
            stems.append(stem)
        many, count = Counter(stems), Counter[str]()
        number_of: dict[int, str] = {}
        for (g, i), stem in zip(shown, stems):
            count[stem] += 1
            own = {number_of.get(k, "") for k in g.operands}
            name = stem if many[stem] == 1 else f"{stem}_{count[stem]}"
            if stem in ("H", "h") and len(own) == 1 and "".join(own):
                name = f"{stem}_{''.join(own)}"
            k = count[stem]
            while name in taken:
                name, k = f"{stem}_{k}", k + 1
            taken.add(name)
            g.matrix.name = name
            number_of[i] = split(name)[1]
            # leaves are made anew where a name changes
        names.leaves = {k: v for k, v in names.leaves.items() if not isinstance(k, tuple) or k[0] in ("mask", "gathered", "numbers")}

    def is_rows(self, matrix: Matrix) -> bool:
        per_sample = self.passes.lines.per_sample
        return self.rows_are_samples and bool(per_sample[matrix.slots].any()) and matrix.slots.size > 1

    def added_gradients(self, matrices: Sequence[Matrix]) -> dict[int, Matrix]:
        gradient, to = self.tables.gradient, self.tables.to
        found = {}
        for m in matrices:
            slots = gradient[m.slots] if len(gradient) else m.slots
            if (slots < 0).all():
                continue
            slots = np.where(slots < 0, self.zero, to[slots])
            found[id(m)] = own = Matrix(slots, f"d{m.name}", is_gradient=True, flexible=m.flexible)
            if not np.isin(slots, self.tables.ones).all():
                self.names.add(own)
        return found

    def text(self, formula: Formula) -> str:
        texts = self.names.texts
        return texts[formula] if formula in texts else write(formula, IN_TEXT, texts)

    def latex(self, formula: Formula) -> str:
        names = self.names.latexes
        return names[formula] if formula in names else write(formula, IN_LATEX, names)


def arrays_in(
    structure: Structure, begin: int, labels: dict[int, str], name: str
) -> Iterable[tuple[str, tuple[int, ...], Ints]]:
    """The arrays of an argument: their names, shapes and slots."""
    slots = np.arange(begin, begin + structure.size)
    lists = all(part.kind is not np.ndarray for part in structure.parts)
    if structure.kind in (float, np.ndarray) or structure.common_shape is not None and lists:
        shape = structure.common_shape or ()
        stems = [split(labels.get(int(s), name)) for s in slots[[0, -1]]] if len(slots) else []
        if len(shape) == 1 and len({stem for stem, _ in stems}) > 1:
            yield from in_a_row(slots, labels)
        elif len(slots):
            stem, below = stems[0]
            index = below.split(",") if "," in below else list(below)
            before = "".join(index[: len(index) - len(shape)])
            yield (f"{stem}_{before}" if before else stem), shape, slots
        return
    for part in structure.parts:
        yield from arrays_in(part, begin, labels, name)
        begin += part.size


def in_a_row(slots: Ints, labels: dict[int, str]) -> Iterable[tuple[str, tuple[int, ...], Ints]]:
    """The arrays that are one row of numbers: the parameters of a model, told by their labels."""
    stems = [labels.get(s, "").rpartition("_")[0] or labels.get(s, "") for s in slots.tolist()]
    cuts = [0, *[i for i in range(1, len(stems)) if stems[i] != stems[i - 1]], len(stems)]
    rows: dict[str, list[tuple[str, tuple[int, ...], Ints]]] = {}
    for a, b in zip(cuts, cuts[1:]):
        below = split(labels.get(int(slots[b - 1]), ""))[1]
        index = below.split(",") if "," in below else list(below)
        shape = tuple(int(i) for i in index if i.isdigit())
        shape = shape if int(np.prod(shape)) == b - a else (b - a,)
        layer, _, name = stems[a].rpartition(".")
        neurons = f"{layer.rpartition('.')[0]}.{name}" if "." in layer else stems[a]
        rows.setdefault(neurons, []).append((stems[a], shape, slots[a:b]))
    for path, found in rows.items():
        shapes = {shape for _, shape, _ in found}
        if len(found) > 1 and len(shapes) == 1 and len(shape := shapes.pop()) <= 1:
            of_neurons = shape if shape != (1,) or "w" in path.rpartition(".")[2] else ()
            yield path, (len(found), *of_neurons), np.concatenate([own for _, _, own in found])
        else:
            yield from found


def named(matrices: list[Matrix], rows_are_samples: bool, per_sample: Any) -> None:
    """Short names: W_1 for layers0.W, X for a matrix x; `origin` keeps the whole."""
    symbols = []
    for m in matrices:
        symbol = m.name.rpartition(".")[2]
        wide = min(m.slots.shape) > 1 or rows_are_samples and bool(per_sample[m.slots].all())
        stem, below = split(symbol)
        stem = CUSTOM.get(stem, stem)
        if len(stem) == 1 and wide and m.slots.size > 1:
            stem = stem.upper()
        elif stem == "W" and not wide:
            stem = "w"
        symbols.append(f"{stem}_{below}" if below else stem)
    uses, count = Counter(symbols), Counter[str]()
    taken = {*[m.name for m in matrices]}
    for m, symbol in zip(matrices, symbols):
        count[symbol] += 1
        if uses[symbol] > 1 and "_" not in symbol:
            symbol = f"{symbol}_{count[symbol]}"
        elif uses[symbol] > 1:
            symbol = m.name
        m.name = symbol


def read(tape: Tape, signature: Signature, batched: int) -> Reading:
    """The program in matrices, for one sample or for a batch."""
    found = Reading(tape, signature, batched, rows_are_samples=bool(batched))
    if not found.fits:
        found = Reading(tape, signature, batched, rows_are_samples=False)
    found.read()
    return found
