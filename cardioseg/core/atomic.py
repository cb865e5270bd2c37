"""Atomic writes: a temporary file in the same folder, fsync, then rename."""

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cardioseg.core.errors import OutputError
from cardioseg.core.lock import HOLD_OPEN, close, is_at, lock

PART = ".part"
DAY_SECONDS = 86_400
LONGEST_NAME = 150  # bytes taken from the final name; file systems allow 255 in all
TEMPORARY = re.compile(rf"\..+\.[a-z0-9_]{{8}}{re.escape(PART)}(\..+)?", re.DOTALL)


@contextmanager
def replacing(path: Path, *, suffix: str = "") -> Iterator[Path]:
    """Yield a temporary path; it replaces ``path`` on success and is removed on failure.

    A killed process leaves it behind: a hidden file with ``.part`` in its name. It is locked while
    its writer lives, so that ``clear_parts`` leaves it alone.

    Args:
        path: the final file.
        suffix: ending of the temporary name, for writers that choose a format by it (".nii.gz").

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = _new_part(path, suffix)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)
        if descriptor is not None:
            close(descriptor)


def _new_part(path: Path, suffix: str) -> tuple[int | None, Path]:
    """An empty temporary file and its lock; None where an open file cannot be renamed."""
    beginning = os.fsdecode(os.fsencode(path.name)[:LONGEST_NAME])
    while True:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{beginning}.", suffix=PART + suffix, dir=path.parent
        )
        if not HOLD_OPEN:
            os.close(descriptor)
            return None, Path(name)
        if lock(descriptor) != "busy" and is_at(Path(name), descriptor):
            return descriptor, Path(name)
        close(descriptor)  # ``clear_parts`` came between the two calls
        Path(name).unlink(missing_ok=True)


def parts(folder: Path) -> list[Path]:
    """Temporary files of ``replacing`` in a folder."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if TEMPORARY.fullmatch(path.name))


def clear_parts(*folders: Path) -> None:
    """Remove the temporary files that killed processes left in folders.

    Where files cannot be locked, those older than a day are removed.

    Raises:
        OutputError: one cannot be removed.
    """
    for folder in folders:
        for path in parts(folder):
            _remove_left(path)


def _remove_left(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return  # its writer has just renamed it, or it is not ours
    try:
        state = lock(descriptor) if HOLD_OPEN else "unsupported"
        old = time.time() - os.fstat(descriptor).st_mtime > DAY_SECONDS
        if HOLD_OPEN and (state == "held" or (state == "unsupported" and old)):
            remove(path)
    finally:
        close(descriptor)
    if not HOLD_OPEN and old:
        remove(path)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` to ``path`` atomically, as UTF-8."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, data: Any, *, default: Callable[[Any], Any] | None = None) -> None:
    """Write ``data`` as indented JSON, atomically.

    Raises:
        ValueError: ``data`` holds NaN or infinity, which JSON cannot express.
        OutputError: the folder cannot be written or the disk is full.
    """
    write_text(path, json.dumps(data, indent=1, allow_nan=False, default=default) + "\n")


def remove(path: Path) -> None:
    """Remove a file if it exists.

    Raises:
        OutputError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error of a file that could not be written or removed."""
    reason = error.strerror or str(error)
    return OutputError(
        path,
        found=reason,
        expected="a folder with space and write permission",
        cure="choose another --output or free some space",
    )


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
