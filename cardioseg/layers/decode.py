"""From tokens to class scores at full resolution; ``len(patch_size)`` decides on 2-D or 3-D."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cardioseg.layers.embed import CONV_TRANSPOSE, conv_unit, stage_strides


class SkipDecoder(nn.Module):
    """Double the resolution, join the stem's features, convolve; the last doubling gives scores.

    No convolution runs at full resolution, where memory traffic would outweigh the whole core.

    Args:
        width: D of the tokens.
        classes: output classes.
        patch_size: voxels per token along each axis.
        channels: the stem's widths, finest first.
    """

    def __init__(
        self, width: int, classes: int, patch_size: Sequence[int], channels: Sequence[int]
    ) -> None:
        super().__init__()
        dimensions = len(patch_size)
        strides = stage_strides(patch_size)
        sizes = [*channels, width]
        self.ups = nn.ModuleList()
        self.joins = nn.ModuleList()
        for i in reversed(range(len(channels))):
            self.ups.append(
                CONV_TRANSPOSE[dimensions](
                    sizes[i + 1], sizes[i], strides[i + 1], stride=strides[i + 1]
                )
            )
            join = conv_unit(2 * sizes[i], sizes[i], dimensions)
            self.joins.append(nn.Sequential(join, conv_unit(sizes[i], sizes[i], dimensions)))
        # Twice as wide as its stride: each voxel sees its neighbours' features, and borders do not
        # follow 2 × 2 cells.
        kernel = [2 * step if step > 1 else 3 for step in strides[0]]
        self.classify = CONV_TRANSPOSE[dimensions](
            sizes[0], classes, kernel, stride=strides[0], padding=1
        )

    def forward(self, features: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Logits (B, classes, *S) from token features (B, D, *G) and skips, finest first."""
        x = features
        for up, join, skip in zip(self.ups, self.joins, reversed(skips), strict=True):
            x = join(torch.cat((up(x), skip.to(x.dtype)), dim=1))
        logits: Tensor = self.classify(x)
        return logits


class PatchDecoder(nn.Module):
    """One linear map per token, the inverse of plain patches; ``skips`` are ignored."""

    def __init__(self, width: int, classes: int, patch_size: Sequence[int]) -> None:
        super().__init__()
        self.expand = CONV_TRANSPOSE[len(patch_size)](
            width, classes, tuple(patch_size), stride=tuple(patch_size)
        )

    def forward(self, features: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Logits (B, classes, *S) from token features (B, D, *G)."""
        logits: Tensor = self.expand(features)
        return logits
