"""``cases.csv`` and ``patients.csv``: every score and every volume, for further analysis."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields

from cardioseg.core.csv_text import csv_text
from cardioseg.evaluation.metrics import StructureScore
from cardioseg.evaluation.patients import QUANTITIES, PatientFunction
from cardioseg.evaluation.scores import ScoredCase
from cardioseg.evaluation.statistics import rounded

Cells = Mapping[str, str | float | None]
CASE_COLUMNS = (
    "case",
    "patient",
    "phase",
    "group",
    "prediction",
    "structure",
    *(field.name for field in fields(StructureScore)),
)
PATIENT_COLUMNS = (
    "patient",
    "group",
    *(f"{quantity}_{side}" for quantity in QUANTITIES for side in ("predicted", "reference")),
    "reasons",
)


def cases_csv(cases: Iterable[ScoredCase]) -> str:
    """One row for each case and structure."""
    return _csv(CASE_COLUMNS, (row for case in cases for row in _case_rows(case)))


def patients_csv(patients: Iterable[PatientFunction]) -> str:
    """One row for each patient with ED and ES."""
    return _csv(PATIENT_COLUMNS, map(_patient_row, patients))


def _case_rows(case: ScoredCase) -> Iterator[Cells]:
    pair = case.pair
    for name, score in case.scores.items():
        yield {
            "case": pair.name,
            "patient": pair.patient,
            "phase": pair.phase,
            "group": pair.group,
            "prediction": case.state,
            "structure": name,
            **asdict(score),
        }


def _patient_row(patient: PatientFunction) -> Cells:
    predicted = {f"{name}_predicted": value for name, value in patient.predicted.items()}
    reference = {f"{name}_reference": value for name, value in patient.reference.items()}
    reasons = "; ".join(f"{quantity}: {reason}" for quantity, reason in patient.reasons.items())
    about = {"patient": patient.patient, "group": patient.group, "reasons": reasons}
    return about | predicted | reference


def _csv(columns: Sequence[str], rows: Iterable[Cells]) -> str:
    """CSV text; None is an empty cell."""
    return csv_text(columns, ({key: _cell(value) for key, value in row.items()} for row in rows))


def _cell(value: str | float | None) -> str | float | None:
    return rounded(value) if isinstance(value, float) else value
