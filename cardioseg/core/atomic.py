"""Atomic writes: a temporary file in the same folder, fsync, then rename."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cardioseg.core.errors import OutputError

PART = ".part"
LONGEST_NAME = 150  # bytes taken from the final name; file systems allow 255 in all


@contextmanager
def replacing(path: Path, *, suffix: str = "") -> Iterator[Path]:
    """Yield a temporary path; it replaces ``path`` on success and is removed on failure.

    A killed process leaves it behind: a hidden file with ``.part`` in its name.

    Args:
        path: the final file.
        suffix: ending of the temporary name, for writers that choose a format by it (".nii.gz").

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beginning = os.fsdecode(os.fsencode(path.name)[:LONGEST_NAME])
        handle, name = tempfile.mkstemp(
            prefix=f".{beginning}.", suffix=PART + suffix, dir=path.parent
        )
        os.close(handle)
    except OSError as error:
        raise _cannot_write(path, error) from None
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


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
        raise _cannot_write(path, error) from None


def _cannot_write(path: Path, error: OSError) -> OutputError:
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
