"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from microgrid.errors import LayoutError


def write(path: str | Path, data: bytes) -> None:
    """Write a file: whatever happens on the way, it is the old one or the new one, each whole.

    It is written beside the old one and put in its place, where links lead, with the permissions
    that it had. Only a process that is killed leaves its draft behind, `.microgrid-…`.
    """
    target = Path(os.path.realpath(path))
    mode = None
    if target.exists():
        target.open("r+b").close()  # an error where the old one must not be written
        mode = target.stat().st_mode
    draft = target.with_name(f".microgrid-{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            draft.chmod(mode)
        draft.replace(target)
    except OSError as error:  # names the file that the caller knows
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        draft.unlink(missing_ok=True)


def save_by_suffix(
    path: str | os.PathLike[str], makers: Mapping[str, Callable[[], bytes | str]], *others: str
) -> Path:
    """The path, where now stands what the maker of its suffix gives; LayoutError for another."""
    path = Path(path)
    if path.suffix.lower() not in makers:
        raise LayoutError(f"{path.name}: it is saved as {' or '.join([*makers, *others])}")
    made = makers[path.suffix.lower()]()
    write(path, made if isinstance(made, bytes) else made.encode())
    return path
