"""A program read in matrices: names for what it computes, and what is said of them, all proved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from microgrid.program.plan.lines import REDUCE, UNDIVIDED
from microgrid.program.plan.products import depths, discovered
from microgrid.program.plan.schedule import passes
from microgrid.program.signature import Signature
from microgrid.program.tape import Tape
from microgrid.program.text.arguments import Held, arrays_of
from microgrid.program.text.letters import letter_of, result_names, short_names
from microgrid.program.text.tables import Tables
from microgrid.program.words.arrangement import Group, arranged
from microgrid.program.words.calculus import guessed
from microgrid.program.words.formulas import (
    EACH_COLUMN,
    EACH_ROW,
    IN_LATEX,
    IN_TEXT,
    Formula,
    leaves_of,
    operations_of,
)  # fmt: skip
from microgrid.program.words.names import Matrix, Names
from microgrid.program.words.proof import Proof
from microgrid.program.words.sentences import Reader, Sentence
from microgrid.views.notation import write

LONGEST = 72  # letters of a formula; a longer one gets names for its parts
ROUNDS = 4  # of naming parts


class Reading:
    """The matrices of a plan and the sentences about them.

    `forward` and `backward` hold by the id of a matrix the sentences about it and its gradient that
    are proved; `unproved` those that are not, which would be a mistake of this package.
    """

    def __init__(
        self, tape: Tape, signature: Signature, batched: int, rows_are_samples: bool
    ) -> None:
        wanted = tuple(range(len(signature.names))) if signature.result.size == 1 else None
        self.tape, self.rows_are_samples = tape, rows_are_samples
        self.passes = passes(tape, batched, wanted, UNDIVIDED, apart=True)
        lines = self.passes.lines
        self.per_sample = lines.per_sample
        self.zero = lines.constant(0.0)
        depth = depths(lines)
        self.found = discovered(lines, depth=depth)
        self.tables = Tables(self.passes, self.found, depth)
        self.names = names = Names(lines.slots, lines.constants)
        self.arguments = [names.add(m) for m in self.given(signature)]
        if batched:
            names.add(Matrix(np.array([[self.passes.samples]]), "N", "the number of samples"))
        self.groups = arranged(self.tables, names, rows_are_samples)
        self.reader = Reader(self.tables, names, rows_are_samples)
        self.outputs = self.tables.to[self.passes.outputs]

    def given(self, signature: Signature) -> list[Matrix]:
        """A matrix for each array of the arguments, with its rows along the first axis.

        A vector may be a row or a column, but where samples are rows.
        """
        found, begin = list[Held](), 0
        for form, name in zip(signature.arguments, signature.names):
            own = bool(form.size and self.per_sample[begin])
            for arrays in arrays_of(form, begin, self.tape.labels, name, own):
                found += [x for x in arrays if x.slots.size]
            begin += form.size
        rows = [self.rows_are_samples and bool(self.per_sample[x.slots].any()) for x in found]
        return [
            Matrix(x.slots.reshape(len(x.slots) if x.slots.ndim > 1 else 1, -1), short, x.path,
                   flexible=x.slots.ndim == 1 and not row)
            for x, row, short in zip(found, rows, short_names(found, rows))
        ]  # fmt: skip

    @property
    def fits(self) -> bool:
        """Whether each sample is one row of every matrix, if that is how they are read."""
        own = [m for m in self.names.matrices if self.per_sample[m.slots].any()]
        over_batch = [p for p in self.found.products if p.code == REDUCE]
        rows = all(len(m.slots) == 1 for m in own) and all(p.shape[2] == 1 for p in over_batch)
        return rows or not self.rows_are_samples

    def read(self) -> None:
        """Choose names, read sentences, prove them."""
        names = self.names
        number = {id(m): i for i, m in enumerate(names.matrices)}
        numbered = [(group, number[id(group.matrix)]) for group in self.groups]
        names.hidden |= self.needless(numbered)
        for _ in range(ROUNDS):
            shown = [(group, i) for group, i in numbered if i not in names.hidden]
            self.name_results(shown)
            self.forward = {id(g.matrix): self.reader.sentences(g.matrix) for g, _ in shown}
            unclear = [g for g, _ in shown if not self.is_clear(self.forward[id(g.matrix)])]
            parts = {i for group in unclear for i in group.operands if i in names.hidden}
            if not parts:
                break
            names.hidden -= parts
        matrices = [*self.arguments, *[group.matrix for group, _ in shown]]
        gradients = self.added_gradients(matrices[::-1])
        proof = Proof(self.tables, names, self.rows_are_samples)
        self.backward = {
            key: self.of_gradient(m, gradients, proof)
            for key, m in [(id(m), m) for m in matrices]
            if key in gradients
        }
        self.unproved: list[Sentence] = []
        for table in (self.forward, self.backward):
            for key, sentences in table.items():
                true = [proof.holds(s) for s in sentences]
                self.unproved += [s for s, is_true in zip(sentences, true) if not is_true]
                table[key] = [s for s, is_true in zip(sentences, true) if is_true]
        self.explained = proof.explained

    def needless(self, numbered: Sequence[tuple[Group, int]]) -> set[int]:
        """The matrices that need no name: what is used once, and is no product or function."""
        groups = [group for group, _ in numbered]
        uses = Counter([i for group in groups for i in group.operands])
        in_products = {i for group in groups if group.is_product for i in group.operands}
        factors = {i for group in groups for i in group.factors}
        found = set()
        for group, i in numbered:
            is_summand = group.is_product and uses[i] == 1 and i in in_products  # X W + H U
            speaks = (group.is_product and not is_summand) or group.is_function
            is_result = np.isin(self.outputs, group.matrix.slots).any()
            if not (speaks or is_result or i in factors or uses[i] > 1):
                found.add(i)
        return found

    def is_clear(self, sentences: Sequence[Sentence]) -> bool:
        """Whether there is a formula, and none is too long."""
        return bool(sentences) and max([len(self.text(s.formula)) for s in sentences]) <= LONGEST

    def of_gradient(
        self, matrix: Matrix, gradients: Mapping[int, Matrix], proof: Proof
    ) -> list[Sentence]:
        """What is said of a gradient: by its lines, or by matrix calculus, if that is simpler."""
        gradient = gradients[id(matrix)]
        read = self.reader.sentences(gradient)
        if len(read) == 1 and read[0].slots is gradient.slots:
            repeats = operations_of(read[0].formula) & {EACH_ROW, EACH_COLUMN}
            if not repeats and not self.adds_matrices(read):
                return read
        guess = guessed(self.reader, matrix, gradients, chain(*self.forward.values()))
        return [guess] if guess is not None and proof.holds(guess) else read

    def adds_matrices(self, sentences: Sequence[Sentence]) -> bool:
        """Whether sentences need matrices, like M and P, that the forward pass has not."""
        known = {x for said in self.forward.values() for s in said for x in leaves_of(s.formula)}
        used = {x for s in sentences for x in leaves_of(s.formula)}
        return any(self.names.of.get(x) in self.names.picked for x in used - known)

    def name_results(self, shown: Sequence[tuple[Group, int]]) -> None:
        """Y for products of matrices, H for functions, Z for the others, L for the result."""
        results = [(i, self.letter(group), group.operands) for group, i in shown]
        found = result_names(results, {*[m.name for m in self.arguments], "N"})
        for group, i in shown:
            group.matrix.name = found[i]
        self.names.forget()

    def letter(self, group: Group) -> str:
        """The letter of a result, a small one for a vector."""
        slots = group.matrix.slots
        is_row = self.rows_are_samples and bool(self.per_sample[slots].any())
        if slots.size == 1:
            return "L" if len(self.outputs) == 1 and self.outputs[0] in slots else "s"
        letter = letter_of(group.is_product, group.is_function, group.operands)
        return letter.lower() if 1 in slots.shape and not is_row else letter

    def added_gradients(self, matrices: Sequence[Matrix]) -> dict[int, Matrix]:
        """The gradients of matrices by their ids; those that are not 1 get names."""
        found: dict[int, Matrix] = {}
        if not len(self.tables.gradient):
            return found
        for m in matrices:
            slots = self.tables.gradient[m.slots]
            if (slots >= 0).any():
                slots = np.where(slots < 0, self.zero, self.tables.to[slots])
                own = Matrix(slots, f"d{m.name}", flexible=m.flexible, is_gradient=True)
                found[id(m)] = own
                if not np.isin(slots, self.tables.ones).all():
                    self.names.add(own)
        return found

    def text(self, formula: Formula) -> str:
        texts = self.names.texts
        return texts[formula] if formula in texts else write(formula, IN_TEXT, texts)

    def latex(self, formula: Formula) -> str:
        latexes = self.names.latexes
        return latexes[formula] if formula in latexes else write(formula, IN_LATEX, latexes)


def read(tape: Tape, signature: Signature, batched: int) -> Reading:
    """The program in matrices, for one sample or for a batch."""
    found = Reading(tape, signature, batched, rows_are_samples=bool(batched))
    if not found.fits:
        found = Reading(tape, signature, batched, rows_are_samples=False)
    found.read()
    return found
