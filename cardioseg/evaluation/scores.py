"""Scores of one case: a predicted mask beside its reference.

A cine is scored frame by frame. Frames in which the reference shows no label are not annotated and
are left out. Shape legend: X, Y in-plane, Z slices.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from cardioseg.clinical.phases import find_phases
from cardioseg.clinical.plausible import why_no_ventricle
from cardioseg.clinical.volumes import structure_value, volume_ml
from cardioseg.core.errors import GeometryError, InputError, explain_of
from cardioseg.core.labels import IGNORED, LabelTable
from cardioseg.core.volume import Volume
from cardioseg.data.labels import check_header_names
from cardioseg.data.pairs import Pair
from cardioseg.data.stated import values_by_name
from cardioseg.evaluation.grids import Placed, place, same_grid
from cardioseg.evaluation.metrics import StructureScore, score_case
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.open import open_image

State = Literal["found", "missing", "failed"]
Side = Literal["predicted", "reference"]


@dataclass(frozen=True)
class ScoredCase:
    """A pair of masks and its scores.

    Attributes:
        pair: the two files.
        scores: structure → score.
        apart_mm: largest distance between the positions that the two headers state, where voxels
            were compared by index.
        reordered: whether axes of the prediction were exchanged or reversed.
        why_none: side → why its mask cannot hold a ventricle; only sides that cannot.
        error: why the prediction was not usable and was scored as all background; or None.
    """

    pair: Pair
    scores: dict[str, StructureScore]
    apart_mm: float = 0.0
    error: Exception | None = None
    reordered: bool = False
    why_none: Mapping[Side, str] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """Whether there was a usable prediction."""
        if self.pair.prediction is None:
            return "missing"
        return "found" if self.error is None else "failed"

    @property
    def failure(self) -> str:
        """The error in one line; "" without one."""
        if self.error is None or self.pair.prediction is None:
            return ""
        return explain_of(self.pair.prediction, self.error)

    @property
    def failure_without_folder(self) -> str:
        """``failure`` with the file's name instead of its path, because results name no folders."""
        if self.pair.prediction is None:
            return ""
        folder = " ".join(f"{self.pair.prediction.parent}{os.sep}".split())
        return self.failure.replace(folder, "")


@dataclass(frozen=True)
class Reading:
    """How masks are read and compared.

    Attributes:
        labels: names of the values.
        trust: which spacing to use where a header states two.
        by_index: voxels correspond by index, whatever positions the headers state.
        asked: whether somebody stated ``labels``, which no header may then contradict.
    """

    labels: LabelTable
    trust: Trust = "pixdim"
    by_index: bool = False
    asked: bool = False


def score_pair(pair: Pair, reading: Reading) -> list[ScoredCase]:
    """Score one case, or each annotated frame of a cine.

    A prediction that is missing or cannot be used is scored as all background.

    Raises:
        InputError: the reference cannot be read, or no frame of it is annotated.
        LabelError: the reference holds values without a name.
    """
    reference = open_image(pair.reference, trust=reading.trust)
    masks = {t: _labelled(reference, t, reading) for t in range(reference.frames)}
    if reference.frames > 1:
        masks = {t: mask for t, mask in masks.items() if (mask.array % IGNORED).any()}
    if not masks:
        found, expected = f"no label in {reference.frames} frames", "at least one annotated frame"
        raise InputError(pair.reference, found=found, expected=expected, cure="check the reference")
    prediction, error = _opened(pair, reference, reading)
    pairs = _frame_pairs(pair, masks, reading.labels) if reference.frames > 1 else {0: pair}
    return [_scored(pairs[t], masks[t], _at(prediction, t), reading, error) for t in masks]


def _at(image: ImageFile | None, frame: int) -> tuple[ImageFile, int] | None:
    return None if image is None else (image, frame)


def _frame_pairs(pair: Pair, masks: dict[int, Volume], labels: LabelTable) -> dict[int, Pair]:
    """Frame → its pair; ED and ES are those of the reference's LV."""
    frames = list(masks)
    phases = dict(zip(_phases(list(masks.values()), labels), ("ED", "ES"), strict=False))
    return {
        t: replace(pair, name=f"{pair.name}_frame{t + 1:02d}", phase=phases.get(index, ""))
        for index, t in enumerate(frames)
    }


def _phases(masks: Sequence[Volume], labels: LabelTable) -> tuple[int, ...]:
    """Positions of ED and ES among the masks; () if the LV shows none."""
    value = structure_value("LV", labels)
    if value is None:
        return ()
    found = find_phases([volume_ml(mask.array, value, mask.spacing) for mask in masks])
    return () if found.ed is None or found.es is None else (found.ed, found.es)


def _scored(
    pair: Pair,
    reference: Volume,
    prediction: tuple[ImageFile, int] | None,
    reading: Reading,
    error: Exception | None,
) -> ScoredCase:
    """One volume, scored."""
    found = None
    if prediction is not None and error is None:
        found, error = _prediction(pair, reference, prediction, reading)
    mask = np.zeros_like(reference.array) if found is None else found.mask.array
    mask = np.where(reference.array == IGNORED, reference.array, mask)
    scores = score_case(mask, reference.array, spacing_mm=reference.spacing, labels=reading.labels)
    why_none = _why_none(reference, found, reading.labels)
    if found is None:
        return ScoredCase(pair, scores, error=error, why_none=why_none)
    return ScoredCase(pair, scores, found.apart_mm, None, found.reordered, why_none)


def _why_none(reference: Volume, found: "_Found | None", labels: LabelTable) -> dict[Side, str]:
    """Sides whose stack cannot hold a ventricle; one that shows nothing has no LV to judge."""
    masks: dict[Side, Volume] = {"reference": reference}
    if found is not None:
        masks["predicted"] = found.mask
    return {side: why for side, mask in masks.items() if (why := why_no_ventricle(mask, labels))}


@dataclass(frozen=True)
class _Found:
    """A usable prediction on the reference's grid."""

    mask: Volume
    reordered: bool
    apart_mm: float


def _opened(
    pair: Pair, reference: ImageFile, reading: Reading
) -> tuple[ImageFile | None, Exception | None]:
    """The predicted image, or the error; both None if there is no prediction."""
    if pair.prediction is None:
        return None, None
    try:
        found = open_image(pair.prediction, trust=reading.trust)
        _check_frames(pair, found.frames, reference.frames)
    except Exception as error:  # noqa: BLE001 — one bad file must not stop the evaluation
        return None, error
    return found, None


def _check_frames(pair: Pair, found: int, expected: int) -> None:
    if found != expected:
        raise InputError(
            str(pair.prediction),
            found=f"{found} frame{'s' * (found > 1)}",
            expected=f"{expected}, as in {pair.reference.name}",
            cure="pass the mask of the same frames",
        )


def _prediction(
    pair: Pair, reference: Volume, prediction: tuple[ImageFile, int], reading: Reading
) -> tuple[_Found | None, Exception | None]:
    """The predicted mask of one frame, or the error."""
    try:
        mask = _labelled(*prediction, reading)
        placed = _placed(pair, mask, reference, by_index=reading.by_index)
    except Exception as error:  # noqa: BLE001 — one bad file must not stop the evaluation
        return None, error
    found = reference.with_array(placed.array)
    return _Found(found, placed.reordered, placed.apart_mm), None


def _placed(pair: Pair, mask: Volume, reference: Volume, *, by_index: bool) -> Placed:
    """The prediction on the reference's voxels.

    Raises:
        GeometryError: the two cannot be compared.
    """
    placed = place(mask, reference, by_index=by_index)
    if placed is None:
        raise _not_comparable(pair, mask, reference)
    return placed


def _labelled(image: ImageFile, frame: int, reading: Reading) -> Volume:
    """A frame as uint8 label values."""
    if reading.asked:
        check_header_names(image.path, reading.labels)
    volume = image.frame(frame)
    array = values_by_name(volume.array, reading.labels, path=image.path)
    return volume.with_array(array)


def _not_comparable(pair: Pair, prediction: Volume, reference: Volume) -> GeometryError:
    expected = f"the grid of {pair.reference.name}, {_grid(reference)}"
    found, cure = _grid(prediction), "resample the prediction onto the reference's grid"
    if same_grid(prediction, reference):
        apart = prediction.position_difference_mm(reference)
        found = f"voxels up to {apart:.3g} mm from those of the reference"
        expected = f"the positions of {pair.reference.name}"
        cure += ", or pass --by-index if voxels correspond by index"
    return GeometryError(str(pair.prediction), found=found, expected=expected, cure=cure)


def _grid(volume: Volume) -> str:
    voxels = " × ".join(map(str, volume.shape))
    return f"{voxels} voxels of {' × '.join(f'{size:.5g}' for size in volume.spacing)} mm"
