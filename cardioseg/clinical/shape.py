"""What a heart's mask measures: the numbers that the quality rules look at.

Sources: ukbb_cardiac's ``sa_pass_quality_control``, and what expert masks of ACDC and M&Ms never
show (lab log). Each measure is one small function that returns a number, a number with its
slices, or the reason why there is none. Shape legend: U, V in-plane, W slices, last. Does not
know intensities, files, or which values are too small or too large.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from skimage.measure import label

from cardioseg.clinical.heart_mask import HeartMask, contacts, heart_of
from cardioseg.clinical.measures import Located, Measures, Value
from cardioseg.core.labels import LabelTable
from cardioseg.core.volume import Volume

FEWEST_SLICES = 6  # of a stack that can show a whole ventricle; ACDC's and M&Ms' shortest have 6
OPEN = 0.2  # of a slice's LV border; expert masks of ACDC never leave more without myocardium
Measure = Callable[[HeartMask], Value]


def shape_measures(mask: Volume, labels: LabelTable) -> Measures:
    """Every measure of one mask (X, Y, Z), volumes in ml included."""
    heart = heart_of(mask, labels)
    return Measures.of(
        {name: _value(heart, needs, measure) for name, (needs, measure) in MEASURES.items()}
    )


def _value(heart: HeartMask, needs: tuple[str, ...], measure: Measure) -> Value:
    for name in needs:
        if name not in heart.parts:
            return f"the labels name no {name}"
        if not len(heart.spans[name]):
            return f"the mask has no {name}"
    return measure(heart)


def volume_of(name: str) -> Measure:
    """The measure of a structure's volume in ml."""

    def volume_ml(heart: HeartMask) -> float:
        """Volume of the structure in ml."""
        return int(heart.parts[name].sum()) * float(np.prod(heart.spacing_mm)) / 1000

    return volume_ml


def missing_structures(heart: HeartMask) -> Value:
    """Number of structures that the labels name and the mask lacks."""
    if not heart.parts:
        return "the labels name no part of a heart"
    return sum(not len(span) for span in heart.spans.values())


def border_voxels(heart: HeartMask) -> Value:
    """Voxels of structures on the in-plane border of the image."""
    return heart.border_voxels


def gap_slices(heart: HeartMask) -> Value:
    """Slices without a structure between two that have it, over all structures."""
    gaps = [
        np.setdiff1d(np.arange(span[0], span[-1] + 1), span)
        for span in heart.spans.values()
        if len(span)
    ]
    return Located(sum(map(len, gaps)), _numbers(np.concatenate(gaps))) if gaps else 0


def lv_slices(heart: HeartMask) -> Value:
    """Slices with LV; only if the stack can show a whole ventricle."""
    return _short_stack(heart) or len(heart.spans["LV"])


def lv_length_mm(heart: HeartMask) -> Value:
    """Length from the first to the last slice with LV; only if a whole ventricle can be shown."""
    return _short_stack(heart) or (int(np.ptp(heart.spans["LV"])) + 1) * heart.spacing_mm[2]


def _short_stack(heart: HeartMask) -> str:
    slices = heart.whole.shape[2]
    few = slices < FEWEST_SLICES
    return f"the image has {slices} slices, fewer than {FEWEST_SLICES}" if few else ""


def stack_slices(heart: HeartMask) -> Value:
    """Slices of the image."""
    return int(heart.whole.shape[2])


def stack_length_mm(heart: HeartMask) -> Value:
    """Length of the stack, from the outer face of the first slice to that of the last."""
    return int(heart.whole.shape[2]) * heart.spacing_mm[2]


def lv_cut_off(heart: HeartMask) -> Value:
    """LV area in its last apical slice over its largest, if the stack ends there; else 0."""
    span, areas = heart.spans["LV"], heart.parts["LV"].sum((0, 1))
    ends = (int(span[0]), int(span[-1]))
    apex = min(ends, key=lambda index: int(heart.ventricle[:, :, index].sum()))
    if apex not in (0, heart.whole.shape[2] - 1):
        return 0
    return Located(float(areas[apex] / areas.max()), (apex + 1,))


def lv_slices_without_myo(heart: HeartMask) -> Value:
    """Slices with LV and no myocardium."""
    found = np.setdiff1d(heart.spans["LV"], heart.spans["MYO"])
    return Located(len(found), _numbers(found))


def rv_slices_without_myo(heart: HeartMask) -> Value:
    """Slices with RV and no myocardium."""
    found = np.setdiff1d(heart.spans["RV"], heart.spans["MYO"])
    return Located(len(found), _numbers(found))


def open_ring(heart: HeartMask) -> Value:
    """Share of the LV's in-plane border without myocardium, in the middle third of its slices."""
    span = heart.spans["LV"]
    third = len(span) // 3
    open_faces, faces = _ring(heart)
    middle = span[third : max(third + 1, len(span) - third)]
    concerned = middle[open_faces[middle] > 0]
    return Located(float(open_faces[middle].sum() / faces[middle].sum()), _numbers(concerned))


def open_ring_anywhere(heart: HeartMask) -> Value:
    """Share of the LV's in-plane border without myocardium, over all its slices."""
    open_faces, faces = _ring(heart)
    return Located(float(open_faces.sum() / faces.sum()), _numbers(np.flatnonzero(open_faces)))


def open_slices(heart: HeartMask) -> Value:
    """Slices in which more than ``OPEN`` of the LV's border has no myocardium."""
    open_faces, faces = _ring(heart)
    found = np.flatnonzero(open_faces > OPEN * faces)
    return Located(len(found), _numbers(found))


def _ring(heart: HeartMask) -> tuple[np.ndarray, np.ndarray]:
    """(W,) faces of the LV's border without myocardium, and all of them."""
    lv = heart.parts["LV"]
    return contacts(lv, ~heart.ventricle), contacts(lv, ~lv)


def rv_against_lv(heart: HeartMask) -> Value:
    """Share of the RV's in-plane border that lies against the LV, where a septum should be."""
    rv = heart.parts["RV"]
    touching = contacts(rv, heart.parts["LV"])
    share = float(touching.sum() / contacts(rv, ~rv).sum())
    return Located(share, _numbers(np.flatnonzero(touching)))


def roughness(heart: HeartMask) -> Value:
    """In-plane outline of the epicardium over that of its box, mean over slices; 1 if convex."""
    slices = np.flatnonzero(heart.ventricle.any((0, 1)))
    outlines = contacts(heart.ventricle, ~heart.ventricle)
    return float(np.mean([outlines[w] / _box_outline(heart.ventricle[:, :, w]) for w in slices]))


def _box_outline(plane: np.ndarray) -> int:
    sides = (np.flatnonzero(plane.any(axis)) for axis in (0, 1))
    return 2 * sum(int(np.ptp(side)) + 1 for side in sides)


def slice_shift_mm(heart: HeartMask) -> Value:
    """Largest in-plane step of the centre of LV and wall between neighbouring slices."""
    part, spacing = heart.ventricle, heart.spacing_mm
    count = part.sum((0, 1))
    with np.errstate(invalid="ignore"):
        u = (part.sum(1) * np.arange(part.shape[0])[:, None]).sum(0) / count * spacing[0]
        v = (part.sum(0) * np.arange(part.shape[1])[:, None]).sum(0) / count * spacing[1]
    steps = np.hypot(np.diff(u), np.diff(v))
    if not np.isfinite(steps).any():
        return "no two slices that follow each other"
    where = int(np.nanargmax(steps))
    return Located(float(steps[where]), (where + 1, where + 2))


def area_jump(heart: HeartMask) -> Value:
    """Largest second difference of the epicardial area along the slices, over the largest area."""
    slices = np.flatnonzero(heart.ventricle.any((0, 1)))
    areas = heart.ventricle.sum((0, 1))[slices].astype(float)
    if len(areas) < 3:
        return "fewer than three slices"
    bends = np.abs(np.diff(areas, 2))
    where = int(bends.argmax())
    return Located(float(bends[where] / areas.max()), _numbers(slices[where : where + 3]))


def area_step(heart: HeartMask) -> Value:
    """Largest change of area between slices, beyond the mean of both neighbouring changes.

    Summed over the RV and the LV with its wall, each relative to its largest area. A slice
    missing from the stack doubles one
    change and not its neighbours.
    """
    slices = np.intersect1d(heart.spans["LV"], heart.spans["RV"])
    if len(slices) < 5:
        return "fewer than five slices show LV and RV"
    beyond = np.zeros(len(slices) - 3)
    for part in (heart.ventricle, heart.parts["RV"]):
        areas = part.sum((0, 1))[slices].astype(float)
        steps = np.abs(np.diff(areas)) / areas.max()
        beyond += steps[1:-1] - (steps[:-2] + steps[2:]) / 2
    where = int(beyond.argmax()) + 1
    return Located(float(beyond.max()), _numbers(slices[where : where + 2]))


def repeated_slices(heart: HeartMask) -> Value:
    """Pairs of neighbouring slices with exactly the same structures."""
    filled = np.flatnonzero(heart.whole.any((0, 1)))
    pairs = [
        (a, b)
        for a, b in pairwise(filled)
        if b == a + 1 and all(np.array_equal(p[:, :, a], p[:, :, b]) for p in heart.parts.values())
    ]
    return Located(len(pairs), _numbers(np.unique(pairs)))


def loose_share(heart: HeartMask) -> Value:
    """Share of a structure outside its largest piece, for the structure in which it is largest."""
    shares = [outside_largest(part) for part in heart.parts.values() if part.any()]
    return max(shares) if shares else "the mask shows no part of a heart"


def torn_in_plane(heart: HeartMask) -> Value:
    """Share of the heart's voxels outside the largest 8-connected piece of their slice."""
    return _torn(heart.whole) if heart.whole.any() else "the mask is empty"


def rv_torn_in_plane(heart: HeartMask) -> Value:
    """Share of the RV's voxels outside the largest 8-connected piece of their slice."""
    return _torn(heart.parts["RV"])


def _torn(part: np.ndarray) -> Value:
    slices = np.flatnonzero(part.any((0, 1)))
    loose = [outside_largest(part[:, :, w]) * int(part[:, :, w].sum()) for w in slices]
    return Located(sum(loose) / int(part.sum()), _numbers(slices[np.array(loose) > 0]))


def outside_largest(part: np.ndarray) -> float:
    """Share of a mask outside its largest piece; pieces that touch at a corner are one."""
    sizes = np.bincount(label(part, connectivity=part.ndim).ravel())[1:]
    return 1 - float(sizes.max() / sizes.sum())


def _numbers(slices: np.ndarray) -> tuple[int, ...]:
    """Indices from 0 as numbers from 1."""
    return tuple(int(index) + 1 for index in slices)


# Name → structures that must be there, and the function.
MEASURES: dict[str, tuple[tuple[str, ...], Measure]] = {
    "lv_ml": (("LV",), volume_of("LV")),
    "myo_ml": (("MYO",), volume_of("MYO")),
    "rv_ml": (("RV",), volume_of("RV")),
    "missing_structures": ((), missing_structures),
    "border_voxels": ((), border_voxels),
    "gap_slices": ((), gap_slices),
    "stack_slices": ((), stack_slices),
    "stack_length_mm": ((), stack_length_mm),
    "lv_slices": (("LV",), lv_slices),
    "lv_length_mm": (("LV",), lv_length_mm),
    "lv_cut_off": (("LV", "MYO"), lv_cut_off),
    "lv_slices_without_myo": (("LV", "MYO"), lv_slices_without_myo),
    "rv_slices_without_myo": (("RV", "MYO"), rv_slices_without_myo),
    "open_ring": (("LV", "MYO"), open_ring),
    "open_ring_anywhere": (("LV", "MYO"), open_ring_anywhere),
    "open_slices": (("LV", "MYO"), open_slices),
    "rv_against_lv": (("RV", "LV"), rv_against_lv),
    "roughness": (("LV", "MYO"), roughness),
    "slice_shift_mm": (("LV", "MYO"), slice_shift_mm),
    "area_jump": (("LV", "MYO"), area_jump),
    "area_step": (("LV", "MYO", "RV"), area_step),
    "repeated_slices": (("LV",), repeated_slices),
    "loose_share": ((), loose_share),
    "torn_in_plane": ((), torn_in_plane),
    "rv_torn_in_plane": (("RV",), rv_torn_in_plane),
}
