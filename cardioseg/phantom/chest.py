"""The phantom's chest: the signal of everything around the heart in one slice.

Lengths are in mm. The body frame has its origin on the LV axis; bx points to the spine and by to
the feet, as short-axis images are displayed; z runs from base to apex.

Shape legend: X, Y the pixels of one slice.
"""

import math
from dataclasses import dataclass

import numpy as np

from cardioseg.phantom.heart import Array, Brush, Tissues, Waves, ellipse, ripple

MUSCLE_MM = 8.0
WALL_ORGANS = 2  # spine and descending aorta lie at the back wall, not in the belly


@dataclass(frozen=True)
class Chest:
    """The surroundings of the heart, drawn once per phantom so that neighbouring slices agree.

    Attributes:
        centre_mm: centre of the trunk in the body frame.
        half_mm: half axes of the trunk.
        waves: (amplitude in mm, phase) of the trunk's outline.
        fat_mm: thickness of the fat under the skin.
        diaphragm_mm: position of the diaphragm along by at z = 0.
        slope: rise of the diaphragm per mm towards the apex.
        organs: one row per blob: centre (bx, by, z), half axes (3), tilt in radians, signal.
    """

    centre_mm: tuple[float, float]
    half_mm: tuple[float, float]
    waves: Waves
    fat_mm: float
    diaphragm_mm: float
    slope: float
    organs: Array


def random_chest(rng: np.random.Generator, *, reach_mm: float, tissues: Tissues) -> Chest:
    """A chest for a heart that reaches ``reach_mm`` from the LV's axis to the RV's free wall."""
    half = (float(rng.uniform(95, 125)), float(rng.uniform(140, 220)))
    fat = float(rng.uniform(6, 20))
    centre = (half[0] - reach_mm - fat - float(rng.uniform(2, 12)), float(rng.uniform(-10, 25)))
    diaphragm = float(rng.uniform(0.55, 0.8)) * reach_mm
    spine = (0.95 * half[0], 20.0, 0.0, 20.0, 26.0, 1e3, 0.0, 0.35)
    aorta = (0.75 * half[0], 25.0, 0.0, 11.0, 11.0, 1e3, 0.0, tissues.blood * 0.9)
    liver = (-30.0, diaphragm + 35, 20.0, 60.0, 28.0, 90.0, 0.3, tissues.liver)
    stomach = (
        45.0,
        diaphragm + 28,
        60.0,
        30.0,
        22.0,
        50.0,
        -0.4,
        float(rng.choice([0.04, 0.3, 0.75])),
    )
    organs = [spine, aorta, *(_bowel(rng, diaphragm) for _ in range(22)), liver, stomach]
    waves = tuple((float(rng.normal(0, 3)), float(rng.uniform(0, 6.3))) for _ in range(4))
    return Chest(
        centre,
        half,
        waves,
        fat,
        diaphragm,
        float(rng.uniform(0.1, 0.4)),
        np.array(organs, dtype=float),
    )


def _bowel(rng: np.random.Generator, diaphragm_mm: float) -> tuple[float, ...]:
    centre = (rng.uniform(-80, 110), diaphragm_mm + rng.uniform(18, 130), rng.uniform(0, 100))
    half = (*rng.uniform(7, 26, 2), rng.uniform(12, 45))
    return (*centre, *half, rng.uniform(0, 3), rng.choice([0.05, 0.2, 0.35, 0.6, 0.9]))


def paint_chest(bx: Array, by: Array, z: float, chest: Chest, brush: Brush) -> Array:
    """(X, Y) signal of one slice without the heart: air, fat, ribs, muscle, lung and belly."""
    x, y = bx - chest.centre_mm[0], by - chest.centre_mm[1]
    theta, tissues = np.arctan2(y, x), brush.tissues
    trunk = ellipse(x, y, *chest.half_mm) + ripple(theta, chest.waves)
    wall = trunk + chest.fat_mm * (1 + 0.35 * np.cos(2 * theta) + 0.2 * np.cos(3 * theta + z / 40))
    inside = wall + MUSCLE_MM * (1 + 0.3 * brush.coarse)
    ribs = np.clip(np.cos(14 * theta + z / 15) + 0.3 * brush.coarse, 0, 1) ** 2 * 0.4 * tissues.fat
    vessels = np.clip(brush.fine - 2.0, 0, 1) * tissues.blood * 1.5
    image = brush.fill(np.zeros_like(bx), trunk, tissues.fat * (1 + 0.05 * brush.coarse))
    image = brush.fill(image, wall, tissues.myocardium * (1 + 0.2 * brush.fine) + ribs)
    image = brush.fill(
        image, inside, np.maximum(tissues.lung * (1 + 0.2 * brush.coarse) + vessels, 0)
    )
    floor = chest.diaphragm_mm - chest.slope * z + 0.0022 * (bx - 10) ** 2 - by + 2 * brush.coarse
    belly = np.maximum(inside, floor)
    image = brush.fill(image, belly - 2, tissues.myocardium)
    image = brush.fill(image, belly, tissues.fat * 0.8 * (1 + 0.1 * brush.fine))
    for row, organ in enumerate(chest.organs.tolist()):
        image = _paint_organ(
            image, (bx, by), z, organ, brush, limit=wall if row < WALL_ORGANS else belly
        )
    return image


def _paint_organ(
    image: Array,
    body: tuple[Array, Array],
    z: float,
    organ: list[float],
    brush: Brush,
    *,
    limit: Array,
) -> Array:
    x, y, depth, a, b, c, tilt, signal = organ
    scale = math.sqrt(max(1 - ((z - depth) / c) ** 2, 0.0))
    if scale < 0.2:
        return image
    edge = (
        ellipse(body[0] - x, body[1] - y, a * scale, b * scale, tilt=tilt)
        + brush.fine
        + 2 * brush.coarse
    )
    edge = np.maximum(edge, limit)
    image = brush.fill(image, edge - 1.5, 0.8 * brush.tissues.myocardium)
    return brush.fill(image, edge, signal * (1 + 0.08 * brush.fine))
