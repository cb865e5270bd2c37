"""``cardioseg.evaluate`` and ``cardioseg evaluate``: predicted masks against reference masks.

A prediction that is missing or cannot be used counts as all background. A structure that only one
of the two masks shows has Dice 0 (``evaluation/metrics.py``). Everything is scored before anything
is written; metrics.json is written last.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cardioseg.core.atomic import write_text
from cardioseg.core.errors import EXIT_OK, EXIT_SOME_FAILED, InputError, OutputError
from cardioseg.core.paths import as_path
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.report import Report
from cardioseg.data.labels import parse_labels
from cardioseg.data.pairs import Pair, Pairing, find_pairs
from cardioseg.data.splits import read_split
from cardioseg.evaluation.csv_tables import cases_csv, patients_csv
from cardioseg.evaluation.scores import (
    PatientFunction,
    ScoredCase,
    patient_functions,
    score_pair,
)
from cardioseg.evaluation.summary import Evaluation, evaluation
from cardioseg.evaluation.tables import tables, warnings
from cardioseg.imaging.geometry import Trust

NOT_MASKS = "pass the path of a mask, or of a folder of masks"
FILES = ("dice.png", "bland_altman.png", "metrics.json", "cases.csv", "patients.csv")


@dataclass(frozen=True)
class EvaluationRequest:
    """What the person asked for.

    Attributes:
        pred: folder of predicted masks, searched with its subfolders; or one mask.
        ref: ACDC folder, nnU-Net data set or ``labelsTr``, or any folder of masks; or one mask.
        output: folder for the results; None writes none.
        overwrite: replace the results in a folder that is not empty.
        split: score only the ``val`` patients of this split file.
        trust: which spacing to use where a header states two.
        labels: ``NAME=VALUE,…``; None looks beside the reference.
    """

    pred: Path
    ref: Path
    output: Path | None
    overwrite: bool = False
    split: Path | None = None
    trust: Trust = "pixdim"
    labels: str | None = None


@dataclass(frozen=True)
class Evaluated:
    """Scored masks.

    Attributes:
        summary: over all cases.
        failures: one line for every prediction that could not be used.
        files: files written.
    """

    summary: Evaluation
    failures: tuple[str, ...]
    files: tuple[Path, ...]


def evaluate(
    pred: str | Path,
    ref: str | Path,
    *,
    output: str | Path | None = None,
    split: str | Path | None = None,
    labels: str | None = None,
    trust: Trust = "pixdim",
) -> Evaluation:
    """Dice, HD95, ASSD, and agreement of volumes, EF and mass, of predicted with reference masks.

    Args:
        pred: folder of predicted masks, searched with its subfolders; or one mask.
        ref: ACDC folder, nnU-Net data set, or folder of masks with the same names; or one mask.
        output: new folder for CSV, JSON and figures; None writes no files.
        split: JSON file; only its "val" patients are scored.
        labels: what the values mean, such as "LV=1,MYO=2,RV=3"; None looks beside the reference.
        trust: which spacing to use where a NIfTI header states two.

    Returns:
        Scores over all cases and of every group. A prediction that is missing or cannot be used
        counts as empty and is named in ``missing`` or ``failed``.

    Raises:
        InputError: no names match, a reference cannot be read, or no prediction can be used.
        LabelError: a reference holds values without a name.
        OutputError: the output folder is not empty, or cannot be written.
        UsageError: an argument is no path.

    Examples:
        >>> import cardioseg
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from cardioseg.phantom.config import PhantomConfig
        >>> from cardioseg.phantom.draw import draw
        >>> from cardioseg.phantom.files import write_truth
        >>> with TemporaryDirectory() as folder:
        ...     mask = Path(folder) / "heart.nii.gz"
        ...     write_truth(mask, draw(PhantomConfig(frames=1)))
        ...     found = cardioseg.evaluate(mask, mask)
        >>> found.mean_dice, found.structures["LV"].hd95_mm.mean
        (1.0, 0.0)
    """
    to = None if output is None else as_path(output, "output")
    part = None if split is None else as_path(split, "split")
    masks = (as_path(pred, "pred", cure=NOT_MASKS), as_path(ref, "ref", cure=NOT_MASKS))
    request = EvaluationRequest(*masks, to, split=part, trust=trust, labels=labels)
    return _evaluated(request, unwatched).summary


def evaluate_masks(request: EvaluationRequest, *, on_progress: OnProgress = unwatched) -> Report:
    """Score predicted masks, write tables, figures and metrics.json, and report.

    Raises:
        Exception: as ``evaluate``.
    """
    found = _evaluated(request, on_progress)
    code = EXIT_SOME_FAILED if found.failures else EXIT_OK
    lines = (*found.failures, *warnings(found.summary))
    return Report("evaluate", found.summary, tables(found.summary), lines, found.files, code)


def _evaluated(request: EvaluationRequest, on_progress: OnProgress) -> Evaluated:
    _check_output(request.output, overwrite=request.overwrite)
    pairing = find_pairs(request.pred, request.ref)
    if request.labels is not None:
        pairing = replace(pairing, labels=parse_labels(request.labels))
    pairs = _selected(pairing, request.split)
    cases: list[ScoredCase] = []
    for pair in pairs:
        cases.append(score_pair(pair, pairing.labels, trust=request.trust))
        on_progress(Progress(len(cases), len(pairs), pair.name))
    failures = _failures(cases)
    patients = patient_functions(cases)
    unmatched = pairing.unmatched
    found = evaluation(cases, patients, pairing.labels, trust=request.trust, unmatched=unmatched)
    files = () if request.output is None else _write(request.output, cases, patients, found)
    return Evaluated(found, failures, files)


def _failures(cases: Sequence[ScoredCase]) -> tuple[str, ...]:
    """One line for every prediction that could not be used.

    Raises:
        Exception: the error of the first prediction, if none could be used.
    """
    errors = [case.error for case in cases if case.error is not None]
    if errors and not any(case.state == "found" for case in cases):
        raise errors[0]
    return tuple(case.failure for case in cases if case.error is not None)


def _check_output(output: Path | None, *, overwrite: bool) -> None:
    if output is None:
        return
    if output.exists() and not output.is_dir():
        cure = "choose another --output"
        raise OutputError(output, found="a file", expected="a folder", cure=cure)
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        found = "a folder that is not empty"
        cure = "choose another --output or pass --overwrite"
        raise OutputError(output, found=found, expected="a new or empty one", cure=cure)


def _selected(pairing: Pairing, split: Path | None) -> tuple[Pair, ...]:
    """All pairs, or those of the validation patients of a split."""
    if split is None:
        return pairing.pairs
    wanted = read_split(split, {pair.patient for pair in pairing.pairs}).val
    pairs = tuple(pair for pair in pairing.pairs if pair.patient in wanted)
    if not any(pair.prediction for pair in pairs):
        found = "no prediction of a validation patient"
        cure = "segment them, or leave out --split"
        raise InputError(split, found=found, expected="at least one", cure=cure)
    return pairs


def _write(
    output: Path, cases: list[ScoredCase], patients: list[PatientFunction], found: Evaluation
) -> tuple[Path, ...]:
    """Write every file, metrics.json last; files of an earlier run are removed first."""
    from cardioseg.figures.evaluation import draw_bland_altman, draw_dice

    for name in FILES:
        _remove(output / name)
    write_text(output / "cases.csv", cases_csv(cases))
    write_text(output / "patients.csv", patients_csv(patients))
    draw_dice(output / "dice.png", cases)
    if patients:
        draw_bland_altman(output / "bland_altman.png", patients)
    found.write(output / "metrics.json")
    return tuple(output / name for name in FILES if (output / name).is_file())


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        found, expected = str(error.strerror), "a file that can be replaced"
        cure = "choose another --output"
        raise OutputError(path, found=found, expected=expected, cure=cure) from None
