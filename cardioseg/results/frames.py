"""Every frame of an image through the network: maps, costs, certainty, and the frame to show.

Shape legend: X, Y in-plane, Z slices, T frames; a volume is (X, Y, Z), a cine (X, Y, Z, T).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cardioseg.clinical.beat import NOTHING_KNOWN, Beat
from cardioseg.clinical.volumes import structure_value
from cardioseg.core.config import WindowConfig
from cardioseg.core.exits import OWN_DEPTH, Depth
from cardioseg.core.labels import LabelTable
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.image import ImageFile

if TYPE_CHECKING:
    from cardioseg.bundle import Model
    from cardioseg.clinical.quality import Certainty

OnFrame = Callable[[float], None]


@dataclass(frozen=True)
class SegmentSettings:
    """How images are segmented; the same for every image of a call.

    Attributes:
        depth: loop budget and exit rule.
        windows: how slices are cut and put together.
        save: what is kept beside masks and maps: "probs", "routing", "dicom-seg", "dicom-seg-all".
        trust: which of two spacings in a header to believe.
        series: DICOM series that were asked for.
        beat: ED, ES and body, where the person gave them.
    """

    windows: WindowConfig
    depth: Depth = OWN_DEPTH
    save: tuple[str, ...] = ()
    trust: Trust = "pixdim"
    series: tuple[int, ...] = ()
    beat: Beat = NOTHING_KNOWN


class FrameResults:
    """Results of the frames so far, and the prediction of the frame with most LV blood."""

    KINDS = ("mask", "halting", "experts")

    def __init__(self, labels: LabelTable) -> None:
        self.labels = labels
        self.maps: dict[str, list[np.ndarray]] = {kind: [] for kind in self.KINDS}
        self.floats: dict[str, list[np.ndarray]] = {"probs": [], "routing": []}
        self.steps: list[float] = []
        self.shares: list[tuple[float, ...]] = []
        self.certainty: list[Certainty] = []
        self.flops: dict[str, int] = {}
        self.removed: dict[str, int] = {}
        self.shown: tuple[Volume, Prediction] | None = None
        self.largest = -1
        self.seconds = 0.0

    def add(self, volume: Volume, prediction: Prediction, removed: Mapping[str, int]) -> None:
        """Take in a frame."""
        found = (prediction.mask, prediction.halting, prediction.experts)
        for kind, of_frame in zip(self.KINDS, found, strict=True):
            if of_frame is not None:
                self.maps[kind].append(of_frame.array)
        floats = (prediction.probabilities, prediction.routing)
        for kind, array in zip(self.floats, floats, strict=True):
            if array is not None:
                self.floats[kind].append(array)
        self.steps.append(prediction.mean_steps)
        self.shares.append(prediction.expert_shares)
        self.certainty.append(prediction.certainty)
        _add(self.flops, prediction.flops)
        _add(self.removed, removed)
        self._show(volume, prediction)

    def _show(self, volume: Volume, prediction: Prediction) -> None:
        cavity, mask = structure_value("LV", self.labels), prediction.mask.array
        size = int((mask > 0 if cavity is None else mask == cavity).sum())
        if size > self.largest:
            self.largest, self.shown = size, (volume, prediction)

    def stacked(self, kind: str) -> np.ndarray | None:
        """(X, Y, Z) of a volume, (X, Y, Z, T) of a cine; None if the network makes no such map."""
        frames = self.maps[kind]
        if not frames:
            return None
        return frames[0] if len(frames) == 1 else np.stack(frames, axis=-1)


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        total[name] = total.get(name, 0) + count


def predict_frames(
    image: ImageFile, model: "Model", settings: SegmentSettings, on_frame: OnFrame | None = None
) -> FrameResults:
    """Segment every frame; ``on_frame`` is told which share of them is done.

    Raises:
        InputError: the voxels cannot be read, or there is nothing to see in them.
        ModelError: what came out is not a number.
    """
    from cardioseg.inference import native

    started = time.perf_counter()
    frames = FrameResults(model.labels)
    for index in range(image.frames):
        volume = image.frame(index)
        found = native.predict_volume(
            model,
            volume,
            depth=settings.depth,
            windows=settings.windows,
            keep=settings.save,
            name=f"{image.path} (frame {index + 1})" if image.frames > 1 else str(image.path),
        )
        frames.add(volume, found.prediction, found.removed_voxels)
        if on_frame is not None:
            on_frame((index + 1) / image.frames)
    frames.seconds = time.perf_counter() - started
    return frames
