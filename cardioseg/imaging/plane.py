"""One image plane as its DICOM header describes it; needs no DICOM library."""

from dataclasses import dataclass
from pathlib import Path

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"  # DICOM's default transfer syntax


@dataclass(frozen=True)
class Plane:
    """One image plane; world coordinates are DICOM's (LPS), in mm.

    Attributes:
        path: the file.
        frame: index from 0 of the frame in a multi-frame file, None in a single-image file.
        uid: SOP instance UID.
        study: study instance UID.
        series: series instance UID.
        number: series number, None when absent.
        instance: instance number, or the frame index in a multi-frame file; None when absent.
        position: centre of the first voxel.
        orientation: unit vectors along a row, then along a column.
        size: columns, rows.
        spacing: mm between columns, between rows.
        thickness_mm: slice thickness; not the distance between slices.
        trigger_ms: time since the R wave.
        temporal: temporal position, counted from 1.
        heart_rate_bpm: as stated, or from the nominal RR interval.
        height_cm: the patient's height.
        weight_kg: the patient's weight.
        slope: rescale slope, stored to real values.
        intercept: rescale intercept.
        syntax: transfer syntax UID.
        kind: what it is where it is no magnitude image, such as "a B0 map"; else "".
        body_part: where that cannot be the heart, such as "BRAIN"; else "".
        inverted_from: lowest + highest value that can be stored, where low values mean bright
            (MONOCHROME1); None otherwise.
    """

    path: Path
    frame: int | None
    uid: str
    study: str
    series: str
    number: int | None
    instance: float | None
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    size: tuple[int, int]
    spacing: tuple[float, float]
    thickness_mm: float | None
    trigger_ms: float | None
    temporal: float | None
    heart_rate_bpm: float | None
    height_cm: float | None
    weight_kg: float | None
    slope: float
    intercept: float
    syntax: str = IMPLICIT_LITTLE_ENDIAN
    kind: str = ""
    body_part: str = ""
    inverted_from: float | None = None
