"""Locks of the operating system on open files.

Such a lock ends with its process, however the process ends. On Linux NFS, ``flock`` is a lock of
the server (nfs(5)), so it also holds between machines unless the folder is mounted with ``nolock``.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Literal

if sys.platform == "win32":
    import msvcrt

    FAR = 2**30  # a locked byte cannot be read, so the lock lies beyond the content
else:
    import fcntl

HOLD_OPEN = sys.platform != "win32"  # Windows neither renames nor removes an open file
BUSY = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_HELD: set[int] = set()

State = Literal["held", "busy", "unsupported"]


def lock(descriptor: int) -> State:
    """Lock an open file without waiting.

    Returns:
        "held" by this descriptor now, "busy" if another one holds it, or "unsupported" by the file
        system.

    Raises:
        OSError: any other failure.
    """
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno in BUSY:
            return "busy"
        if error.errno in UNSUPPORTED:
            return "unsupported"
        raise
    _HELD.add(descriptor)
    return "held"


def close(descriptor: int) -> None:
    """Close the file, which unlocks it."""
    _HELD.discard(descriptor)
    os.close(descriptor)


def is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one of this name."""
    try:
        there, ours = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        os.lseek(descriptor, FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _forget() -> None:
    """In a forked child: close the copies, which would keep the lock after the parent's end."""
    for descriptor in tuple(_HELD):
        close(descriptor)


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget)
