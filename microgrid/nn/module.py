"""A model: something with parameters, which have names, can be exchanged, saved and loaded."""

from __future__ import annotations

import copy
import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Self
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from microgrid.engine.errors import ParameterError, ShapeError
from microgrid.engine.guards import real
from microgrid.engine.value import Value
from microgrid.matrices.arrays import values
from microgrid.views import files
from microgrid.views.wording import subscripted

Array = NDArray[Any]
SUFFIXES = (".json", ".npz")


class Module:
    """What has parameters: its attributes that are Values, arrays or lists of them, or Modules.

    Attributes whose names begin with an underscore do not count. A subclass sets its attributes in
    `__init__` and has a `__call__`. Names come from attributes: the entry w[0, 1] of the first of
    `layers` is layer0.w_{12}.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.intercept = Value(2.0), Value(1.0)
    ...     def __call__(self, x):
    ...         return self.slope * x + self.intercept
    >>> {name: p.data for name, p in Line().named_parameters().items()}
    {'slope': 2.0, 'intercept': 1.0}
    """

    def named_parameters(self) -> dict[str, Value]:
        """Every parameter once, by name, in order."""
        names: dict[Value, str] = {}  # a weight in two places has its first name
        for name, v in entries(groups(self)):
            names.setdefault(v, name)
        return unique((name, v) for v, name in names.items())

    def parameters(self) -> list[Value]:
        """Every parameter once."""
        found = [v for _, group in groups(self) for v in np.ravel(np.asarray(group, dtype=object))]
        return list(dict.fromkeys(found))

    def with_parameters(self, parameters: Iterable[Any]) -> Self:
        """A copy whose parameters are these Values or numbers, in the order of `parameters()`.

        Other objects than containers and Modules are shared with the original. ShapeError for
        another number of them.
        """
        old, new = self.parameters(), list(parameters)
        if len(old) != len(new):
            raise ShapeError(f"the model has {len(old)} parameters, got {len(new)}")
        exchange = dict(zip(old, new))
        copied: Self = replaced(self, lambda v: exchange.get(v, v))
        return copied

    def set_parameters(self, numbers: Iterable[Any]) -> None:
        """Give the parameters new numbers, in the order of `parameters()`, as many."""
        mine, new = self.parameters(), [real(x) for x in numbers]  # all, or none is changed
        if len(mine) != len(new):
            raise ShapeError(f"the model has {len(mine)} parameters, got {len(new)}")
        for p, x in zip(mine, new):
            p.data = x

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to zero."""
        for p in self.parameters():
            p._grad = None

    def name_parameters(self) -> None:
        """Give every parameter the name that it has here, for pictures."""
        for name, p in self.named_parameters().items():
            p.label = name

    def state(self) -> dict[str, Array]:
        """The numbers of the parameters as arrays of floats, by the names of the attributes."""
        return {name: floats(name, group) for name, group in unique(groups(self)).items()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over numbers as `state()` gives them.

        ParameterError, with nothing changed, unless names and shapes are those of this model, and
        the numbers finite.
        """
        mine = unique(groups(self))
        if missing := [name for name in mine if name not in state]:
            raise ParameterError(f"there is no {missing[0]!r} for the model of {words(mine)}")
        if foreign := [name for name in state if name not in mine]:
            raise ParameterError(f"the model of {words(mine)} has no {foreign[0]!r}")
        new: dict[Value, float] = {}
        for name, group in mine.items():
            nodes = np.asarray(group, dtype=object)
            try:
                numbers = np.asarray(state[name])
            except ValueError:
                raise ParameterError(f"{name} has shape {nodes.shape}, got ragged rows") from None
            if numbers.shape != nodes.shape or numbers.dtype.kind not in "fiu":
                got = f"{numbers.dtype} of shape {numbers.shape}"
                raise ParameterError(f"{name} has shape {nodes.shape}, got {got}")
            for v, x in zip(nodes.ravel(), finite(name, state[name]).ravel().tolist()):
                if new.setdefault(v, x) != x:
                    raise ParameterError(f"{name} is a weight that has another number elsewhere")
        for v, x in new.items():
            v.data = x

    def save(self, path: str | Path) -> None:
        """Write the parameters as .json or .npz (never pickle), floats to the last bit.

        The old file stays as it is until the new one is complete, whatever happens. ParameterError
        where a number is not finite.
        """
        path, state = checked(path), self.state()
        for name, numbers in state.items():
            finite(name, numbers)
        if path.suffix.lower() == ".json":
            text = json.dumps({name: numbers.tolist() for name, numbers in state.items()})
            files.write(path, text.encode())
            return
        made = BytesIO()
        archive = ZipFile(made, "w")  # no `with`: its end would hide an interrupt
        for name, numbers in state.items():
            entry = BytesIO()
            np.lib.format.write_array(entry, numbers, allow_pickle=False)
            archive.writestr(f"{name}.npy", entry.getvalue())
        archive.close()
        files.write(path, made.getvalue())

    def load(self, path: str | Path) -> None:
        """Read the parameters that `save` wrote; ParameterError if they are another model's."""
        path = checked(path)
        data = path.read_bytes()
        try:
            state = read_json(data) if path.suffix.lower() == ".json" else read_npz(data)
        except ParameterError as error:
            raise ParameterError(f"{path.name}: {error}") from None
        except Exception as error:  # a broken file makes its reader raise anything
            raise ParameterError(
                f"{path.name} holds no parameters: it is damaged, or no file that save wrote"
            ) from error
        if not isinstance(state, Mapping):
            raise ParameterError(f"{path.name} holds no parameters by name")
        self.load_state(state)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def groups(x: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each Value, and each array or list of Values, that is an attribute somewhere below x."""
    if isinstance(x, Module):
        for attribute, y in vars(x).items():
            if not attribute.startswith("_"):
                yield from groups(y, f"{name}.{attribute}" if name else attribute)
    elif isinstance(x, Value):
        if x.op is None:
            yield name, x
    elif is_group(x):
        yield name, x
    elif isinstance(x, list | tuple):
        one = re.sub(r"(?<![aius])s$", "", name)  # of layers, not of bias or class
        for i, y in enumerate(x):
            yield from groups(y, f"{one}{i}")
    elif isinstance(x, dict):
        for key, y in x.items():
            yield from groups(y, f"{name}.{key}")


def is_group(x: Any) -> bool:
    """Whether x is a non-empty array or list of leaves; ParameterError for a mixture.

    What an operation has made, like a result that is kept for later, is no parameter.
    """
    several = isinstance(x, np.ndarray) and x.dtype == object
    nodes = list(x.flat) if several else list(x) if isinstance(x, list | tuple) else []
    kinds = {isinstance(v, Value) and (v.op is None or "result") for v in nodes}
    if (several or False not in kinds) and True in kinds and len(kinds) > 1:
        raise ParameterError(
            "an array or list of parameters holds leaves only: numbers and results of operations "
            "belong into __call__"
        )
    return kinds == {True}


def unique(named: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The same by name; ParameterError where a name comes twice, of which one would be lost."""
    found: dict[str, Any] = {}
    for name, x in named:
        if name in found:
            raise ParameterError(f"two groups of parameters have the name {name!r}: rename one")
        found[name] = x
    return found


def entries(found: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Value]]:
    """Every Value with its name, like w_{12}."""
    for name, group in found:
        nodes = np.asarray(group, dtype=object)
        comma = "," if max(nodes.shape, default=0) > 9 else ""
        for index, v in np.ndenumerate(nodes):
            yield subscripted(name, index, comma), v


def replaced(x: Any, new: Callable[[Value], Any], made: dict[int, Any] | None = None) -> Any:
    """A copy of x with other nodes in the places of its Values; shared parts stay shared."""
    made = {} if made is None else made
    if isinstance(x, Value):
        return new(x)
    if id(x) in made:
        return made[id(x)]
    copied: Any = x
    if is_group(x) and isinstance(x, np.ndarray):
        copied = np.empty(x.size, dtype=object)
        copied[:] = [new(v) for v in x.ravel()]
        copied = copied.reshape(x.shape)
    elif isinstance(x, list | tuple):
        copied = getattr(x, "_make", type(x))([replaced(y, new, made) for y in x])
    elif isinstance(x, dict):
        copied = {key: replaced(y, new, made) for key, y in x.items()}
    elif isinstance(x, Module):
        copied = copy.copy(x)
        vars(copied).update({k: replaced(y, new, made) for k, y in vars(x).items()})
    made[id(x)] = copied
    return copied


def keeper(x: Any) -> Callable[[], None]:
    """What puts the parameters of x back where they are now, with the containers that hold them.

    All else that x remembers, like a counter or a running mean, stays as it has become.
    """
    held: Any = {k: y for k, y in vars(x).items() if any(groups(y))} if isinstance(x, Module) else x
    parts = list(held.values()) if isinstance(held, dict) else held
    inner = [keeper(y) for y in parts] if isinstance(parts, list | tuple) else []
    held = copy.copy(held)

    def put_back() -> None:
        if isinstance(x, Module):
            vars(x).update(held)
        elif isinstance(x, dict):
            x.clear()
            x.update(held)
        elif isinstance(x, list):
            x[:] = held
        elif isinstance(x, np.ndarray) and any(map(operator.is_not, x.flat, held.flat)):
            x[...] = held
        for put_part_back in inner:
            put_part_back()

    return put_back


def floats(name: str, group: Any) -> Array:
    """The numbers of a group; ParameterError for an int beyond the floats."""
    try:
        return values(group)
    except OverflowError:
        raise ParameterError(
            f"{name} has a number beyond the floats, the largest is 1.8e308"
        ) from None


def finite(name: str, numbers: Any) -> Array:
    """Numbers as floats; ParameterError unless all are finite."""
    with np.errstate(over="ignore"):
        found: Array = np.ma.filled(np.ma.asarray(numbers).astype(float), np.nan)
    if not np.isfinite(found).all():
        raise ParameterError(f"{name} has nan or inf: parameters that are kept are finite numbers")
    return found


def read_json(data: bytes) -> Any:
    return json.loads(data.decode("utf-8"), object_pairs_hook=unique)


def read_npz(data: bytes) -> dict[str, Array]:
    with np.load(BytesIO(data), allow_pickle=False) as file:
        return unique((name, file[name]) for name in file.files)


def checked(path: str | Path) -> Path:
    """The path; ParameterError unless we write files of that kind."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ParameterError(f"{path.name}: parameters are kept as {' or '.join(SUFFIXES)}")
    return path


def words(names: Iterable[str], most: int = 4) -> str:
    listed: Sequence[str] = list(names)
    return ", ".join([*listed[:most], *["…"] * (len(listed) > most)]) or "no parameters"
