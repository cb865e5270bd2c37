"""The eight orientations in which slices can be stored: mirrored or not, then turned by quarters.

A prediction can be averaged over orientations, and images can be turned to a common one first.

Shape legend: B batch, C channels, U, V, W working grid.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Orientation(NamedTuple):
    """Mirrored along V or not, then turned by quarter turns (0 to 3)."""

    flip: bool
    quarter_turns: int


AS_STORED = Orientation(flip=False, quarter_turns=0)
ORIENTATIONS = {
    "none": (AS_STORED,),
    "flips": tuple(Orientation(flip, turns) for flip in (False, True) for turns in (0, 2)),
    "all": tuple(Orientation(flip, turns) for flip in (False, True) for turns in range(4)),
}


def turn(x: Tensor, orientation: Orientation) -> Tensor:
    """Bring (B, C, U, V, …) from storage to an orientation."""
    mirrored = x.flip(3) if orientation.flip else x
    return torch.rot90(mirrored, orientation.quarter_turns, (2, 3))


def turn_back(x: Tensor, orientation: Orientation) -> Tensor:
    """Undo ``turn``."""
    turned = torch.rot90(x, -orientation.quarter_turns, (2, 3))
    return turned.flip(3) if orientation.flip else turned


def array_back(array: np.ndarray, orientation: Orientation) -> np.ndarray:
    """Undo ``turn`` for an array (…, U, V, W)."""
    turned = np.rot90(array, -orientation.quarter_turns, (-3, -2))
    return np.ascontiguousarray(np.flip(turned, -2) if orientation.flip else turned)


def common_orientation(image: np.ndarray, *, square: bool) -> Orientation:
    """The turn after which an image (U, V, W) looks the same, however it was stored.

    It moves the brightness as far as possible towards the end of the first axis, then of the
    second. Windows and the first pass then fall on the same places in every stored version.
    Averaging over orientations alone left differences between them (lab log, 2026-11-21).

    Args:
        image: finite intensities.
        square: whether windows are square; if not, the in-plane axes are not exchanged.
    """
    plane = torch.from_numpy(image.mean(axis=2, dtype=np.float64))[None, None]

    def towards_the_ends(orientation: Orientation) -> float:
        seen = turn(plane - plane.min(), orientation)[0, 0]
        along = [
            torch.linspace(-size / 2, size / 2, size, dtype=torch.float64) for size in seen.shape
        ]
        return float(2 * (seen.sum(1) @ along[0]) + seen.sum(0) @ along[1])

    return max(ORIENTATIONS["all" if square else "flips"], key=towards_the_ends)
