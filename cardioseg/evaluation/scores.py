"""What an evaluation found: scored cases, the function of patients, their summary, and the tables a person reads.

Knows no files; ``evaluate`` reads and writes, ``figures`` draws.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cardioseg.clinical.volumes import LV_QUANTITIES, RV_QUANTITIES, function_from_volumes
from cardioseg.core.errors import explain_of
from cardioseg.core.labels import LabelTable
from cardioseg.core.report import Table
from cardioseg.data.pairs import Pair
from cardioseg.evaluation.metrics import StructureScore, agreement, rounded, summarise

QUANTITIES = tuple(f"lv_{name}" for name in LV_QUANTITIES) + tuple(
    f"rv_{name}" for name in RV_QUANTITIES
)
SCORES = ("dice", "hd95_mm", "assd_mm")
NAMES_SHOWN = 5
POSITION_TOLERANCE_MM = 1.0  # headers round; a mirrored or shifted grid is farther away than this


@dataclass(frozen=True)
class ScoredCase:
    """A pair and its scores.

    Attributes:
        pair: the two files.
        scores: by structure name.
        apart_mm: how far apart the two files say that they lie.
        error: why the prediction could not be used, and was scored as all background; None where it could.
    """

    pair: Pair
    scores: dict[str, StructureScore]
    apart_mm: float = 0.0
    error: Exception | None = None

    @property
    def state(self) -> str:
        """What became of the prediction: "found", "missing" or "failed"."""
        return (
            "missing"
            if self.pair.prediction is None
            else "found"
            if self.error is None
            else "failed"
        )

    @property
    def failure(self) -> str:
        """The error in one line; "" without one."""
        return (
            ""
            if self.error is None or self.pair.prediction is None
            else explain_of(self.pair.prediction, self.error)
        )

    @property
    def failure_without_folder(self) -> str:
        """The same with the file's name for its path, as results name no folders."""
        folder = (
            ""
            if self.pair.prediction is None
            else " ".join(f"{self.pair.prediction.parent}{os.sep}".split())
        )
        return self.failure.replace(folder, "")


@dataclass(frozen=True)
class PatientFunction:
    """Predicted and reference function of one patient, by quantity; None with a reason where it cannot be computed."""

    patient: str
    group: str
    predicted: dict[str, float | None]
    reference: dict[str, float | None]
    reasons: dict[str, str]


def patient_functions(cases: Iterable[ScoredCase]) -> list[PatientFunction]:
    """Function of every patient whose ED and ES are both among the references, sorted by patient."""
    phases: dict[str, dict[str, ScoredCase]] = {}
    for case in cases:
        if case.pair.phase in ("ED", "ES"):
            phases.setdefault(case.pair.patient, {})[case.pair.phase] = case
    return [
        _patient_function(found["ED"], found["ES"])
        for _, found in sorted(phases.items())
        if len(found) == 2
    ]


def summary(
    cases: Sequence[ScoredCase], patients: Sequence[PatientFunction], labels: LabelTable
) -> dict[str, Any]:
    """JSON-ready: all cases together, every group that the references name, and what is missing."""
    measured = {patient.patient for patient in patients}
    return {
        **_part(cases, patients, labels),
        "groups": _groups(cases, patients, labels),
        "missing": [case.pair.name for case in cases if case.state == "missing"],
        "failed": {
            case.pair.name: case.failure_without_folder for case in cases if case.state == "failed"
        },
        "apart": {
            case.pair.name: round(case.apart_mm, 2)
            for case in cases
            if case.apart_mm > POSITION_TOLERANCE_MM
        },
        "without_ed_and_es": sorted({case.pair.patient for case in cases} - measured),
    }


def tables(data: dict[str, Any]) -> tuple[Table, ...]:
    """Overlap and distance, agreement where it was measured, and the groups where there are any."""
    every = [_overlap_table(data)]
    if data["patients"]:
        every.append(_agreement_table(data))
    if data["groups"]:
        every.append(_group_table(data))
    return tuple(every)


def warnings(data: dict[str, Any]) -> tuple[str, ...]:
    """One line for everything that a reader of the means must know."""
    lines = []
    if data["missing"]:
        counts = f"{len(data['missing'])} of {data['volumes']}"
        lines.append(f"{counts} predictions are missing and count as empty: {few(data['missing'])}")
    if data["failed"]:
        counts = f"{len(data['failed'])} of {data['volumes']}"
        lines.append(f"{counts} predictions failed and count as empty: {few(list(data['failed']))}")
    if data["apart"]:
        counts = f"{len(data['apart'])} predictions lie up to {max(data['apart'].values()):.3g} mm from their references"
        lines.append(
            f"{counts} by their headers; voxels were compared by index: {few(list(data['apart']))}"
        )
    if data["unmatched"]:
        lines.append(
            f"{len(data['unmatched'])} predictions have no reference: {few(data['unmatched'])}"
        )
    if data["without_ed_and_es"]:
        names = few(data["without_ed_and_es"])
        lines.append(
            f"{len(data['without_ed_and_es'])} patients without a known ED and ES, so no volumes over the beat: {names}"
        )
    return tuple(lines)


def few(names: Sequence[str]) -> str:
    """The first names, and how many more."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _patient_function(ed: ScoredCase, es: ScoredCase) -> PatientFunction:
    predicted, why_not_predicted = _function(ed, es, "predicted")
    reference, why_not_reference = _function(ed, es, "reference")
    reasons = {quantity: f"prediction: {why}" for quantity, why in why_not_predicted.items()}
    for quantity, why in why_not_reference.items():
        both = why_not_predicted.get(quantity) == why
        reasons[quantity] = why if both else f"reference: {why}"
    return PatientFunction(ed.pair.patient, ed.pair.group, predicted, reference, reasons)


def _function(
    ed: ScoredCase, es: ScoredCase, side: str
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Quantities of one side ("predicted", "reference"), and why some are None."""
    ed_ml, es_ml = (
        {name: getattr(score, f"{side}_ml") for name, score in case.scores.items()}
        for case in (ed, es)
    )
    found = function_from_volumes(ed_ml, es_ml)
    values = {name.replace(".", "_"): value for name, value in found.numbers().items()}
    reasons = {name.replace(".", "_"): reason for name, reason in found.reasons.items()}
    return values, reasons


def _part(
    cases: Sequence[ScoredCase], patients: Sequence[PatientFunction], labels: LabelTable
) -> dict[str, Any]:
    structures = {
        name: _structure([case.scores[name] for case in cases]) for name in labels.structures
    }
    means = [found["dice"]["mean"] for found in structures.values() if found["dice"]["n"]]
    return {
        "volumes": len(cases),
        "patients": len(patients),
        "mean_dice": rounded(np.mean(means)) if means else None,
        "structures": structures,
        "agreement": {quantity: _agreement(quantity, patients) for quantity in QUANTITIES},
    }


def _groups(
    cases: Sequence[ScoredCase], patients: Sequence[PatientFunction], labels: LabelTable
) -> dict[str, Any]:
    parts = {}
    for group in sorted({case.pair.group for case in cases} - {""}):
        inside = [case for case in cases if case.pair.group == group]
        parts[group] = _part(
            inside, [patient for patient in patients if patient.group == group], labels
        )
    return parts


def _structure(scores: Sequence[StructureScore]) -> dict[str, Any]:
    """Over all volumes that have the structure, and the means over those where both masks have it."""
    detected = [score for score in scores if not score.missed]
    found: dict[str, Any] = {
        name: summarise(getattr(score, name) for score in scores) for name in SCORES
    }
    found["missed"] = sum(score.missed for score in scores)
    found["detected"] = {
        name: summarise(getattr(score, name) for score in detected)["mean"] for name in SCORES
    }
    return found


def _agreement(quantity: str, patients: Sequence[PatientFunction]) -> dict[str, Any]:
    result: dict[str, Any] = agreement(
        [p.predicted[quantity] for p in patients], [p.reference[quantity] for p in patients]
    )
    return result | {
        "reasons": {p.patient: p.reasons[quantity] for p in patients if quantity in p.reasons}
    }


def _overlap_table(data: dict[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = []
    for name, found in data["structures"].items():
        distances = (
            *_shown(found["hd95_mm"], 2, "mean", "median"),
            *_shown(found["assd_mm"], 2, "mean", "median"),
        )
        rows.append(
            (
                name,
                *_shown(found["dice"], 4, "mean", "sd", "median", "p5"),
                *distances,
                str(found["missed"]),
            )
        )
    rows.append(("mean", *_shown(data, 4, "mean_dice"), *("",) * 8))
    columns = (
        "structure",
        "Dice",
        "sd",
        "median",
        "5th pct",
        "HD95 mm",
        "median",
        "ASSD mm",
        "median",
        "missed",
    )
    return Table(f"Overlap and distance, {data['volumes']} volumes", columns, tuple(rows))


def _agreement_table(data: dict[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = []
    for quantity, found in data["agreement"].items():
        limits = _shown(found, 2, "bias", "sd", "lower", "upper")
        counts = (str(found["n"]), str(found["failed"]))
        rows.append(
            (title(quantity), *limits, *_shown(found, 4, "r"), *_shown(found, 2, "mae"), *counts)
        )
    columns = ("quantity", "bias", "sd", "lower limit", "upper limit", "r", "MAE", "n", "failed")
    return Table(
        f"Agreement (prediction - reference), {data['patients']} patients", columns, tuple(rows)
    )


def _group_table(data: dict[str, Any]) -> Table:
    names = tuple(data["structures"])
    rows: list[tuple[str, ...]] = []
    for group, part in data["groups"].items():
        dice = (_number(part["structures"][name]["dice"]["mean"], 4) for name in names)
        bias = (
            _number(part["agreement"][quantity]["bias"], 2)
            for quantity in ("lv_ef_percent", "rv_ef_percent")
        )
        missed = sum(part["structures"][name]["missed"] for name in names)
        rows.append(
            (group, str(part["volumes"]), *dice, *_shown(part, 4, "mean_dice"), *bias, str(missed))
        )
    columns = (
        "group",
        "volumes",
        *(f"Dice {name}" for name in names),
        "mean Dice",
        "LV EF bias",
        "RV EF bias",
        "missed",
    )
    return Table("By group", columns, tuple(rows))


def title(quantity: str) -> str:
    """``lv_ef_percent`` as a person writes it: "LV EF (%)"."""
    ventricle, name, unit = quantity.split("_")
    return f"{ventricle.upper()} {name if name == 'mass' else name.upper()} ({'%' if unit == 'percent' else unit})"


def _shown(found: dict[str, Any], decimals: int, *keys: str) -> tuple[str, ...]:
    return tuple(_number(found[key], decimals) for key in keys)


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"
