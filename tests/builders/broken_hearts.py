"""Masks of a right heart, each broken in one way that a quality rule is about."""

import numpy as np

from cardioseg.core.labels import ACDC_LABELS

RV, MYO, LV = (ACDC_LABELS.value(name) for name in ("RV", "MYO", "LV"))


def middle(mask):
    """Index of a slice through the middle of the LV, and the LV's columns in it."""
    span = np.flatnonzero((mask == LV).any((0, 1)))
    index = int(span[len(span) // 2])
    return index, mask[:, :, index] == LV


def no_rv(mask):
    mask[mask == RV] = 0


def at_the_border(mask):
    mask[0, 50:53, 4] = RV


def a_gap(mask):
    mask[:, :, middle(mask)[0]] = 0


def few_slices(mask):
    keep = middle(mask)[0]
    mask[:, :, [k for k in range(mask.shape[2]) if not keep - 2 <= k <= keep + 1]] = 0


def two_bare_slices(mask, count=2):
    span = np.flatnonzero((mask == LV).any((0, 1)))
    for index in span[:count]:
        mask[:, :, index][mask[:, :, index] == MYO] = 0


def three_bare_slices(mask):
    two_bare_slices(mask, count=3)


def bare_rv(mask):
    for index in np.flatnonzero((mask == RV).any((0, 1)))[:2]:
        plane = mask[:, :, index]
        plane[(plane == MYO) | (plane == LV)] = 0


def an_open_ring(mask):
    for index in range(mask.shape[2]):
        lv = np.argwhere(mask[:, :, index] == LV)
        if len(lv):
            plane = mask[: int(lv[:, 0].mean()), :, index]
            plane[plane == MYO] = 0


def no_septum(mask):
    for index in range(mask.shape[2]):
        plane = mask[:, :, index]
        lv = np.argwhere(plane == LV)
        if len(lv):
            plane[lv[:, 0].min() - 12 : lv[:, 0].min(), lv[:, 1].min() : lv[:, 1].max() + 1] = RV


def ragged(mask):
    lines = mask[::2]
    lines[lines == MYO] = 0


def torn_by_a_breath(mask):
    half = middle(mask)[0]
    mask[:, :, half:] = np.roll(mask[:, :, half:], 18, axis=1)


def an_inflated_slice(mask):
    index, _ = middle(mask)
    x, y = np.argwhere(mask[:, :, index] == LV).mean(0)
    away = np.hypot(
        *np.meshgrid(np.arange(mask.shape[0]) - x, np.arange(mask.shape[1]) - y, indexing="ij")
    )
    mask[:, :, index][away < 32] = MYO


def a_second_heart(mask):
    mask[mask.shape[0] - 20 : mask.shape[0] - 5, 5:25, 3:6] = RV


def a_tiny_lv(mask):
    lv = mask == LV
    mask[lv] = MYO
    for index in np.flatnonzero(lv.any((0, 1))):
        x, y = np.argwhere(lv[:, :, index]).mean(0).astype(int)
        mask[x : x + 2, y : y + 2, index] = LV


def a_tiny_rv(mask):
    rv = np.flatnonzero(mask == RV)
    mask.ravel()[rv[: len(rv) - 20]] = 0


def a_repeated_slice(mask):
    """A slice that is a copy of its neighbour."""
    index, _ = middle(mask)
    mask[:, :, index] = mask[:, :, index - 1]


def no_apex(mask):
    """The stack ends at mid-ventricle: its apical half lies beyond the last slice."""
    index, _ = middle(mask)
    areas = [(mask[:, :, w] >= MYO).sum() for w in np.flatnonzero((mask >= MYO).any((0, 1)))]
    if areas[0] < areas[-1]:
        mask[:] = mask[:, :, ::-1]
    kept = mask[:, :, : index + 1].copy()
    mask[:] = 0
    mask[:, :, mask.shape[2] - kept.shape[2] :] = kept


BREAKERS = {
    "missing_structures": (no_rv, "fail"),
    "border_voxels": (at_the_border, "fail"),
    "gap_slices": (a_gap, "fail"),
    "lv_slices": (few_slices, "warn"),
    "lv_length_mm": (few_slices, "warn"),
    "lv_cut_off": (no_apex, "fail"),
    "open_slices": (three_bare_slices, "fail"),
    "repeated_slices": (a_repeated_slice, "fail"),
    "lv_slices_without_myo": (two_bare_slices, "fail"),
    "rv_slices_without_myo": (bare_rv, "warn"),
    "open_ring": (an_open_ring, "fail"),
    "open_ring_anywhere": (an_open_ring, "warn"),
    "rv_against_lv": (no_septum, "fail"),
    "roughness": (ragged, "fail"),
    "slice_shift_mm": (torn_by_a_breath, "warn"),
    "area_jump": (an_inflated_slice, "warn"),
    "loose_share": (a_second_heart, "warn"),
    "torn_in_plane": (a_second_heart, "warn"),
    "rv_torn_in_plane": (a_second_heart, "warn"),
    "lv_small": (a_tiny_lv, "warn"),
    "rv_small": (a_tiny_rv, "warn"),
}
