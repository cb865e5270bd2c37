"""The phantom's anatomy: one short-axis section of a heart at one instant, and the chest around it.

Lengths are in mm. Two in-plane frames: ``body`` (bx to the spine, by to the feet, as a short-axis picture is shown) and
``heart`` (origin on the long axis of the LV, hx to the RV). z runs from base to apex. Shape legend: X, Y the pixels of one
slice. Signed distances are negative inside. Knows nothing of cine frames, scanners or files.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from cardioseg.core.labels import ACDC_LABELS

Array = np.ndarray
FAR_MM = 1e3


@dataclass(frozen=True)
class Tissues:
    """Signal of each tissue, 1 = the brightest; bSSFP cine: bright blood and fat, dark muscle, black lung."""

    blood: float = 0.66
    myocardium: float = 0.25
    lung: float = 0.05
    liver: float = 0.30
    fat: float = 0.85


@dataclass(frozen=True)
class Heart:
    """Shape at one instant: two half ellipsoids of the LV, cut at the base plane, and the RV's crescent.

    Attributes:
        base_mm: z of the valve plane.
        radius_mm: endocardial radius at the base.
        length_mm: base to endocardial apex.
        wall_mm: wall thickness at the base.
        tip_mm: wall thickness at the apex.
        rv_width_mm: septum to free wall at the base.
        rv_reach: RV length as a share of the LV's.
        ovality: LV section r(θ) ∝ 1 + ovality cos 2θ.
        asymmetry: wall thickness ∝ 1 + asymmetry cos θ, so positive thickens the septum.
    """

    base_mm: float
    radius_mm: float
    length_mm: float
    wall_mm: float
    tip_mm: float
    rv_width_mm: float
    rv_reach: float
    ovality: float
    asymmetry: float


@dataclass(frozen=True)
class Section:
    """Signed distances (X, Y) in mm of one slice, and how deep it lies (0 base, 1 endocardial apex)."""

    endo: Array
    epi: Array
    rv: Array
    depth: float


def cloud(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Array:
    """Smooth noise (shape) of mean 0 and standard deviation 1; ``sigma`` in pixels."""
    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma, mode="wrap")
    return (noise - noise.mean()) / max(float(noise.std()), 1e-6)


def ellipse(x: Array, y: Array, a: float, b: float) -> Array:
    """Signed distance to an ellipse at the origin, to first order: exact on the edge, which is all a soft edge needs."""
    norm = np.sqrt((x / a) ** 2 + (y / b) ** 2) + 1e-6
    slope = np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2) / norm + 1e-6
    return (norm - 1) / slope


def paint(image: Array, distance: Array, value: Array | float, *, edge_mm: float) -> Array:
    """``image`` with ``value`` where ``distance`` < 0, blended over about ``edge_mm``: the partial volume of a voxel."""
    cover = np.clip(0.5 - distance / edge_mm, 0, 1)
    return image + cover * (value - image)


def section(hx: Array, hy: Array, z: float, heart: Heart) -> Section:
    """Where slice ``z`` cuts the heart; outside base to apex every distance is far."""
    depth = (z - heart.base_mm) / heart.length_mm
    epi_depth = (z - heart.base_mm) / (heart.length_mm + heart.tip_mm)
    if depth < 0 or epi_depth >= 1:
        far = np.full(hx.shape, FAR_MM)
        return Section(far, far, far, depth)
    rho, theta = np.hypot(hx, hy), np.arctan2(hy, hx)
    form = (1 + heart.ovality * np.cos(2 * theta)) / np.sqrt(1 + heart.ovality**2 / 2)
    endo = heart.radius_mm * np.sqrt(max(1 - depth**2, 0.0))
    epi = (heart.radius_mm + heart.wall_mm) * np.sqrt(1 - epi_depth**2)
    wall = (epi - endo) * (1 + heart.asymmetry * np.cos(theta))
    inner, outer = rho - endo * form, rho - (endo + wall) * form
    rv = np.maximum(_rv(hx, hy, depth, heart), -outer)
    return Section(inner if endo > 0 else np.full(hx.shape, FAR_MM), outer, rv, depth)


def _rv(hx: Array, hy: Array, depth: float, heart: Heart) -> Array:
    scale = np.sqrt(max(1 - (depth / heart.rv_reach) ** 2, 0.0))
    if scale < 0.15:
        return np.full(hx.shape, FAR_MM)
    epi = heart.radius_mm + heart.wall_mm
    centre, half_height = 0.62 * epi * scale, 1.08 * epi * scale
    half_width = (0.38 * epi + heart.rv_width_mm) * scale
    tilt = 0.25
    x, y = hx - centre, hy - 0.1 * epi * scale
    return ellipse(x * np.cos(tilt) + y * np.sin(tilt), y * np.cos(tilt) - x * np.sin(tilt), half_width, half_height)


def label(cut: Section) -> Array:
    """(X, Y) uint8 mask of a section; papillary muscles and trabeculae belong to the cavities, as in ACDC."""
    mask = np.zeros(cut.endo.shape, np.uint8)
    mask[cut.rv < 0] = ACDC_LABELS.value("RV")
    mask[cut.epi < 0] = ACDC_LABELS.value("MYO")
    mask[cut.endo < 0] = ACDC_LABELS.value("LV")
    return mask


def paint_heart(image: Array, cut: Section, hx: Array, hy: Array, *, heart: Heart, tissues: Tissues, texture: Array, edge_mm: float) -> Array:
    """A section over its surroundings (X, Y): fat, thin RV wall, trabeculated RV, wall, cavity, papillary muscles."""
    if cut.depth < 0:
        return paint_atria(image, hx, hy, heart=heart, tissues=tissues, depth=cut.depth, edge_mm=edge_mm)
    outline = np.minimum(cut.epi, cut.rv - 2.5)
    image = paint(image, outline - 3.5 - 2 * texture, tissues.fat * 0.75, edge_mm=3 * edge_mm)
    image = paint(image, outline - 0.5, tissues.myocardium * 0.9, edge_mm=edge_mm)
    strands = np.clip(texture - 0.9 + 0.8 * cut.depth + np.exp(cut.rv / 4), 0, 1)
    image = paint(image, cut.rv, tissues.blood * 0.93 + strands * 0.6 * (tissues.myocardium - tissues.blood), edge_mm=edge_mm)
    image = paint(image, cut.epi, tissues.myocardium * (1 + 0.05 * texture), edge_mm=edge_mm)
    rough = np.clip(texture - 0.6, 0, 1) * np.exp(np.minimum(cut.endo, 0) / 3)
    image = paint(image, cut.endo, tissues.blood + rough * (tissues.myocardium - tissues.blood) * 0.8, edge_mm=edge_mm)
    return _paint_papillaries(image, cut, hx, hy, heart=heart, tissues=tissues, edge_mm=edge_mm)


def _paint_papillaries(image: Array, cut: Section, hx: Array, hy: Array, *, heart: Heart, tissues: Tissues, edge_mm: float) -> Array:
    if not 0.2 < cut.depth < 0.8:
        return image
    radius = heart.radius_mm * np.sqrt(1 - cut.depth**2)
    size = min(4.5, 0.22 * radius) * (1 - 2.5 * (cut.depth - 0.5) ** 2)
    for angle in (2.1, 4.0):
        x, y = hx - 0.72 * radius * np.cos(angle), hy - 0.72 * radius * np.sin(angle)
        blob = np.maximum(ellipse(x, y, size, size * 0.8), cut.endo)
        image = paint(image, blob, tissues.myocardium * 1.1, edge_mm=edge_mm)
    return image


def paint_atria(image: Array, hx: Array, hy: Array, *, heart: Heart, tissues: Tissues, depth: float, edge_mm: float) -> Array:
    """Above the valve plane: both atria and the aortic root, bright as blood and never labelled."""
    radius, fade = heart.radius_mm, max(0.3, 1 + 1.2 * depth)
    chambers = (
        (-0.25 * radius, 0.1 * radius, 1.05 * radius * fade, 0.85 * radius * fade),
        (1.5 * radius, 0.5 * radius, 0.95 * radius * fade, 0.9 * radius * fade),
        (0.75 * radius, -0.55 * radius, 0.55 * radius, 0.55 * radius),
    )
    for x, y, a, b in chambers:
        edge = ellipse(hx - x, hy - y, a, b)
        image = paint(image, edge - 4.5, tissues.fat * 0.6, edge_mm=2 * edge_mm)
        image = paint(image, edge - 2.0, tissues.myocardium, edge_mm=edge_mm)
    for x, y, a, b in chambers:
        image = paint(image, ellipse(hx - x, hy - y, a, b), tissues.blood * 0.95, edge_mm=edge_mm)
    return image


@dataclass(frozen=True)
class Chest:
    """What surrounds the heart, drawn once per phantom so that neighbouring slices agree.

    Attributes:
        centre_mm: centre of the trunk in the body frame.
        half_mm: half axes of the trunk.
        fat_mm: thickness of the fat under the skin.
        diaphragm_mm: by of the diaphragm at z = 0.
        organs: one row per blob: centre (bx, by, z), half axes (3), tilt, signal.
    """

    centre_mm: tuple[float, float]
    half_mm: tuple[float, float]
    fat_mm: float
    diaphragm_mm: float
    organs: Array


def random_chest(rng: np.random.Generator, *, reach_mm: float, tissues: Tissues) -> Chest:
    """A chest for a heart that reaches ``reach_mm`` from the LV's axis to the RV's free wall."""
    half = (float(rng.uniform(95, 125)), float(rng.uniform(130, 180)))
    fat = float(rng.uniform(6, 22))
    centre = (half[0] - reach_mm - fat - float(rng.uniform(4, 14)), float(rng.uniform(-10, 25)))
    diaphragm = float(rng.uniform(0.55, 0.8)) * reach_mm
    liver = (-30.0, diaphragm + 35, 20.0, 60.0, 28.0, 90.0, 0.3, tissues.liver)
    stomach = (45.0, diaphragm + 28, 60.0, 30.0, 22.0, 50.0, -0.4, float(rng.choice([0.04, 0.3, 0.75])))
    aorta = (0.75 * half[0], 25.0, 0.0, 11.0, 11.0, 1e3, 0.0, tissues.blood * 0.9)
    spine = (0.95 * half[0], 20.0, 0.0, 20.0, 26.0, 1e3, 0.0, 0.35)
    bowel = [
        (rng.uniform(-80, 110), diaphragm + rng.uniform(18, 110), rng.uniform(0, 100), *rng.uniform(7, 26, 2), rng.uniform(12, 45))
        + (rng.uniform(0, 3), rng.choice([0.05, 0.2, 0.35, 0.6, 0.9]))
        for _ in range(22)
    ]
    return Chest(centre, half, fat, diaphragm, np.array([spine, aorta, *bowel, liver, stomach], dtype=float))


def paint_chest(bx: Array, by: Array, z: float, chest: Chest, *, tissues: Tissues, texture: Array, edge_mm: float) -> Array:
    """(X, Y) signal of one slice without the heart: air, skin fat, ribs and muscle, lung with vessels, belly with organs."""
    x, y = bx - chest.centre_mm[0], by - chest.centre_mm[1]
    theta = np.arctan2(y, x)
    trunk = ellipse(x, y, *chest.half_mm) + 4 * np.cos(3 * theta + 1) + 3 * np.cos(5 * theta)
    fat = chest.fat_mm * (1 + 0.35 * np.cos(2 * theta) + 0.2 * np.cos(3 * theta + z / 40))
    muscle = tissues.myocardium * (1 + 0.15 * texture) + np.clip(np.cos(14 * theta + z / 15), 0, 1) ** 2 * 0.35
    vessels = np.clip(texture - 2.1, 0, 1) * tissues.blood * 1.5
    image = paint(np.zeros_like(bx), trunk, tissues.fat, edge_mm=edge_mm)
    image = paint(image, trunk + fat, muscle, edge_mm=edge_mm)
    image = paint(image, trunk + fat + 9, tissues.lung + vessels, edge_mm=edge_mm)
    floor = chest.diaphragm_mm - 0.22 * z + 0.0022 * (bx - 10) ** 2 - by
    inside = np.maximum(trunk + fat + 9, floor)
    image = paint(image, inside - 2, tissues.myocardium, edge_mm=edge_mm)
    image = paint(image, inside, tissues.fat * 0.8 * (1 + 0.08 * texture), edge_mm=edge_mm)
    return _paint_organs(image, bx, by, z, chest, inside=inside, trunk=trunk + fat, texture=texture, edge_mm=edge_mm)


def _paint_organs(image: Array, bx: Array, by: Array, z: float, chest: Chest, *, inside: Array, trunk: Array, texture: Array, edge_mm: float) -> Array:
    for row, (x, y, depth, a, b, c, tilt, value) in enumerate(chest.organs):
        scale = np.sqrt(max(1 - ((z - depth) / c) ** 2, 0.0))
        if scale < 0.2:
            continue
        dx, dy = bx - x, by - y
        edge = ellipse(dx * np.cos(tilt) + dy * np.sin(tilt), dy * np.cos(tilt) - dx * np.sin(tilt), a * scale, b * scale)
        edge = np.maximum(edge + 1.5 * texture, trunk if row < 2 else inside)
        image = paint(image, edge - 1.5, 0.18, edge_mm=edge_mm)
        image = paint(image, edge, value * (1 + 0.08 * texture), edge_mm=edge_mm)
    return image
