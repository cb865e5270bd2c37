"""A synthetic beating heart in short axis, with its truth: for the demo, for tests, and mixed into training.

The LV is a half ellipsoid whose volume follows a smooth curve with one minimum; the wall thickens so that the volume of
myocardium stays the same. Pictures look like bSSFP cine. Shape legend: X, Y in-plane, Z slices, T frames. What it does
not know: pathology beyond size, thickness and ejection fraction, and real anatomy outside the heart.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import brentq

from cardioseg.core.atomic import write_text
from cardioseg.phantom.chest import Chest, paint_chest, random_chest
from cardioseg.phantom.files import acdc_header, oblique_header, save
from cardioseg.phantom.heart import (
    Brush,
    Heart,
    Tissues,
    Waves,
    cloud,
    label,
    paint_heart,
    section,
)

GROUPS = ("DCM", "HCM", "MINF", "NOR", "RV")
ES_PHASE = 0.37  # end-systole as a share of the cycle at rest
INTENSITY = 400.0  # ACDC's scanner stores blood at about 250 of a few hundred


@dataclass(frozen=True)
class PhantomConfig:
    """Everything a phantom is drawn from; equal settings give equal voxels.

    Attributes:
        shape: voxels X, Y, Z.
        frames: cine frames; with 2, frame 0 is ED and frame 1 is ES.
        radius_mm, wall_mm, length_mm: LV endocardial radius and wall at the base, base to endocardial apex, at ED.
        ejection: ejection fraction of the LV, 0 to 1.
        rv_width_mm: septum to RV free wall at the base, ED.
        rv_reach: RV length as a share of the LV's.
        asymmetry: share by which the septum is thicker than the wall on average.
        irregularity: how far the outlines stray from circle and ellipse, as a share of the radius.
        base_mm: how far the valve plane at ED lies below the first slice.
        rotation_deg: direction of the RV seen from the LV, in the body.
        body_deg, mirrored: how the body lies in the picture.
        centre_mm: LV axis from the centre of the picture, along X and Y.
        tilt: drift of the LV axis across slices, mm per mm.
        shift_mm: standard deviation of each slice's breath-hold shift.
        noise: standard deviation of the Rician noise, blood being about 0.66.
        blur_mm: standard deviation of the in-plane point spread.
        bias: strength of the coil's smooth shading.
        banding: depth of the dark bands far from the isocentre.
        contrast_jitter: standard deviation of the logarithm of each tissue's signal.
    """

    seed: int = 0
    shape: tuple[int, int, int] = (216, 256, 10)
    spacing_mm: tuple[float, float, float] = (1.4, 1.4, 10.0)
    frames: int = 12
    cycle_s: float = 0.9
    radius_mm: float = 24.0
    wall_mm: float = 9.0
    length_mm: float = 85.0
    ejection: float = 0.6
    rv_width_mm: float = 34.0
    rv_reach: float = 0.9
    asymmetry: float = 0.1
    irregularity: float = 0.02
    base_mm: float = 7.0
    apex_first: bool = False
    rotation_deg: float = 160.0
    body_deg: float = 0.0
    mirrored: bool = False
    centre_mm: tuple[float, float] = (-14.0, 2.0)
    tilt: tuple[float, float] = (0.08, -0.05)
    shift_mm: float = 1.2
    noise: float = 0.015
    bias: float = 0.3
    banding: float = 0.5
    blur_mm: float = 0.7
    contrast_jitter: float = 0.06
    tissues: Tissues = field(default_factory=Tissues)


@dataclass(frozen=True)
class Phantom:
    """A cine and its truth.

    Attributes:
        image: (X, Y, Z, T) float32, at least 0.
        label: (X, Y, Z, T) uint8 values of ``ACDC_LABELS``.
        spacing_mm: along X, Y, Z.
        ed, es: frame indices from 0.
        frame_s: seconds between frames.
    """

    image: np.ndarray
    label: np.ndarray
    spacing_mm: tuple[float, float, float]
    ed: int
    es: int
    frame_s: float


def contraction(frames: int) -> np.ndarray:
    """(T,) share of the stroke ejected: 0 at frame 0, 1 at one frame, smooth and monotone in between."""
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


def beat(config: PhantomConfig) -> list[Heart]:
    """The heart in every frame: apex fixed, base descending, wall volume conserved."""
    rng = np.random.default_rng([config.seed, 1])
    waves = tuple(
        (config.irregularity * float(rng.normal()), float(rng.uniform(0, 6.3))) for _ in range(4)
    )
    fat = float(rng.uniform(0.5, 5))
    return [_heart_at(config, share, waves, fat) for share in contraction(config.frames).tolist()]


def _heart_at(config: PhantomConfig, ejected: float, waves: Waves, fat_mm: float) -> Heart:
    share = config.ejection * ejected
    shorter = 1 - 0.25 * share
    radius, length = config.radius_mm * math.sqrt((1 - share) / shorter), config.length_mm * shorter

    def wall_ml(wall: float, r: float, long: float) -> float:
        return half_ellipsoid_ml(r + wall, long + 0.8 * wall) - half_ellipsoid_ml(r, long)

    target = wall_ml(config.wall_mm, config.radius_mm, config.length_mm)
    wall = float(brentq(lambda w: wall_ml(w, radius, length) - target, 0.5, 60.0))
    return Heart(
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
    """Draw every frame of a phantom; deterministic by ``config``."""
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
    hearts: list[Heart],
    chest: Chest,
    *,
    brush: Brush,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Signal and truth (X, Y, T) of slice ``k``: three thin sections averaged, so that the apex blurs as in a thick slice."""
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
    """What a scanner makes of the signal (X, Y, Z, T): blur, coil shading, banding, Rician noise, arbitrary units."""
    nx, ny, _ = config.shape
    blur = [config.blur_mm / s for s in config.spacing_mm[:2]]
    bx, by = _body_frame(config)
    shade = -bx / 90 - 0.3 * by / 90 + 0.4 * cloud(rng, (nx, ny), 0.2 * max(nx, ny))
    far = np.hypot(bx, by)
    bands = (
        1
        - config.banding * np.clip((far - 110) / 60, 0, 1) * (0.5 + 0.5 * np.cos(far**2 / 500)) ** 4
    )
    gain = (bands * np.exp(config.bias * np.clip(shade, -2.5, 1.5)))[:, :, None, None].astype(
        np.float32
    )
    blurred = gaussian_filter(image, (*blur, 0, 0)) * gain
    real, imaginary = config.noise * rng.standard_normal((2, *image.shape), dtype=np.float32)
    return (INTENSITY * np.hypot(blurred + real, imaginary)).astype(np.float32)


def random_config(seed: int, *, frames: int = 2) -> PhantomConfig:
    """A plausible phantom with everything random: size, function, contrast, field of view, direction."""
    rng = np.random.default_rng(seed)
    uniform = lambda low, high: float(rng.uniform(low, high))  # noqa: E731 - thirty draws read better without the cast
    pixel, thickness = uniform(0.9, 1.9), uniform(5, 10)
    radius, length, wall = uniform(19, 36), uniform(70, 105), uniform(6, 18)
    slices = int(np.clip(np.ceil((length + wall) / thickness) + rng.integers(-1, 2), 6, 12))
    side = [int(np.clip(uniform(250, 400) / pixel, 160, 300)) for _ in range(2)]
    return PhantomConfig(
        seed=seed,
        shape=(side[0], side[1], slices),
        spacing_mm=(pixel, pixel, thickness),
        frames=frames,
        cycle_s=uniform(0.6, 1.2),
        radius_mm=radius,
        wall_mm=wall,
        length_mm=length,
        ejection=uniform(0.15, 0.75),
        rv_width_mm=uniform(20, 52),
        rv_reach=uniform(0.7, 0.98),
        asymmetry=uniform(-0.1, 0.3),
        irregularity=uniform(0, 0.04),
        base_mm=uniform(0.0, 1.6) * thickness,
        apex_first=bool(rng.random() < 0.3),
        rotation_deg=uniform(90, 230),
        body_deg=uniform(0, 360),
        mirrored=bool(rng.random() < 0.5),
        centre_mm=(uniform(-35, 35), uniform(-35, 35)),
        tilt=(uniform(-0.2, 0.2), uniform(-0.2, 0.2)),
        shift_mm=uniform(0, 3),
        noise=uniform(0.005, 0.05),
        bias=uniform(0, 0.5),
        banding=uniform(0, 1),
        blur_mm=uniform(0.3, 1.2),
        contrast_jitter=0.15,
        tissues=Tissues(
            uniform(0.5, 0.85),
            uniform(0.15, 0.32),
            uniform(0.02, 0.12),
            uniform(0.15, 0.45),
            uniform(0.45, 1.1),
        ),
    )


def write_acdc(folder: Path, *, patients: int, first: int = 901, seed: int = 0) -> None:
    """Write an ACDC-like data set of ``patients`` phantoms at ED and ES, with ACDC's headers and ``Info.cfg``.

    They are numbered from ``first``. ACDC has patients 1 to 150, and a name that validates there may not train (``--extra``).
    """
    for number in range(first, first + patients):
        case_seed = seed * 100_003 + number
        phantom, rng = draw(random_config(case_seed)), np.random.default_rng([case_seed, 1])
        name, kind = f"patient{number:03d}", rng.choice(["int16", "float32"])
        for t in (phantom.ed, phantom.es):
            stem = folder / name / f"{name}_frame{t + 1:02d}"
            image = np.rint(phantom.image[..., t]).astype(kind)
            save(Path(f"{stem}.nii.gz"), image, acdc_header(phantom.spacing_mm))
            save(Path(f"{stem}_gt.nii.gz"), phantom.label[..., t], acdc_header(phantom.spacing_mm))
        facts = {"ED": phantom.ed + 1, "ES": phantom.es + 1, "Group": rng.choice(GROUPS)}
        height, weight = (float(rng.integers(*limits)) for limits in ((150, 200), (50, 110)))
        facts |= {"Height": height, "NbFrame": phantom.image.shape[3], "Weight": weight}
        write_text(
            folder / name / "Info.cfg", "".join(f"{key}: {value}\n" for key, value in facts.items())
        )


def write_cine(path: Path, phantom: Phantom) -> None:
    """Write the 4-D image as int16 NIfTI with an oblique affine, zooms in mm and seconds."""
    image = np.rint(phantom.image).astype(np.int16)
    save(path, image, oblique_header(image.shape, phantom.spacing_mm, frame_s=phantom.frame_s))


def write_truth(path: Path, phantom: Phantom) -> None:
    """Write the 4-D truth as uint8 NIfTI on the grid of ``write_cine``."""
    save(
        path,
        phantom.label,
        oblique_header(phantom.label.shape, phantom.spacing_mm, frame_s=phantom.frame_s),
    )
