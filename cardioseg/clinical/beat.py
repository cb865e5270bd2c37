"""The function of a heart over one beat: volume curve, phases and numbers from the masks of a cine.

Shape legend: X, Y in-plane, Z slices, T frames. Does not know files or networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from cardioseg.clinical.annotated import annotated_phases
from cardioseg.clinical.body import UNKNOWN, Body
from cardioseg.clinical.function import Function, heart_function
from cardioseg.clinical.phases import Phases, find_phases
from cardioseg.clinical.volumes import structure_value, volume_ml
from cardioseg.core.errors import UsageError
from cardioseg.core.labels import LabelTable
from cardioseg.core.record import Record
from cardioseg.core.volume import Volume


class Beat(Record):
    """What is known of a beat beside its masks.

    Attributes:
        ed: frame from 1 that the person chose as end-diastole; None lets the volume curve decide.
        es: likewise end-systole.
        body: the patient's body.
        frame_ms: time between frames; None where it is not known.
    """

    ed: int | None = None
    es: int | None = None
    body: Body = Field(default=UNKNOWN)
    frame_ms: float | None = None


NOTHING_KNOWN = Beat()


@dataclass(frozen=True)
class VolumeCurve:
    """Volumes over a beat.

    Attributes:
        volumes_ml: structure → volume in ml of every frame.
        smoothed_ml: the smoothed volume of the LV, in ml; empty when there is no LV.
        phases: "ED" and "ES" → frame, counted from 1, where known.
        frame_ms: time between frames; None when unknown.
    """

    volumes_ml: dict[str, list[float]]
    smoothed_ml: tuple[float, ...]
    phases: dict[str, int]
    frame_ms: float | None

    @property
    def frames(self) -> int:
        """Number of frames."""
        return max((len(volumes) for volumes in self.volumes_ml.values()), default=0)


@dataclass(frozen=True)
class CineFunction:
    """What the masks of a cine say.

    Attributes:
        function: numbers of the heart.
        phases: ED and ES, from 0.
        curve: volumes of all frames.
        why_none: why there are no phases; "" where there are.
    """

    function: Function
    phases: Phases
    curve: VolumeCurve
    why_none: str


def frame_volumes_ml(
    mask: np.ndarray, labels: LabelTable, spacing_mm: Sequence[float]
) -> dict[str, list[float]]:
    """Structure → volume in ml of every frame of (X, Y, Z, T)."""
    frames = range(mask.shape[3])
    return {
        name: [
            round(volume_ml(mask[..., frame], labels.value(name), spacing_mm), 4)
            for frame in frames
        ]
        for name in labels.structures
    }


def cine_function(
    mask: np.ndarray,
    grid: Volume,
    labels: LabelTable,
    beat: Beat,
    *,
    annotated: Sequence[int] | None = None,
) -> CineFunction:
    """Phases and function of a cine.

    Args:
        mask: (X, Y, Z, T) label values.
        grid: any volume on the grid of one frame.
        labels: names of the values.
        beat: what is known beside the masks.
        annotated: frames from 0 that were segmented; None if all were.

    Raises:
        UsageError: a chosen frame that the cine does not have, or that is not annotated.
    """
    check_frames(mask.shape[3], beat)
    volumes = frame_volumes_ml(mask, labels, grid.spacing)
    value = structure_value("LV", labels)
    cavity = None if value is None else labels.names[value]
    lv = [0.0] * mask.shape[3] if cavity is None else volumes[cavity]
    ed, es = (None if frame is None else frame - 1 for frame in (beat.ed, beat.es))
    if annotated is None or len(annotated) == mask.shape[3]:
        phases = find_phases(lv, ed=ed, es=es)
    else:
        phases = annotated_phases(lv, annotated, ed=ed, es=es)
    why_none = _why_no_phases(phases, cavity, labels)
    at_ed, at_es = (
        None if frame is None else grid.with_array(mask[..., frame])
        for frame in (phases.ed, phases.es)
    )
    found = heart_function(at_ed, at_es, labels, beat.body, why_none=why_none)
    return CineFunction(found, phases, _curve(volumes, cavity, phases, beat.frame_ms), why_none)


def _curve(
    volumes_ml: dict[str, list[float]], cavity: str | None, phases: Phases, frame_ms: float | None
) -> VolumeCurve:
    smoothed = () if cavity is None else phases.smoothed_ml
    frames = {"ED": phases.ed, "ES": phases.es}
    known = {phase: frame + 1 for phase, frame in frames.items() if frame is not None}
    return VolumeCurve(volumes_ml, smoothed, known, frame_ms)


def _why_no_phases(phases: Phases, cavity: str | None, labels: LabelTable) -> str:
    if phases.ed is not None:
        return ""
    if cavity is None:
        return f"no structure LV among {', '.join(labels.structures)}"
    return phases.reasons[0]


def check_frames(frames: int, beat: Beat) -> None:
    """Check that chosen frames exist and differ.

    Raises:
        UsageError: they do not.
    """
    for option, frame in (("--ed", beat.ed), ("--es", beat.es)):
        if frame is not None and not 1 <= frame <= frames:
            raise UsageError(
                option,
                found=f"frame {frame}",
                expected=f"1 to {frames}",
                cure="count frames from 1",
            )
    if beat.ed is not None and beat.ed == beat.es:
        found = f"frame {beat.es}, which is --ed"
        raise UsageError("--es", found=found, expected="another frame", cure="correct one of them")


def pair_phases(
    ed: int | None,
    es: int | None,
    function: Function,
    *,
    source: str,
    doubts: tuple[str, ...] = (),
) -> Phases:
    """Phases of two volumes.

    Args:
        ed: frame from 0; None where it is not known.
        es: likewise.
        function: of both.
        source: what says which is which.
        doubts: what must be known about that.
    """
    edv, esv = function.lv.edv_ml, function.lv.esv_ml  # a stroke volume below 0 is left out
    if edv is not None and esv is not None and edv <= esv:
        doubts = (*doubts, "the LV is not larger at ED than at ES")
        return Phases(ed, es, source, "low", doubts, ())
    return Phases(ed, es, source, "medium" if doubts else "high", doubts, ())
