"""``cardioseg.segment``: one image in, one ``Segmentation`` out. ``cardioseg segment`` is a loop around it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cardioseg.clinical.beat import Beat, check_frames
from cardioseg.clinical.body import Body
from cardioseg.core.config import WindowConfig, validate
from cardioseg.core.errors import UsageError
from cardioseg.core.exits import Depth, check_depth, parse_exit
from cardioseg.data.patients import check_body
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.image import ImageFile, stem
from cardioseg.imaging.memory import image_from_array, image_from_nibabel
from cardioseg.imaging.open import check_whole, open_image
from cardioseg.results.dicom_seg import check_seg_input
from cardioseg.results.frames import FrameResults, OnFrame, SegmentSettings, predict_frames
from cardioseg.results.recording import heart_of_masks, image_patient, recipe_of, run_record
from cardioseg.workflows.segmentation import Segmentation

if TYPE_CHECKING:
    from cardioseg.bundle import Model


FLOAT_MAPS = ("probs", "routing")


def segment(
    image: Any,
    *,
    model: "str | Path | Model" = "rdvit-2d",
    name: str | None = None,
    spacing_mm: tuple[float, ...] | None = None,
    affine: np.ndarray | None = None,
    loops: int | None = None,
    exit: str | None = None,  # noqa: A002 — the word of the command line
    compute: float | None = None,
    views: Literal["none", "flips", "all"] | None = None,
    window: tuple[int, ...] | None = None,
    overlap: float | None = None,
    keep: tuple[Literal["probs", "routing"], ...] = (),
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
        image: path of an image or a DICOM folder, nibabel image, ``cardioseg.read`` image, or array (X, Y), (X, Y, Z)
            or (X, Y, Z, T) of intensities.
        model: name of a shipped model, model folder, or what ``cardioseg.load_model`` returned.
        name: of the case; None takes it from the path.
        spacing_mm: voxel size of an array along X, Y, Z; required for an array.
        affine: (4, 4) voxel index → RAS world in mm of an array; axis-aligned if None.
        loops: loop budget; None takes the model's own.
        exit: when tokens leave the loops, "RULE" or "RULE:THRESHOLD"; None takes the model's own.
        compute: mean share of the loops that tokens may use, in (0, 1].
        views: orientations averaged: one, four or eight; None takes the model's own.
        window: voxels of a window on the model's working grid; None takes the model's own.
        overlap: share of a window covered twice, in [0, 1); None takes the model's own.
        keep: float maps to keep: class probabilities, expert routing.
        ed: frame of a cine that is end-diastole, from 1; None finds it from the volume curve.
        es: likewise end-systole.
        height_cm: of the patient, for volumes per m².
        weight_kg: likewise.
        heart_rate_bpm: of the patient, for cardiac output.
        trust: which spacing to believe where a NIfTI header states two.
        series: numbers of the DICOM series that form the cine; () lets the geometry decide.
        device: "auto", "cpu" or "cuda".

    Returns:
        Mask, maps, numbers, verdict and record; ``save(folder)`` writes the files of ``cardioseg segment``.

    Raises:
        InputError: the image cannot be read, or shows nothing.
        UsageError: settings contradict each other or the model.
        ModelError: the model is missing or broken.

    Examples:
        >>> import cardioseg
        >>> from cardioseg.phantom.config import PhantomConfig
        >>> from cardioseg.phantom.draw import draw
        >>> image = draw(PhantomConfig(shape=(96, 96, 8), frames=1)).image[..., 0]
        >>> heart = cardioseg.segment(image, spacing_mm=(1.4, 1.4, 10.0), views="none")
        >>> heart.mask.shape, heart.labels.names
        ((96, 96, 8), ('background', 'RV', 'MYO', 'LV'))
    """
    from cardioseg.bundle import load_model

    opened = opened_image(image, spacing_mm=spacing_mm, affine=affine, trust=trust, series=series)
    loaded = load_model(model, device=device) if isinstance(model, (str, Path)) else model
    body = Body(height_cm=height_cm, weight_kg=weight_kg, heart_rate_bpm=heart_rate_bpm)
    check_body(body)
    _check_keep(keep)
    asked = {"size": window, "overlap": overlap, "views": views}
    settings = SegmentSettings(
        windows=window_settings(loaded, asked),
        depth=checked_depth(loaded, Depth(loops, parse_exit(exit, compute))),
        save=keep,
        trust=trust,
        series=series,
        beat=Beat(ed=ed, es=es, body=body),
    )
    return segment_opened(name or stem(opened.path), opened, loaded, settings)


def _check_keep(keep: tuple[str, ...]) -> None:
    unknown = set(keep) - set(FLOAT_MAPS)
    if unknown:
        expected, cure = f"names among {', '.join(FLOAT_MAPS)}", "correct the name"
        raise UsageError("keep", found=min(unknown), expected=expected, cure=cure)


def opened_image(
    image: Any,
    *,
    spacing_mm: tuple[float, ...] | None = None,
    affine: np.ndarray | None = None,
    trust: Trust = "pixdim",
    series: tuple[int, ...] = (),
) -> ImageFile:
    """Any kind of image as an ``ImageFile``, files read to their checksums.

    Raises:
        InputError: it cannot be read.
        UsageError: an array without spacing.
    """
    if isinstance(image, ImageFile):
        return image
    if isinstance(image, (str, Path)):
        opened = open_image(Path(image), trust=trust, series=series)
        for file in opened.files:
            check_whole(file)
        return opened
    if isinstance(image, np.ndarray):
        if spacing_mm is None:
            cure = "pass spacing_mm=(x, y, z) in mm"
            found = "an array without spacing_mm"
            raise UsageError("segment", found=found, expected="its voxel size", cure=cure)
        return image_from_array(image, spacing_mm=spacing_mm, affine=affine)
    return image_from_nibabel(image, trust=trust)


def window_settings(model: "Model", asked: dict[str, Any]) -> WindowConfig:
    """The model's windows with what was asked for; a value of None asks for nothing.

    Raises:
        UsageError: a window of another number of axes, or a value that is not allowed.
    """
    size, axes = asked.get("size"), len(model.windows.size)
    if size is not None and len(size) != axes:
        expected = f"{axes} sizes, because {model.name} works in {axes}-D"
        raise UsageError("--window", found=str(size), expected=expected, cure="correct them")
    changes = {key: value for key, value in asked.items() if value is not None}
    values = model.windows.model_dump() | changes
    return validate(WindowConfig, values, source="--window, --overlap, --views")


def checked_depth(model: "Model", depth: Depth) -> Depth:
    """``depth``, if the model can do that.

    Raises:
        UsageError: it cannot.
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
        settings: how.
        on_frame: told after every frame which share of them is done.

    Raises:
        UsageError: a chosen frame that the cine does not have, or DICOM-SEG of an image that is not DICOM.
        InputError: the voxels cannot be read, or the image shows nothing.
    """
    started = time.perf_counter()
    check_seg_input(settings.save, image)
    if image.frames > 1:
        check_frames(image.frames, settings.beat)
    recipe = recipe_of(image, model, settings)
    frames = predict_frames(image, model, settings, on_frame)
    seconds = time.perf_counter() - started
    maps = {k: found for k in FrameResults.KINDS if (found := frames.stacked(k)) is not None}
    patient = image_patient(name, image, settings.beat)
    heart = heart_of_masks(name, maps["mask"], image, settings.beat, patient, frames)
    record = run_record(name, image, model, recipe, frames, heart, patient, seconds)
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
