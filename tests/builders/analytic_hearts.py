"""Masks of hearts made of half ellipsoids, whose volumes are known."""

import math

import numpy as np

from cardioseg.core.labels import ACDC_LABELS
from cardioseg.core.volume import Volume

PIXEL = 1.25
GAPS = {"5": (5.0, 0.0), "6.5": (6.5, 0.0), "8 + 2": (8.0, 2.0), "10": (10.0, 0.0)}
CYCLE = (
    25.0,
    24.0,
    20.0,
    17.0,
    16.0,
    17.0,
    19.0,
    21.0,
    22.5,
    23.5,
    24.0,
    24.6,
)  # radius in mm, frame by frame


def half_ellipsoid_ml(radius, length):
    return 2 / 3 * math.pi * radius**2 * length / 1000


def drawn(radius, *, length=90.0, wall=10.0, distance=10.0):
    """LV, wall and an RV half as wide beside it, in slices ``distance`` mm apart; base first."""
    slices = math.ceil((length + wall) / distance)
    x = (np.arange(128) - 50.2)[:, None, None] * PIXEL
    y = (np.arange(96) - 47.7)[None, :, None] * PIXEL
    z = (np.arange(slices) + 0.5)[None, None, :] * distance
    mask = np.zeros((128, 96, slices), np.uint8)
    mask[((x + 45) / (radius / 2)) ** 2 + (y / radius) ** 2 + (z / length) ** 2 < 1] = (
        ACDC_LABELS.value("RV")
    )
    mask[(x**2 + y**2) / (radius + wall) ** 2 + (z / (length + wall)) ** 2 < 1] = ACDC_LABELS.value(
        "MYO"
    )
    mask[(x**2 + y**2) / radius**2 + (z / length) ** 2 < 1] = ACDC_LABELS.value("LV")
    return Volume(mask, np.diag([-PIXEL, -PIXEL, distance, 1.0]), (PIXEL, PIXEL, distance))
