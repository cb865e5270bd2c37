"""Augmentation of training windows, so that a network works on images of other scanners.

MONAI's random transforms in the order of acquisition: anatomy and field of view, tissue contrast,
coil, noise and resolution, scaling. By default all rotations and reflections are drawn, because
files do not state the orientation of a slice reliably.

Works on dictionaries with ``image`` (C, U, V) in 0 to 1 and ``label`` (C, U, V), one label slice
per channel.
"""

import math
from collections.abc import Hashable, Mapping
from typing import Annotated, Any

import numpy as np
import torch
from monai.transforms.compose import Compose
from monai.transforms.intensity.dictionary import (
    RandAdjustContrastd,
    RandBiasFieldd,
    RandGaussianNoised,
    RandGaussianSharpend,
    RandGaussianSmoothd,
    RandHistogramShiftd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)
from monai.transforms.spatial.array import AffineGrid, Resample
from monai.transforms.spatial.dictionary import RandFlipd, RandRotate90d, RandSimulateLowResolutiond
from monai.transforms.transform import MapTransform, Randomizable
from pydantic import Field
from scipy.ndimage import gaussian_filter
from torch.nn import functional as F

from cardioseg.core.config import Settings
from cardioseg.core.labels import IGNORED

BOTH = ("image", "label")
Zoom = Annotated[float, Field(ge=0.1, le=10)]
Voxels = Annotated[float, Field(ge=0, le=100)]


class AugmentConfig(Settings):
    """Strength of the augmentation; a probability of 0 switches a transform off."""

    storage: bool = Field(
        True,
        description="draw one of the eight orientations of a slice; off if all files share one",
    )
    rotation: float = Field(180, ge=0, le=180, description="largest angle, in degrees")
    zoom: tuple[Zoom, Zoom] = Field(
        (0.7, 1.4),
        description="range of the field of view's scale; below 1 enlarges the heart",
    )
    stretch: float = Field(
        0.12, ge=0, le=0.9, description="largest relative scaling of a single axis"
    )
    shear: float = Field(0.1, ge=0, le=2, description="largest shear factor")
    elastic: float = Field(0.3, ge=0, le=1, description="probability of an elastic deformation")
    elastic_magnitude: tuple[Voxels, Voxels] = Field(
        (1.0, 3.0), description="range of the deformation's standard deviation, in voxels"
    )
    tissue: float = Field(
        0.2, ge=0, le=1, description="probability of changing the contrast between blood and muscle"
    )
    tissue_shift: float = Field(
        0.15,
        ge=0,
        description="largest brightness change of a structure, as a share of the full range",
    )
    bias_field: float = Field(0.3, ge=0, le=1, description="probability of smooth coil shading")
    gamma: float = Field(0.4, ge=0, le=1, description="probability of a gamma change")
    histogram: float = Field(0.2, ge=0, le=1, description="probability of a histogram shift")
    noise: float = Field(0.3, ge=0, le=1, description="probability of Gaussian noise")
    blur: float = Field(0.2, ge=0, le=1, description="probability of Gaussian blur")
    sharpen: float = Field(0.1, ge=0, le=1, description="probability of sharpening")
    low_resolution: float = Field(
        0.2, ge=0, le=1, description="probability of simulating a lower resolution"
    )
    brightness: float = Field(
        0.5, ge=0, le=1, description="probability each of scaling and of shifting the intensities"
    )
    narrow_view: float = Field(
        0.1, ge=0, le=1, description="probability of blanking one border of the window"
    )


class RandTissueContrastd(MapTransform, Randomizable):
    """Shift the brightness of each structure by a different amount, with soft edges.

    The contrast of blood and muscle differs most between vendors, field strengths and contrast
    agents. A global intensity curve cannot change it, because lung and fat share the grey values.
    """

    def __init__(self, prob: float, shift: float) -> None:
        MapTransform.__init__(self, BOTH)
        self.prob, self.shift = prob, shift

    def randomize(self, data: Any = None) -> None:
        self.active = self.R.random() < self.prob
        self.shifts = self.R.uniform(-self.shift, self.shift, 256)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        self.randomize()
        out = dict(data)
        if self.active:
            label = np.asarray(out["label"]).astype(np.intp)
            shifts = self.shifts.copy()
            shifts[[0, IGNORED]] = 0
            field = np.stack(
                [gaussian_filter(shifts[plane].astype(np.float32), 1.0) for plane in label]
            )
            out["image"] = np.asarray(out["image"]) + field
        return out


class RandNarrowViewd(MapTransform, Randomizable):
    """Blank one border of the window, as at the edge of the field of view."""

    def __init__(self, prob: float, largest: float = 0.25) -> None:
        MapTransform.__init__(self, ("image",))
        self.prob, self.largest = prob, largest

    def randomize(self, data: Any = None) -> None:
        self.active = self.R.random() < self.prob
        self.axis = 1 + int(self.R.random() < 0.5)
        self.far = bool(self.R.random() < 0.5)
        self.share = self.R.uniform(0.03, self.largest)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        self.randomize()
        out = dict(data)
        if self.active:
            image = np.asarray(out["image"]).copy()
            size = image.shape[self.axis]
            width = int(size * self.share)
            cut = slice(size - width, size) if self.far else slice(0, width)
            image[(slice(None),) * self.axis + (cut,)] = 0
            out["image"] = image
        return out


class RandAnatomyd(MapTransform, Randomizable):
    """Rotation, zoom, stretch, shear and elastic deformation in one resampling.

    It cuts the window from a larger crop. MONAI's random affine draws the scale of each axis
    independently, which at a useful range of zooms distorts the heart too much.
    """

    CONTROL = 32  # voxels between control points of the elastic deformation

    def __init__(self, config: AugmentConfig, window: tuple[int, int]) -> None:
        MapTransform.__init__(self, BOTH)
        self.config, self.window = config, window

    def randomize(self, data: Any = None) -> None:
        config = self.config
        self.angle = math.radians(self.R.uniform(-config.rotation, config.rotation))
        zoom = math.exp(self.R.uniform(*np.log(config.zoom)))
        self.scale = [
            float(zoom * (1 + amount))
            for amount in self.R.uniform(-config.stretch, config.stretch, 2)
        ]
        self.shear = [float(amount) for amount in self.R.uniform(-config.shear, config.shear, 2)]
        magnitude = (
            self.R.uniform(*config.elastic_magnitude) if self.R.random() < config.elastic else 0.0
        )
        points = [size // self.CONTROL + 3 for size in self.window]
        self.bend = self.R.normal(0, 1, (1, 2, *points)) * magnitude

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        self.randomize()
        affine = AffineGrid(
            rotate_params=self.angle, shear_params=self.shear, scale_params=self.scale
        )
        grid = torch.as_tensor(affine(spatial_size=self.window)[0]).float()
        bend = torch.from_numpy(self.bend).float()
        grid[:2] += F.interpolate(bend, size=self.window, mode="bicubic", align_corners=True)[0]
        out = dict(data)
        for key, mode in (("image", "bilinear"), ("label", "nearest")):
            out[key] = Resample(mode=mode, padding_mode="zeros")(out[key], grid=grid)
        return out


def augmentation(config: AugmentConfig, window: tuple[int, int]) -> Compose:
    """Random transforms from a larger crop to a training window of ``window`` voxels."""
    return Compose([RandAnatomyd(config, window), *_storage(config, window), *_appearance(config)])


def _storage(config: AugmentConfig, window: tuple[int, int]) -> list[Any]:
    """The eight orientations of a slice, or the four that keep the shape of an oblong window."""
    if not config.storage:
        return []
    first = RandFlipd(BOTH, prob=0.5, spatial_axis=0)
    if window[0] != window[1]:
        return [first, RandFlipd(BOTH, prob=0.5, spatial_axis=1)]
    return [first, RandRotate90d(BOTH, prob=0.75, max_k=3)]


def _appearance(config: AugmentConfig) -> list[Any]:
    image = ("image",)
    return [
        RandTissueContrastd(config.tissue, config.tissue_shift),
        RandHistogramShiftd(image, prob=config.histogram, num_control_points=(4, 8)),
        RandAdjustContrastd(image, prob=config.gamma, gamma=(0.5, 1.8)),
        RandBiasFieldd(image, prob=config.bias_field, degree=3, coeff_range=(0.0, 0.25)),
        RandGaussianSmoothd(image, prob=config.blur, sigma_x=(0.3, 1.2), sigma_y=(0.3, 1.2)),
        RandGaussianSharpend(image, prob=config.sharpen),
        RandSimulateLowResolutiond(
            image,
            prob=config.low_resolution,
            zoom_range=(0.5, 1.0),
            downsample_mode="nearest",
            upsample_mode="bilinear",
        ),
        RandGaussianNoised(image, prob=config.noise, std=0.06),
        RandScaleIntensityd(image, prob=config.brightness, factors=0.35),
        RandShiftIntensityd(image, prob=config.brightness, offsets=0.12),
        RandNarrowViewd(config.narrow_view),
    ]
