"""A synthetic beating heart in short axis, with its true mask, for the demo, tests and training.

The LV is a half ellipsoid whose volume follows a smooth curve with one minimum; the wall thickens
so that its volume stays constant. Images resemble bSSFP cines. Pathology is limited to size, wall
thickness and ejection fraction, and anatomy outside the heart is only sketched.

Shape legend: X, Y in-plane, Z slices, T frames.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import brentq

from cardioseg.phantom.chest import Chest, paint_chest, random_chest
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.heart import (
    Brush,
    HeartShape,
    Tissues,
    Waves,
    cloud,
    label,
    paint_heart,
    section,
)

ES_PHASE = 0.37  # end-systole at rest, as a share of the cycle
INTENSITY = 400.0  # stored value of signal 1, so that blood is about 250 as in ACDC


@dataclass(frozen=True)
class Phantom:
    """A cine and its true mask.

    Attributes:
        image: (X, Y, Z, T) float32, at least 0.
        label: (X, Y, Z, T) uint8 values of ``ACDC_LABELS``.
        spacing_mm: voxel size along X, Y, Z.
        ed: frame index of end-diastole, from 0.
        es: frame index of end-systole, from 0.
        frame_s: seconds between frames.
    """

    image: np.ndarray
    label: np.ndarray
    spacing_mm: tuple[float, float, float]
    ed: int
    es: int
    frame_s: float


def contraction(frames: int) -> np.ndarray:
    """(T,) ejected share of the stroke volume: 0 at frame 0, 1 at ES, monotone in between."""
    if frames < 3:
        return np.linspace(0.0, 1.0, frames) if frames > 1 else np.zeros(1)
    es = max(1, round(ES_PHASE * frames))
    time = np.arange(frames)
    systole, diastole = time / es, np.clip((time - es) / (frames - es), 0, 1) ** 0.8
    return np.where(
        time <= es, 0.5 - 0.5 * np.cos(np.pi * systole), 0.5 + 0.5 * np.cos(np.pi * diastole)
    )


def half_ellipsoid_ml(radius_mm: float, length_mm: float) -> float:
    """Volume of the LV between its base plane and apex, in ml."""
    return float(2 / 3 * np.pi * radius_mm**2 * length_mm / 1000)


def beat(config: PhantomConfig) -> list[HeartShape]:
    """The heart in every frame: the apex stays, the base descends, the wall volume is constant."""
    rng = np.random.default_rng([config.seed, 1])
    waves = tuple(
        (config.irregularity * float(rng.normal()), float(rng.uniform(0, 6.3))) for _ in range(4)
    )
    fat = float(rng.uniform(0.5, 5))
    return [_heart_at(config, share, waves, fat) for share in contraction(config.frames).tolist()]


def _heart_at(config: PhantomConfig, ejected: float, waves: Waves, fat_mm: float) -> HeartShape:
    share = config.ejection * ejected
    shorter = 1 - 0.25 * share
    radius, length = config.radius_mm * math.sqrt((1 - share) / shorter), config.length_mm * shorter

    def wall_ml(wall: float, r: float, long: float) -> float:
        return half_ellipsoid_ml(r + wall, long + 0.8 * wall) - half_ellipsoid_ml(r, long)

    target = wall_ml(config.wall_mm, config.radius_mm, config.length_mm)
    wall = float(brentq(lambda w: wall_ml(w, radius, length) - target, 0.5, 60.0))
    return HeartShape(
        base_mm=config.base_mm + config.length_mm - length,
        radius_mm=radius,
        length_mm=length,
        wall_mm=wall,
        tip_mm=0.8 * wall,
        rv_width_mm=config.rv_width_mm * (1 - 0.6 * share),
        rv_reach=config.rv_reach,
        asymmetry=config.asymmetry,
        waves=waves,
        rv_waves=tuple((2.0 * config.radius_mm * amplitude, phase) for amplitude, phase in waves),
        pericardial_mm=fat_mm,
    )


def draw(config: PhantomConfig) -> Phantom:
    """Draw every frame of a phantom; the result depends on ``config`` alone."""
    rng = np.random.default_rng(config.seed)
    tissues, hearts = _jittered(config, rng), beat(config)
    chest = random_chest(
        rng, reach_mm=config.radius_mm + config.wall_mm + config.rv_width_mm, tissues=tissues
    )
    image = np.zeros((*config.shape, config.frames), np.float32)
    mask = np.zeros(image.shape, np.uint8)
    for k in range(config.shape[2]):
        slice_rng = np.random.default_rng([config.seed, 2, k])
        image[:, :, k], mask[:, :, k] = _slice(
            config, k, hearts, chest, brush=_brush(config, tissues, slice_rng), rng=slice_rng
        )
    es = int(np.argmax(contraction(config.frames)))
    return Phantom(
        _scanned(image, config, rng), mask, config.spacing_mm, 0, es, config.cycle_s / config.frames
    )


def _jittered(config: PhantomConfig, rng: np.random.Generator) -> Tissues:
    signals = {
        name: value * float(np.exp(config.contrast_jitter * rng.standard_normal()))
        for name, value in vars(config.tissues).items()
    }
    signals["myocardium"] = min(signals["myocardium"], 0.65 * signals["blood"])
    return Tissues(**signals)


def _brush(config: PhantomConfig, tissues: Tissues, rng: np.random.Generator) -> Brush:
    pixel, plane = max(config.spacing_mm[:2]), config.shape[:2]
    return Brush(tissues, cloud(rng, plane, 2.2 / pixel), cloud(rng, plane, 8 / pixel), pixel)


def _body_frame(config: PhantomConfig) -> tuple[np.ndarray, np.ndarray]:
    (nx, ny, _), (sx, sy, _) = config.shape, config.spacing_mm
    x = (np.arange(nx, dtype=np.float32) - (nx - 1) / 2)[:, None] * sx - config.centre_mm[0]
    y = (np.arange(ny, dtype=np.float32) - (ny - 1) / 2)[None, :] * sy - config.centre_mm[1]
    bx, by = _turned(x, y, config.body_deg)
    return (-bx if config.mirrored else bx), by


def _turned(x: np.ndarray, y: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return x * cos + y * sin, y * cos - x * sin


def _slice(
    config: PhantomConfig,
    k: int,
    hearts: list[HeartShape],
    chest: Chest,
    *,
    brush: Brush,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Signal and mask (X, Y, T) of slice ``k``.

    The signal averages three thin sections, so that the apex blurs as in a thick slice.
    """
    thickness = config.spacing_mm[2]
    z = (config.shape[2] - 1 - k if config.apex_first else k) * thickness
    bx, by = _body_frame(config)
    shift = (config.shift_mm * rng.standard_normal(2)).tolist()
    around = paint_chest(bx, by - shift[1], z, chest, brush)
    drift = [
        tilt * (z - 0.5 * config.length_mm) + moved
        for tilt, moved in zip(config.tilt, shift, strict=True)
    ]
    hx, hy = _turned(bx - drift[0], by - drift[1], config.rotation_deg)
    images, masks = [], []
    for heart in hearts:
        cuts = [section(hx, hy, z + offset * thickness, heart) for offset in (-0.3, 0.0, 0.3)]
        images.append(np.mean([paint_heart(around, cut, brush) for cut in cuts], axis=0))
        masks.append(label(cuts[1], pixel_mm2=config.spacing_mm[0] * config.spacing_mm[1]))
    return np.stack(images, axis=-1), np.stack(masks, axis=-1)


def _scanned(image: np.ndarray, config: PhantomConfig, rng: np.random.Generator) -> np.ndarray:
    """The scanned image of a signal (X, Y, Z, T): blur, coil shading, banding, Rician noise."""
    nx, ny, _ = config.shape
    blur = [config.blur_mm / s for s in config.spacing_mm[:2]]
    bx, by = _body_frame(config)
    shade = -bx / 90 - 0.3 * by / 90 + 0.4 * cloud(rng, (nx, ny), 0.2 * max(nx, ny))
    far = np.hypot(bx, by)
    strength = config.banding * np.clip((far - 110) / 60, 0, 1)
    bands = 1 - strength * (0.5 + 0.5 * np.cos(far**2 / 500)) ** 4
    gain = bands * np.exp(config.bias * np.clip(shade, -2.5, 1.5))
    blurred = gaussian_filter(image, (*blur, 0, 0)) * gain[:, :, None, None].astype(np.float32)
    real, imaginary = config.noise * rng.standard_normal((2, *image.shape), dtype=np.float32)
    return np.asarray(INTENSITY * np.hypot(blurred + real, imaginary), dtype=np.float32)
