"""``cardioseg segment``: a loop of ``segment_opened`` and ``save`` over images, then the tables of the folder."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cardioseg.clinical.beat import NOTHING_KNOWN, Beat
from cardioseg.core.errors import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    InputError,
    OutputError,
    UsageError,
    exit_code,
    explain_of,
)
from cardioseg.core.exits import OWN, Depth, ExitRule
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.report import Report, Table
from cardioseg.data.inputs import find_images
from cardioseg.data.patients import check_one_patient
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.open import check_whole, open_image
from cardioseg.pages.index import write_index
from cardioseg.pages.patient import write_patient_reports
from cardioseg.results.dicom_seg import SEGMENTATIONS, check_seg_input, check_seg_library
from cardioseg.results.folder import (
    INDEX,
    PREVIEW,
    STUDY_TABLE,
    finished,
    finished_cases,
    record_of,
    refuse_foreign,
    refuse_foreign_tables,
)
from cardioseg.results.frames import SegmentSettings
from cardioseg.results.hearts import Hearts, make_hearts
from cardioseg.results.quality import case_warnings, heart_warnings, quality_exit
from cardioseg.results.recording import recipe_of
from cardioseg.results.records import ClinicalRecord, RunRecord
from cardioseg.results.source import remember_source
from cardioseg.results.study_table import is_study_table, write_study_table
from cardioseg.results.summary import function_table
from cardioseg.workflows.segmentation import checked_depth, segment_opened, window_settings

if TYPE_CHECKING:
    from cardioseg.bundle import Model

SAVES = ("probs", "routing", *SEGMENTATIONS)
COLUMNS = ("case", "", "frames", "mean loops used", "seconds", "quality")


@dataclass(frozen=True)
class SegmentRequest:
    """What the person asked for.

    Attributes:
        inputs: files, folders, text lists.
        output: folder for the results.
        model: name of a shipped model, or a model folder.
        loops: loop budget; None takes the model's own.
        exits: when tokens leave the loops.
        window: voxels of a window on the model's working grid; None takes the model's own.
        overlap: share of a window covered twice; None takes the model's own.
        views: "none", "flips" or "all"; None takes the model's own.
        device: "auto", "cpu" or "cuda".
        save: what to write as well, of "probs", "routing", "dicom-seg" (ED and ES) and "dicom-seg-all".
        trust: which of two spacings in a header to believe.
        series: numbers of the DICOM series to use; () lets the geometry decide.
        beat: ED and ES as frame numbers, height, weight and heart rate, where the person gave them.
        overwrite: redo what is there.
        strict: a failed quality check fails the call.
    """

    inputs: tuple[Path, ...]
    output: Path
    model: str = "rdvit-2d"
    loops: int | None = None
    exits: ExitRule = OWN
    window: tuple[int, ...] | None = None
    overlap: float | None = None
    views: str | None = None
    device: str = "auto"
    save: tuple[str, ...] = ()
    trust: Trust = "pixdim"
    series: tuple[int, ...] = ()
    beat: Beat = NOTHING_KNOWN
    overwrite: bool = False
    strict: bool = False


@dataclass(frozen=True)
class CaseResult:
    """How one case ended.

    Attributes:
        name: case name.
        state: "done", "kept" (it was there already, from the same image and settings) or "failed".
        record: the run record, if there is one.
        error: message of the failure.
        exit_code: of the failure.
    """

    name: str
    state: str
    record: RunRecord | None = None
    error: str = ""
    exit_code: int = EXIT_OK


def segment_images(request: SegmentRequest, *, on_progress: OnProgress = unwatched) -> Report:
    """Segment every image; one that fails is named, and the others are done.

    Raises:
        UsageError, InputError: nothing to do, or the call contradicts itself.
        ModelError: the model cannot be used.
        Exception: what was wrong with an image that is the only one.
    """
    from cardioseg.bundle import load_model

    images = find_images(request.inputs)
    _check(request, images)
    model = load_model(request.model, device=request.device)
    settings = settings_for(request, model)
    try:
        results = list(_each(images, request, model, settings, on_progress))
    finally:  # whatever ended the call: the folder's tables describe the cases that are in it
        folder = update_folder(request.output, overwrite=request.overwrite)
    return _report(results, folder, request, model)


def settings_for(request: SegmentRequest, model: "Model") -> SegmentSettings:
    """The request's settings, with the model's own where the person gave none.

    Raises:
        UsageError: the model cannot do what was asked for.
    """
    asked = {"size": request.window, "overlap": request.overlap, "views": request.views}
    return SegmentSettings(
        windows=window_settings(model, asked),
        depth=checked_depth(model, Depth(request.loops, request.exits)),
        save=request.save,
        trust=request.trust,
        series=request.series,
        beat=request.beat,
    )


def _check(request: SegmentRequest, images: dict[str, Path]) -> None:
    unknown = set(request.save) - set(SAVES)
    if unknown:
        expected = f"one of {', '.join(SAVES)}"
        raise UsageError("--save", found=min(unknown), expected=expected, cure="correct the name")
    check_seg_library(request.save)
    check_one_patient(request.beat, images)
    _check_output(request.output)
    if not request.overwrite:
        refuse_foreign_tables(request.output)


def _check_output(output: Path) -> None:
    """Check that the output can be a folder, before the first image is segmented."""
    cure = "choose another --output"
    try:
        above = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
    except OSError as error:
        found = str(error.strerror)
        raise OutputError(output, found=found, expected="a folder's name", cure=cure) from None
    if not above.is_dir():
        found = "a file" if above == output else f"a file above it ({above.name})"
        raise OutputError(output, found=found, expected="a folder", cure=cure)


def _each(
    images: dict[str, Path],
    request: SegmentRequest,
    model: "Model",
    settings: SegmentSettings,
    on_progress: OnProgress,
) -> Iterator[CaseResult]:
    """One result for each image, in order; the failure of an only image is raised."""
    for index, (name, path) in enumerate(images.items()):

        def tell(share: float, index: int = index, name: str = name) -> None:
            on_progress(Progress(index + share, len(images), name))

        tell(0.0)
        try:
            yield _one(name, path, request, model, settings, tell)
        except Exception as error:
            if len(images) == 1:
                raise
            message, code = explain_of(path, error), exit_code(error)
            yield CaseResult(name, "failed", error=message, exit_code=code)
        tell(1.0)


def _one(
    name: str,
    path: Path,
    request: SegmentRequest,
    model: "Model",
    settings: SegmentSettings,
    tell: Callable[[float], None],
) -> CaseResult:
    started = time.perf_counter()
    image = open_image(path, trust=settings.trust, series=settings.series)
    check_seg_input(settings.save, image)
    for file in image.files:
        check_whole(file)
    if not request.overwrite:
        kept = _kept(request.output, name)
        if kept is not None:
            _check_same(kept, recipe_of(image, model, settings), request.output)
            remember_source(request.output, name, image)
            return CaseResult(name, "kept", kept)
        refuse_foreign(request.output, name)
    found = segment_opened(name, image, model, settings, on_frame=tell)
    record = found.save(request.output, overwrite=True, started=started)
    return CaseResult(name, "done", record)


def _kept(output: Path, name: str) -> RunRecord | None:
    """The record of a case that is finished already.

    Raises:
        OutputError: its record cannot be read by this version.
    """
    try:
        return finished(output, name)
    except InputError as error:
        cure = "pass --overwrite, or choose another --output"
        path = record_of(output, name)
        raise OutputError(path, found=error.found, expected=error.expected, cure=cure) from None


def _check_same(record: RunRecord, recipe: object, output: Path) -> None:
    if record.recipe != recipe:
        path = record_of(output, record.case)
        found = "results made from another image, model or settings"
        cure = "pass --overwrite, or choose another --output"
        raise OutputError(path, found=found, expected="none", cure=cure)


@dataclass(frozen=True)
class FolderSummary:
    """What lies in an output folder at the end of a call.

    Attributes:
        hearts: every cine and every pair of ED and ES.
        warnings: what was not written, and why.
    """

    hearts: tuple[ClinicalRecord, ...]
    warnings: tuple[str, ...]


def update_folder(output: Path, *, overwrite: bool = False) -> FolderSummary:
    """Make the records of pairs, their reports, ``study.csv`` and ``index.html`` from the finished cases of a folder.

    Raises:
        OutputError: the folder cannot be written.
    """
    records, unreadable = finished_cases(output)
    hearts = make_hearts(output, records, overwrite=overwrite)
    warnings = [*unreadable, *hearts.warnings]
    warnings += write_patient_reports(output, hearts.pairs, records, overwrite=overwrite)
    warnings += _write_table(output, hearts, records, overwrite=overwrite)
    write_index(output, hearts, records)
    return FolderSummary(tuple(hearts.all), tuple(warnings))


def _write_table(
    output: Path, hearts: Hearts, records: dict[str, RunRecord], *, overwrite: bool
) -> list[str]:
    path = output / STUDY_TABLE
    if path.exists() and not is_study_table(path) and not overwrite:
        return [f"{path.name} was not written by cardioseg and was left; --overwrite replaces it"]
    write_study_table(path, hearts, records)
    return []


def _report(
    results: list[CaseResult], folder: FolderSummary, request: SegmentRequest, model: "Model"
) -> Report:
    failed = [result for result in results if result.state == "failed"]
    names = {result.name for result in results}
    hearts = [h for h in folder.hearts if {h.case, *h.cases.values()} & names]
    loops = model.loops if request.loops is None else request.loops
    rows = tuple((r.name, r.state, *_cells(r.record)) for r in results)
    table = Table(f"{model.name}, {loops} loops", COLUMNS, rows)
    data = {
        "output": str(request.output),
        "model": model.name,
        "cases": [_case_data(result) for result in results],
        "hearts": [heart.model_dump(mode="json") for heart in hearts],
    }
    made = [result.name for result in results if result.state != "failed"]
    # The index links to every case; of one case the picture says most.
    first = request.output / (INDEX if len(made) > 1 else f"{made[0]}{PREVIEW}") if made else None
    tables = (table, function_table(hearts)) if hearts else (table,)
    warnings = (
        *_warnings(results),
        *folder.warnings,
        *(w for h in hearts for w in heart_warnings(h)),
    )
    code = _exit_code(results, failed, hearts, strict=request.strict)
    return Report("segment", data, tables, warnings, (first,) if first else (), code)


def _cells(record: RunRecord | None) -> tuple[str, ...]:
    if record is None:
        return ("",) * 4
    seconds = f"{record.times.predicting_seconds:.1f}"
    return f"{record.frames}", f"{record.mean_steps:.2f}", seconds, record.quality.verdict


def _case_data(result: CaseResult) -> dict[str, object]:
    run = None if result.record is None else result.record.model_dump(mode="json")
    return {
        "case": result.name,
        "state": result.state,
        "error": result.error or None,
        "run": run,
    }


def _warnings(results: list[CaseResult]) -> list[str]:
    lines = [result.error for result in results if result.state == "failed"]
    records = [result.record for result in results if result.record is not None]
    lines += [f"{record.case}: {text}" for record in records for text in record.warnings]
    return lines + [line for r in records for line in case_warnings(r.case, r.quality)]


def _exit_code(
    results: list[CaseResult],
    failed: list[CaseResult],
    hearts: list[ClinicalRecord],
    *,
    strict: bool,
) -> int:
    if not failed:
        verdicts = [r.record.quality for r in results if r.record is not None]
        return quality_exit((*verdicts, *(heart.quality for heart in hearts)), strict=strict)
    codes = {result.exit_code for result in failed}
    return codes.pop() if len(failed) == len(results) and len(codes) == 1 else EXIT_SOME_FAILED
