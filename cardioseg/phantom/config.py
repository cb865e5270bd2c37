"""Settings of a phantom, fixed or random."""

from dataclasses import dataclass, field

import numpy as np

from cardioseg.phantom.heart import Tissues


@dataclass(frozen=True)
class PhantomConfig:
    """All settings of a phantom; equal settings give equal voxels.

    Attributes:
        seed: of all random numbers.
        shape: voxels along X, Y, Z.
        spacing_mm: voxel size along X, Y, Z.
        frames: cine frames; of two, frame 0 is ED and frame 1 is ES.
        cycle_s: duration of a heartbeat.
        radius_mm: LV endocardial radius at the base, at ED.
        wall_mm: LV wall thickness at the base, at ED.
        length_mm: LV length from base to endocardial apex, at ED.
        ejection: ejection fraction of the LV, 0 to 1.
        rv_width_mm: septum to RV free wall at the base, ED.
        rv_reach: RV length as a share of the LV's.
        asymmetry: how much thicker the septum is than the mean wall, as a share.
        irregularity: deviation of the outlines from circle and ellipse, as a share of the radius.
        base_mm: distance of the valve plane at ED from the first slice, towards the apex.
        apex_first: whether the first slice is the apical one.
        rotation_deg: direction from LV to RV in the body frame.
        body_deg: rotation of the body in the image.
        mirrored: whether the body is mirrored in the image.
        centre_mm: LV axis from the image centre, along X and Y.
        tilt: drift of the LV axis across slices, mm per mm.
        shift_mm: standard deviation of each slice's breath-hold shift.
        noise: standard deviation of the Rician noise; blood is about 0.66.
        bias: strength of the smooth coil shading.
        banding: depth of the dark bands far from the isocentre.
        blur_mm: standard deviation of the in-plane point spread.
        contrast_jitter: standard deviation of the logarithm of each tissue's signal.
        tissues: mean signal of each tissue.
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


def random_config(seed: int, *, frames: int = 2) -> PhantomConfig:
    """Plausible random settings: size, function, contrast, field of view and orientation."""
    rng = np.random.default_rng(seed)

    def uniform(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

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
