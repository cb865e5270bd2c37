"""Function of one patient from scored cases, predicted beside reference.

A mask whose stack cannot hold a ventricle has no function. Numbers that no heart has are kept
here, unlike in a report: an evaluation shows how wrong a prediction is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cardioseg.clinical.volumes import LV_QUANTITIES, RV_QUANTITIES, function_from_volumes
from cardioseg.evaluation.scores import ScoredCase, Side

LV, RV = (f"lv_{name}" for name in LV_QUANTITIES), (f"rv_{name}" for name in RV_QUANTITIES)
QUANTITIES = (*LV, *RV)


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
    why = ed.why_none.get(side) or es.why_none.get(side)
    if why:
        return OneSide(dict.fromkeys(QUANTITIES), dict.fromkeys(QUANTITIES, why))
    values = {name.replace(".", "_"): value for name, value in found.numbers().items()}
    return OneSide(values, {name.replace(".", "_"): why for name, why in found.reasons.items()})


def _volumes_ml(case: ScoredCase, side: Side) -> dict[str, float]:
    return {
        name: score.predicted_ml if side == "predicted" else score.reference_ml
        for name, score in case.scores.items()
    }
