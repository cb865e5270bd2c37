"""Sliding-window prediction of one volume, slice by slice or in 3-D patches, with the maps of steps and experts.

Token maps are brought to voxels inside the window before stitching: MONAI places an output smaller than its window by zoom,
which misses by up to half a token wherever a window does not start on one.

Shape legend: U, V, W working grid, K classes, E experts, F = K + 1 + E fields. Batches are (W, …, U, V) for 2-D networks, whose
batch is the slices, and (1, …, U, V, W) for 3-D ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from monai.inferers.utils import sliding_window_inference
from torch import Tensor
from torch.nn import functional as F

from cardioseg.core.config import WindowConfig
from cardioseg.core.exits import OWN_DEPTH, Depth
from cardioseg.imaging.preprocess import neighbouring_slices
from cardioseg.inference.flops import FlopTally
from cardioseg.inference.heart import Place, find_heart, heart_voxels
from cardioseg.layers.precision import fast_bf16
from cardioseg.networks import Network, SegOutput

AS_FILED = (False, 0)
VIEWS = {
    "none": (AS_FILED,),
    "flips": ((False, 0), (False, 2), (True, 0), (True, 2)),
    "all": tuple((flip, k) for flip in (False, True) for k in range(4)),
}


@dataclass(frozen=True)
class Maps:
    """What comes back from the windows, on the working grid.

    Attributes:
        probabilities: (K, U, V, W) float32 summing to 1 over K.
        steps: (U, V, W) float32 loops used.
        routing: (E, U, V, W) float32 summing to 1 over E; None without experts.
        cleared: voxels of structures outside the heart that became background.
        flops: what it cost, by "total", "core", "core_dense".
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
    """Run a network over a preprocessed volume: a 2-D one over every slice, a 3-D one over patches of slices.

    With ``windows.focus`` a first look finds the heart, and what lies outside its box, or inside in a cluster of its own, becomes
    background. With several views the first look takes one, with little overlap, and all look again around the heart: a seventh
    of the windows on ACDC. With ``windows.common_storage`` the network sees slices in the same one of eight ways, however they
    are stored.

    Args:
        network: in eval mode, on ``device``.
        image: (U, V, W) standardised intensities.
        neighbours: slices on either side that come in as channels.
        windows: cutting and stitching.
        device: where the windows are computed; stitching stays on the CPU.
        depth: loop budget and exit rule.
    """
    square = windows.size[0] == windows.size[1]
    stored = common_storage(image, square=square) if windows.common_storage else AS_FILED
    batch = view(_network_input(image, neighbours, solid=len(windows.size) == 3), *stored)
    predictor = Predictor(network, depth, device)
    fields, place = _fields(predictor, batch, windows)
    maps = _maps(fields, predictor.classes)
    maps = maps if place is None else _clear_outside(maps, place)
    return replace(_as_it_was(maps, *stored), flops=predictor.tally.sums)


def common_storage(image: np.ndarray, *, square: bool) -> tuple[bool, int]:
    """The view (mirrored, quarter turns) that brings an image (U, V, W) to the one of its eight storages that all of them share.

    That is the one whose brightness lies farthest towards the end of the first axis, then of the second. Windows and the first
    look then fall alike on an image however it is stored; averaging views alone left volumes apart (lab log, 2026-11-21).

    Args:
        image: finite intensities.
        square: whether windows are; if not, the axes stay where they are.
    """
    plane = torch.from_numpy(image.mean(axis=2, dtype=np.float64))[None, None]

    def towards_the_ends(storage: tuple[bool, int]) -> float:
        seen = view(plane - plane.min(), *storage)[0, 0]
        along = [
            torch.linspace(-size / 2, size / 2, size, dtype=torch.float64) for size in seen.shape
        ]
        return float(2 * (seen.sum(1) @ along[0]) + seen.sum(0) @ along[1])

    return max(VIEWS["all" if square else "flips"], key=towards_the_ends)


def _as_it_was(maps: Maps, flip: bool, quarter_turns: int) -> Maps:
    """Undo ``view`` for arrays (…, U, V, W)."""

    def back(array: np.ndarray) -> np.ndarray:
        turned = np.rot90(array, -quarter_turns, (-3, -2))
        return np.ascontiguousarray(np.flip(turned, -2) if flip else turned)

    routing = None if maps.routing is None else back(maps.routing)
    return replace(
        maps, probabilities=back(maps.probabilities), steps=back(maps.steps), routing=routing
    )


def _fields(
    predictor: "Predictor", batch: Tensor, windows: WindowConfig
) -> tuple[Tensor, Place | None]:
    """Fields (B, F, U, V, …), and where the heart is, if that was asked for and it was found."""
    if not windows.focus:
        return _look(predictor, batch, windows), None
    several = windows.views != "none"
    fields = _stitch(
        predictor,
        batch,
        windows,
        overlap=min(windows.overlap, 0.25) if several else windows.overlap,
    )
    place = find_heart(
        _maps(fields, predictor.classes).probabilities, margin=windows.margin, window=windows.size
    )
    if place is not None and several:
        fields[:, :, *place.view] = _look(predictor, batch[:, :, *place.view], windows)
    return fields, place


def _maps(fields: Tensor, classes: int) -> Maps:
    planes = (fields[0] if fields.dim() == 5 else fields.permute(1, 2, 3, 0)).contiguous().numpy()
    routing = planes[classes + 1 :]
    return Maps(planes[:classes], planes[classes], routing if len(routing) else None)


def _clear_outside(maps: Maps, place: Place) -> Maps:
    """Background outside the box and in clusters apart from the heart; steps and routing stay, as that work was done."""
    probabilities = maps.probabilities.copy()
    structures = probabilities.argmax(0) > 0
    outside = np.ones(structures.shape, dtype=bool)
    outside[place.box] = False
    _make_background(probabilities, outside)
    _make_background(probabilities, (probabilities[0] < 0.5) & ~heart_voxels(probabilities))
    cleared = int((structures & (probabilities[0] == 1)).sum())
    return replace(maps, probabilities=probabilities, cleared=cleared)


def _make_background(probabilities: np.ndarray, where: np.ndarray) -> None:
    probabilities[:, where] = 0
    probabilities[0, where] = 1


def _network_input(image: np.ndarray, neighbours: int, *, solid: bool) -> Tensor:
    """(W, C, U, V) slices with their neighbours, or the volume as it is, (1, 1, U, V, W)."""
    if solid:
        return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None, None]
    stacks = np.stack(
        [neighbouring_slices(image, index, neighbours) for index in range(image.shape[2])]
    )
    return torch.from_numpy(np.ascontiguousarray(stacks, dtype=np.float32))


def _look(predictor: "Predictor", batch: Tensor, windows: WindowConfig) -> Tensor:
    """Fields (B, F, U, V, …) of a batch (B, C, U, V, …), the mean over the views.

    Every view cuts its own windows, so that seams fall elsewhere in each.
    """
    views = VIEWS[windows.views]
    total = torch.zeros(())
    for flip, turns in views:
        seen = _stitch(predictor, view(batch, flip, turns), windows, overlap=windows.overlap)
        total = total + unview(seen, flip, turns)
    return total / len(views)


def _stitch(
    predictor: "Predictor", batch: Tensor, windows: WindowConfig, *, overlap: float
) -> Tensor:
    """Fields (B, F, U, V, …) of a batch (B, C, U, V, …), windows blended with a Gaussian."""
    filled, undo = _fill(batch, windows.size)
    stitched = sliding_window_inference(
        filled,
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


def _fill(batch: Tensor, size: Sequence[int]) -> tuple[Tensor, tuple[slice, ...]]:
    """Pad what is smaller than a window with its lowest value, on both sides, and the slices that undo it."""
    missing = [max(0, wanted - have) for wanted, have in zip(size, batch.shape[2:], strict=True)]
    before = [n // 2 for n in missing]
    undo = (
        slice(None),
        slice(None),
        *(slice(b, b + n) for b, n in zip(before, batch.shape[2:], strict=True)),
    )
    if not any(missing):
        return batch, undo
    widths = [
        width for b, n in reversed(list(zip(before, missing, strict=True))) for width in (b, n - b)
    ]
    return F.pad(batch, widths, value=float(batch.min())), undo


@dataclass(frozen=True)
class Predictor:
    """Windows (B, C, U, V, …) in, one tensor (B, F, U, V, …) out: probabilities, steps, routing, at voxel resolution.

    Attributes:
        network: in eval mode.
        depth: loop budget and exit rule.
        device: of the network.
        tally: what the windows cost so far.
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
        """Fields of a batch of windows, which need not be whole tokens wide."""

        def forward() -> SegOutput:
            return self.network(windows, loops=self.depth.loops, exits=self.depth.rule)

        with torch.autocast(self.device.type, torch.bfloat16, enabled=fast_bf16(self.device)):
            output = self.tally.run(forward, tuple(windows.shape), self.depth.rule)
        tokens = [output.steps[:, None].float()] + (
            [] if output.routing is None else [output.routing.float()]
        )
        maps = F.interpolate(
            torch.cat(tokens, 1), scale_factor=self.network.config.patch_size, mode="nearest-exact"
        )
        inside = tuple(slice(0, size) for size in windows.shape[2:])
        return torch.cat((output.logits.float().softmax(1), maps[:, :, *inside]), 1)


def view(x: Tensor, flip: bool, quarter_turns: int) -> Tensor:
    """One of the eight ways to store the slices of (B, C, U, V, …): mirrored or not, then turned."""
    return torch.rot90(x.flip(3) if flip else x, quarter_turns, (2, 3))


def unview(x: Tensor, flip: bool, quarter_turns: int) -> Tensor:
    """Undo ``view``."""
    turned = torch.rot90(x, -quarter_turns, (2, 3))
    return turned.flip(3) if flip else turned
