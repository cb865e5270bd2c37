"""A heart's mask taken apart: structures by name, cut to the heart, slices last.

Shape legend: U, V in-plane, W slices, last. Does not know intensities or files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cardioseg.clinical.volumes import SPELLINGS
from cardioseg.core.labels import LabelTable
from cardioseg.core.volume import Volume
from cardioseg.imaging.preprocess import slice_axis, slices_last, spacing_slices_last


@dataclass(frozen=True)
class HeartMask:
    """One mask, cut to its in-plane box with a rim of one voxel.

    Attributes:
        parts: "RV", "MYO", "LV" → (U, V, W) bool; only those that the label table names.
        whole: (U, V, W) bool, any structure.
        spacing_mm: voxel size along U, V, W.
        border_voxels: voxels of structures on the in-plane border of the image.
    """

    parts: Mapping[str, np.ndarray]
    whole: np.ndarray
    spacing_mm: tuple[float, float, float]
    border_voxels: int

    @cached_property
    def spans(self) -> dict[str, np.ndarray]:
        """Structure → indices of the slices that hold it."""
        return {name: np.flatnonzero(part.any((0, 1))) for name, part in self.parts.items()}

    @cached_property
    def ventricle(self) -> np.ndarray:
        """(U, V, W) bool: LV and myocardium, what lies within the epicardium."""
        return np.asarray(self.parts["LV"] | self.parts["MYO"])


def heart_of(mask: Volume, labels: LabelTable) -> HeartMask:
    """The structures of a mask by name, in any spelling and with any slice axis."""
    axis = slice_axis(mask)
    array = slices_last(mask.array, axis)
    inside = array[1:-1, 1:-1]
    plane = np.count_nonzero(array, axis=2) > 0
    sides = (np.flatnonzero(plane.any(1)), np.flatnonzero(plane.any(0)))
    box = tuple(
        slice(int(side[0]), int(side[-1]) + 1) if len(side) else slice(0, 1) for side in sides
    )
    cut = np.pad(array[box], ((1, 1), (1, 1), (0, 0)))
    values = {name.casefold(): value for value, name in enumerate(labels.names)}
    parts = {
        part: cut == values[name]
        for part, names in SPELLINGS.items()
        for name in names
        if name in values
    }
    border = int(np.count_nonzero(array)) - int(np.count_nonzero(inside))
    return HeartMask(parts, cut > 0, spacing_slices_last(mask.spacing, axis), border)


def contacts(part: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(W,) in-plane voxel faces between two masks (U, V, W), neither of which reaches the rim."""
    count = np.zeros(part.shape[2], np.int64)
    for axis in (0, 1):
        a, b = np.moveaxis(part, axis, 0), np.moveaxis(other, axis, 0)
        count += (a[1:] & b[:-1]).sum((0, 1)) + (a[:-1] & b[1:]).sum((0, 1))
    return count
