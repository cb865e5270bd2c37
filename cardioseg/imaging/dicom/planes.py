"""Image planes of DICOM files: position, orientation, time in the heartbeat, kind, and file.

Source: DICOM PS3.3, modules Image Plane (C.7.6.2), MR Image (C.8.3) and Enhanced MR Image
(C.8.13). Only the attributes in ``WANTED`` are read, so nothing here identifies the patient.
Which planes belong together is decided in ``series`` and ``grid``.
"""

import math
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileDataset

from cardioseg.core.errors import GeometryError
from cardioseg.imaging.dicom.content import GE_RAW_TYPE, body_part, kind_of, makers_facts
from cardioseg.imaging.dicom.headers import damaged
from cardioseg.imaging.dicom.values import Facts, first_number, number, vector, within, words
from cardioseg.imaging.plane import IMPLICIT_LITTLE_ENDIAN, Plane

WANTED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "Modality",
    "ImageType",
    "FrameType",
    "ComplexImageComponent",
    "BodyPartExamined",
    "AnatomicRegionSequence",
    "ScanningSequence",
    "EchoPlanarPulseSequence",
    "DiffusionBValue",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
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
HEADER = (*WANTED, *GROUPS, 0x00430010, GE_RAW_TYPE)
LARGEST_SIDE = 4096  # rows or columns; scanners reconstruct to 1024 at most
UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")


def planes_of(path: Path, header: FileDataset) -> list[Plane]:
    """The image planes of an MR image file, from the attributes ``HEADER`` of it.

    Raises:
        InputError: the header is cut short, or contradicts itself or the file's size.
        GeometryError: position, pixel spacing or orientation are missing or invalid.
    """
    _check_size(path, header)
    return [_plane(path, header, index, facts) for index, facts in _frames(path, header)]


def _check_size(path: Path, header: FileDataset) -> None:
    """Require rows and columns, and as many bytes as uncompressed voxels need."""
    rows, columns = (int(number(header, key) or 0) for key in ("Rows", "Columns"))
    if rows < 1 or columns < 1:
        raise damaged(path, "an MR image without rows and columns")
    if max(rows, columns) > LARGEST_SIDE:
        raise damaged(path, f"{rows} rows and {columns} columns, more than {LARGEST_SIDE}")
    frames = number(header, "NumberOfFrames") or 1
    stored = rows * columns * frames * (number(header, "BitsAllocated") or 0) / 8
    if _syntax(header) in UNCOMPRESSED and path.stat().st_size < stored:
        raise damaged(path, "fewer bytes than its rows, columns and frames need")


def _syntax(header: FileDataset) -> str:
    """The transfer syntax UID; a file without preamble may not state it."""
    stated = header.file_meta.get("TransferSyntaxUID")
    if stated:
        return str(stated)
    implicit, _ = header.original_encoding
    return IMPLICIT_LITTLE_ENDIAN if implicit else "1.2.840.10008.1.2.1"


def _frames(path: Path, header: FileDataset) -> list[tuple[int | None, Facts]]:
    """Frame index and attributes of each image; (None, attributes) for a single-image file.

    A frame's own functional groups override the shared ones, which override the file's.
    """
    own = _wanted(header)
    own["GERawType"] = header[GE_RAW_TYPE].value if GE_RAW_TYPE in header else None
    if "ImagePositionPatient" in own or GROUPS[1] not in header:
        return [(None, own)]
    groups = _frame_groups(path, header)
    common = own | _shared(header)
    return [(index, common | _in_groups(group)) for index, group in enumerate(groups)]


def _frame_groups(path: Path, header: FileDataset) -> list[Dataset]:
    """The functional groups of each frame; their number must be the number of frames."""
    groups = list(header[GROUPS[1]].value or [])
    stated = int(number(header, "NumberOfFrames") or 1)
    if len(groups) != stated:
        raise damaged(path, f"{stated} frames, but {len(groups)} frame headers")
    return groups


def _shared(header: FileDataset) -> dict[str, Any]:
    """Attributes in the functional groups that all frames share."""
    shared = [_in_groups(group) for group in header.get(GROUPS[0]) or []]
    return shared[0] if shared else {}


def _wanted(dataset: Dataset) -> dict[str, Any]:
    return {keyword: dataset.get(keyword) for keyword in WANTED if keyword in dataset}


def _in_groups(group: Dataset) -> dict[str, Any]:
    """Attributes in a functional group, which nests each in a sequence of one item.

    Of a maker's private sequences, only what the standard groups lack is taken.
    """
    found: dict[str, Any] = {}
    private: dict[str, Any] = {}
    for element in group:
        if element.VR != "SQ" or not element.value:
            continue
        if element.tag.is_private:
            private |= makers_facts(element)
        else:
            found |= _wanted(element.value[0])
    return private | found


def _plane(path: Path, header: FileDataset, index: int | None, facts: Facts) -> Plane:
    slope, series = number(facts, "RescaleSlope"), number(facts, "SeriesNumber")
    if slope == 0:
        raise damaged(path, "a rescale slope of 0")
    return Plane(
        path=path,
        frame=index,
        uid=str(facts.get("SOPInstanceUID", "")),
        study=str(facts.get("StudyInstanceUID", "")),
        series=str(facts.get("SeriesInstanceUID", "")),
        number=None if series is None else int(series),
        instance=number(facts, "InstanceNumber") if index is None else index,
        position=_position(path, facts),
        orientation=_orientation(path, facts),
        size=(int(header.Columns), int(header.Rows)),
        spacing=_spacing(path, facts),
        thickness_mm=number(facts, "SliceThickness"),
        trigger_ms=first_number(facts, "TriggerTime", "NominalCardiacTriggerDelayTime"),
        temporal=first_number(facts, "TemporalPositionIdentifier", "TemporalPositionIndex"),
        heart_rate_bpm=_heart_rate(facts),
        height_cm=within(100 * (number(facts, "PatientSize") or 0), 40, 250),
        weight_kg=within(number(facts, "PatientWeight"), 2, 400),
        slope=1.0 if slope is None else slope,
        intercept=number(facts, "RescaleIntercept") or 0.0,
        syntax=_syntax(header),
        kind=kind_of(facts),
        body_part=body_part(facts),
        inverted_from=_inverted_from(facts),
    )


def _position(path: Path, facts: Facts) -> tuple[float, ...]:
    position = vector(facts, "ImagePositionPatient", 3)
    if position is None:
        raise _no_geometry(path, "no position", "three numbers")
    return position


def _orientation(path: Path, facts: Facts) -> tuple[float, ...]:
    """Unit vectors along a row and along a column."""
    orientation = vector(facts, "ImageOrientationPatient", 6)
    if orientation is None:
        raise _no_geometry(path, "no orientation", "six numbers")
    row, column = orientation[:3], orientation[3:]
    lengths = [math.hypot(*row), math.hypot(*column)]
    skew = sum(a * b for a, b in zip(row, column, strict=True))
    if abs(skew) > 0.01 or any(abs(length - 1) > 0.01 for length in lengths):
        shown = ", ".join(f"{value:g}" for value in orientation)
        raise _no_geometry(path, f"orientation {shown}", "two unit vectors at a right angle")
    return orientation


def _spacing(path: Path, facts: Facts) -> tuple[float, float]:
    """Distance in mm between columns, between rows; PixelSpacing has the reverse order."""
    spacing = vector(facts, "PixelSpacing", 2)
    if spacing is None:
        raise _no_geometry(path, "no pixel spacing", "two positive numbers")
    if not all(value > 0 for value in spacing):
        shown = f"pixel spacing {spacing[0]:g} × {spacing[1]:g} mm"
        raise _no_geometry(path, shown, "two positive numbers")
    return spacing[1], spacing[0]


def _no_geometry(path: Path, found: str, expected: str) -> GeometryError:
    return GeometryError(path, found=found, expected=expected, cure="export the series again")


def _inverted_from(facts: Facts) -> float | None:
    """Lowest + highest storable value of a MONOCHROME1 image, None for MONOCHROME2."""
    if words(facts, "PhotometricInterpretation") != ["MONOCHROME1"]:
        return None
    bits = number(facts, "BitsStored") or 16
    return -1.0 if number(facts, "PixelRepresentation") else 2.0**bits - 1


def _heart_rate(facts: Facts) -> float | None:
    """Beats per minute, as stated or from the nominal RR interval in ms."""
    stated = number(facts, "HeartRate")
    interval_ms = number(facts, "NominalInterval") or number(facts, "RRIntervalTimeNominal")
    return within(stated or (60_000 / interval_ms if interval_ms else None), 20, 250)
