"""Saved, the base of what keeps its numbers in a file: models and optimizers."""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar
from zipfile import ZipFile

import numpy as np

from microgrid.engine.errors import ParameterError
from microgrid.matrices.arrays import Array, values
from microgrid.views.files import save_by_suffix, suffix_of


class Saved:
    """Numbers by name, which `state` returns and `load_state` takes, in .json and .npz files."""

    _kept: ClassVar[str]  # what the numbers are, in the words of an error

    @abstractmethod
    def state(self) -> dict[str, Array]:
        """The numbers by name, as arrays of floats."""

    @abstractmethod
    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take the numbers that `state` returned: all of them, or ParameterError and none."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the state as .json or .npz (never pickle), floats to the last bit; the path.

        The old file stays as it is until the new one is complete, whatever happens. ParameterError
        for another suffix, and where a number is not finite.

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from microgrid import nn
        >>> one, other = nn.Affine(2, 3), nn.Affine(2, 3)
        >>> with TemporaryDirectory() as folder:
        ...     path = one.save(Path(folder) / "model.json")
        ...     other.load(path)
        >>> (other.state()["w"] == one.state()["w"]).all()
        np.True_
        """
        state = {name: finite(name, numbers) for name, numbers in self.state().items()}
        writers = {kind: partial(write, state) for kind, (write, _) in FORMATS.items()}
        return save_by_suffix(path, writers, error=ParameterError, new_folder=False)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read the state that `save` wrote; ParameterError if it belongs to something else.

        OSError where the file cannot be read; then, as after every error, no number changes.
        """
        _, read = FORMATS[suffix_of(path, FORMATS, ParameterError)]
        name, data = Path(path).name, Path(path).read_bytes()
        try:
            state = read(data)
        except ParameterError as error:
            raise ParameterError(f"{name}: {error}") from None
        except Exception as error:  # a broken file makes its reader raise anything
            raise ParameterError(
                f"{name} holds no {self._kept}: it is damaged, or no file that save wrote"
            ) from error
        if not isinstance(state, Mapping):
            raise ParameterError(f"{name} holds no {self._kept} by name")
        self.load_state(state)


def same_names(state: Mapping[str, Any], mine: Iterable[str], owner: str) -> None:
    """ParameterError unless a state has these names, which stand in the words for its owner."""
    mine = list(mine)
    owner = owner.format(", ".join([*mine[:4], *["…"] * (len(mine) > 4)]) or "no parameters")
    if missing := [name for name in mine if name not in state]:
        given = f"there are {', '.join(map(str, state))}" if state else "there is nothing"
        raise ParameterError(f"there is no {missing[0]!r} for {owner.rstrip(',')}: {given:.200}")
    if foreign := [name for name in state if name not in mine]:
        raise ParameterError(f"{owner} has no {foreign[0]!r}")


def numbers_of(name: str, given: Any, shape: tuple[int, ...]) -> Array:
    """What a state has by this name, as floats; ParameterError unless it has this shape."""
    try:
        numbers = np.asarray(given)
    except ValueError:
        raise ParameterError(f"{name} has shape {shape}, got ragged rows") from None
    if numbers.shape != shape or numbers.dtype.kind not in "fiu":
        got = f"{numbers.dtype} of shape {numbers.shape}"
        raise ParameterError(f"{name} has shape {shape}, got {got}")
    return finite(name, given)


def unique(named: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of named objects; ParameterError where two have one name."""
    found: dict[str, Any] = {}
    for name, x in named:
        if name in found:
            raise ParameterError(f"two groups of parameters have the name {name!r}: rename one")
        found[name] = x
    return found


def floats(name: str, group: Any) -> Array:
    """The numbers of a group; ParameterError for an int beyond the floats."""
    try:
        return np.asarray(values(group))
    except OverflowError:
        raise ParameterError(f"{name} has a number beyond the floats") from None


def finite(name: str, numbers: Any) -> Array:
    """Numbers as floats; ParameterError unless all are finite."""
    with np.errstate(over="ignore"):
        found: Array = np.ma.filled(np.ma.asarray(numbers).astype(float), np.nan)
    if not np.isfinite(found).all():
        raise ParameterError(f"{name} has nan or inf: saved numbers are finite")
    return found


def write_npz(state: Mapping[str, Array]) -> bytes:
    made = BytesIO()
    archive = ZipFile(made, "w")  # no `with`: its end would hide an interrupt
    for name, numbers in state.items():
        entry = BytesIO()
        np.lib.format.write_array(entry, numbers, allow_pickle=False)
        archive.writestr(f"{name}.npy", entry.getvalue())
    archive.close()
    return made.getvalue()


def read_npz(data: bytes) -> dict[str, Array]:
    with np.load(BytesIO(data), allow_pickle=False) as file:
        return unique((name, file[name]) for name in file.files)


FORMATS: dict[str, tuple[Callable[[Mapping[str, Array]], bytes | str], Callable[[bytes], Any]]] = {
    ".json": (
        lambda state: json.dumps(state, default=np.ndarray.tolist),
        lambda data: json.loads(data.decode("utf-8"), object_pairs_hook=unique),
    ),
    ".npz": (write_npz, read_npz),
}
