"""``cardioseg segment``: segments and saves every image, then makes the tables of the folder."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cardioseg.clinical.beat import NOTHING_KNOWN, Beat
from cardioseg.core.errors import (
    InputError,
    OutputError,
    UsageError,
    exit_code,
    explain_of,
)
from cardioseg.core.exits import OWN, Depth, ExitRule
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.report import Report
from cardioseg.data.inputs import find_inputs
from cardioseg.data.patients import check_one_patient
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.open import open_image
from cardioseg.results.dicom_seg import SEGMENTATIONS, check_seg_input, check_seg_library
from cardioseg.results.folder import (
    StoredCase,
    changed_masks,
    record_of,
    refuse_foreign,
    refuse_foreign_tables,
    settle,
    stored_case,
)
from cardioseg.results.frames import SegmentSettings
from cardioseg.results.lock import case_lock
from cardioseg.results.recording import recipe_of
from cardioseg.results.records import RunRecord
from cardioseg.results.source import remember_source
from cardioseg.workflows.folder import update_folder
from cardioseg.workflows.one_image import checked_depth, segment_opened, window_settings
from cardioseg.workflows.segment_report import CaseResult, segment_report

if TYPE_CHECKING:
    from cardioseg.bundle import Model

SAVES = ("probs", "routing", *SEGMENTATIONS)


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
        save: what to write as well: "probs", "routing", "dicom-seg" (ED, ES), "dicom-seg-all".
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


def segment_images(request: SegmentRequest, *, on_progress: OnProgress = unwatched) -> Report:
    """Segment every image; one that fails is named, and the others are done.

    Raises:
        UsageError, InputError: nothing to do, or the call contradicts itself.
        ModelError: the model cannot be used.
        Exception: what was wrong with an image that is the only one.
    """
    from cardioseg.bundle import load_model

    inputs = find_inputs(request.inputs)
    images = inputs.images
    _check(request, images)
    model = load_model(request.model, device=request.device)
    settings = settings_for(request, model)
    try:
        results = list(_each(images, request, model, settings, on_progress))
    finally:  # whatever ended the call: the folder's tables describe the cases that are in it
        folder = update_folder(request.output, overwrite=request.overwrite)
    report = segment_report(
        results,
        folder,
        request.output,
        model=model.name,
        loops=settings.depth.loops or model.loops,
        strict=request.strict,
    )
    return replace(report, warnings=(*inputs.notes, *report.warnings))


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
    image.check_whole()
    with case_lock(request.output, name):
        stored = None if request.overwrite else _stored(request.output, name)
        if stored is not None:
            _check_same(stored.record, recipe_of(image, model, settings), request.output)
            if not stored.problems:
                settle(request.output, name)
                remember_source(request.output, name, image)
                return CaseResult(name, "kept", stored.record)
        if not request.overwrite:
            refuse_foreign(request.output, name)
        found = segment_opened(name, image, model, settings, on_frame=tell)
        changed = changed_masks(request.output, name)
        record = found.write(request.output, started=started)
    kept_masks = [p for p in changed_masks(request.output, name) if p not in changed]
    return CaseResult(name, "done", record, note=_made_again(stored, kept_masks))


def _stored(output: Path, name: str) -> StoredCase | None:
    """The case, if an earlier run made it.

    Raises:
        OutputError: its record cannot be read by this version.
    """
    try:
        return stored_case(output, name)
    except InputError as error:
        cure = "pass --overwrite, or choose another --output"
        path = record_of(output, name)
        raise OutputError(path, found=error.found, expected=error.expected, cure=cure) from None


def _made_again(stored: StoredCase | None, kept: list[Path]) -> str:
    """Why a case that was there was made again, and which changed mask was kept; "" for neither."""
    told = [f"made again: {'; '.join(stored.problems)}"] if stored is not None else []
    told += [f"the changed mask is kept as {path.name}" for path in kept]
    return "; ".join(told)


def _check_same(record: RunRecord, recipe: object, output: Path) -> None:
    if record.recipe != recipe:
        path = record_of(output, record.case)
        found = "results made from another image, model or settings"
        cure = "pass --overwrite, or choose another --output"
        raise OutputError(path, found=found, expected="none", cure=cure)
