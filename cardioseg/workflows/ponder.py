"""``cardioseg view --ponder``: loops used in each place of a slice, as a strip or an animation.

It is drawn from the stored halting map; no network runs. Where windows or orientations overlapped,
the map holds their rounded mean. Shape legend: R rows, C columns of the slice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cardioseg.core.errors import OutputError, UsageError
from cardioseg.core.record import Record
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
from cardioseg.figures.upright import UprightSlices, cropped, grey_window, upright
from cardioseg.results.finished import FinishedCase, open_finished
from cardioseg.workflows.places import chosen_frame, chosen_slice

DRAW = {".png": write_strip, ".gif": write_animation}


@dataclass(frozen=True)
class PonderRequest:
    """What the person asked for.

    Attributes:
        case: what ``open_finished`` takes.
        picture: the file to write, .png or .gif.
        image: the segmented image; None looks beside the results, then where it was segmented.
        slice_number: from 1; None takes the slice with most myocardium.
        frame: from 1; None takes the frame with the largest LV cavity.
        overwrite: replace another file of this name.
    """

    case: Path
    picture: Path
    image: Path | None = None
    slice_number: int | None = None
    frame: int | None = None
    overwrite: bool = False


class PonderData(Record):
    """``cardioseg view --ponder --json``: the slice drawn.

    Attributes:
        case: name of the case.
        slice: from 1.
        frame: from 1.
        mean_steps: mean loops used in the heart; in the slice if it shows no heart.
        most_steps: most loops used in the slice.
    """

    case: str
    slice: int
    frame: int
    mean_steps: float
    most_steps: int


@dataclass(frozen=True)
class PonderPlace:
    """The slice of a case that is drawn.

    Attributes:
        slices: all slices of the frame, cropped to the heart.
        index: slice, from 0.
        frame: from 0.
    """

    slices: UprightSlices
    index: int
    frame: int

    @property
    def steps(self) -> np.ndarray:
        """(R, C) loops used."""
        return np.asarray(self.slices.halting[self.index])

    @property
    def mask(self) -> np.ndarray:
        """(R, C) label values."""
        return np.asarray(self.slices.mask[self.index])

    @property
    def region(self) -> tuple[np.ndarray, str]:
        """(R, C) bool over which loops are counted, and its name: the heart, or the whole slice."""
        heart = self.mask > 0
        return (heart, "heart") if heart.any() else (np.ones_like(heart), "slice")

    @property
    def mean_steps(self) -> float:
        """Mean loops used in the region."""
        return float(self.steps[self.region[0]].mean())


def ponder(request: PonderRequest) -> Report:
    """Draw the picture.

    Raises:
        UsageError: the file's ending is unknown, or there is no such slice or frame.
        InputError: the case cannot be read, or the image is not the one that was segmented.
        OutputError: the file holds another picture, or cannot be written.
    """
    draw = DRAW.get(request.picture.suffix.lower())
    if draw is None:
        expected, found = f"a name ending in {' or '.join(DRAW)}", request.picture.name
        raise UsageError("--ponder", found=found, expected=expected, cure="correct it")
    case = open_finished(request.case, image=request.image)
    frame = chosen_frame(case, request.frame)
    slices = cropped(upright(*case.frame(frame)))
    place = PonderPlace(slices, chosen_slice(case, slices, request.slice_number), frame)
    picture, panels, caption = (
        _slice(place, case),
        _panels(place, case.loops),
        _caption(case, place),
    )

    def write(path: Path) -> None:
        draw(path, picture, panels, caption)

    _write(request.picture, write, overwrite=request.overwrite)
    return _report(case.name, place, request.picture)


def _write(path: Path, write: Callable[[Path], None], *, overwrite: bool) -> None:
    """Write the picture; one that is there already is left if it is the same.

    Raises:
        OutputError: there is another file, or the picture cannot be written.
    """
    if overwrite or not path.exists():
        write(path)
        return
    with TemporaryDirectory() as folder:
        again = Path(folder) / path.name
        write(again)
        same = path.is_file() and path.read_bytes() == again.read_bytes()
    if not same:
        expected = "none of this name, or the same picture"
        cure = "choose another name, or pass --overwrite"
        raise OutputError(path, found="another file", expected=expected, cure=cure)


def _report(name: str, place: PonderPlace, picture: Path) -> Report:
    data = PonderData(
        case=name,
        slice=place.index + 1,
        frame=place.frame + 1,
        mean_steps=round(place.mean_steps, 4),
        most_steps=int(place.steps.max()),
    )
    row = (name, f"{data.slice}", f"{data.frame}", f"{place.mean_steps:.2f}", f"{data.most_steps}")
    table = Table("Loops used", ("case", "slice", "frame", "mean", "most"), (row,))
    return Report("view", data, (table,), (), (picture,))


def _panels(place: PonderPlace, loops: int) -> list[PonderPanel]:
    """The image with its mask, then what is still active after each loop, until nothing is."""
    colours, (region, of) = loop_colours(loops + 1)[1:], place.region
    panels = [PonderPanel("mask")]
    for loop in range(1, int(place.steps.max()) + 1):
        active = place.steps > loop
        share = f"{100 * active[region].mean():.0f} % of {of} active"
        panels.append(PonderPanel(f"after loop {loop}: {share}", active, colours[loop - 1]))
    return panels


def _slice(place: PonderPlace, case: FinishedCase) -> PonderSlice:
    colours, image = case.labels.colours, place.slices.image
    structures = tuple(
        (colours[name], place.mask == case.labels.value(name)) for name in case.labels.structures
    )
    shown = image[place.index].astype(np.float32)
    return PonderSlice(shown, grey_window(image), structures, place.slices.pixel_mm)


def _caption(case: FinishedCase, place: PonderPlace) -> Caption:
    frame = f", frame {place.frame + 1}" if case.image.frames > 1 else ""
    where = f"slice {place.index + 1} of {len(place.slices.image)}{frame}"
    mean = f"mean {place.mean_steps:.1f} of {case.loops}"
    facts = f"{where} · {case.record.model} · loops used in the {place.region[1]}: {mean}"
    return Caption(case.name, facts, NOTICE)
