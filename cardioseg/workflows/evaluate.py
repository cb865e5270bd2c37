"""``cardioseg evaluate``: how predicted masks agree with reference masks, as CSV, JSON and pictures.

A case whose prediction is missing or cannot be used counts as all background, and a structure that only one mask has as Dice 0
(policy in ``metrics.py``). Everything is scored before anything is written; metrics.json is written last.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from cardioseg.core.atomic import write_json, write_text
from cardioseg.core.errors import EXIT_OK, EXIT_SOME_FAILED, GeometryError, InputError, OutputError
from cardioseg.core.labels import LabelTable
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.report import Report
from cardioseg.core.version import __version__
from cardioseg.core.volume import Volume
from cardioseg.data.labels import label_values
from cardioseg.data.pairs import Pair, Pairing, find_pairs
from cardioseg.data.splits import read_split
from cardioseg.evaluation.metrics import StructureScore, rounded, score_case
from cardioseg.evaluation.scores import (
    QUANTITIES,
    PatientFunction,
    ScoredCase,
    patient_functions,
    summary,
    tables,
    warnings,
)
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.open import read

SPACING_TOLERANCE_MM = 0.01
FILES = ("dice.png", "bland_altman.png", "metrics.json", "cases.csv", "patients.csv")
CASE_COLUMNS = (
    "case",
    "patient",
    "phase",
    "group",
    "prediction",
    "structure",
    *(field.name for field in fields(StructureScore)),
)
SIDES = ("predicted", "reference")
PATIENT_COLUMNS = (
    "patient",
    "group",
    *(f"{quantity}_{side}" for quantity in QUANTITIES for side in SIDES),
    "reasons",
)


@dataclass(frozen=True)
class EvaluationRequest:
    """What the person asked for.

    Attributes:
        pred: folder of predicted masks, searched at any depth; or one mask.
        ref: ACDC folder, nnU-Net data set or ``labelsTr``, or any folder of masks; or the mask that one is compared with.
        output: folder for the results.
        overwrite: replace the results in a folder that is not empty.
        split: score only the ``val`` patients of this split file.
        trust: which of two spacings in a header to believe.
    """

    pred: Path
    ref: Path
    output: Path
    overwrite: bool = False
    split: Path | None = None
    trust: Trust = "pixdim"


def evaluate(request: EvaluationRequest, *, on_progress: OnProgress = unwatched) -> Report:
    """Score predicted masks against references and write tables, figures and metrics.json.

    Raises:
        OutputError: the output folder holds something, or cannot be written.
        InputError: nothing matches, or a reference cannot be read.
        LabelError: a reference holds values without a name.
        Exception: what was wrong with the first prediction when none could be used.
    """
    _check_output(request.output, overwrite=request.overwrite)
    pairing = find_pairs(request.pred, request.ref)
    pairs = _selected(pairing, request.split)
    cases: list[ScoredCase] = []
    for pair in pairs:
        cases.append(score_pair(pair, pairing.labels, trust=request.trust))
        on_progress(Progress(len(cases), len(pairs), pair.name))
    failures = _failures(cases)
    patients = patient_functions(cases)
    facts = {"version": __version__, "labels": list(pairing.labels.names), "trust": request.trust}
    data = {
        **facts,
        "unmatched": list(pairing.unmatched),
        **summary(cases, patients, pairing.labels),
    }
    files = _write(request.output, cases, patients, data)
    code = EXIT_SOME_FAILED if failures else EXIT_OK
    return Report("evaluate", data, tables(data), (*failures, *warnings(data)), files, code)


def score_pair(pair: Pair, labels: LabelTable, *, trust: Trust = "pixdim") -> ScoredCase:
    """Scores of one case; a prediction that is missing or cannot be used is scored as all background.

    Voxels are compared by index: masks come back from other tools with other origins, so a header that puts them elsewhere
    is kept for a warning.

    Raises:
        InputError: the reference cannot be read.
        LabelError: the reference holds values without a name.
    """
    reference = _read_mask(pair.reference, labels, trust)
    prediction, error = _prediction(pair, reference, labels, trust)
    array = np.zeros_like(reference.array) if prediction is None else prediction.array
    scores = score_case(array, reference.array, spacing_mm=reference.spacing, labels=labels)
    return ScoredCase(
        pair,
        scores,
        0.0 if prediction is None else prediction.position_difference_mm(reference),
        error,
    )


def _prediction(
    pair: Pair, reference: Volume, labels: LabelTable, trust: Trust
) -> tuple[Volume | None, Exception | None]:
    """The predicted mask, or what is wrong with it; neither where there is none."""
    if pair.prediction is None:
        return None, None
    try:
        found = _read_mask(pair.prediction, labels, trust)
        _check_grid(pair, found, reference)
    except Exception as error:  # noqa: BLE001 — as in segment, no one file may cost the others their scores
        return None, error
    return found, None


def _check_grid(pair: Pair, prediction: Volume, reference: Volume) -> None:
    if not _same_grid(prediction, reference):
        expected = f"the grid of {pair.reference.name}, {_grid(reference)}"
        cure = "resample the prediction onto the reference's grid"
        raise GeometryError(
            str(pair.prediction), found=_grid(prediction), expected=expected, cure=cure
        )


def _failures(cases: Sequence[ScoredCase]) -> tuple[str, ...]:
    """One line for every prediction that could not be used; where none could, the first's error is raised."""
    errors = [case.error for case in cases if case.error is not None]
    if errors and not any(case.state == "found" for case in cases):
        raise errors[0]
    return tuple(case.failure for case in cases if case.error is not None)


def _check_output(output: Path, *, overwrite: bool) -> None:
    if output.exists() and not output.is_dir():
        raise OutputError(
            output, found="a file", expected="a folder", cure="choose another --output"
        )
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        cure = "choose another --output or pass --overwrite"
        raise OutputError(
            output, found="a folder that is not empty", expected="a new or empty one", cure=cure
        )


def _selected(pairing: Pairing, split: Path | None) -> tuple[Pair, ...]:
    if split is None:
        return pairing.pairs
    wanted = read_split(split, {pair.patient for pair in pairing.pairs}).val
    pairs = tuple(pair for pair in pairing.pairs if pair.patient in wanted)
    if not any(pair.prediction for pair in pairs):
        cure = "segment them, or leave out --split"
        raise InputError(
            split, found="no prediction of a validation patient", expected="at least one", cure=cure
        )
    return pairs


def _read_mask(path: Path, labels: LabelTable, trust: Trust) -> Volume:
    """A mask as uint8 label values."""
    volume = read(path, trust=trust)
    return volume.with_array(label_values(volume.array, labels, path=path))


def _same_grid(a: Volume, b: Volume) -> bool:
    return a.shape == b.shape and np.allclose(
        a.spacing, b.spacing, rtol=0, atol=SPACING_TOLERANCE_MM
    )


def _grid(volume: Volume) -> str:
    return f"{' × '.join(map(str, volume.shape))} voxels of {' × '.join(f'{size:.5g}' for size in volume.spacing)} mm"


def _write(
    output: Path, cases: list[ScoredCase], patients: list[PatientFunction], data: dict[str, Any]
) -> tuple[Path, ...]:
    """Everything, the summary last; an earlier run's files go first so that none is left to mislead."""
    from cardioseg.figures.evaluation import draw_bland_altman, draw_dice

    for name in FILES:
        _remove(output / name)
    write_text(
        output / "cases.csv",
        _csv(CASE_COLUMNS, [row for case in cases for row in _case_rows(case)]),
    )
    write_text(
        output / "patients.csv",
        _csv(PATIENT_COLUMNS, [_patient_row(patient) for patient in patients]),
    )
    draw_dice(output / "dice.png", cases)
    if patients:
        draw_bland_altman(output / "bland_altman.png", patients)
    write_json(output / "metrics.json", data)
    return tuple(output / name for name in FILES if (output / name).is_file())


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        expected = "a file that can be replaced"
        raise OutputError(
            path, found=str(error.strerror), expected=expected, cure="choose another --output"
        ) from None


def _case_rows(case: ScoredCase) -> list[dict[str, Any]]:
    pair = case.pair
    row = {
        "case": pair.name,
        "patient": pair.patient,
        "phase": pair.phase,
        "group": pair.group,
        "prediction": case.state,
    }
    return [row | {"structure": name} | asdict(score) for name, score in case.scores.items()]


def _patient_row(patient: PatientFunction) -> dict[str, Any]:
    values = {
        f"{quantity}_{side}": getattr(patient, side)[quantity]
        for quantity in QUANTITIES
        for side in SIDES
    }
    reasons = "; ".join(f"{quantity}: {reason}" for quantity, reason in patient.reasons.items())
    return {"patient": patient.patient, "group": patient.group, "reasons": reasons} | values


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """CSV text; None is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: rounded(value) if isinstance(value, float) else value for key, value in row.items()}
        for row in rows
    )
    return text.getvalue()
