"""Image planes of DICOM files: position, orientation, time in the heartbeat, and file.

Source: DICOM PS3.3, modules Image Plane (C.7.6.2), MR Image (C.8.3) and Enhanced MR Image
(C.8.13). Only the attributes in ``WANTED`` are read, so nothing here identifies the patient.
Which planes belong together is decided in ``series`` and ``grid``.
"""

import math
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileDataset
from pydicom.multival import MultiValue

from cardioseg.core.errors import GeometryError
from cardioseg.imaging.dicom.headers import MR_IMAGES, damaged, read_header, sop_class, unwarned
from cardioseg.imaging.plane import IMPLICIT_LITTLE_ENDIAN, Plane

WANTED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "HeartRate",
    "NominalInterval",
    "RRIntervalTimeNominal",
    "PatientSize",
    "PatientWeight",
    "RescaleSlope",
    "RescaleIntercept",
)
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
LONGEST_DESCRIPTION = 40


def read_planes(path: Path) -> list[Plane]:
    """The grey-scale MR images of a file that have a position; none for other objects.

    Raises:
        InputError: the header is unreadable or truncated.
        GeometryError: pixel spacing or orientation are invalid.
    """
    header = read_header(path, WANTED + GROUPS)
    if sop_class(header) not in MR_IMAGES:
        return []
    if "Rows" not in header or "Columns" not in header:
        raise damaged(path, "an MR image without rows and columns")
    if (
        header.get("PhotometricInterpretation") != "MONOCHROME2"
        or header.get("SamplesPerPixel", 1) != 1
    ):
        return []
    with unwarned():
        described = _frames(header)
        planes = [_plane(path, header, index, facts) for index, facts in described]
    return [plane for plane in planes if plane is not None]


def _frames(header: FileDataset) -> list[tuple[int | None, dict[str, Any]]]:
    """Frame index and attributes of each image; (None, attributes) for a single-image file.

    A frame's own functional groups override the shared ones, which override the file's.
    """
    own = _wanted(header)
    if "ImagePositionPatient" in own or GROUPS[1] not in header:
        return [(None, own)]
    shared = [_in_groups(group) for group in header.get(GROUPS[0]) or []]
    common = own | (shared[0] if shared else {})
    return [
        (index, common | _in_groups(group)) for index, group in enumerate(header[GROUPS[1]].value)
    ]


def _wanted(dataset: Dataset) -> dict[str, Any]:
    return {keyword: dataset.get(keyword) for keyword in WANTED if keyword in dataset}


def _in_groups(group: Dataset) -> dict[str, Any]:
    """Attributes in a functional group, which nests each in a sequence of one item."""
    found: dict[str, Any] = {}
    for element in group:
        if element.VR == "SQ" and element.value:
            found |= _wanted(element.value[0])
    return found


def _plane(
    path: Path, header: FileDataset, index: int | None, facts: dict[str, Any]
) -> Plane | None:
    position = _vector(facts, "ImagePositionPatient", 3)
    orientation = _vector(facts, "ImageOrientationPatient", 6)
    if position is None or orientation is None:
        return None
    _check_orientation(path, orientation)
    number, slope = _number(facts, "SeriesNumber"), _number(facts, "RescaleSlope")
    return Plane(
        path=path,
        frame=index,
        uid=str(facts.get("SOPInstanceUID", "")),
        study=str(facts.get("StudyInstanceUID", "")),
        series=str(facts.get("SeriesInstanceUID", "")),
        number=None if number is None else int(number),
        description=_text(facts, "SeriesDescription")[:LONGEST_DESCRIPTION],
        instance=_number(facts, "InstanceNumber") if index is None else index,
        position=position,
        orientation=orientation,
        size=(int(header.Columns), int(header.Rows)),
        spacing=_spacing(path, facts),
        thickness_mm=_number(facts, "SliceThickness"),
        trigger_ms=_first(facts, "TriggerTime", "NominalCardiacTriggerDelayTime"),
        temporal=_first(facts, "TemporalPositionIdentifier", "TemporalPositionIndex"),
        heart_rate_bpm=_heart_rate(facts),
        height_cm=_within(100 * (_number(facts, "PatientSize") or 0), 40, 250),
        weight_kg=_within(_number(facts, "PatientWeight"), 2, 400),
        slope=1.0 if slope is None else slope,
        intercept=_number(facts, "RescaleIntercept") or 0.0,
        syntax=str(header.file_meta.get("TransferSyntaxUID", IMPLICIT_LITTLE_ENDIAN)),
    )


def _check_orientation(path: Path, orientation: tuple[float, ...]) -> None:
    row, column = orientation[:3], orientation[3:]
    lengths = [math.hypot(*row), math.hypot(*column)]
    skew = sum(a * b for a, b in zip(row, column, strict=True))
    if abs(skew) > 0.01 or any(abs(length - 1) > 0.01 for length in lengths):
        shown = ", ".join(f"{value:g}" for value in orientation)
        raise GeometryError(
            path,
            found=f"orientation {shown}",
            expected="two unit vectors at a right angle",
            cure="export the series again",
        )


def _spacing(path: Path, facts: dict[str, Any]) -> tuple[float, float]:
    """Distance in mm between columns, between rows; PixelSpacing has the reverse order."""
    spacing = _vector(facts, "PixelSpacing", 2)
    if spacing is None or not all(value > 0 for value in spacing):
        found = (
            "no pixel spacing"
            if spacing is None
            else f"pixel spacing {spacing[0]:g} × {spacing[1]:g} mm"
        )
        raise GeometryError(
            path,
            found=found,
            expected="two positive numbers",
            cure="export the series again with its geometry",
        )
    return spacing[1], spacing[0]


def _heart_rate(facts: dict[str, Any]) -> float | None:
    """Beats per minute, as stated or from the nominal RR interval in ms."""
    stated = _number(facts, "HeartRate")
    interval_ms = _number(facts, "NominalInterval") or _number(facts, "RRIntervalTimeNominal")
    return _within(stated or (60_000 / interval_ms if interval_ms else None), 20, 250)


def _within(value: float | None, low: float, high: float) -> float | None:
    """``value`` where it is plausible: scanners write 0 for unknown, and heights in cm for m."""
    return value if value is not None and low <= value <= high else None


def _text(facts: dict[str, Any], keyword: str) -> str:
    return " ".join(str(facts.get(keyword) or "").split())


def _first(facts: dict[str, Any], keyword: str, other: str) -> float | None:
    value = _number(facts, keyword)
    return _number(facts, other) if value is None else value


def _number(facts: dict[str, Any], keyword: str) -> float | None:
    values = _vector(facts, keyword, 1)
    return None if values is None else values[0]


def _vector(facts: dict[str, Any], keyword: str, length: int) -> tuple[float, ...] | None:
    """``length`` finite numbers; None where the attribute is missing or anything else."""
    value: Any = facts.get(keyword)
    listed: list[Any] = list(value) if isinstance(value, (list, MultiValue)) else [value]
    try:
        numbers = tuple(float(part) for part in listed)
    except (TypeError, ValueError):
        return None
    usable = len(numbers) == length and all(math.isfinite(part) for part in numbers)
    return numbers if usable else None
