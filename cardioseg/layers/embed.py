"""From voxels to tokens: plain patches, as in ViT, or a convolutional stem with skips.

2-D and 3-D differ by ``len(patch_size)`` only. A patch may be anisotropic (1 × 8 × 8): each axis is
halved as often as its patch size asks. Short axes are halved last, at the coarsest stages.

Shape legend: B batch, C channels, S* spatial axes, G* token grid, N tokens, D width.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CONV: dict[int, type[Any]] = {2: nn.Conv2d, 3: nn.Conv3d}
CONV_TRANSPOSE: dict[int, type[Any]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


@dataclass(frozen=True)
class Tokens:
    """Tokens of a batch of images, their grid, and the finer features of the stem.

    Attributes:
        sequence: (B, N, D).
        grid: tokens per axis.
        skips: features at finer strides, finest first; empty for plain patches.
    """

    sequence: Tensor
    grid: tuple[int, ...]
    skips: tuple[Tensor, ...]

    def first(self, share: slice) -> "Tokens":
        """The tokens of some of the images."""
        return Tokens(self.sequence[share], self.grid, tuple(skip[share] for skip in self.skips))


def stage_strides(patch_size: Sequence[int]) -> list[tuple[int, ...]]:
    """Strides of the halvings down to a token, finest first: (1, 8, 8) → three times (1, 2, 2).

    Raises:
        ValueError: a size is not a power of two.
    """
    if any(size < 1 or size & (size - 1) for size in patch_size):
        raise ValueError(f"patch size {tuple(patch_size)} has a size that is not a power of two")
    halvings = [int(math.log2(size)) for size in patch_size]
    depth = max(halvings)
    return [tuple(2 if stage >= depth - axis else 1 for axis in halvings) for stage in range(depth)]


def conv_unit(channels_in: int, channels: int, dimensions: int) -> nn.Sequential:
    """3-wide convolution, group norm, GELU."""
    return nn.Sequential(
        CONV[dimensions](channels_in, channels, 3, padding=1, bias=False),
        nn.GroupNorm(math.gcd(8, channels), channels),
        nn.GELU(),
    )


class PatchStem(nn.Module):
    """One linear map per patch, as in ViT; no skips."""

    def __init__(self, channels_in: int, width: int, patch_size: Sequence[int]) -> None:
        super().__init__()
        self.project = CONV[len(patch_size)](
            channels_in, width, tuple(patch_size), stride=tuple(patch_size)
        )

    def forward(self, image: Tensor) -> Tokens:
        return _tokens(self.project(image), ())


class ConvStem(nn.Module):
    """Halve, convolve and keep the features as a skip; the last halving makes the tokens.

    Args:
        channels_in: channels of the image.
        width: D.
        patch_size: voxels per token along each axis.
        channels: features at each finer stride, finest first; one fewer than the halvings.
    """

    def __init__(
        self, channels_in: int, width: int, patch_size: Sequence[int], channels: Sequence[int]
    ) -> None:
        super().__init__()
        strides = stage_strides(patch_size)
        if len(channels) != len(strides) - 1:
            raise ValueError(
                f"patch size {tuple(patch_size)} needs {len(strides) - 1} stem widths, "
                f"got {len(channels)}"
            )
        dimensions = len(patch_size)
        sizes = [channels_in, *channels]
        self.stages = nn.ModuleList(
            nn.Sequential(
                CONV[dimensions](sizes[i], sizes[i + 1], strides[i], stride=strides[i]),
                conv_unit(sizes[i + 1], sizes[i + 1], dimensions),
                conv_unit(sizes[i + 1], sizes[i + 1], dimensions),
            )
            for i in range(len(channels))
        )
        self.project = CONV[dimensions](sizes[-1], width, strides[-1], stride=strides[-1])

    def forward(self, image: Tensor) -> Tokens:
        skips, x = [], image
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        return _tokens(self.project(x), tuple(skips))


def _tokens(features: Tensor, skips: tuple[Tensor, ...]) -> Tokens:
    return Tokens(features.flatten(2).transpose(1, 2), tuple(features.shape[2:]), skips)


def token_map(values: Tensor, grid: Sequence[int]) -> Tensor:
    """Per-token values (B, N) or (B, N, K) as a map (B, *G) or (B, K, *G)."""
    if values.dim() == 2:
        return values.reshape(len(values), *grid)
    return values.transpose(1, 2).reshape(len(values), -1, *grid)


def pad_to_multiple(image: Tensor, multiple: Sequence[int]) -> tuple[Tensor, tuple[slice, ...]]:
    """Pad the far end of every axis to a multiple by repeating the edge.

    Returns:
        The padded image, and the slices that undo the padding.
    """
    shape = image.shape[2:]
    missing = [-size % step for size, step in zip(shape, multiple, strict=True)]
    undo = (slice(None), slice(None), *(slice(0, size) for size in shape))
    if not any(missing):
        return image, undo
    widths = [width for size in reversed(missing) for width in (0, size)]
    return torch.nn.functional.pad(image, widths, mode="replicate"), undo
