"""Prediction of one preprocessed volume, slice by slice or in 3-D patches, with its maps.

Shape legend: U, V, W working grid, K classes, E experts, F = K + 1 + E fields. Batches are
(W, C, U, V) for 2-D networks, whose batch is the slices, and (1, C, U, V, W) for 3-D ones.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from cardioseg.core.config import WindowConfig
from cardioseg.core.exits import OWN_DEPTH, Depth
from cardioseg.imaging.preprocess import neighbouring_slices
from cardioseg.inference.localise import HeartRegion, find_heart, heart_voxels
from cardioseg.inference.orientations import (
    AS_STORED,
    Orientation,
    array_back,
    common_orientation,
    turn,
)
from cardioseg.inference.stitching import WindowPredictor, mean_fields, stitched_fields
from cardioseg.networks import Network


@dataclass(frozen=True)
class Maps:
    """A prediction on the working grid.

    Attributes:
        probabilities: (K, U, V, W) float32 summing to 1 over K.
        steps: (U, V, W) float32 loops used.
        routing: (E, U, V, W) float32 summing to 1 over E; None without experts.
        cleared: voxels of structures outside the heart that became background.
        flops: cost, by "total", "core", "core_dense".
    """

    probabilities: np.ndarray
    steps: np.ndarray
    routing: np.ndarray | None
    cleared: int = 0
    flops: dict[str, int] = field(default_factory=dict)


@torch.inference_mode()
def predict_maps(
    network: Network,
    image: np.ndarray,
    *,
    neighbours: int,
    windows: WindowConfig,
    device: torch.device,
    depth: Depth = OWN_DEPTH,
) -> Maps:
    """Run a network over a preprocessed volume: 2-D over every slice, 3-D over patches of slices.

    With ``windows.focus`` a first pass finds the heart; structures outside its region, or inside it
    but not connected to the heart, become background. With several orientations the first pass uses
    one, with little overlap, and all of them run on the region only: a seventh of the windows on
    ACDC. With ``windows.common_storage`` the network sees every image in the same one of eight
    orientations, however it is stored.

    Args:
        network: in eval mode, on ``device``.
        image: (U, V, W) standardised intensities.
        neighbours: slices on either side that are given as channels.
        windows: how to cut and stitch.
        device: of the network; stitching stays on the CPU.
        depth: loop budget and exit rule.
    """
    square = windows.size[0] == windows.size[1]
    stored = common_orientation(image, square=square) if windows.common_storage else AS_STORED
    batch = turn(_network_input(image, neighbours, solid=len(windows.size) == 3), stored)
    predictor = WindowPredictor(network, depth, device)
    fields, region = _fields(predictor, batch, windows)
    maps = _maps(fields, predictor.classes)
    maps = maps if region is None else _clear_outside(maps, region)
    return replace(_as_stored(maps, stored), flops=predictor.tally.sums)


def _as_stored(maps: Maps, orientation: Orientation) -> Maps:
    """Maps in the orientation of the image file."""
    return replace(
        maps,
        probabilities=array_back(maps.probabilities, orientation),
        steps=array_back(maps.steps, orientation),
        routing=None if maps.routing is None else array_back(maps.routing, orientation),
    )


def _fields(
    predictor: WindowPredictor, batch: Tensor, windows: WindowConfig
) -> tuple[Tensor, HeartRegion | None]:
    """Fields (B, F, U, V, …), and the region of the heart if sought and found."""
    if not windows.focus:
        return mean_fields(predictor, batch, windows), None
    several = windows.views != "none"
    overlap = min(windows.overlap, 0.25) if several else windows.overlap
    fields = stitched_fields(predictor, batch, windows, overlap=overlap)
    first = _maps(fields, predictor.classes)
    region = find_heart(first.probabilities, margin=windows.margin, window=windows.size)
    if region is not None and several:
        inside = batch[:, :, *region.grown]
        fields[:, :, *region.grown] = mean_fields(predictor, inside, windows)
    return fields, region


def _maps(fields: Tensor, classes: int) -> Maps:
    planes = (fields[0] if fields.dim() == 5 else fields.permute(1, 2, 3, 0)).contiguous().numpy()
    routing = planes[classes + 1 :]
    return Maps(planes[:classes], planes[classes], routing if len(routing) else None)


def _clear_outside(maps: Maps, region: HeartRegion) -> Maps:
    """Make structures outside the box, or not connected to the heart, background.

    Steps and routing stay as they are, because that work was done.
    """
    probabilities = maps.probabilities.copy()
    structures = probabilities.argmax(0) > 0
    outside = np.ones(structures.shape, dtype=bool)
    outside[region.box] = False
    _make_background(probabilities, outside)
    _make_background(probabilities, (probabilities[0] < 0.5) & ~heart_voxels(probabilities))
    cleared = int((structures & (probabilities[0] == 1)).sum())
    return replace(maps, probabilities=probabilities, cleared=cleared)


def _make_background(probabilities: np.ndarray, where: np.ndarray) -> None:
    probabilities[:, where] = 0
    probabilities[0, where] = 1


def _network_input(image: np.ndarray, neighbours: int, *, solid: bool) -> Tensor:
    """Slices with their neighbours (W, C, U, V), or the volume as it is (1, 1, U, V, W)."""
    if solid:
        return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None, None]
    slices = np.stack(
        [neighbouring_slices(image, index, neighbours) for index in range(image.shape[2])]
    )
    return torch.from_numpy(np.ascontiguousarray(slices, dtype=np.float32))
