"""Checked arguments of the Python API: a wrong type or value is a ``ConfigError`` naming it."""

from typing import Annotated, Literal

from pydantic import Field

from cardioseg.core.config import Settings
from cardioseg.imaging.geometry import Trust

FrameNumber = Annotated[int, Field(ge=1)]
Kept = Literal["probs", "routing", "dicom-seg", "dicom-seg-all"]
CaseName = Annotated[str, Field(pattern=r"^[^/\\\x00]+$")]  # it starts the names of files


class ReadArguments(Settings):
    """How an image is opened; see ``cardioseg.read``."""

    trust: Trust = "pixdim"
    series: tuple[int, ...] = ()


class BodyArguments(Settings):
    """The patient's body; None where it is not known."""

    height_cm: float | None = None
    weight_kg: float | None = None
    heart_rate_bpm: float | None = None


class SegmentArguments(ReadArguments, BodyArguments):
    """Settings of ``cardioseg.segment`` that need no model to be checked."""

    name: CaseName | None = None
    loops: int | None = None
    exit: str | None = None
    compute: float | None = None
    window: tuple[int, ...] | None = None
    keep: tuple[Kept, ...] = ()
    ed: FrameNumber | None = None
    es: FrameNumber | None = None


class MeasureArguments(BodyArguments):
    """Settings of ``cardioseg.measure``."""

    labels: str | None = None
    trust: Trust = "pixdim"
