"""What arrays are called: a letter each, as lecture notes have it, with a number where it is used.

The text of a program and its matrices name them alike: W1 there is W₁ here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from microgrid.engine.value import Op
from microgrid.program.text.arguments import Held
from microgrid.views.labels import split
from microgrid.views.notation import placed

SYMBOLS = {"w": "W", "weight": "W", "weights": "W", "bias": "b"}


def short_names(arrays: Sequence[Held], rows: Sequence[bool]) -> list[str]:
    """A letter for each array, an upper one for a matrix; equal ones get numbers.

    So it is for a vector of which a batch has `rows`.
    """
    wide = [x.slots.size > 1 and (x.slots.ndim > 1 or row) for x, row in zip(arrays, rows)]
    symbols = [symbol(x.path, is_wide) for x, is_wide in zip(arrays, wide)]
    uses, count, found = Counter(symbols), Counter[str](), []
    for x, short in zip(arrays, symbols):
        count[short] += 1
        again = x.path if "_" in short else f"{short}_{count[short]}"
        found.append(short if uses[short] == 1 else again)
    return found


def symbol(path: str, is_wide: bool) -> str:
    """The letter of an array: W for layers0.weight or a matrix ws[0], X for a matrix x."""
    stem, below = split(path.rpartition(".")[2])
    if stem.endswith("]"):
        return "W" if is_wide else "b"
    stem = SYMBOLS.get(stem, stem)
    if len(stem) == 1 and stem != "b":
        stem = stem.upper() if is_wide else stem.lower() if stem == "W" else stem
    return f"{stem}_{below}" if below else stem


def is_called(op: Op, count: int) -> bool:
    """Whether an operation of so many operands is a call in formulas, like tanh: no signs."""
    return "#" not in op.text and not placed(op.text, count)


def letter_of(is_product: bool, is_function: bool, operands: Collection[int]) -> str:
    """Y for a product of matrices, H for a function of one array, Z for what is computed else."""
    return "H" if is_function and len(operands) == 1 else "Y" if is_product else "Z"


def result_names(
    results: Iterable[tuple[int, str, Collection[int]]], taken: Collection[str]
) -> dict[int, str]:
    """A name for each result: its letter, with a number where several have it.

    H_2 is a function of Y_2 where there is one. A result comes with what stands for it, its letter
    and those it is made of.
    """
    results, used = [*results], {*taken}
    many, count = Counter([letter for _, letter, _ in results]), Counter[str]()
    found, below = dict[int, str](), dict[int, str]()
    for key, letter, operands in results:
        count[letter] += 1
        k = count[letter]
        of = {below.get(x, "") for x in operands}
        index = of.pop() if letter in "Hh" and len(of) == 1 else ""
        index = index or (str(k) if many[letter] > 1 else "")
        name = f"{letter}_{index}" if index else letter
        while name in used:
            name, k = f"{letter}_{k}", k + 1
        used.add(name)
        found[key], below[key] = name, split(name)[1] if letter in "Yy" else ""
    return found
