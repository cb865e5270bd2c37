"""Slices as a screen shows them: turned upright, and cropped to the heart.

Shape legend: Z slices, R rows down the screen, C columns to the right. Knows nothing of drawing.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from cardioseg.clinical.volumes import structure_value
from cardioseg.core.labels import LabelTable
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.imaging.preprocess import slice_axis, slices_last

MARGIN_MM = 18.0
GREY_PERCENTILES = (1.0, 99.5)


@dataclass(frozen=True)
class UprightSlices:
    """Image and maps of one volume, as they lie on the screen.

    Attributes:
        image: (Z, R, C) intensities.
        mask: (Z, R, C) label values.
        halting: (Z, R, C) loops used.
        experts: (Z, R, C) strongest expert, from 1; None when the network routes nothing.
        pixel_mm: height and width of a voxel.
    """

    image: np.ndarray
    mask: np.ndarray
    halting: np.ndarray
    experts: np.ndarray | None
    pixel_mm: tuple[float, float]

    @property
    def tile_mm(self) -> tuple[float, float]:
        """Height and width of a slice."""
        return self.image.shape[1] * self.pixel_mm[0], self.image.shape[2] * self.pixel_mm[1]


def upright(image: Volume, prediction: Prediction) -> UprightSlices:
    """All slices in radiological display: patient's left on the right, back and feet down.

    An affine that is parallel to the scanner's axes cannot tell the orientation of a short-axis
    plane; such slices are turned as far as it does tell.
    """
    axis = slice_axis(image)
    first, second = (a for a in range(3) if a != axis)
    swap, flip_rows, flip_columns = turns(image.affine[:3, first], image.affine[:3, second])

    def shown(array: np.ndarray) -> np.ndarray:
        slices = np.moveaxis(slices_last(array, axis), 2, 0)
        slices = slices if swap else slices.transpose(0, 2, 1)
        return slices[:, :: -1 if flip_rows else 1, :: -1 if flip_columns else 1]

    height, width = (first, second) if swap else (second, first)
    experts = None if prediction.experts is None else shown(prediction.experts.array)
    return UprightSlices(
        image=shown(image.array),
        mask=shown(prediction.mask.array),
        halting=shown(prediction.halting.array),
        experts=experts,
        pixel_mm=(image.spacing[height], image.spacing[width]),
    )


def turns(first: np.ndarray, second: np.ndarray) -> tuple[bool, bool, bool]:
    """How to turn a plane upright.

    Args:
        first: (3,) direction of the plane's first axis, right-anterior-superior.
        second: (3,) direction of its second axis.

    Returns:
        Whether the first axis runs down the screen instead of to the right; whether to reverse the
        rows; whether to reverse the columns. Of equally good turns, the one that changes least.
    """
    directions = [axis / max(float(np.linalg.norm(axis)), 1e-9) for axis in (first, second)]
    left, back_and_feet = np.array([-1.0, 0.0, 0.0]), np.array([0.0, -1.0, -1.0]) / math.sqrt(2)

    def fit(turn: tuple[bool, bool, bool]) -> float:
        swap, flip_rows, flip_columns = turn
        down, right = directions if swap else directions[::-1]
        rightwards, downwards = float(right @ left), float(down @ back_and_feet)
        horizontal = -rightwards if flip_columns else rightwards
        return round(horizontal + (-downwards if flip_rows else downwards), 6)

    either = (False, True)
    return max(itertools.product(either, either, either), key=fit)


def cropped(slices: UprightSlices) -> UprightSlices:
    """The same box of all slices: the heart and a margin, or everything when the mask is empty."""
    inside = np.asarray(slices.mask.any(axis=0))
    return boxed(slices, heart_box(inside, slices.pixel_mm))


def heart_box(
    inside: np.ndarray, pixel_mm: tuple[float, float], *, margin_mm: float = MARGIN_MM
) -> tuple[slice, slice]:
    """Rows and columns of the heart and a margin.

    Args:
        inside: (R, C) bool, true where any slice shows a structure.
        pixel_mm: height and width of a voxel.
        margin_mm: distance kept around the heart.

    Returns:
        The box; all rows and columns when nothing is inside.
    """
    if not inside.any():
        return slice(0, inside.shape[0]), slice(0, inside.shape[1])
    rows, columns = (
        _span(at, math.ceil(margin_mm / size), end)
        for at, size, end in zip(np.nonzero(inside), pixel_mm, inside.shape, strict=True)
    )
    return rows, columns


def boxed(slices: UprightSlices, box: tuple[slice, slice]) -> UprightSlices:
    """The rows and columns of ``box`` in every slice."""
    at = (slice(None), *box)
    experts = None if slices.experts is None else slices.experts[at]
    maps = (slices.mask[at], slices.halting[at], experts)
    return UprightSlices(slices.image[at], *maps, slices.pixel_mm)


def heart_slice(mask: np.ndarray, labels: LabelTable) -> int:
    """The slice of (Z, R, C), from 0, with the most myocardium; without any, the most structure."""
    value = structure_value("MYO", labels)
    wall = mask == value
    shown = wall if value is not None and wall.any() else mask > 0
    return int(shown.sum(axis=(1, 2)).argmax())


def grey_window(image: np.ndarray) -> tuple[float, float]:
    """The intensities shown as black and as white; the second is the larger one."""
    low, high = (float(value) for value in np.percentile(image, GREY_PERCENTILES))
    return low, max(high, low + 1e-6)


def _span(indices: np.ndarray, margin: int, end: int) -> slice:
    return slice(max(0, int(indices.min()) - margin), min(end, int(indices.max()) + 1 + margin))
