"""``cardioseg.evaluate`` and ``cardioseg evaluate``: predicted masks against reference masks.

A prediction that is missing or cannot be used counts as all background. A structure that only one
of the two masks shows has Dice 0 (``evaluation/metrics.py``). Everything is scored before anything
is written; metrics.json is written last.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cardioseg.core.errors import EXIT_OK, EXIT_SOME_FAILED, InputError, OutputError
from cardioseg.core.paths import as_path
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.report import Report
from cardioseg.data.labels import parse_labels
from cardioseg.data.pairs import Pair, Pairing, find_pairs
from cardioseg.data.splits import read_split
from cardioseg.evaluation.patients import patient_functions
from cardioseg.evaluation.scores import Reading, ScoredCase, score_pair
from cardioseg.evaluation.summary import Evaluation, evaluation
from cardioseg.evaluation.tables import tables, warnings
from cardioseg.imaging.geometry import Trust
from cardioseg.workflows.evaluate_files import Results, is_occupied, occupied, write_results

NOT_MASKS = "pass the path of a mask, or of a folder of masks"


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
        only_predicted: leave out cases without a prediction, instead of counting them as empty.
        by_index: compare voxels by index, whatever positions the headers state.
    """

    pred: Path
    ref: Path
    output: Path | None
    overwrite: bool = False
    split: Path | None = None
    trust: Trust = "pixdim"
    labels: str | None = None
    only_predicted: bool = False
    by_index: bool = False


@dataclass(frozen=True)
class Chosen:
    """The pairs to score.

    Attributes:
        pairs: to score.
        left_out: cases without a prediction that are not scored.
        notes: parts of the split that the reference does not hold.
    """

    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluated:
    """Scored masks.

    Attributes:
        summary: over all cases.
        failures: one line for every prediction that could not be used.
        notes: parts of the split that the reference does not hold.
        files: files written.
    """

    summary: Evaluation
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    files: tuple[Path, ...]


def evaluate(  # noqa: PLR0913 — these are the options of the verb
    pred: str | Path,
    ref: str | Path,
    *,
    output: str | Path | None = None,
    split: str | Path | None = None,
    labels: str | None = None,
    trust: Trust = "pixdim",
    only_predicted: bool = False,
    by_index: bool = False,
) -> Evaluation:
    """Dice, HD95, ASSD, and agreement of volumes, EF and mass, of predicted with reference masks.

    Args:
        pred: folder of predicted masks, searched with its subfolders; or one mask.
        ref: ACDC folder, nnU-Net data set, or folder of masks with the same names; or one mask.
        output: new folder for CSV, JSON and figures; None writes no files.
        split: JSON file; only its "val" patients are scored.
        labels: what the values mean, such as "LV=1,MYO=2,RV=3"; None looks beside the reference.
        trust: which spacing to use where a NIfTI header states two.
        only_predicted: leave out cases without a prediction, instead of counting them as empty.
        by_index: compare voxels by index, whatever positions the headers state.

    Returns:
        Scores over all cases and of every group. A prediction that is missing or cannot be used
        counts as empty and is named in ``missing`` or ``failed``.

    Raises:
        InputError: no names match, a reference cannot be read, or no prediction can be used.
        LabelError: a reference holds values without a name.
        OutputError: the output folder holds other results, or cannot be written.
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
    request = EvaluationRequest(
        *masks,
        to,
        split=part,
        trust=trust,
        labels=labels,
        only_predicted=only_predicted,
        by_index=by_index,
    )
    return _evaluated(request, unwatched).summary


def evaluate_masks(request: EvaluationRequest, *, on_progress: OnProgress = unwatched) -> Report:
    """Score predicted masks, write tables, figures and metrics.json, and report.

    Raises:
        Exception: as ``evaluate``.
    """
    found = _evaluated(request, on_progress)
    code = EXIT_SOME_FAILED if found.failures else EXIT_OK
    lines = (*found.failures, *found.notes, *warnings(found.summary))
    return Report("evaluate", found.summary, tables(found.summary), lines, found.files, code)


def _evaluated(request: EvaluationRequest, on_progress: OnProgress) -> Evaluated:
    _check_output(request.output, overwrite=request.overwrite)
    pairing = find_pairs(request.pred, request.ref)
    if request.labels is not None:
        pairing = replace(pairing, labels=parse_labels(request.labels))
    chosen = _chosen(pairing, request)
    asked = request.labels is not None
    reading = Reading(pairing.labels, request.trust, request.by_index, asked)
    cases: list[ScoredCase] = []
    for done, pair in enumerate(chosen.pairs, 1):
        cases += score_pair(pair, reading)
        on_progress(Progress(done, len(chosen.pairs), pair.name))
    failures = _failures(cases)
    patients = patient_functions(cases)
    found = evaluation(
        cases,
        patients,
        pairing.labels,
        trust=request.trust,
        unmatched=pairing.unmatched,
        left_out=chosen.left_out,
    )
    files: tuple[Path, ...] = ()
    if request.output is not None:
        results = Results(cases, patients, found)
        files = write_results(request.output, results, overwrite=request.overwrite)
    return Evaluated(found, failures, chosen.notes, files)


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
    """Refuse before scoring what cannot become the folder of the results."""
    if output is None:
        return
    if output.exists() and not output.is_dir():
        cure = "choose another --output"
        raise OutputError(output, found="a file", expected="a folder", cure=cure)
    if not overwrite and is_occupied(output):
        raise occupied(output)


def _chosen(pairing: Pairing, request: EvaluationRequest) -> Chosen:
    """All pairs, or those of the validation patients of a split; predicted ones if asked."""
    pairs = pairing.pairs
    notes: tuple[str, ...] = ()
    if request.split is not None:
        pairs, notes = _of_split(pairs, request.split)
    if not request.only_predicted:
        return Chosen(pairs, (), notes)
    left_out = tuple(pair.name for pair in pairs if pair.prediction is None)
    return Chosen(tuple(pair for pair in pairs if pair.prediction), left_out, notes)


def _of_split(pairs: tuple[Pair, ...], path: Path) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """Pairs of the validation patients, and notes on parts that the reference does not hold."""
    split = read_split(path, {pair.patient for pair in pairs}, training=False)
    kept = tuple(pair for pair in pairs if pair.patient in split.val)
    if not any(pair.prediction for pair in kept):
        found = "no prediction of a validation patient"
        cure = "segment them, or leave out --split"
        raise InputError(path, found=found, expected="at least one", cure=cure)
    notes = []
    if not split.train:
        notes.append(f"{path.name}: the reference holds no training patient")
    if split.absent_val:
        absent = f"{len(split.absent_val)} validation patients"
        notes.append(f"{path.name}: the reference does not hold {absent}")
    return kept, tuple(notes)
