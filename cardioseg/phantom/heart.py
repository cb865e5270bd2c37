"""The phantom's heart: one short-axis section at one instant, as signed distances, as a mask and as signal.

Lengths are in mm; the heart frame has its origin on the long axis of the LV, hx points to the RV, z runs from base to
apex. Shape legend: X, Y the pixels of one slice. Signed distances are negative inside. Knows nothing of cine frames,
scanners or files.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.ndimage import label as connected

from cardioseg.core.labels import ACDC_LABELS

Array = np.ndarray
Waves = tuple[tuple[float, float], ...]
FAR_MM = 1e3
RV_WALL_MM = 2.5
RV_TILT = 0.25
SMALLEST_MM2 = 25.0
PAPILLARY_ANGLES = (2.1, 4.0)


@dataclass(frozen=True)
class Tissues:
    """Signal of each tissue, about 1 = the brightest; bSSFP cine: bright blood and fat, dark muscle, black lung."""

    blood: float = 0.66
    myocardium: float = 0.23
    lung: float = 0.05
    liver: float = 0.30
    fat: float = 0.80


@dataclass(frozen=True)
class Brush:
    """What a slice is painted with.

    Attributes:
        tissues: signal of each tissue.
        fine, coarse: (X, Y) smooth noise of 2 and 8 mm, mean 0, standard deviation 1.
        edge_mm: width over which two tissues blend: the partial volume of a voxel.
    """

    tissues: Tissues
    fine: Array
    coarse: Array
    edge_mm: float

    def fill(
        self, image: Array, distance: Array, signal: Array | float, *, softness: float = 1.0
    ) -> Array:
        """``image`` (X, Y) with ``signal`` where ``distance`` is negative, the edge ``softness`` times as wide as a voxel."""
        cover = np.clip(0.5 - distance / (self.edge_mm * softness), 0, 1)
        return image + cover * (signal - image)


@dataclass(frozen=True)
class Heart:
    """Shape at one instant: two half ellipsoids of the LV, cut at the base plane, and the RV's crescent.

    Attributes:
        base_mm: z of the valve plane.
        radius_mm: mean endocardial radius at the base.
        length_mm: base to endocardial apex.
        wall_mm: wall thickness at the base.
        tip_mm: wall thickness at the apex.
        rv_width_mm: septum to free wall at the base.
        rv_reach: RV length as a share of the LV's.
        asymmetry: wall thickness ∝ 1 + asymmetry cos θ, so positive thickens the septum.
        waves: (amplitude, phase) of cos 2θ, cos 3θ, … in the LV's radius; the area is kept.
        rv_waves: the same around the RV's centre, amplitudes in mm.
        pericardial_mm: typical thickness of the fat around it.
    """

    base_mm: float
    radius_mm: float
    length_mm: float
    wall_mm: float
    tip_mm: float
    rv_width_mm: float
    rv_reach: float
    asymmetry: float
    waves: Waves
    rv_waves: Waves
    pericardial_mm: float


@dataclass(frozen=True)
class Section:
    """A slice through the heart.

    Attributes:
        hx, hy: (X, Y) heart-frame coordinates.
        endo, epi, rv: (X, Y) signed distances; far outside where the slice misses the structure.
        depth: 0 at the base, 1 at the endocardial apex.
        heart: what was cut.
    """

    hx: Array
    hy: Array
    endo: Array
    epi: Array
    rv: Array
    depth: float
    heart: Heart


def cloud(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Array:
    """Smooth noise (X, Y) of mean 0 and standard deviation 1; ``sigma`` in pixels."""
    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma, mode="wrap")
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), 1e-6))


def ripple(theta: Array, waves: Waves) -> Array:
    """Σ amplitude cos(kθ + phase), k from 2."""
    total = np.zeros_like(theta)
    for order, (amplitude, phase) in enumerate(waves, start=2):
        total += amplitude * np.cos(order * theta + phase)
    return total


def ellipse(x: Array, y: Array, a: float, b: float, *, tilt: float = 0.0) -> Array:
    """Signed distance to an ellipse at the origin, to first order: exact on the edge, which is all a soft edge needs."""
    if tilt:
        x, y = x * math.cos(tilt) + y * math.sin(tilt), y * math.cos(tilt) - x * math.sin(tilt)
    norm = np.sqrt((x / a) ** 2 + (y / b) ** 2) + 1e-6
    slope = np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2) / norm + 1e-6
    return np.asarray((norm - 1) / slope)


def section(hx: Array, hy: Array, z: float, heart: Heart) -> Section:
    """Where slice ``z`` cuts the heart."""
    depth = (z - heart.base_mm) / heart.length_mm
    epi_depth = (z - heart.base_mm) / (heart.length_mm + heart.tip_mm)
    far = np.full_like(hx, FAR_MM)
    if depth < 0 or epi_depth >= 1:
        return Section(hx, hy, far, far, far, depth, heart)
    rho, theta = np.hypot(hx, hy), np.arctan2(hy, hx)
    form = (1 + ripple(theta, heart.waves)) / math.sqrt(1 + sum(a**2 for a, _ in heart.waves) / 2)
    endo = heart.radius_mm * math.sqrt(max(1 - depth**2, 0.0))
    wall = (heart.radius_mm + heart.wall_mm) * math.sqrt(1 - epi_depth**2) - endo
    inner = rho - endo * form if endo > 0 else far
    outer = rho - (endo + wall * (1 + heart.asymmetry * np.cos(theta))) * form
    return Section(
        hx, hy, inner, outer, np.maximum(_rv(hx, hy, depth, heart), -outer), depth, heart
    )


def _rv(hx: Array, hy: Array, depth: float, heart: Heart) -> Array:
    """An ellipse behind the septum that shrinks faster than the LV, so that it is gone before the apex."""
    scale = math.sqrt(max(1 - (depth / heart.rv_reach) ** 2, 0.0))
    if scale < 0.15:
        return np.full_like(hx, FAR_MM)
    epi = heart.radius_mm + heart.wall_mm
    x, y = hx - 0.95 * epi * scale, hy - 0.1 * epi * scale
    edge = ellipse(x, y, (0.05 * epi + heart.rv_width_mm) * scale, 1.15 * epi * scale, tilt=RV_TILT)
    return edge + scale * ripple(np.arctan2(y, x), heart.rv_waves)


def label(cut: Section, *, pixel_mm2: float) -> Array:
    """(X, Y) uint8 mask of a section; papillary muscles and trabeculae belong to the cavities, as in ACDC."""
    mask = np.zeros(cut.endo.shape, np.uint8)
    mask[_drawable((cut.rv < 0) & (cut.epi >= 0), pixel_mm2)] = ACDC_LABELS.value("RV")
    mask[cut.epi < 0] = ACDC_LABELS.value("MYO")
    mask[_drawable(cut.endo < 0, pixel_mm2)] = ACDC_LABELS.value("LV")
    return mask


def _drawable(region: Array, pixel_mm2: float) -> Array:
    """The largest piece of ``region``, and only when a person would outline it: the RV thins to slivers at its ends."""
    pieces, count = connected(region)
    sizes = np.bincount(pieces.ravel(), minlength=2)[1:]
    if count == 0 or sizes.max() * pixel_mm2 < SMALLEST_MM2:
        return np.zeros_like(region)
    return np.asarray(pieces == sizes.argmax() + 1)


def paint_heart(image: Array, cut: Section, brush: Brush) -> Array:
    """A section over its surroundings (X, Y): fat, thin RV wall, trabeculated RV, wall, cavity, papillary muscles."""
    if cut.depth < 0:
        return _paint_atria(image, cut, brush)
    muscle, blood = brush.tissues.myocardium, brush.tissues.blood
    outline = np.minimum(cut.epi, cut.rv - RV_WALL_MM)
    image = brush.fill(
        image,
        outline - cut.heart.pericardial_mm * (1 + brush.coarse),
        brush.tissues.fat * 0.7,
        softness=2,
    )
    image = brush.fill(image, outline - 0.3, muscle * 0.9)
    strands = np.clip(brush.fine - 0.9 + 0.8 * cut.depth + np.exp(np.minimum(cut.rv, 0) / 4), 0, 1)
    image = brush.fill(
        image, cut.rv, blood * (0.93 + 0.04 * brush.coarse) + strands * 0.6 * (muscle - blood)
    )
    image = brush.fill(image, cut.epi, muscle * (1 + 0.06 * brush.fine + 0.05 * brush.coarse))
    rough = np.clip(brush.fine - 0.2, 0, 1) * np.exp(np.minimum(cut.endo, 0) / 3.5)
    image = brush.fill(
        image, cut.endo, blood * (1 + 0.04 * brush.coarse) + rough * (muscle - blood)
    )
    return _paint_papillaries(image, cut, brush)


def _paint_papillaries(image: Array, cut: Section, brush: Brush) -> Array:
    if not 0.15 < cut.depth < 0.85:
        return image
    radius = cut.heart.radius_mm * math.sqrt(1 - cut.depth**2)
    size = min(5.5, 0.25 * radius) * (1 - 3 * (cut.depth - 0.5) ** 2)
    for angle in PAPILLARY_ANGLES:
        x, y = cut.hx - 0.74 * radius * math.cos(angle), cut.hy - 0.74 * radius * math.sin(angle)
        blob = ellipse(x, y, size, size * 0.75, tilt=angle) + 0.6 * brush.fine
        image = brush.fill(image, np.maximum(blob, cut.endo), brush.tissues.myocardium * 1.1)
    return image


def _paint_atria(image: Array, cut: Section, brush: Brush) -> Array:
    """Above the valve plane: both atria and the aortic root, bright as blood and never labelled."""
    radius, fade = cut.heart.radius_mm, max(0.35, 1 + 1.2 * cut.depth)
    chambers = (
        (-0.25 * radius, 0.1 * radius, 1.05 * radius * fade, 0.85 * radius * fade),
        (1.5 * radius, 0.5 * radius, 0.95 * radius * fade, 1.1 * radius * fade),
        (0.75 * radius, -0.55 * radius, 0.55 * radius, 0.55 * radius),
        (1.6 * radius, -0.9 * radius, 0.5 * radius, 0.7 * radius),
    )
    edges = [ellipse(cut.hx - x, cut.hy - y, a, b) + 1.5 * brush.coarse for x, y, a, b in chambers]
    around = np.min(edges, axis=0)
    image = brush.fill(
        image,
        around - cut.heart.pericardial_mm * (1.5 + brush.coarse),
        brush.tissues.fat * 0.7,
        softness=2,
    )
    image = brush.fill(image, around - 1.5, brush.tissues.myocardium)
    for edge in edges:
        image = brush.fill(image, edge - 1.0, brush.tissues.myocardium)
        image = brush.fill(image, edge, brush.tissues.blood * (0.95 + 0.05 * brush.coarse))
    return image
