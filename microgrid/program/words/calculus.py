"""Gradients that matrix calculus gives for the factors of products; the proof decides on them.

    Y = A B:   dA = dY Bᵀ,  dB = Aᵀ dY

They are of use where the lines of a gradient differ, as at the borders of an image or beside zeros.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from microgrid.program.words.formulas import (
    ENTRYWISE,
    MATMUL,
    SAMPLES,
    TRANSPOSE,
    Formula,
    fold,
    made,
    products_in,
    total,
    turned,
)  # fmt: skip
from microgrid.program.words.names import Matrix
from microgrid.program.words.sentences import Reader, Sentence


def guessed(
    reader: Reader, matrix: Matrix, gradients: Mapping[int, Matrix], forward: Iterable[Sentence]
) -> Sentence | None:
    """What the products of the forward pass send to a matrix; None where it is in none of them.

    `gradients` are those of all matrices, by their ids.
    """
    names, tables, gradient = reader.names, reader.tables, gradients[id(matrix)]
    summands = list[Formula]()
    for sentence in forward:
        for product in products_in(sentence.formula):
            slots = tables.gradient[sentence.slots]
            if (slots < 0).any():
                return None
            upstream = names.view(tables.to[slots])
            if upstream is None or names.is_number(upstream):  # it is 1 everywhere
                own = gradients.get(id(names.of[sentence.target]))
                if own is None or own.slots.shape != slots.shape:
                    return None
                upstream = names.whole(own)
            a, b = product.parents
            shares = made(MATMUL, upstream, turned(b)), made(MATMUL, turned(a), upstream)
            sent = [sent_to(reader, matrix, x, share) for x, share in zip((a, b), shares)]
            summands += [x for x in sent if x is not None]
    if not summands:
        return None
    formula = total(summands)
    if not reader.rows_are_samples and not reader.per_sample[matrix.slots].any():
        formula = made(SAMPLES, formula) if reader.per_sample.any() else formula
    return Sentence(names.whole(gradient), formula, gradient.slots)


def sent_to(reader: Reader, matrix: Matrix, factor: Formula, share: Formula) -> Formula | None:
    """What a factor of a product sends on to a matrix, given what comes back to the factor."""
    names = reader.names
    if factor.op is TRANSPOSE:
        return sent_to(reader, matrix, factor.parents[0], turned(share))
    if factor.op is ENTRYWISE and names.held.get(factor.parents[0], ("",))[0] == "mask":
        mask, inner = factor.parents
        found = sent_to(reader, matrix, inner, share)
        return None if found is None else made(ENTRYWISE, mask, found)
    own = names.of.get(factor)
    if own is matrix:
        return share if names.shape(factor) == matrix.slots.shape else None
    if own is None or own not in names.picked or not names.is_slots(own):
        return None
    owners = np.unique(names.owner[own.slots])
    if len(owners) > 1 or owners[0] < 0 or names.matrices[owners[0]] is not matrix:
        return None
    places = tuple(names.place[own.slots].ravel().tolist())
    return made(fold(places, matrix.slots.shape), share)
