"""``cardioseg.segment``: one image in, one ``Segmentation`` out.

``cardioseg segment`` is a loop around ``segment_opened``.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cardioseg.clinical.beat import Beat, check_frames
from cardioseg.clinical.body import Body
from cardioseg.core.config import WindowConfig, validate
from cardioseg.core.errors import UsageError
from cardioseg.core.exits import Depth, check_depth, parse_exit
from cardioseg.core.paths import as_path
from cardioseg.data.patients import check_body
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.image import ImageFile, stem
from cardioseg.results.dicom_seg import check_seg_input
from cardioseg.results.frames import FrameResults, OnFrame, SegmentSettings, predict_frames
from cardioseg.results.recording import heart_of_masks, recipe_of, run_record
from cardioseg.workflows.any_image import opened_image
from cardioseg.workflows.arguments import Kept, SegmentArguments
from cardioseg.workflows.segmentation import Segmentation

if TYPE_CHECKING:
    from pathlib import Path

    from cardioseg.bundle import Model


def segment(  # noqa: PLR0913 — these are the options of the verb
    image: Any,
    *,
    model: "str | Path | Model" = "rdvit-2d",
    name: str | None = None,
    spacing_mm: Sequence[float] | None = None,
    affine: np.ndarray | None = None,
    loops: int | None = None,
    exit: str | None = None,  # noqa: A002 — the word of the command line
    compute: float | None = None,
    views: Literal["none", "flips", "all"] | None = None,
    window: tuple[int, ...] | None = None,
    overlap: float | None = None,
    keep: Sequence[Kept] = (),
    ed: int | None = None,
    es: int | None = None,
    height_cm: float | None = None,
    weight_kg: float | None = None,
    heart_rate_bpm: float | None = None,
    trust: Trust = "pixdim",
    series: tuple[int, ...] = (),
    device: str = "auto",
) -> Segmentation:
    """Segment one image: a volume, or a cine frame by frame.

    Args:
        image: path of an image or a DICOM folder, ``cardioseg.read`` image, nibabel image, or
            array (X, Y), (X, Y, Z) or (X, Y, Z, T) of intensities.
        model: name of a shipped model, model folder, or what ``cardioseg.load_model`` returned.
        name: case name, which the result's files start with; None takes it from the path.
        spacing_mm: voxel size along X, Y, Z; required for an array, and only for an array.
        affine: (4, 4) voxel index → RAS world in mm, of an array; None is axis-aligned.
        loops: loop budget; None takes the model's own.
        exit: exit rule, "RULE" or "RULE:THRESHOLD"; None takes the model's own.
        compute: mean share of the loops that tokens may use, in (0, 1].
        views: orientations averaged: one, four or eight; None takes the model's own.
        window: size of a window in voxels of the model's grid; None takes the model's own.
        overlap: share of a window that its neighbour overlaps, in [0, 1); None takes the model's.
        keep: what to keep beside the maps: class probabilities, expert routing, DICOM-SEG.
        ed: frame of a cine that is end-diastole, from 1; None finds it from the volume curve.
        es: frame of a cine that is end-systole, from 1; None finds it from the volume curve.
        height_cm: of the patient, for volumes per m².
        weight_kg: of the patient, for volumes per m².
        heart_rate_bpm: of the patient, for cardiac output.
        trust: which spacing to use where a NIfTI header states two.
        series: numbers of the DICOM series that form the cine; () chooses by geometry.
        device: "auto", "cpu", "cuda" or "cuda:N"; a loaded model stays where it is.

    Returns:
        Mask, maps, numbers, verdict and record; ``save(folder)`` writes the files of
        ``cardioseg segment``.

    Raises:
        InputError: the image cannot be read, or is uniform.
        UsageError: an argument has a wrong type or value, or contradicts another or the model.
        ModelError: the model is missing or damaged.

    Examples:
        >>> import cardioseg
        >>> from cardioseg.phantom.config import PhantomConfig
        >>> from cardioseg.phantom.draw import draw
        >>> drawn = draw(PhantomConfig(shape=(128, 128, 3), frames=1))
        >>> heart = cardioseg.segment(drawn.image, spacing_mm=drawn.spacing_mm, views="none")
        >>> heart.mask.shape, heart.labels.structures
        ((128, 128, 3), ('RV', 'MYO', 'LV'))
    """
    asked = {
        "name": name,
        "loops": loops,
        "exit": exit,
        "compute": compute,
        "window": window,
        "keep": keep,
        "ed": ed,
        "es": es,
        "height_cm": height_cm,
        "weight_kg": weight_kg,
        "heart_rate_bpm": heart_rate_bpm,
        "trust": trust,
        "series": series,
    }
    checked = validate(SegmentArguments, asked, source="segment")
    opened = opened_image(
        image, spacing_mm=spacing_mm, affine=affine, trust=checked.trust, series=checked.series
    )
    loaded = _loaded(model, device)
    settings = _settings(loaded, checked, overlap=overlap, views=views)
    _check_frames_asked(opened, settings.beat)
    return segment_opened(checked.name or stem(opened.path), opened, loaded, settings)


def _loaded(model: object, device: str) -> "Model":
    from cardioseg.bundle import Model, load_model

    if isinstance(model, Model):
        return model
    cure = "pass a shipped model's name, a model folder, or what load_model returned"
    return load_model(as_path(model, "model", expected="a model", cure=cure), device=device)


def _settings(
    model: "Model",
    asked: SegmentArguments,
    *,
    overlap: float | None,
    views: Literal["none", "flips", "all"] | None,
) -> SegmentSettings:
    body = Body(
        height_cm=asked.height_cm,
        weight_kg=asked.weight_kg,
        heart_rate_bpm=asked.heart_rate_bpm,
    )
    check_body(body)
    windows = {"size": asked.window, "overlap": overlap, "views": views}
    return SegmentSettings(
        windows=window_settings(model, windows),
        depth=checked_depth(model, Depth(asked.loops, parse_exit(asked.exit, asked.compute))),
        save=asked.keep,
        trust=asked.trust,
        series=asked.series,
        beat=Beat(ed=asked.ed, es=asked.es, body=body),
    )


def _check_frames_asked(image: ImageFile, beat: Beat) -> None:
    if image.frames == 1 and (beat.ed is not None or beat.es is not None):
        found, cure = "ed or es for a single volume", "leave both out"
        raise UsageError("segment", found=found, expected="a cine", cure=cure)


def window_settings(model: "Model", asked: dict[str, Any]) -> WindowConfig:
    """The model's windows, changed where a value is not None.

    Raises:
        UsageError: a window with another number of axes, or an invalid value.
    """
    size, axes = asked.get("size"), len(model.windows.size)
    if size is not None and len(size) != axes:
        expected = f"{axes} sizes, because {model.name} works in {axes}-D"
        raise UsageError("--window", found=str(size), expected=expected, cure="correct them")
    changes = {key: value for key, value in asked.items() if value is not None}
    values = model.windows.model_dump() | changes
    return validate(WindowConfig, values, source="--window, --overlap, --views")


def checked_depth(model: "Model", depth: Depth) -> Depth:
    """``depth``, checked against the model.

    Raises:
        UsageError: the model does not support it.
    """
    loops = model.loops if depth.loops is None else depth.loops
    check_depth(depth, loops=loops, known=model.exits, model=model.name)
    return depth


def segment_opened(
    name: str,
    image: ImageFile,
    model: "Model",
    settings: SegmentSettings,
    *,
    on_frame: OnFrame | None = None,
) -> Segmentation:
    """Segment every frame of an opened image.

    Args:
        name: of the case.
        image: the image.
        model: from ``load_model``.
        settings: how to segment it.
        on_frame: called after every frame with the share that is done.

    Raises:
        UsageError: a frame that the cine does not have, or DICOM-SEG for an image that is not
            DICOM.
        InputError: the voxels cannot be read, or the image is uniform.
    """
    check_seg_input(settings.save, image)
    if image.frames > 1:
        check_frames(image.frames, settings.beat)
    recipe = recipe_of(image, model, settings)
    frames = predict_frames(image, model, settings, on_frame)
    maps = {k: found for k in FrameResults.KINDS if (found := frames.stacked(k)) is not None}
    heart = heart_of_masks(name, mask=maps["mask"], image=image, beat=settings.beat, frames=frames)
    record = run_record(name, image=image, model=model, recipe=recipe, frames=frames, heart=heart)
    return Segmentation(
        name=name,
        mask=maps["mask"],
        halting=maps["halting"],
        experts=maps.get("experts"),
        affine=image.affine,
        spacing_mm=image.spacing,
        labels=model.labels,
        function=heart.function,
        quality=heart.quality,
        record=record,
        curve=heart.curve,
        image=image,
        shown=frames.shown,
        probabilities=tuple(frames.floats["probs"]),
        routing=tuple(frames.floats["routing"]),
    )
