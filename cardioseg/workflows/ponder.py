"""``cardioseg view --ponder``: how long one slice was thought about, as a strip for papers or an animation for slides.

From the stored halting map alone: no model runs. Where windows or views overlapped, the map holds their rounded mean.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.clinical.volumes import structure_value
from cardioseg.core.errors import OutputError, UsageError
from cardioseg.core.report import Report, Table
from cardioseg.figures.drawing import NOTICE
from cardioseg.figures.palette import loop_colours
from cardioseg.figures.ponder_strip import (
    Caption,
    PonderPanel,
    PonderSlice,
    write_animation,
    write_strip,
)
from cardioseg.figures.upright import UprightSlices, cropped, grey_window, heart_slice, upright
from cardioseg.results.finished import FinishedCase, open_finished

DRAW = {".png": write_strip, ".gif": write_animation}


@dataclass(frozen=True)
class PonderRequest:
    """What the person asked for.

    Attributes:
        case: what ``open_finished`` takes.
        picture: the file to write, .png or .gif.
        image: the image it was made from; None looks beside the results, then where it was segmented.
        slice_number: counted from 1 as in the preview; None takes the one with most myocardium.
        frame: counted from 1; None takes the one with most blood in the left ventricle, as the preview does.
        overwrite: replace an earlier file.
    """

    case: Path
    picture: Path
    image: Path | None = None
    slice_number: int | None = None
    frame: int | None = None
    overwrite: bool = False


def ponder(request: PonderRequest) -> Report:
    """Draw the picture.

    Raises:
        UsageError: the file's ending is unknown, or there is no such slice or frame.
        InputError, GeometryError, LabelError: the case cannot be read, or the image is not the one on record.
        OutputError: the file is there already, or cannot be written.
    """
    draw = DRAW.get(request.picture.suffix.lower())
    if draw is None:
        expected = " or ".join(DRAW)
        raise UsageError(
            "--ponder",
            found=request.picture.name,
            expected=f"a name ending in {expected}",
            cure="correct it",
        )
    if request.picture.exists() and not request.overwrite:
        cure = "choose another name, or pass --overwrite"
        raise OutputError(request.picture, found="a file", expected="none of this name", cure=cure)
    case = open_finished(request.case, image=request.image)
    frame = (
        fullest_frame(case)
        if request.frame is None
        else chosen("--frame", request.frame, case.image.frames)
    )
    stack = cropped(upright(*case.frame(frame)))
    index = chosen_slice(case, stack, request.slice_number)
    steps = stack.halting[index]
    moments = _moments(steps, stack.mask[index] > 0, case.loops)
    mean = (
        float(steps[stack.mask[index] > 0].mean())
        if stack.mask[index].any()
        else float(steps.mean())
    )
    draw(
        request.picture,
        _slice(stack, index, case),
        moments,
        _words(case, stack, index, frame, mean),
    )
    row = (case.name, f"{index + 1}", f"{frame + 1}", f"{mean:.2f}", f"{int(steps.max())}")
    data = {
        "case": case.name,
        "slice": index + 1,
        "frame": frame + 1,
        "mean_steps": round(mean, 4),
        "most_steps": int(steps.max()),
    }
    table = Table("Loops used", ("case", "slice", "frame", "mean", "most"), (row,))
    return Report("view", data, (table,), (), (request.picture,))


def fullest_frame(case: FinishedCase) -> int:
    """The frame with most blood in the left ventricle, or most of all structures; counted from 0."""
    if case.image.frames == 1:
        return 0
    cavity = structure_value("LV", case.labels)
    masks = (case.maps["mask"].frame(index).array for index in range(case.image.frames))
    sizes = [int((mask == cavity).sum() if cavity else (mask > 0).sum()) for mask in masks]
    return int(np.argmax(sizes))


def chosen_slice(case: FinishedCase, stack: UprightSlices, number: int | None) -> int:
    """The slice asked for, or the one with most myocardium; counted from 0."""
    return (
        heart_slice(stack.mask, case.labels)
        if number is None
        else chosen("--slice", number, len(stack.image))
    )


def chosen(option: str, number: int, count: int) -> int:
    """A number counted from 1 as one counted from 0.

    Raises:
        UsageError: it is not among ``count``.
    """
    if not 1 <= number <= count:
        raise UsageError(
            option,
            found=str(number),
            expected=f"1 to {count}",
            cure="choose a number in that range",
        )
    return number - 1


def _moments(steps: np.ndarray, heart: np.ndarray, loops: int) -> list[PonderPanel]:
    """The image with its mask, then what is still active after each loop, until nothing is; shares are of the heart."""
    colours = loop_colours(loops + 1)[1:]
    where, of = (heart, "heart") if heart.any() else (np.ones_like(heart), "slice")
    moments = [PonderPanel("mask")]
    for loop in range(1, int(steps.max()) + 1):
        active = steps > loop
        moments.append(
            PonderPanel(
                f"after loop {loop}: {100 * active[where].mean():.0f} % of {of} active",
                active,
                colours[loop - 1],
            )
        )
    return moments


def _slice(stack: UprightSlices, index: int, case: FinishedCase) -> PonderSlice:
    colours = case.labels.colours
    structures = tuple(
        (colours[name], stack.mask[index] == case.labels.value(name))
        for name in case.labels.structures
    )
    shown = stack.image[index].astype(np.float32)
    return PonderSlice(shown, grey_window(stack.image), structures, stack.pixel_mm)


def _words(
    case: FinishedCase, stack: UprightSlices, index: int, frame: int, mean: float
) -> Caption:
    where = f"slice {index + 1} of {len(stack.image)}" + (
        f", frame {frame + 1}" if case.image.frames > 1 else ""
    )
    of = "heart" if stack.mask[index].any() else "slice"
    facts = (
        f"{where} · {case.record.model} · loops used in the {of}: mean {mean:.1f} of {case.loops}"
    )
    return Caption(case.name, facts, NOTICE)
