"""Rules of anatomy for a predicted mask: what no heart looks like is corrected, and counted.

``above_valve``: at the base, LV and myocardium are removed from slices in which myocardium does not surround the cavity.
Expert readers stop where the ring opens (SCMR: the basal slice is the last in which myocardium surrounds at least half of the
cavity; ACDC's experts never leave more than 16 % of the border open), and extra basal slices are what costs most Dice.
``ring``: elsewhere the outermost cavity voxels become myocardium where nothing else lies between cavity and background or RV.
``fragments``: in each slice, pieces of a structure far smaller than its largest piece there become background.

Shape legend: U, V in-plane, W slices, last. Does not know intensities.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import generate_binary_structure, binary_dilation
from skimage.measure import label

OPEN = 0.2  # of a slice's LV border; more without myocardium means that the slice is above the valve
FRAGMENT = 0.1  # of the largest piece in the slice
FACES = generate_binary_structure(2, 1)[:, :, None]


@dataclass(frozen=True)
class Structures:
    """Values of the mask: RV, myocardium and LV."""

    rv: int
    myo: int
    lv: int


def corrected(mask: np.ndarray, values: Structures) -> tuple[np.ndarray, dict[str, int]]:
    """A mask (U, V, W) with every rule applied, and voxels changed by rule, where there are any."""
    found, counts = mask, {}
    for name, rule in RULES.items():
        after = rule(found, values)
        changed = int((after != found).sum())
        if changed:
            counts[name] = changed
        found = after
    return found, counts


def open_share(mask: np.ndarray, values: Structures) -> np.ndarray:
    """(W,) share of the LV's in-plane border without myocardium; 0 where there is no LV."""
    cavity = mask == values.lv
    ventricle = cavity | (mask == values.myo)
    border = _faces(cavity, ~cavity)
    return np.asarray(_faces(cavity, ~ventricle) / np.maximum(border, 1))


def above_valve(mask: np.ndarray, values: Structures) -> np.ndarray:
    """Remove LV and myocardium from open slices at the basal end, up to the first closed one."""
    ventricle = (mask == values.lv) | (mask == values.myo)
    slices = np.flatnonzero(ventricle.any((0, 1)))
    if len(slices) < 3:
        return mask
    areas = ventricle.sum((0, 1))
    base_first = np.polyfit(np.arange(len(slices)), areas[slices], 1)[0] < 0
    order = slices if base_first else slices[::-1]
    shares, out = open_share(mask, values), mask.copy()
    for index in order[: len(order) // 2]:
        cavity = (mask[:, :, index] == values.lv).any()
        if cavity and shares[index] <= OPEN:
            break
        out[:, :, index][ventricle[:, :, index]] = 0
    return out


def ring(mask: np.ndarray, values: Structures) -> np.ndarray:
    """Turn cavity voxels into myocardium where they touch background or RV in their slice."""
    cavity = mask == values.lv
    outside = ~(cavity | (mask == values.myo))
    walled = (mask == values.myo).any((0, 1))
    touching = cavity & binary_dilation(outside, FACES) & walled
    return np.where(touching, np.array(values.myo, mask.dtype), mask)


def fragments(mask: np.ndarray, values: Structures) -> np.ndarray:
    """Remove small pieces of a structure beside its largest piece in the slice."""
    out = mask.copy()
    for value in (values.rv, values.myo, values.lv):
        for index in np.flatnonzero((mask == value).any((0, 1))):
            pieces = label(mask[:, :, index] == value, connectivity=2)
            sizes = np.bincount(pieces.ravel())
            sizes[0] = 0
            small = (sizes > 0) & (sizes < FRAGMENT * sizes.max())
            out[:, :, index][small[pieces]] = 0
    return out


def _faces(part: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(W,) in-plane voxel faces between two masks."""
    along_u = (part[1:] & other[:-1]).sum((0, 1)) + (part[:-1] & other[1:]).sum((0, 1))
    along_v = (part[:, 1:] & other[:, :-1]).sum((0, 1)) + (part[:, :-1] & other[:, 1:]).sum((0, 1))
    return np.asarray(along_u + along_v)


RULES = {"above the valve": above_valve, "fragments": fragments, "ring": ring}
