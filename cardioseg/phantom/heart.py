"""The phantom's heart in one short-axis slice at one instant: distances, mask and signal.

Lengths are in mm. The heart frame has its origin on the LV's long axis; hx points to the RV; z runs
from base to apex. Signed distances are negative inside.

Shape legend: X, Y the pixels of one slice.
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
    """Signal of each tissue in a bSSFP cine, from 0 to about 1."""

    blood: float = 0.66
    myocardium: float = 0.23
    lung: float = 0.05
    liver: float = 0.30
    fat: float = 0.80


@dataclass(frozen=True)
class Brush:
    """Signals, texture and edge width for painting a slice.

    Attributes:
        tissues: signal of each tissue.
        fine: (X, Y) noise smoothed over 2 mm, mean 0, standard deviation 1.
        coarse: (X, Y) noise smoothed over 8 mm, mean 0, standard deviation 1.
        edge_mm: width over which two tissues blend, as by partial volume.
    """

    tissues: Tissues
    fine: Array
    coarse: Array
    edge_mm: float

    def fill(
        self, image: Array, distance: Array, signal: Array | float, *, softness: float = 1.0
    ) -> Array:
        """``image`` (X, Y) with ``signal`` where ``distance`` is negative.

        The edge is ``softness`` times ``edge_mm`` wide.
        """
        cover = np.clip(0.5 - distance / (self.edge_mm * softness), 0, 1)
        return image + cover * (signal - image)


@dataclass(frozen=True)
class HeartShape:
    """Shape at one instant: two half ellipsoids for the LV, cut at the base, and the RV's crescent.

    Attributes:
        base_mm: z of the valve plane.
        radius_mm: mean endocardial radius at the base.
        length_mm: distance from base to endocardial apex.
        wall_mm: wall thickness at the base.
        tip_mm: wall thickness at the apex.
        rv_width_mm: septum to free wall at the base.
        rv_reach: RV length as a share of the LV's.
        asymmetry: wall thickness ∝ 1 + asymmetry cos θ; positive thickens the septum.
        waves: (amplitude, phase) of cos 2θ, cos 3θ, … in the LV radius, at constant area.
        rv_waves: the same around the RV's centre, amplitudes in mm.
        pericardial_mm: mean thickness of the pericardial fat.
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
        hx: (X, Y) heart-frame coordinate.
        hy: (X, Y) heart-frame coordinate.
        endo: (X, Y) signed distance to the endocardium, ``FAR_MM`` if the slice misses it.
        epi: (X, Y) signed distance to the epicardium, likewise.
        rv: (X, Y) signed distance to the RV, likewise.
        depth: 0 at the base, 1 at the endocardial apex.
        heart: the heart's shape.
    """

    hx: Array
    hy: Array
    endo: Array
    epi: Array
    rv: Array
    depth: float
    heart: HeartShape


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
    """Signed distance to an ellipse at the origin, to first order, so exact on the edge."""
    if tilt:
        x, y = x * math.cos(tilt) + y * math.sin(tilt), y * math.cos(tilt) - x * math.sin(tilt)
    norm = np.sqrt((x / a) ** 2 + (y / b) ** 2) + 1e-6
    slope = np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2) / norm + 1e-6
    return np.asarray((norm - 1) / slope)


def section(hx: Array, hy: Array, z: float, heart: HeartShape) -> Section:
    """The section of the heart at ``z``."""
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


def _rv(hx: Array, hy: Array, depth: float, heart: HeartShape) -> Array:
    """Signed distance to the RV, an ellipse behind the septum that ends before the LV's apex."""
    scale = math.sqrt(max(1 - (depth / heart.rv_reach) ** 2, 0.0))
    if scale < 0.15:
        return np.full_like(hx, FAR_MM)
    epi = heart.radius_mm + heart.wall_mm
    x, y = hx - 0.95 * epi * scale, hy - 0.1 * epi * scale
    edge = ellipse(x, y, (0.05 * epi + heart.rv_width_mm) * scale, 1.15 * epi * scale, tilt=RV_TILT)
    return edge + scale * ripple(np.arctan2(y, x), heart.rv_waves)


def label(cut: Section, *, pixel_mm2: float) -> Array:
    """(X, Y) uint8 mask of a section; cavities include papillary muscles, as in ACDC."""
    mask = np.zeros(cut.endo.shape, np.uint8)
    mask[_drawable((cut.rv < 0) & (cut.epi >= 0), pixel_mm2)] = ACDC_LABELS.value("RV")
    mask[cut.epi < 0] = ACDC_LABELS.value("MYO")
    mask[_drawable(cut.endo < 0, pixel_mm2)] = ACDC_LABELS.value("LV")
    return mask


def _drawable(region: Array, pixel_mm2: float) -> Array:
    """The largest piece of ``region``, or nothing if it is too small to be outlined by hand."""
    pieces, count = connected(region)
    sizes = np.bincount(pieces.ravel(), minlength=2)[1:]
    if count == 0 or sizes.max() * pixel_mm2 < SMALLEST_MM2:
        return np.zeros_like(region)
    return np.asarray(pieces == sizes.argmax() + 1)


def paint_heart(image: Array, cut: Section, brush: Brush) -> Array:
    """Paint a section over ``image`` (X, Y): fat, RV wall and cavity, LV wall and cavity."""
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
    """Paint both atria and the aortic root, above the valve plane; they are never labelled."""
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
