"""A ventricle whose wall thickness is known in every direction, however the array lies."""

import numpy as np

from cardioseg.clinical.wall import SEGMENTS
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.core.volume import Volume
from cardioseg.phantom.files import oblique_header

PIXEL, SLICE = 1.2, 8.0
SHAPE = (96, 96, 9)
RADIUS = 24.0
# Middle of each basal segment in degrees, seen from the apex with anterior up; counterclockwise
# from the patient's left.
MIDDLE = {
    "anterolateral": 30,
    "anterior": 90,
    "anteroseptal": 150,
    "inferoseptal": 210,
    "inferior": 270,
    "inferolateral": 330,
}


def heart(wall_mm=lambda degrees: 10.0 + 0 * degrees, *, rv=True, shrink=0.05, taper=True):
    """(X, Y, Z) as displayed: x to the right, y down, base first.

    ``wall_mm`` gives the thickness at an angle, counterclockwise from the right.
    """
    x = (np.arange(SHAPE[0]) - 47.3)[:, None] * PIXEL
    y = -(np.arange(SHAPE[1]) - 48.1)[None, :] * PIXEL
    radius, angle = np.hypot(x, y), np.degrees(np.arctan2(y, x)) % 360
    mask = np.zeros(SHAPE, np.uint8)
    for k in range(SHAPE[2]):
        inner = RADIUS * (1 - shrink * k if taper else 1)
        outer = inner + wall_mm(angle)
        septal = (angle > 120) & (angle < 240) & (radius < outer + 15)
        if rv and k < 7:
            mask[:, :, k][septal] = ACDC_LABELS.value("RV")
        mask[:, :, k][radius < outer] = ACDC_LABELS.value("MYO")
        mask[:, :, k][radius < inner] = ACDC_LABELS.value("LV")
    return mask


def volume(array, affine=None, *, scale=1):
    spacing = (scale * PIXEL, scale * PIXEL, scale * SLICE)
    return Volume(
        array,
        np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]) if affine is None else affine,
        spacing,
    )


def by_name(wall):
    return dict(zip(SEGMENTS, wall.segments_mm, strict=True))


def lying(array, affine, axes=(0, 1, 2), flips=()):
    """The same heart at the same place in the room, stored with other axes."""
    moved, turned = np.transpose(array, axes), affine[:, [*axes, 3]].copy()
    for axis in flips:
        turned[:3, 3] += turned[:3, axis] * (moved.shape[axis] - 1)
        turned[:3, axis] *= -1
        moved = np.flip(moved, axis)
    spacing = tuple(float(size) for size in np.linalg.norm(turned[:3, :3], axis=0))
    return Volume(np.ascontiguousarray(moved), turned, spacing)


def real_affine():
    """A short-axis stack as a scanner stores it: x to the right, y down, z from base to apex."""
    header = oblique_header((*SHAPE, 1), (PIXEL, PIXEL, SLICE), frame_s=0.03)
    affine = header.get_best_affine()
    to_base, right, down = -affine[:3, 2], affine[:3, 0], affine[:3, 1]
    assert np.cross(right, down) @ to_base > 0, "seen from the apex: right, down, away"
    return affine
