"""Overlap and surface distance between two masks, and agreement between two series of measurements.

Source: Dice (1945); HD95 is the larger of the two directed 95th percentiles, ASSD the mean over the voxels of both
surfaces; agreement after Bland and Altman (1986). Distances are in mm on the image's own grid.
Policy for a structure that only one of the two masks has: Dice 0, HD95 = ASSD = the image's diagonal, and it counts as
missed. (MONAI 1.6.1 aggregates such a miss to HD95 = 0 mm.) A structure that neither has is left out of every mean.
Shape legend: X, Y in-plane, Z slices; n, m surface voxels. Knows nothing of files, patients or label numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from cardioseg.core.labels import LabelTable

Mask = NDArray[np.bool_]
LIMITS_OF_AGREEMENT_SD = 1.96


@dataclass(frozen=True)
class StructureScore:
    """One structure of one volume; the three scores are None when neither mask has it.

    Attributes:
        dice: 0 to 1.
        hd95_mm: the larger directed 95th percentile of surface distances.
        assd_mm: average symmetric surface distance.
        predicted_ml: volume in the prediction.
        reference_ml: volume in the reference.
        missed: exactly one of the two masks has the structure.
    """

    dice: float | None
    hd95_mm: float | None
    assd_mm: float | None
    predicted_ml: float
    reference_ml: float
    missed: bool


def overlap_dice(prediction: Mask, reference: Mask) -> float | None:
    """Dice of two boolean masks of one shape; None when both are empty."""
    total = int(np.count_nonzero(prediction)) + int(np.count_nonzero(reference))
    return 2 * int(np.count_nonzero(prediction & reference)) / total if total else None


def surface_distances(
    prediction: Mask, reference: Mask, *, spacing_mm: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances in mm from each surface voxel of one mask to the other's surface.

    A surface voxel has a face neighbour outside its mask; outside the image counts as outside the mask.

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
        raise ValueError("a surface distance needs two masks that are not empty")
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
    """The mean over the surface voxels of both masks, so that the larger surface weighs more."""
    return float(
        (to_reference.sum() + to_prediction.sum()) / (len(to_reference) + len(to_prediction))
    )


def score_case(
    prediction: np.ndarray,
    reference: np.ndarray,
    *,
    spacing_mm: Sequence[float],
    labels: LabelTable,
) -> dict[str, StructureScore]:
    """Every structure of one volume, in the table's order.

    Args:
        prediction: (X, Y, Z) label values.
        reference: (X, Y, Z) label values on the same grid.
        spacing_mm: voxel size along X, Y, Z.
        labels: names of the values; other values belong to no structure.

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


def summarise(values: Iterable[float | None]) -> dict[str, float | int | None]:
    """n, mean, sample sd, median, 5th and 95th percentile of the values that are not None."""
    known = np.array([value for value in values if value is not None], dtype=float)
    if not len(known):
        return {"n": 0, "mean": None, "sd": None, "median": None, "p5": None, "p95": None}
    p5, median, p95 = np.percentile(known, (5, 50, 95))
    sd = rounded(known.std(ddof=1)) if len(known) > 1 else None
    percentiles = {"median": rounded(median), "p5": rounded(p5), "p95": rounded(p95)}
    return {"n": len(known), "mean": rounded(known.mean()), "sd": sd, **percentiles}


def agreement(
    predicted: Sequence[float | None], reference: Sequence[float | None]
) -> dict[str, float | int | None]:
    """How two series of the same measurement agree (Bland-Altman, and Pearson's r).

    Args:
        predicted: one value per patient, None where it could not be computed.
        reference: the same patients.

    Returns:
        bias (mean of predicted - reference), its sample sd, lower and upper limit of agreement (bias ± 1.96 sd),
        r (None below three pairs or without variance), mae, n pairs, and failed = pairs with a None.
    """
    pairs = [
        (p, t) for p, t in zip(predicted, reference, strict=True) if p is not None and t is not None
    ]
    result: dict[str, Any] = dict.fromkeys(("bias", "sd", "lower", "upper", "r", "mae"))
    result |= {"n": len(pairs), "failed": len(predicted) - len(pairs)}
    if pairs:
        a, b = np.array(pairs, dtype=float).T
        result |= {
            "bias": rounded((a - b).mean()),
            "mae": rounded(np.abs(a - b).mean()),
            "r": _pearson(a, b),
        }
    if len(pairs) > 1:
        bias, sd = (a - b).mean(), (a - b).std(ddof=1)
        spread = LIMITS_OF_AGREEMENT_SD * sd
        result |= {
            "sd": rounded(sd),
            "lower": rounded(bias - spread),
            "upper": rounded(bias + spread),
        }
    return result


def rounded(value: float) -> float:
    """Six decimals: far below any tolerance here, and the same text on every machine."""
    return round(float(value), 6)


def _score_structure(
    prediction: Mask, reference: Mask, *, spacing_mm: Sequence[float]
) -> StructureScore:
    dice = overlap_dice(prediction, reference)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    predicted_ml, reference_ml = (
        int(np.count_nonzero(mask)) * voxel_ml for mask in (prediction, reference)
    )
    if dice is None:
        return StructureScore(None, None, None, predicted_ml, reference_ml, missed=False)
    if not (prediction.any() and reference.any()):
        diagonal = float(np.linalg.norm(np.multiply(reference.shape, spacing_mm)))
        return StructureScore(0.0, diagonal, diagonal, predicted_ml, reference_ml, missed=True)
    distances = surface_distances(prediction, reference, spacing_mm=spacing_mm)
    return StructureScore(
        dice, hd95_mm(*distances), assd_mm(*distances), predicted_ml, reference_ml, missed=False
    )


def _bounding_box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box with every true voxel; a distance between two surfaces needs nothing outside it."""
    axes = range(mask.ndim)
    spans = (
        np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis)))
        for axis in axes
    )
    return tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)


def _pearson(a: np.ndarray, b: np.ndarray) -> float | None:
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return rounded(np.corrcoef(a, b)[0, 1])
