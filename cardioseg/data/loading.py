"""What training draws: 2-D windows or 3-D patches around hearts.

Each is determined by (seed, index) alone, so that a resumed run repeats them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import monai
import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset

from cardioseg.core.config import Settings, Size
from cardioseg.data.augment import AugmentConfig, augmentation
from cardioseg.data.manifest import Entry, Manifest, load_case


class SamplingConfig(Settings):
    """Where windows are taken."""

    window: tuple[Size, ...] = Field(
        (128, 128),
        min_length=2,
        max_length=3,
        description="voxels on the working grid; a third number makes 3-D patches of slices",
    )
    foreground: float = Field(
        0.65,
        ge=0,
        le=1,
        description="share of windows around a voxel of a structure drawn by class",
    )
    along: float = Field(
        0.4,
        ge=0,
        le=1,
        description="share of the other windows that lie around the heart too, on any slice, also past its ends",
    )
    ends: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of those that lie within a slice of the heart's first or last one",
    )
    jitter: int = Field(24, ge=0, description="how far the centre may lie from that voxel")
    drop_neighbours: float = Field(
        0.1,
        ge=0,
        le=1,
        description="share of windows whose neighbouring slices are copies of the middle one",
    )
    extra_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="share of windows from additional data sets, when there are any",
    )


@dataclass(frozen=True)
class CaseVoxels:
    """One prepared case in memory.

    Attributes:
        image: (U, V, W) float16 in 0 to 1 (its own range).
        offset: standardised intensity of 0.
        span: standardised intensity of 1 minus that of 0.
        label: (U, V, W) uint8.
        slices_of: per class, the slices that hold it.
    """

    image: np.ndarray
    offset: float
    span: float
    label: np.ndarray
    slices_of: tuple[np.ndarray, ...]

    @property
    def ends(self) -> np.ndarray:
        """Slices within one of the first or last that holds a structure: where experts stop drawing is learned there."""
        held = np.concatenate(self.slices_of[1:])
        near = np.concatenate([np.arange(end - 1, end + 2) for end in (held.min(), held.max())])
        return np.unique(near.clip(0, self.label.shape[2] - 1))


def load_voxels(manifest: Manifest, entries: Sequence[Entry]) -> list[CaseVoxels]:
    """Read prepared cases into memory; ACDC's 160 training volumes take about 250 MB."""
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
    """Augmented windows, standardised float32 images and int64 labels.

    In 2-D ``image`` (1 + 2 n, U, V) holds a slice with its neighbours and ``label`` (U, V) the middle one; a 3-D patch has
    ``image`` (1, U, V, W) and ``label`` (U, V, W). All slices of a window are deformed alike.

    Args:
        cases: main data set, and any additional ones after it.
        neighbours: slices on either side that come in as channels.
        sampling: where windows are taken.
        augment: what is done to them.
        seed: of everything random here.
        length: number of windows that may be drawn.
    """

    MARGIN = 2.2  # A crop this many windows wide fills the window after any rotation and nearly any shrinking.

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
        monai.data.set_track_meta(False)
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
        """A slice and the in-plane centre of a window."""
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
        """Slice numbers of the window, -1 for none; which end is nearer the base is not known to the network."""
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
        return _window(case.image, channels, centre, size), _window(
            case.label, channels, centre, size
        )


def _window(
    array: np.ndarray, channels: np.ndarray, centre: tuple[int, int], size: Sequence[int]
) -> np.ndarray:
    """Slices of (U, V, W) around a centre as (C, *size) float32, zero outside and where a slice is -1."""
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
