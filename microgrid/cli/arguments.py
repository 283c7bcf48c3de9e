"""Arguments that several commands have: numbers, and files to write."""

from __future__ import annotations

import argparse
from contextlib import suppress
from itertools import combinations
from pathlib import Path

from microgrid.engine.errors import NumberError
from microgrid.views.expression import ExpressionError
from microgrid.views.files import suffix_of
from microgrid.views.numerals import read
from microgrid.views.spelling import name_in


def whole(text: str) -> int:
    """The whole number of an option."""
    try:
        number = read(text)
    except NumberError as error:
        raise argparse.ArgumentTypeError(f"invalid int value: {error}") from None
    if number is None or number % 1 != 0:
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}")
    return int(number)


def count(text: str) -> int:
    with suppress(argparse.ArgumentTypeError):
        if 1 <= whole(text) <= 100_000:
            return whole(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 100000")


def seconds(text: str) -> float:
    with suppress(NumberError):
        number = read(text)
        if number is not None and 1 <= number <= 86_400:
            return float(number)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 86400")


def writable(path: Path, *kinds: str) -> Path:
    """The path, in a folder that is there; ExpressionError unless its suffix is one of these."""
    suffix_of(path, kinds, ExpressionError)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def distinct(*paths: Path) -> None:
    """ExpressionError where two of these are one file, however they are spelled."""
    for path, other in combinations(paths, 2):
        same = path.exists() and other.exists() and path.samefile(other)
        if same or path.resolve() == other.resolve():
            raise ExpressionError(f"{path} and {other} are one file: give two names")


def numbers_of(words: list[str]) -> dict[str, float]:
    """The numbers of words like x=-0.5, by their names."""
    numbers: dict[str, float] = {}
    for name, number in map(assignment, words):
        if name in numbers:
            raise ExpressionError(f"{name} has two numbers")
        numbers[name] = number
    return numbers


def assignment(text: str) -> tuple[str, float]:
    """The name and the number of a word like x=-0.5; ExpressionError for other words."""
    name, _, written = text.partition("=")
    name = name_in(name)
    if not name or not written.strip():
        form = "name=number: after the expression in quotes come words like x=-0.5, without spaces"
        raise ExpressionError(f"{text!r} is not of the form {form}")
    try:
        number = read(written)
    except NumberError as error:
        raise ExpressionError(f"{name}={error}") from None
    if number is None:
        raise ExpressionError(f"{name}={written!r} is not a number, such as 2, -0.5, 1/3 or 1e-3")
    try:
        near = float(number)
    except OverflowError:
        raise ExpressionError(f"{name}={written!r} is too large for a float") from None
    if number and not near:
        raise ExpressionError(f"{name}={written!r} is too small for a float")
    return name, near
