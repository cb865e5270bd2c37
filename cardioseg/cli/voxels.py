"""``--max-voxels``: how large an image a call may open; worker processes inherit it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from cardioseg.imaging.limits import MAX_VOXELS


def allow_voxels(most: int | None) -> None:
    """Set the largest number of voxels in one frame; None keeps the limit."""
    if most is not None:
        os.environ[MAX_VOXELS] = str(most)


@contextmanager
def limit_of_one_call() -> Iterator[None]:
    """Restore the limit when a call ends."""
    before = os.environ.get(MAX_VOXELS)
    try:
        yield
    finally:
        os.environ.pop(MAX_VOXELS, None)
        if before is not None:
            os.environ[MAX_VOXELS] = before
