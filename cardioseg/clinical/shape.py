"""A heart's mask in numbers: what the quality rules of ``clinical.quality`` look at.

Sources: ukbb_cardiac's ``sa_pass_quality_control``, and what expert masks of ACDC never show (lab log, 2026-11-21). One small
function a measure: it gives a number, or the reason why there is none. Shape legend: U, V in-plane, W slices, last. What it does
not know: intensities, files, and which values are too small or too large.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import generate_binary_structure, label

from cardioseg.clinical.volumes import SPELLINGS
from cardioseg.core.labels import LabelTable
from cardioseg.core.record import Record
from cardioseg.core.volume import Volume
from cardioseg.imaging.preprocess import slice_axis, slices_last, spacing_slices_last

CORNERS, CORNERS_IN_PLANE = generate_binary_structure(3, 3), generate_binary_structure(2, 2)
FEWEST_SLICES = 6  # of a stack that can show a whole ventricle; ACDC's shortest has 6
Value = float | str  # a number, or why there is none


class Measures(Record):
    """Numbers by name; None where one could not be computed, with the reason under the same name.

    Attributes:
        values: measure → number.
        reasons: measure → why its number is None.
    """

    values: dict[str, float | None] = {}
    reasons: dict[str, str] = {}

    @classmethod
    def of(cls, found: Mapping[str, Value]) -> "Measures":
        """Sort into numbers, rounded to six decimals, and reasons."""
        values = {
            name: None if isinstance(value, str) else round(float(value), 6)
            for name, value in found.items()
        }
        reasons = {name: value for name, value in found.items() if isinstance(value, str)}
        return cls(values=values, reasons=reasons)

    def with_others(self, others: "Measures") -> "Measures":
        """Both together; ``others`` wins where a name is in both."""
        return Measures(
            values={**self.values, **others.values}, reasons={**self.reasons, **others.reasons}
        )


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
        return self.parts["LV"] | self.parts["MYO"]


def heart_of(mask: Volume, labels: LabelTable) -> HeartMask:
    """The structures of a mask by name, however its label table spells them and wherever its slice axis lies."""
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


def shape_measures(mask: Volume, labels: LabelTable) -> Measures:
    """Every measure of one mask (X, Y, Z); volumes in ml beside them, for the rules on two phases."""
    heart = heart_of(mask, labels)
    return Measures.of(
        {name: _value(heart, needs, measure) for name, (needs, measure) in MEASURES.items()}
    )


def _value(
    heart: HeartMask, needs: tuple[str, ...], measure: Callable[[HeartMask], Value]
) -> Value:
    for name in needs:
        if name not in heart.parts:
            return _unnamed(name)
        if not len(heart.spans[name]):
            return f"the mask has no {name}"
    return measure(heart)


def _unnamed(name: str) -> str:
    return f"the labels name no {name}"


def volume_of(name: str) -> Callable[[HeartMask], Value]:
    """The measure of a structure's volume in ml."""
    return lambda heart: int(heart.parts[name].sum()) * float(np.prod(heart.spacing_mm)) / 1000


def missing_structures(heart: HeartMask) -> Value:
    """Structures that the labels name and the mask lacks."""
    return (
        sum(not len(span) for span in heart.spans.values())
        if heart.parts
        else "the labels name no part of a heart"
    )


def border_voxels(heart: HeartMask) -> Value:
    """Voxels on the in-plane border of the image; the first and last slice are no border, hearts reach beyond them."""
    return heart.border_voxels


def gap_slices(heart: HeartMask) -> Value:
    """Slices without a structure between two that have it, over all structures."""
    return sum(int(np.ptp(span)) + 1 - len(span) for span in heart.spans.values() if len(span))


def lv_slices(heart: HeartMask) -> Value:
    """Slices with LV; of a whole stack only."""
    return _whole_stack(heart) or len(heart.spans["LV"])


def lv_length_mm(heart: HeartMask) -> Value:
    """From the first slice with LV to the last, both included; of a whole stack only."""
    return _whole_stack(heart) or (int(np.ptp(heart.spans["LV"])) + 1) * heart.spacing_mm[2]


def _whole_stack(heart: HeartMask) -> str:
    slices = heart.whole.shape[2]
    return (
        f"the image has {slices} slices, fewer than {FEWEST_SLICES}"
        if slices < FEWEST_SLICES
        else ""
    )


def lv_slices_without_myo(heart: HeartMask) -> Value:
    """Slices with LV and no myocardium."""
    return len(np.setdiff1d(heart.spans["LV"], heart.spans["MYO"]))


def rv_slices_without_myo(heart: HeartMask) -> Value:
    """Slices with RV and no myocardium."""
    return len(np.setdiff1d(heart.spans["RV"], heart.spans["MYO"]))


def open_ring(heart: HeartMask) -> Value:
    """Share of the LV's in-plane border that is not against myocardium, in the middle third of its slices."""
    span = heart.spans["LV"]
    third = len(span) // 3
    return _open(heart, span[third : max(third + 1, len(span) - third)])


def open_ring_anywhere(heart: HeartMask) -> Value:
    """Share of the LV's in-plane border that is not against myocardium, over all its slices."""
    return _open(heart, heart.spans["LV"])


def _open(heart: HeartMask, slices: np.ndarray) -> float:
    lv = heart.parts["LV"][:, :, slices]
    return _contacts(lv, ~heart.ventricle[:, :, slices]) / _contacts(lv, ~lv)


def rv_against_lv(heart: HeartMask) -> Value:
    """Share of the RV's in-plane border that lies against the LV; a septum is between them."""
    rv = heart.parts["RV"]
    return _contacts(rv, heart.parts["LV"]) / _contacts(rv, ~rv)


def roughness(heart: HeartMask) -> Value:
    """In-plane outline of the epicardium over that of its box, mean over slices, counted along voxel edges; 1 when convex."""
    slices = np.flatnonzero(heart.ventricle.any((0, 1)))
    return float(np.mean([_outline_over_box(heart.ventricle[:, :, index]) for index in slices]))


def _outline_over_box(plane: np.ndarray) -> float:
    box = sum(int(np.ptp(np.flatnonzero(side))) + 1 for side in (plane.any(0), plane.any(1)))
    return _contacts(plane[:, :, None], ~plane[:, :, None]) / (2 * box)


def slice_shift_mm(heart: HeartMask) -> Value:
    """Largest in-plane step of the centre of LV and myocardium from one slice to the next; breath-holds make some."""
    part, spacing = heart.ventricle, heart.spacing_mm
    count = part.sum((0, 1))
    with np.errstate(invalid="ignore"):
        u = (part.sum(1) * np.arange(part.shape[0])[:, None]).sum(0) / count * spacing[0]
        v = (part.sum(0) * np.arange(part.shape[1])[:, None]).sum(0) / count * spacing[1]
    steps = np.hypot(np.diff(u), np.diff(v))
    return (
        float(np.nanmax(steps))
        if np.isfinite(steps).any()
        else "no two slices that follow each other"
    )


def area_jump(heart: HeartMask) -> Value:
    """Largest second difference of the epicardial area along the slices, over the largest area; a smooth cone has little."""
    areas = heart.ventricle.sum((0, 1)).astype(float)
    filled = areas[areas > 0]
    return (
        float(np.abs(np.diff(filled, 2)).max() / filled.max())
        if len(filled) > 2
        else "fewer than three slices"
    )


def loose_share(heart: HeartMask) -> Value:
    """Share of a structure's voxels that are not of its largest 26-connected piece; of the structure where it is largest."""
    shares = [_outside_largest(part, CORNERS) for part in heart.parts.values() if part.any()]
    return max(shares) if shares else "the mask shows no part of a heart"


def torn_in_plane(heart: HeartMask) -> Value:
    """Share of the heart's voxels outside the largest 8-connected piece of their slice."""
    return _torn(heart.whole) if heart.whole.any() else "the mask is empty"


def rv_torn_in_plane(heart: HeartMask) -> Value:
    """Share of the RV's voxels outside the largest 8-connected piece of their slice."""
    return _torn(heart.parts["RV"])


def _torn(part: np.ndarray) -> float:
    planes = [part[:, :, index] for index in np.flatnonzero(part.any((0, 1)))]
    return sum(
        _outside_largest(plane, CORNERS_IN_PLANE) * int(plane.sum()) for plane in planes
    ) / int(part.sum())


def _outside_largest(part: np.ndarray, structure: np.ndarray) -> float:
    pieces, _ = label(part, structure=structure)
    sizes = np.bincount(pieces.ravel())[1:]
    return 1 - float(sizes.max() / sizes.sum())


def _contacts(part: np.ndarray, other: np.ndarray) -> int:
    """In-plane voxel faces between two masks (U, V, W), neither of which reaches the rim."""
    count = 0
    for axis in (0, 1):
        a, b = np.moveaxis(part, axis, 0), np.moveaxis(other, axis, 0)
        count += int((a[1:] & b[:-1]).sum()) + int((a[:-1] & b[1:]).sum())
    return count


# Name → structures that must be there, and the function.
MEASURES: dict[str, tuple[tuple[str, ...], Callable[[HeartMask], Value]]] = {
    "lv_ml": (("LV",), volume_of("LV")),
    "myo_ml": (("MYO",), volume_of("MYO")),
    "rv_ml": (("RV",), volume_of("RV")),
    "missing_structures": ((), missing_structures),
    "border_voxels": ((), border_voxels),
    "gap_slices": ((), gap_slices),
    "lv_slices": (("LV",), lv_slices),
    "lv_length_mm": (("LV",), lv_length_mm),
    "lv_slices_without_myo": (("LV", "MYO"), lv_slices_without_myo),
    "rv_slices_without_myo": (("RV", "MYO"), rv_slices_without_myo),
    "open_ring": (("LV", "MYO"), open_ring),
    "open_ring_anywhere": (("LV", "MYO"), open_ring_anywhere),
    "rv_against_lv": (("RV", "LV"), rv_against_lv),
    "roughness": (("LV", "MYO"), roughness),
    "slice_shift_mm": (("LV", "MYO"), slice_shift_mm),
    "area_jump": (("LV", "MYO"), area_jump),
    "loose_share": ((), loose_share),
    "torn_in_plane": ((), torn_in_plane),
    "rv_torn_in_plane": (("RV",), rv_torn_in_plane),
}
