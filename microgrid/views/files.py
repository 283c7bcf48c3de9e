"""Files are written as a whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from microgrid.engine.errors import MicrogridError


class LayoutError(MicrogridError, RuntimeError):
    """A file of a kind that is not written, or no program that can lay out a picture.

    What turns DOT text into a picture is Graphviz's `dot`, or what the extra `viz` installs.

    >>> from microgrid import Value, draw
    >>> draw(Value(1.0)).save("f.doc")
    Traceback (most recent call last):
        ...
    microgrid.views.files.LayoutError: f.doc: it is saved as ...
    """


def write(path: str | Path, data: bytes) -> None:
    """Write a file: an error on the way leaves the old file or the new one, each whole.

    It is written beside the old one and put in its place, where links lead, with the permissions
    and the owner that it had. Only a process that is killed leaves its draft behind,
    `.microgrid-…`. What is no regular file, or cannot be replaced, is written to as it stands.
    """
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".microgrid-{secrets.token_hex(8)}")
    try:
        old = target.stat() if target.exists() else None
        if old is not None and not stat.S_ISREG(old.st_mode):
            target.write_bytes(data)
            return
        if old is not None:
            target.open("r+b").close()  # an error where the old one must not be written
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace(target, draft, data, old)
    except OSError as error:  # names the file that the caller knows
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with suppress(OSError):
            draft.unlink()


def replace(target: Path, draft: Path, data: bytes, old: os.stat_result | None) -> None:
    """Put the draft in the place of the old file, with its permissions and its owner."""
    try:
        if old is not None:
            draft.chmod(old.st_mode)
            new, owner = draft.stat(), (old.st_uid, old.st_gid)
            if hasattr(os, "chown") and (new.st_uid, new.st_gid) != owner:
                os.chown(draft, *owner)
        draft.replace(target)
    except OSError as error:  # another's file, or one that is mounted alone
        if error.errno not in (errno.EBUSY, errno.EPERM, errno.EXDEV):
            raise
        target.write_bytes(data)


def suffix_of(
    path: str | os.PathLike[str], kinds: Iterable[str], error: type[MicrogridError] = LayoutError
) -> str:
    """The suffix of a path in small letters; an error unless it is one of these kinds."""
    path, kinds = Path(path), list(kinds)
    if path.suffix.lower() not in kinds:
        raise error(f"{path.name}: it is saved as {' or '.join(kinds)}")
    return path.suffix.lower()


def save_by_suffix(
    path: str | os.PathLike[str], makers: Mapping[str, Callable[[], bytes | str]], *others: str,
    error: type[MicrogridError] = LayoutError, new_folder: bool = True,
) -> Path:  # fmt: skip
    """Write what the maker of the path's suffix returns; the path. An error for other suffixes.

    A folder that is missing is made for the file, unless `new_folder` is False.
    """
    path, suffix = Path(path), suffix_of(path, [*makers, *others], error)
    made = makers[suffix]()
    if new_folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    write(path, made if isinstance(made, bytes) else made.encode())
    return path
