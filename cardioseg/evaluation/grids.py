"""Bringing a predicted mask onto the voxels of its reference.

Masks are compared where their headers place them. A prediction that is stored with other axes or
directions, but has the same voxel centres, is reordered. One whose centres are more than half a
voxel away is not comparable. Voxels correspond by index only where a header states no position
that can be used: it contradicts itself (ACDC's unit affine), it states no transform, or a tool has
replaced an oblique one by the identity.
"""

from dataclasses import dataclass

import numpy as np

from cardioseg.core.volume import Affine, Volume
from cardioseg.imaging.geometry import TWO_SPACINGS

SPACING_TOLERANCE_MM = 0.01
SAME_CENTRE = 0.5  # voxels
AXIS_ALIGNED = 1e-3  # of a direction's other components


@dataclass(frozen=True)
class Placed:
    """A prediction on the grid of its reference.

    Attributes:
        array: (X, Y, Z) on the reference's voxels.
        reordered: whether axes were exchanged or reversed.
        apart_mm: largest distance between the positions that the two headers state.
    """

    array: np.ndarray
    reordered: bool
    apart_mm: float


@dataclass(frozen=True)
class _Axes:
    """For each axis of the reference: the prediction's axis, and whether it runs backwards."""

    order: tuple[int, ...]
    backwards: tuple[bool, ...]

    @property
    def changed(self) -> bool:
        return self.order != (0, 1, 2) or any(self.backwards)


def same_grid(prediction: Volume, reference: Volume) -> bool:
    """Whether shape and voxel size are equal, axis by axis."""
    return prediction.shape == reference.shape and np.allclose(
        prediction.spacing, reference.spacing, rtol=0, atol=SPACING_TOLERANCE_MM
    )


def place(prediction: Volume, reference: Volume, *, by_index: bool = False) -> Placed | None:
    """The prediction on the reference's voxels; None if the two cannot be compared.

    Args:
        prediction: label values.
        reference: label values.
        by_index: voxels correspond by index, whatever positions the headers state.
    """
    equal = same_grid(prediction, reference)
    apart_mm = prediction.position_difference_mm(reference) if equal else 0.0
    if by_index:
        return Placed(prediction.array, reordered=False, apart_mm=apart_mm) if equal else None
    axes = _same_centres(prediction, reference)
    if axes is not None:
        return Placed(_reordered(prediction.array, axes), axes.changed, 0.0)
    if equal and _no_position(prediction, reference):
        return Placed(prediction.array, reordered=False, apart_mm=apart_mm)
    return None


def _same_centres(prediction: Volume, reference: Volume) -> _Axes | None:
    """The axes that bring the voxel centres together; None if none do."""
    affines = [(prediction.affine, reference.affine)]
    if _contradicts(prediction) or _contradicts(reference):
        affines.append((_stored_affine(prediction), _stored_affine(reference)))
    found = (_axes(ours, theirs, prediction, reference) for ours, theirs in affines)
    return next((axes for axes in found if axes is not None), None)


def _axes(ours: Affine, theirs: Affine, prediction: Volume, reference: Volume) -> _Axes | None:
    """Axes from two affines; None if shapes, voxel sizes or voxel centres differ.

    Args:
        ours: (4, 4) voxel index → world of the prediction.
        theirs: likewise of the reference.
        prediction: gives shape and voxel size.
        reference: likewise.
    """
    try:
        to_ours = np.linalg.inv(ours) @ theirs
    except np.linalg.LinAlgError:
        return None
    order = tuple(int(axis) for axis in np.abs(to_ours[:3, :3]).argmax(0))
    if sorted(order) != [0, 1, 2] or not _same_sizes(prediction, reference, order):
        return None
    backwards = tuple(bool(to_ours[axis, i] < 0) for i, axis in enumerate(order))
    ends = np.array(reference.shape) - 1
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    corners[:, :3] *= ends
    expected = np.where(backwards, ends - corners[:, :3], corners[:, :3])
    stated = (corners @ to_ours.T)[:, list(order)]
    if np.abs(stated - expected).max() > SAME_CENTRE:
        return None
    return _Axes(order, backwards)


def _same_sizes(prediction: Volume, reference: Volume, order: tuple[int, ...]) -> bool:
    shape = tuple(prediction.shape[axis] for axis in order)
    spacing = [prediction.spacing[axis] for axis in order]
    return shape == reference.shape and np.allclose(
        spacing, reference.spacing, rtol=0, atol=SPACING_TOLERANCE_MM
    )


def _reordered(array: np.ndarray, axes: _Axes) -> np.ndarray:
    turned = array.transpose(axes.order)
    return turned[tuple(slice(None, None, -1 if back else 1) for back in axes.backwards)]


def _no_position(prediction: Volume, reference: Volume) -> bool:
    """Whether a header states no position that can be compared."""
    both = (prediction, reference)
    if any(_contradicts(volume) or _without_transform(volume) for volume in both):
        return True
    return _dropped(prediction, reference) or _dropped(reference, prediction)


def _contradicts(volume: Volume) -> bool:
    """Whether the header states two voxel sizes, as ACDC's unit affine does."""
    return any(note.startswith(TWO_SPACINGS) for note in volume.notes)


def _without_transform(volume: Volume) -> bool:
    """Whether a NIfTI header has neither sform nor qform."""
    try:
        return int(volume.header["sform_code"]) == int(volume.header["qform_code"]) == 0
    except (KeyError, TypeError, ValueError):
        return False


def _dropped(volume: Volume, other: Volume) -> bool:
    """Whether a tool has replaced an oblique transform by the identity at the origin."""
    bare = _is_axis_aligned(volume) and not volume.affine[:3, 3].any()
    return bare and not _is_axis_aligned(other)


def _is_axis_aligned(volume: Volume) -> bool:
    directions = np.abs(volume.affine[:3, :3]) / np.linalg.norm(volume.affine[:3, :3], axis=0)
    return bool(np.sort(directions, axis=0)[:2].max() < AXIS_ALIGNED)


def _stored_affine(volume: Volume) -> Affine:
    """The affine as the header states it, before it was rescaled to pixdim."""
    stored = getattr(volume.header, "get_best_affine", None)
    return volume.affine if stored is None else np.asarray(stored(), dtype=float)
