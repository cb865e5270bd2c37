"""Overlap and surface distance between two masks.

Source: Dice (1945); HD95 is the larger of the two directed 95th percentiles, ASSD the mean over the
voxels of both surfaces. Distances are in mm on the image's own grid. If only one of the two masks
shows a structure, its Dice is 0, its HD95 and ASSD are the diagonal of the image, and it counts as
missed. (MONAI 1.6.1 aggregates such a miss to HD95 = 0 mm.) A structure that neither mask shows is
left out of every mean.
Shape legend: X, Y in-plane, Z slices; n, m surface voxels. Does not know files or patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from cardioseg.core.labels import LabelTable

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class StructureScore:
    """Scores of one structure of one volume; None if neither mask shows it.

    Attributes:
        dice: 0 to 1.
        hd95_mm: larger of the two directed 95th percentiles of surface distance.
        assd_mm: average symmetric surface distance.
        predicted_ml: volume in the prediction.
        reference_ml: volume in the reference.
        missed: only one of the two masks shows the structure.
    """

    dice: float | None
    hd95_mm: float | None
    assd_mm: float | None
    predicted_ml: float
    reference_ml: float
    missed: bool


def overlap_dice(prediction: Mask, reference: Mask) -> float | None:
    """Dice of two boolean masks of one shape; None if both are empty."""
    total = int(np.count_nonzero(prediction)) + int(np.count_nonzero(reference))
    return 2 * int(np.count_nonzero(prediction & reference)) / total if total else None


def surface_distances(
    prediction: Mask, reference: Mask, *, spacing_mm: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances in mm from each surface voxel of one mask to the other's surface.

    A surface voxel has a face neighbour outside its mask; beyond the image counts as outside.

    Args:
        prediction: (X, Y, Z) boolean.
        reference: (X, Y, Z) boolean.
        spacing_mm: voxel size along each axis.

    Returns:
        (n,) from the prediction to the reference and (m,) back.

    Raises:
        ValueError: one of the masks is empty.
    """
    if not (prediction.any() and reference.any()):
        raise ValueError("a mask is empty and has no surface")
    box = _bounding_box(prediction | reference)
    a, b = np.pad(prediction[box], 1), np.pad(reference[box], 1)
    edge_a, edge_b = a & ~binary_erosion(a), b & ~binary_erosion(b)
    to_b = distance_transform_edt(~edge_b, sampling=spacing_mm)[edge_a]
    to_a = distance_transform_edt(~edge_a, sampling=spacing_mm)[edge_b]
    return to_b, to_a


def hd95_mm(to_reference: np.ndarray, to_prediction: np.ndarray) -> float:
    """The larger of the two directed 95th percentiles."""
    return float(max(np.percentile(to_reference, 95), np.percentile(to_prediction, 95)))


def assd_mm(to_reference: np.ndarray, to_prediction: np.ndarray) -> float:
    """The mean over the surface voxels of both masks; the larger surface weighs more."""
    voxels = len(to_reference) + len(to_prediction)
    return float((to_reference.sum() + to_prediction.sum()) / voxels)


def score_case(
    prediction: np.ndarray,
    reference: np.ndarray,
    *,
    spacing_mm: Sequence[float],
    labels: LabelTable,
) -> dict[str, StructureScore]:
    """Scores of every structure of one volume, in the table's order.

    Args:
        prediction: (X, Y, Z) label values.
        reference: (X, Y, Z) label values on the same grid.
        spacing_mm: voxel size along X, Y, Z.
        labels: names of the values; values without a name are ignored.

    Raises:
        ValueError: the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"prediction has shape {prediction.shape}, reference {reference.shape}")
    values = {name: labels.value(name) for name in labels.structures}
    return {
        name: _score_structure(prediction == v, reference == v, spacing_mm=spacing_mm)
        for name, v in values.items()
    }


def _score_structure(
    prediction: Mask, reference: Mask, *, spacing_mm: Sequence[float]
) -> StructureScore:
    dice = overlap_dice(prediction, reference)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    ours, theirs = (int(np.count_nonzero(mask)) * voxel_ml for mask in (prediction, reference))
    if dice is None:
        return StructureScore(None, None, None, ours, theirs, missed=False)
    if not (prediction.any() and reference.any()):
        diagonal = float(np.linalg.norm(np.multiply(reference.shape, spacing_mm)))
        return StructureScore(0.0, diagonal, diagonal, ours, theirs, missed=True)
    found = surface_distances(prediction, reference, spacing_mm=spacing_mm)
    return StructureScore(dice, hd95_mm(*found), assd_mm(*found), ours, theirs, missed=False)


def _bounding_box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box with every true voxel."""
    axes = range(mask.ndim)
    spans = (
        np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis)))
        for axis in axes
    )
    return tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)
