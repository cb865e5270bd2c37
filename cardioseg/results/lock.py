"""Locks of an output folder: one for each case, and one for the folder's own tables.

A lock is a hidden file that the operating system locks while its run lives. It is removed at the
end; a killed run leaves the file, and the next run takes it over.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from cardioseg.core.atomic import cannot_write, remove, write_bytes
from cardioseg.core.errors import OutputError
from cardioseg.core.lock import HOLD_OPEN, close, is_at, lock

LOCK = "_lock"  # ".X_lock", of the case X
FOLDER_LOCK = ".cardioseg_lock"
CASE_WAIT_SECONDS = 10.0  # a case of one volume takes a few seconds, a cine up to minutes
FOLDER_WAIT_SECONDS = 60.0  # the tables of a folder take seconds
POLL_SECONDS = 0.05


def case_lock(output: Path, name: str) -> AbstractContextManager[None]:
    """Hold a case of an output folder.

    Raises:
        OutputError: another run holds it for longer than this one waits.
    """
    return locked(output / f".{name}{LOCK}", wait_seconds=CASE_WAIT_SECONDS)


def folder_lock(
    output: Path, *, wait_seconds: float = FOLDER_WAIT_SECONDS
) -> AbstractContextManager[None]:
    """Hold the tables and pages of an output folder.

    Raises:
        OutputError: another run holds them for longer than this one waits.
    """
    return locked(output / FOLDER_LOCK, wait_seconds=wait_seconds)


@contextmanager
def locked(path: Path, *, wait_seconds: float) -> Iterator[None]:
    """Hold a lock file; folders made for it are removed again if nothing else was put there.

    Raises:
        OutputError: another process holds it, or the folder cannot be written.
    """
    new = [folder for folder in path.parents if not folder.exists()]
    descriptor = _wait_for(path, wait_seconds)
    try:
        with suppress(OSError):  # on a full disk the lock holds without a signature
            _sign(descriptor)
        yield
    finally:
        if HOLD_OPEN:  # removed while locked: nobody can have taken it over
            _remove(path)
        close(descriptor)
        if not HOLD_OPEN:
            _remove(path)
        _remove_empty(new)


@contextmanager
def unfinished(mark: Path, files: Sequence[Path]) -> Iterator[None]:
    """Write files that belong together; the caller holds their lock.

    Earlier files of these names are removed first, so that old and new ones never stand together.
    On a failure those written so far are removed. The mark outlives a kill: it says that files of
    these names are cardioseg's and may be replaced.

    Args:
        mark: hidden file beside them.
        files: all files that may be written.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_bytes(mark, b"")
    try:
        for path in files:
            remove(path)
        yield
    except BaseException:
        for path in (*files, mark):
            remove(path)
        raise
    remove(mark)


def holder(path: Path) -> str | None:
    """Who holds a lock file, in words; None if nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        return _signature(descriptor) if lock(descriptor) == "busy" else None
    finally:
        close(descriptor)


def _wait_for(path: Path, wait_seconds: float) -> int:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            descriptor = _attempt(path)
        except OSError as error:
            raise cannot_write(path, error) from None
        if descriptor is not None:
            return descriptor
        if time.monotonic() > deadline:
            raise OutputError(
                path.parent,
                found=f"{_subject(path)} in use by {holder(path) or 'another process'}",
                expected="one run at a time",
                cure="wait until it has ended, or choose another --output",
            )
        time.sleep(POLL_SECONDS)


def _attempt(path: Path) -> int | None:
    """The descriptor of the locked file; None if another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:  # another run has just removed the empty folder
        return None
    except PermissionError:
        if HOLD_OPEN:
            raise
        return None  # Windows, while another run removes the file
    if lock(descriptor) != "busy" and is_at(path, descriptor):
        return descriptor
    close(descriptor)
    return None


def _subject(path: Path) -> str:
    if path.name == FOLDER_LOCK:
        return "the folder"
    return f"the case {path.name.removeprefix('.').removesuffix(LOCK)}"


def _sign(descriptor: int) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()}, since {now}\n".encode())


def _signature(descriptor: int) -> str:
    with suppress(OSError):
        text = os.pread(descriptor, 100, 0) if HOLD_OPEN else os.read(descriptor, 100)
        if text.startswith(b"process "):
            return text.decode("ascii", "replace").strip()
    return "another process"


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _remove_empty(folders: Iterable[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
