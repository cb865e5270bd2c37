"""The slice and the frame of a finished case that a picture or a page shows first."""

import numpy as np

from cardioseg.clinical.volumes import structure_value
from cardioseg.core.errors import UsageError
from cardioseg.figures.upright import UprightSlices, heart_slice
from cardioseg.results.finished import FinishedCase


def chosen_frame(case: FinishedCase, number: int | None) -> int:
    """A frame from 0: ``number`` from 1, or the one with the largest LV cavity.

    Raises:
        UsageError: there is no such frame.
    """
    return fullest_frame(case) if number is None else _index("--frame", number, case.image.frames)


def chosen_slice(case: FinishedCase, slices: UprightSlices, number: int | None) -> int:
    """A slice from 0: ``number`` from 1, or the one with most myocardium.

    Raises:
        UsageError: there is no such slice.
    """
    if number is None:
        return heart_slice(slices.mask, case.labels)
    return _index("--slice", number, len(slices.image))


def fullest_frame(case: FinishedCase) -> int:
    """The frame from 0 with the largest LV cavity; without an LV, with the largest mask."""
    if case.image.frames == 1:
        return 0
    cavity = structure_value("LV", case.labels)
    masks = (case.maps["mask"].frame(index).array for index in range(case.image.frames))
    sizes = [int((mask == cavity).sum() if cavity else (mask > 0).sum()) for mask in masks]
    return int(np.argmax(sizes))


def _index(option: str, number: int, count: int) -> int:
    if not 1 <= number <= count:
        cure = "choose a number in that range"
        raise UsageError(option, found=str(number), expected=f"1 to {count}", cure=cure)
    return number - 1
