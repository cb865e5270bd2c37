"""Training samples: 2-D windows or 3-D patches around hearts.

A sample depends on (seed, index) alone, so a resumed run repeats it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.data.meta_obj import set_track_meta
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset

from cardioseg.core.config import Settings, Size
from cardioseg.data.augment import AugmentConfig, augmentation
from cardioseg.data.manifest import Entry, Manifest, load_case


class SamplingConfig(Settings):
    """Where training windows are drawn."""

    window: tuple[Size, ...] = Field(
        (128, 128),
        min_length=2,
        max_length=3,
        description="window size in voxels of the working grid; a third number makes 3-D patches",
    )
    foreground: float = Field(
        0.65,
        ge=0,
        le=1,
        description="share of windows centred near a voxel of a randomly drawn structure",
    )
    along: float = Field(
        0.4,
        ge=0,
        le=1,
        description="share of the other windows that are also in-plane over the heart, "
        "on any slice",
    )
    ends: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of those within one slice of the heart's first or last slice",
    )
    jitter: int = Field(
        24, ge=0, le=1024, description="largest in-plane shift of the centre, in voxels"
    )
    drop_neighbours: float = Field(
        0.1,
        ge=0,
        le=1,
        description="share of windows with neighbouring slices replaced by the middle one",
    )
    extra_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="share of windows from additional data sets, if any",
    )


@dataclass(frozen=True)
class CaseVoxels:
    """One prepared case in memory.

    Attributes:
        image: (U, V, W) float16, scaled from its own range to 0 to 1.
        offset: standardised intensity at 0.
        span: standardised intensity at 1 minus that at 0.
        label: (U, V, W) uint8.
        slices_of: for each class, the slices that contain it.
    """

    image: np.ndarray
    offset: float
    span: float
    label: np.ndarray
    slices_of: tuple[np.ndarray, ...]

    @property
    def ends(self) -> np.ndarray:
        """Slices within one of the first or last labelled slice, where experts stop drawing."""
        held = np.concatenate(self.slices_of[1:])
        near = np.concatenate([np.arange(end - 1, end + 2) for end in (held.min(), held.max())])
        return np.unique(near.clip(0, self.label.shape[2] - 1))


def load_voxels(manifest: Manifest, entries: Sequence[Entry]) -> list[CaseVoxels]:
    """Load prepared cases; ACDC's 160 training volumes take about 250 MB of memory."""
    return [_voxels(load_case(manifest.folder, entry), len(manifest.labels)) for entry in entries]


def _voxels(arrays: dict[str, np.ndarray], classes: int) -> CaseVoxels:
    image = arrays["image"].astype(np.float32)
    low, high = float(image.min()), float(image.max())
    label = arrays["label"]
    slices_of = tuple(np.flatnonzero((label == value).any((0, 1))) for value in range(classes))
    return CaseVoxels(
        ((image - low) / (high - low)).astype(np.float16), low, high - low, label, slices_of
    )


class WindowDataset(Dataset[dict[str, Tensor]]):
    """Augmented windows: standardised float32 images and int64 labels.

    A 2-D sample has ``image`` (1 + 2 n, U, V), a slice with its n neighbours on both sides, and the
    ``label`` (U, V) of the middle slice. A 3-D patch has ``image`` (1, U, V, W) and ``label``
    (U, V, W). All slices of a window are deformed alike.

    Args:
        cases: the main data set, then any additional ones.
        neighbours: slices on both sides given as channels.
        sampling: where windows are drawn.
        augment: how they are augmented.
        seed: of all random numbers.
        length: number of windows that may be drawn.
    """

    # A crop this many windows wide fills the window after any rotation and nearly any zoom.
    MARGIN = 2.2

    def __init__(
        self,
        cases: Sequence[Sequence[CaseVoxels]],
        *,
        neighbours: int,
        sampling: SamplingConfig,
        augment: AugmentConfig,
        seed: int,
        length: int,
    ) -> None:
        self.cases = [list(part) for part in cases if len(part)]
        self.neighbours, self.sampling, self.seed, self.length = neighbours, sampling, seed, length
        self.plane = (sampling.window[0], sampling.window[1])
        self.depth = sampling.window[2] if len(sampling.window) == 3 else None
        self.transform = augmentation(augment, self.plane)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        random = np.random.default_rng((self.seed, index))
        case = self._draw_case(random)
        plane, centre = self._draw_centre(case, random)
        image, label = self._crop(case, self._channels(case, plane, random), centre)
        self.transform.set_random_state(seed=int(random.integers(2**31)))
        set_track_meta(False)
        done: Any = self.transform({"image": image, "label": label})
        standard = (
            torch.as_tensor(np.asarray(done["image"]), dtype=torch.float32) * case.span
            + case.offset
        )
        labels = torch.as_tensor(np.asarray(done["label"])).round().long()
        if self.depth is None:
            return {"image": standard, "label": labels[self.neighbours]}
        return {"image": standard.movedim(0, -1)[None], "label": labels.movedim(0, -1)}

    def _draw_case(self, random: np.random.Generator) -> CaseVoxels:
        extra = len(self.cases) > 1 and random.random() < self.sampling.extra_share
        part = self.cases[random.integers(1, len(self.cases))] if extra else self.cases[0]
        return part[random.integers(len(part))]

    def _draw_centre(
        self, case: CaseVoxels, random: np.random.Generator
    ) -> tuple[int, tuple[int, int]]:
        """Draw a slice and the in-plane centre of a window."""
        present = [value for value in range(1, len(case.slices_of)) if len(case.slices_of[value])]
        size = case.label.shape
        structure = random.random() < self.sampling.foreground
        if not present or not (structure or random.random() < self.sampling.along):
            return int(random.integers(size[2])), (
                int(random.integers(size[0])),
                int(random.integers(size[1])),
            )
        value = present[random.integers(len(present))]
        plane = int(random.choice(case.slices_of[value]))
        voxels = np.argwhere(case.label[:, :, plane] == value)
        jitter = random.integers(-self.sampling.jitter, self.sampling.jitter + 1, 2)
        u, v = voxels[random.integers(len(voxels))] + jitter
        if not structure:
            plane = int(
                random.choice(case.ends if random.random() < self.sampling.ends else size[2])
            )
        return plane, (int(u), int(v))

    def _channels(self, case: CaseVoxels, plane: int, random: np.random.Generator) -> np.ndarray:
        """Slice numbers of the window, -1 for none, in random direction along the heart."""
        slices = case.label.shape[2]
        turned = random.random() < 0.5
        if self.depth is not None:
            around = plane - int(random.integers(self.depth)) + np.arange(self.depth)
            return np.where((around >= 0) & (around < slices), around, -1)[:: -1 if turned else 1]
        around = np.arange(-self.neighbours, self.neighbours + 1) * (-1 if turned else 1)
        if random.random() < self.sampling.drop_neighbours:
            around = around * 0
        return np.clip(plane + around, 0, slices - 1)

    def _crop(
        self, case: CaseVoxels, channels: np.ndarray, centre: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Image and label (C, 2.2 U, 2.2 V) around a centre."""
        size = [int(n * self.MARGIN) for n in self.plane]
        image = _window(case.image, channels, centre, size)
        return image, _window(case.label, channels, centre, size)


def _window(
    array: np.ndarray, channels: np.ndarray, centre: tuple[int, int], size: Sequence[int]
) -> np.ndarray:
    """Slices of (U, V, W) around a centre as (C, *size) float32; zero outside and for slice -1."""
    out = np.zeros((len(channels), *size), np.float32)
    starts = [c - n // 2 for c, n in zip(centre, size, strict=True)]
    extents = list(zip(starts, size, array.shape[:2], strict=True))
    source = tuple(slice(max(s, 0), max(s + n, 0)) for s, n, _ in extents)
    target = tuple(
        slice(max(-s, 0), max(-s, 0) + max(min(s + n, extent) - max(s, 0), 0))
        for s, n, extent in extents
    )
    inside = channels >= 0
    out[inside, target[0], target[1]] = np.moveaxis(array[source][:, :, channels[inside]], 2, 0)
    return out
