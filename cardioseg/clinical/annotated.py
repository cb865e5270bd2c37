"""ED and ES of a cine whose mask shows labels in some frames only.

Data sets label ED and ES and leave the other frames empty (M&Ms). A frame without any label is not
annotated: it has no volume, and is neither ED nor ES.
"""

from collections.abc import Sequence

import numpy as np

from cardioseg.clinical.measures import ranges
from cardioseg.clinical.phases import Phases, misfit_frames
from cardioseg.core.errors import UsageError
from cardioseg.core.labels import IGNORED

SOURCE = "annotated frames"


def annotated_frames(mask: np.ndarray) -> tuple[int, ...]:
    """Frames, from 0, of (X, Y, Z, T) that show a label."""
    return tuple(int(frame) for frame in np.flatnonzero((mask % IGNORED).any((0, 1, 2))))


def annotated_phases(
    volumes_ml: Sequence[float],
    annotated: Sequence[int],
    *,
    ed: int | None = None,
    es: int | None = None,
) -> Phases:
    """ED is the largest and ES the smallest LV of the annotated frames.

    Args:
        volumes_ml: (T,) LV volume of every frame.
        annotated: frames from 0 that show a label.
        ed: frame from 0 that the person chose.
        es: likewise.

    Raises:
        UsageError: a chosen frame is not annotated.
    """
    _check_chosen(annotated, ed=ed, es=es)
    seen = [frame for frame in annotated if volumes_ml[frame] > 0]
    if len(annotated) < 2 or not seen:
        why = "no LV in any frame" if annotated and not seen else "fewer than two annotated frames"
        return Phases(None, None, SOURCE, "none", (why,), ())
    misfits = _misfits(volumes_ml, annotated)
    by_volume = sorted(set(annotated) - {*misfits, ed, es}, key=lambda frame: volumes_ml[frame])
    largest = by_volume.pop() if ed is None else ed
    smallest = by_volume[0] if es is None else es
    return _phases(volumes_ml, annotated, (largest, smallest), misfits)


def _check_chosen(annotated: Sequence[int], *, ed: int | None, es: int | None) -> None:
    for option, frame in (("--ed", ed), ("--es", es)):
        if frame is not None and frame not in annotated:
            shown = ranges(number + 1 for number in annotated)
            raise UsageError(
                option,
                found=f"frame {frame + 1}, which shows no label",
                expected=f"an annotated frame ({shown})",
                cure="choose another frame",
            )


def _misfits(volumes_ml: Sequence[float], annotated: Sequence[int]) -> tuple[int, ...]:
    """Annotated frames whose volume does not fit those before and after."""
    found = misfit_frames([volumes_ml[frame] for frame in annotated])
    return tuple(annotated[index] for index in found)


def _phases(
    volumes_ml: Sequence[float],
    annotated: Sequence[int],
    phases: tuple[int, int],
    misfits: Sequence[int],
) -> Phases:
    ed, es = phases
    absent = ranges(f + 1 for f in range(len(volumes_ml)) if f not in annotated)
    doubts = []
    if misfits:
        names = ranges(frame + 1 for frame in misfits)
        doubts.append(f"the LV volume does not fit the frames before and after: {names}")
    if volumes_ml[es] > volumes_ml[ed]:
        doubts.append(f"the LV is larger at ES (frame {es + 1}) than at ED (frame {ed + 1})")
    remark = f"frames without any label are not annotated: {absent}"
    return Phases(ed, es, SOURCE, "low" if doubts else "medium", (*doubts, remark), ())
