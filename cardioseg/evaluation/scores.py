"""Scores of one case and function of one patient, predicted beside reference.

Shape legend: X, Y in-plane, Z slices.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from cardioseg.clinical.volumes import LV_QUANTITIES, RV_QUANTITIES, function_from_volumes
from cardioseg.core.errors import GeometryError, explain_of
from cardioseg.core.labels import LabelTable
from cardioseg.core.volume import Volume
from cardioseg.data.labels import label_values
from cardioseg.data.pairs import Pair
from cardioseg.evaluation.metrics import StructureScore, score_case
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.open import read

LV, RV = (f"lv_{name}" for name in LV_QUANTITIES), (f"rv_{name}" for name in RV_QUANTITIES)
QUANTITIES = (*LV, *RV)
SPACING_TOLERANCE_MM = 0.01
State = Literal["found", "missing", "failed"]
Side = Literal["predicted", "reference"]


@dataclass(frozen=True)
class ScoredCase:
    """A pair of masks and its scores.

    Attributes:
        pair: the two files.
        scores: structure → score.
        apart_mm: largest distance between the positions that the two headers state.
        error: why the prediction was not usable and was scored as all background; or None.
    """

    pair: Pair
    scores: dict[str, StructureScore]
    apart_mm: float = 0.0
    error: Exception | None = None

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
class OneSide:
    """Function of one patient from the predicted or from the reference masks.

    Attributes:
        values: quantity → value; None if it could not be computed.
        reasons: quantity → why it is None.
    """

    values: dict[str, float | None]
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PatientFunction:
    """Function of one patient, predicted and reference.

    Attributes:
        patient: name.
        group: pathology or centre; "" if unknown.
        predicted: quantity → value; None if it could not be computed.
        reference: likewise.
        reasons: quantity → why a value is None.
    """

    patient: str
    group: str
    predicted: dict[str, float | None]
    reference: dict[str, float | None]
    reasons: dict[str, str]


def score_pair(pair: Pair, labels: LabelTable, *, trust: Trust = "pixdim") -> ScoredCase:
    """Score one case; a prediction that is missing or cannot be used is scored as all background.

    Voxels are compared by index, because other tools write masks with other origins. The distance
    between the stated positions is kept for a warning.

    Raises:
        InputError: the reference cannot be read.
        LabelError: the reference holds values without a name.
    """
    reference = _read_mask(pair.reference, labels, trust)
    prediction, error = _prediction(pair, reference, labels, trust)
    array = np.zeros_like(reference.array) if prediction is None else prediction.array
    scores = score_case(array, reference.array, spacing_mm=reference.spacing, labels=labels)
    apart_mm = 0.0 if prediction is None else prediction.position_difference_mm(reference)
    return ScoredCase(pair, scores, apart_mm, error)


def patient_functions(cases: Iterable[ScoredCase]) -> list[PatientFunction]:
    """Function of every patient with ED and ES among the references, sorted by patient."""
    phases: dict[str, dict[str, ScoredCase]] = {}
    for case in cases:
        if case.pair.phase in ("ED", "ES"):
            phases.setdefault(case.pair.patient, {})[case.pair.phase] = case
    return [
        _patient_function(found["ED"], found["ES"])
        for _, found in sorted(phases.items())
        if len(found) == 2
    ]


def _prediction(
    pair: Pair, reference: Volume, labels: LabelTable, trust: Trust
) -> tuple[Volume | None, Exception | None]:
    """The predicted mask, or the error; both None if there is no prediction."""
    if pair.prediction is None:
        return None, None
    try:
        found = _read_mask(pair.prediction, labels, trust)
        _check_grid(pair, found, reference)
    except Exception as error:  # noqa: BLE001 — one bad file must not stop the evaluation
        return None, error
    return found, None


def _read_mask(path: Path, labels: LabelTable, trust: Trust) -> Volume:
    """A mask as uint8 label values."""
    volume = read(path, trust=trust)
    return volume.with_array(label_values(volume.array, labels, path=path))


def _check_grid(pair: Pair, prediction: Volume, reference: Volume) -> None:
    spacings = prediction.spacing, reference.spacing
    if prediction.shape != reference.shape or not np.allclose(
        *spacings, rtol=0, atol=SPACING_TOLERANCE_MM
    ):
        expected = f"the grid of {pair.reference.name}, {_grid(reference)}"
        cure = "resample the prediction onto the reference's grid"
        raise GeometryError(
            str(pair.prediction), found=_grid(prediction), expected=expected, cure=cure
        )


def _grid(volume: Volume) -> str:
    voxels = " × ".join(map(str, volume.shape))
    return f"{voxels} voxels of {' × '.join(f'{size:.5g}' for size in volume.spacing)} mm"


def _patient_function(ed: ScoredCase, es: ScoredCase) -> PatientFunction:
    predicted, reference = _one_side(ed, es, "predicted"), _one_side(ed, es, "reference")
    reasons = {quantity: f"prediction: {why}" for quantity, why in predicted.reasons.items()}
    for quantity, why in reference.reasons.items():
        both = predicted.reasons.get(quantity) == why
        reasons[quantity] = why if both else f"reference: {why}"
    pair = ed.pair
    return PatientFunction(pair.patient, pair.group, predicted.values, reference.values, reasons)


def _one_side(ed: ScoredCase, es: ScoredCase, side: Side) -> OneSide:
    found = function_from_volumes(_volumes_ml(ed, side), _volumes_ml(es, side))
    values = {name.replace(".", "_"): value for name, value in found.numbers().items()}
    return OneSide(values, {name.replace(".", "_"): why for name, why in found.reasons.items()})


def _volumes_ml(case: ScoredCase, side: Side) -> dict[str, float]:
    return {
        name: score.predicted_ml if side == "predicted" else score.reference_ml
        for name, score in case.scores.items()
    }
