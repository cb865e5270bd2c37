"""Sliding windows: run a network on overlapping windows and blend the results.

Token maps are brought to voxels inside each window, before blending. MONAI would resize an output
smaller than its window, which is off by up to half a token where a window does not start on one.

Shape legend: B batch, C channels, U, V, W working grid, K classes, E experts, F = K + 1 + E fields.
Batches are (W, C, U, V) for 2-D networks, whose batch is the slices, and (1, C, U, V, W) for 3-D
ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from monai.inferers.utils import sliding_window_inference
from torch import Tensor
from torch.nn import functional as F

from cardioseg.core.config import WindowConfig
from cardioseg.core.exits import Depth
from cardioseg.inference.flops import FlopTally
from cardioseg.inference.orientations import ORIENTATIONS, turn, turn_back
from cardioseg.layers.devices import fast_bf16
from cardioseg.networks import Network, SegOutput


@dataclass(frozen=True)
class WindowPredictor:
    """Windows (B, C, U, V, …) to fields (B, F, U, V, …): probabilities, steps, routing.

    Attributes:
        network: in eval mode.
        depth: loop budget and exit rule.
        device: of the network.
        tally: cost of the windows so far.
    """

    network: Network
    depth: Depth
    device: torch.device
    tally: FlopTally = field(default_factory=FlopTally)

    @property
    def classes(self) -> int:
        """K."""
        return self.network.config.classes

    def __call__(self, windows: Tensor) -> Tensor:
        """Fields of a batch of windows of any size."""

        def forward() -> SegOutput:
            return self.network(windows, loops=self.depth.loops, exits=self.depth.rule)

        with torch.autocast(self.device.type, torch.bfloat16, enabled=fast_bf16(self.device)):
            output = self.tally.run(forward, tuple(windows.shape), self.depth.rule)
        tokens = [output.steps[:, None].float()]
        if output.routing is not None:
            tokens.append(output.routing.float())
        patch = self.network.config.patch_size
        maps = F.interpolate(torch.cat(tokens, 1), scale_factor=patch, mode="nearest-exact")
        inside = tuple(slice(0, size) for size in windows.shape[2:])
        return torch.cat((output.logits.float().softmax(1), maps[:, :, *inside]), 1)


def mean_fields(predictor: WindowPredictor, batch: Tensor, windows: WindowConfig) -> Tensor:
    """Fields (B, F, U, V, …) of a batch (B, C, U, V, …), averaged over the orientations.

    Each orientation has its own windows, so that their seams fall in different places.
    """
    orientations = ORIENTATIONS[windows.views]
    total = torch.zeros(())
    for orientation in orientations:
        fields = stitched_fields(
            predictor, turn(batch, orientation), windows, overlap=windows.overlap
        )
        total = total + turn_back(fields, orientation)
    return total / len(orientations)


def stitched_fields(
    predictor: WindowPredictor, batch: Tensor, windows: WindowConfig, *, overlap: float
) -> Tensor:
    """Fields (B, F, U, V, …) of a batch (B, C, U, V, …), windows blended with a Gaussian."""
    padded, undo = _pad_to_window(batch, windows.size)
    stitched = sliding_window_inference(
        padded,
        roi_size=windows.size,
        sw_batch_size=windows.batch,
        predictor=predictor,
        overlap=overlap,
        mode="gaussian",
        sw_device=predictor.device,
        device=torch.device("cpu"),
    )
    assert isinstance(stitched, Tensor)
    return stitched[undo]


def _pad_to_window(batch: Tensor, size: Sequence[int]) -> tuple[Tensor, tuple[slice, ...]]:
    """Pad axes shorter than a window on both sides with the lowest value.

    Returns:
        The padded batch, and the slices that undo the padding.
    """
    missing = [max(0, wanted - have) for wanted, have in zip(size, batch.shape[2:], strict=True)]
    before = [n // 2 for n in missing]
    inside = [slice(b, b + n) for b, n in zip(before, batch.shape[2:], strict=True)]
    undo = (slice(None), slice(None), *inside)
    if not any(missing):
        return batch, undo
    sides = list(zip(before, missing, strict=True))
    widths = [width for b, n in reversed(sides) for width in (b, n - b)]
    return F.pad(batch, widths, value=float(batch.min())), undo
