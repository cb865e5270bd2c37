"""``cardioseg segment``: images in, masks and maps on their own grids out."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardioseg import __version__
from cardioseg.core.atomic import write_json
from cardioseg.core.config import WindowConfig, validate
from cardioseg.core.errors import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    OutputError,
    UsageError,
    exit_code,
    explain_of,
)
from cardioseg.core.exits import check_depth
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.report import Report, Table
from cardioseg.data.inputs import find_images
from cardioseg.data.patients import check_one_patient, patient_of
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.open import check_whole, open_image
from cardioseg.results.dicom_seg import SEGMENTATIONS, check_seg_input, check_seg_library
from cardioseg.results.folder import (
    case_files,
    claimed,
    finished,
    finished_cases,
    record_of,
    refuse_foreign,
    refuse_foreign_study,
)
from cardioseg.results.function import check_frames, function_table
from cardioseg.results.maps import Cine, run_facts, write_float_maps, write_maps
from cardioseg.results.quality import case_warnings, heart_warnings, quality_exit, verdict_of
from cardioseg.results.source import remember_source
from cardioseg.workflows.products import STUDY_PRODUCTS, Segmented, Study, make_products, make_study
from cardioseg.workflows.request import SegmentRequest

if TYPE_CHECKING:
    from cardioseg.bundle import Model

SAVES = ("probs", "routing", *SEGMENTATIONS)
SHOWN = ("frames", "mean loops used", "seconds", "quality")


@dataclass
class CaseResult:
    """How one case ended.

    Attributes:
        name: case name.
        state: "done", "kept" (was there already, from the same bytes and settings) or "failed".
        facts: the run record, when there is one.
        error: message of the failure.
        exit_code: of the failure.
    """

    name: str
    state: str
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    exit_code: int = EXIT_OK


def segment(request: SegmentRequest, *, on_progress: OnProgress = unwatched) -> Report:
    """Segment every image; one that fails is named, the others are done.

    Raises:
        UsageError, InputError: nothing to do, or the call contradicts itself.
        ModelError: the model cannot be used.
        Exception: what was wrong with an image that is the only one.
    """
    from cardioseg.bundle import load_model
    from cardioseg.inference.native import choose_device

    images = find_images(request.inputs)
    _check(request, images)
    model = load_model(request.model, device=choose_device(request.device))
    check_depth(request.depth, loops=budget(request, model), known=model.exits, model=model.name)
    windows = _windows(request, model)
    try:
        results = list(_each(images, request, model, windows, on_progress))
    finally:  # whatever ended the call: the folder's products speak of the cases that lie there
        folder = make_study(Study(request, finished_cases(request.output)))
    return _report(results, folder, request, model)


def _each(
    images: dict[str, Path],
    request: SegmentRequest,
    model: "Model",
    windows: WindowConfig,
    on_progress: OnProgress,
) -> Iterator[CaseResult]:
    """One result an image, in order; the failure of an only image is raised."""
    for index, (name, path) in enumerate(images.items()):

        def tell(share: float, index: int = index, name: str = name) -> None:
            on_progress(Progress(index + share, len(images), name))

        tell(0.0)
        try:
            yield _one(name, path, request, model, windows, tell)
        except Exception as error:
            if len(images) == 1:
                raise
            yield _failed(name, path, error)
        tell(1.0)


def _check(request: SegmentRequest, images: dict[str, Path]) -> None:
    unknown = set(request.save) - set(SAVES)
    if unknown:
        raise UsageError(
            "--save",
            found=min(unknown),
            expected=f"one of {', '.join(SAVES)}",
            cure="correct the name",
        )
    check_seg_library(request.save)
    check_one_patient(request.beat, images)
    _check_output(request.output)
    if not request.overwrite:
        refuse_foreign_study(request.output, STUDY_PRODUCTS)


def _check_output(output: Path) -> None:
    """Before the first image is worked on, not after."""
    try:
        above = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
    except OSError as error:
        found = str(error.strerror)
        raise OutputError(
            output, found=found, expected="a folder's name", cure="choose another --output"
        ) from None
    if not above.is_dir():
        found = "a file" if above == output else f"a file above it ({above.name})"
        raise OutputError(output, found=found, expected="a folder", cure="choose another --output")


def _windows(request: SegmentRequest, model: "Model") -> WindowConfig:
    asked = {"size": request.window, "overlap": request.overlap, "views": request.views}
    changes = {key: value for key, value in asked.items() if value is not None}
    if request.window is not None and len(request.window) != len(model.windows.size):
        expected = (
            f"{len(model.windows.size)} sizes, as {model.name} works in {len(model.windows.size)}-D"
        )
        raise UsageError(
            "--window", found=str(request.window), expected=expected, cure="correct them"
        )
    return validate(
        WindowConfig, model.windows.model_dump() | changes, source="--window, --overlap, --views"
    )


def _one(
    name: str,
    path: Path,
    request: SegmentRequest,
    model: "Model",
    windows: WindowConfig,
    tell: Callable[[float], None],
) -> CaseResult:
    started = time.perf_counter()
    image = open_image(path, trust=request.trust, series=request.series)
    check_seg_input(request.save, image)
    for file in image.files:
        check_whole(file)
    if image.frames > 1:
        check_frames(image.frames, request.beat)
    recipe = _recipe(image, request, model, windows)
    earlier = None if request.overwrite else finished(request.output, name)
    if earlier is not None:
        if earlier.get("recipe") == recipe:
            remember_source(request.output, name, image)
            return CaseResult(name, "kept", earlier)
        found = "results made from another image, model or settings"
        raise OutputError(
            record_of(request.output, name),
            found=found,
            expected="none",
            cure="pass --overwrite, or another --output",
        )
    if not request.overwrite:
        refuse_foreign(request.output, name)
    with claimed(request.output, name):
        facts = _segment_case(name, image, request, model, recipe, tell)
        facts["times"]["total_seconds"] = round(time.perf_counter() - started, 2)
        write_json(record_of(request.output, name), facts)
        return CaseResult(name, "done", facts)


def _failed(name: str, path: Path, error: Exception) -> CaseResult:
    return CaseResult(name, "failed", error=explain_of(path, error), exit_code=exit_code(error))


def budget(request: SegmentRequest, model: "Model") -> int:
    """Loops that a token may use at most."""
    return model.loops if request.loops is None else request.loops


def exit_facts(request: SegmentRequest, model: "Model") -> dict[str, Any]:
    """The rule that lets tokens leave; a threshold of None is the model's or the rule's own."""
    rule = request.exits
    return {
        "rule": rule.name or model.exits[0],
        "threshold": rule.threshold,
        "compute": rule.compute,
    }


def _recipe(
    image: ImageFile, request: SegmentRequest, model: "Model", windows: WindowConfig
) -> dict[str, Any]:
    """Everything the result depends on."""
    from cardioseg.core.digest import sha256

    return {
        "cardioseg": __version__,
        "input_sha256": sha256(*image.files),
        "model_sha256": model.sha256,
        "config_sha256": model.config_sha256,
        "loops": budget(request, model),
        "exit": exit_facts(request, model),
        "windows": windows.model_dump(mode="json"),
        "trust": request.trust,
        "series": list(request.series),
        "save": sorted(request.save),
        "beat": asdict(request.beat),
    }


def _segment_case(
    name: str,
    image: ImageFile,
    request: SegmentRequest,
    model: "Model",
    recipe: dict[str, Any],
    tell: Callable[[float], None],
) -> dict[str, Any]:
    """Every frame through the model, then the files; the run record is returned, as it is written last."""
    from cardioseg.inference.native import predict_volume

    started = time.perf_counter()
    windows = WindowConfig(**recipe["windows"])
    cine = Cine(image.frames)
    for index in range(image.frames):
        volume = image.frame(index)
        frame = index + 1 if image.frames > 1 else None
        of = str(image.path) if frame is None else f"{image.path} (frame {frame})"
        predicted = predict_volume(
            model, volume, depth=request.depth, windows=windows, keep=request.save, name=of
        )
        cine.add(volume, predicted.prediction, predicted.removed_voxels, model)
        write_float_maps(request.output, name, volume, predicted.prediction, frame=frame)
        tell((index + 1) / image.frames)
    seconds = time.perf_counter() - started
    write_maps(request.output, name, cine, model)
    facts = run_facts(name, image, model, recipe=recipe, cine=cine, seconds=seconds)
    patient = patient_of(name, image.path, ed=request.beat.ed, es=request.beat.es).facts()
    facts["patient"] = patient | {
        key: patient[key] or getattr(image, key) for key in ("height_cm", "weight_kg")
    }
    maps = {kind: found for kind in cine.maps if (found := cine.stacked(kind)) is not None}
    facts = make_products(
        Segmented(name, request, image, model.labels, maps, tuple(cine.facts), facts)
    )
    facts["files"] = [path.name for path in case_files(request.output, name)]
    remember_source(request.output, name, image)
    return facts


def _shown(facts: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{facts['frames']}",
        f"{facts['mean_steps']:.2f}",
        f"{facts['seconds']:.1f}",
        verdict_of(facts) or "–",
    )


def _report(
    results: list[CaseResult], folder: dict[str, Any], request: SegmentRequest, model: "Model"
) -> Report:
    failed = [result for result in results if result.state == "failed"]
    names = [result.name for result in results]
    rows = tuple((r.name, r.state, *(_shown(r.facts) if r.facts else ("",) * 4)) for r in results)
    table = Table(f"{model.name}, {budget(request, model)} loops", ("case", "", *SHOWN), rows)
    warnings = [r.error for r in failed] + [
        f"{r.name}: {text}" for r in results for text in r.facts.get("warnings", [])
    ]
    warnings += [line for r in results for line in case_warnings(r.name, r.facts)]
    warnings += folder.get("warnings", [])
    hearts = [
        heart
        for heart in folder.get("hearts", [])
        if {heart["case"], *heart.get("cases", {}).values()} & {*names}
    ]
    warnings += [line for heart in hearts for line in heart_warnings(heart)]
    data = {
        "output": str(request.output),
        "model": model.name,
        "cases": [
            {"case": r.name, "state": r.state, "error": r.error or None, "run": r.facts or None}
            for r in results
        ],
        "hearts": hearts,
    }
    codes = {result.exit_code for result in failed}
    alike = len(failed) == len(results) and len(codes) == 1
    checked = quality_exit((*(result.facts for result in results), *hearts), strict=request.strict)
    code = checked if not failed else codes.pop() if alike else EXIT_SOME_FAILED
    files = tuple(request.output / f"{r.name}_preview.png" for r in results if r.state != "failed")
    tables = (table, *(function_table(hearts),) * bool(hearts))
    return Report("segment", data, tables, tuple(warnings), files[:3], code)
