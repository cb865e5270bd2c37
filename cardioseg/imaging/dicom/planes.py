"""What the headers of DICOM files say of every image plane: where it lies, when in the heartbeat, which file holds it.

Source: DICOM PS3.3, the modules Image Plane (C.7.6.2), MR Image (C.8.3) and Enhanced MR Image (C.8.13). Only the attributes in
``WANTED`` are taken, so nothing here can tell who the patient is. It does not know which planes belong together, and takes no
file for DICOM that lacks the "DICM" mark behind its preamble.
"""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from cardioseg.core.errors import GeometryError, InputError
from cardioseg.imaging.image import ENDINGS

MR_IMAGES = (MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage)
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

# pydicom also logs what it warns of, and quotes the value that broke a rule: it may be the patient's name.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Plane:
    """One image plane as its header describes it; world coordinates are DICOM's (LPS), in mm.

    Attributes:
        path: the file.
        frame: index from 0 of the frame in a multi-frame file, None in a file of one image.
        uid: SOP instance UID.
        study: study instance UID.
        series: series instance UID.
        number: series number, None when there is none.
        description: series description, shortened.
        instance: instance number, in a multi-frame file the frame's place; None when there is none.
        position: centre of the first voxel.
        orientation: unit vectors along a row, then along a column.
        size: columns, rows.
        spacing: mm between columns, between rows.
        thickness_mm: slice thickness; says nothing of the distance between slices.
        trigger_ms: time since the R wave.
        temporal: temporal position, counted from 1.
        heart_rate_bpm: as stated, or from the nominal RR interval.
        height_cm: of the patient.
        weight_kg: of the patient.
        slope: of stored to real values.
        intercept: of stored to real values.
        syntax: transfer syntax UID.
    """

    path: Path
    frame: int | None
    uid: str
    study: str
    series: str
    number: int | None
    description: str
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
    syntax: str = field(default=ImplicitVRLittleEndian)


def dicom_files(path: Path) -> list[Path]:
    """The DICOM files below a folder, hidden ones left out, or the file itself; by name.

    Raises:
        InputError: a file cannot be opened.
    """
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [p for p in paths if p.is_file() and not p.name.startswith(".") and is_dicom(p)]


def is_dicom(path: Path) -> bool:
    """Whether a file carries DICOM's mark; files named as another image format are not looked into."""
    if path.name.lower().endswith(ENDINGS):
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError as error:
        raise InputError(
            path,
            found=str(error.strerror),
            expected="a readable file",
            cure="check its permissions",
        ) from None


@contextmanager
def unwarned() -> Iterator[None]:
    """Without pydicom's warnings: scanners and anonymisers break small rules, say of UIDs, in every file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(path: Path, keywords: tuple[str, ...]) -> FileDataset:
    """The attributes named, and no others.

    Raises:
        InputError: the header cannot be read.
    """
    try:
        with unwarned():
            return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(keywords))
    except Exception as error:  # noqa: BLE001 — pydicom raises a dozen unrelated types on damaged files
        raise damaged(path, f"an unreadable header ({one_line(error)})") from None


def damaged(path: Path, found: str) -> InputError:
    """The error of a DICOM file that has to be fetched again."""
    return InputError(
        path, found=found, expected="an intact DICOM file", cure="export or copy it again"
    )


def one_line(error: Exception) -> str:
    """An error's text, shortened."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def sop_class(header: FileDataset) -> str:
    """What kind of object a file holds, as a UID."""
    return str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID", ""))


def read_planes(path: Path) -> list[Plane]:
    """The grey-scale MR images of a file that say where they lie; none when it holds something else.

    Raises:
        InputError: the header cannot be read, or was cut off.
        GeometryError: pixel spacing or orientation make no sense.
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
    """What is said of each image: of the file's one, or of every frame, by itself or by the shared groups."""
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
    """A functional group holds sequences of one item, and each item attributes."""
    found: dict[str, Any] = {}
    for element in group:
        if element.VR == "SQ" and element.value:
            found |= _wanted(element.value[0])
    return found


def _plane(
    path: Path, header: FileDataset, index: int | None, facts: dict[str, Any]
) -> Plane | None:
    position, orientation = (
        _vector(facts, "ImagePositionPatient", 3),
        _vector(facts, "ImageOrientationPatient", 6),
    )
    if position is None or orientation is None:
        return None
    _check_orientation(path, orientation)
    number, instance = _number(facts, "SeriesNumber"), _number(facts, "InstanceNumber")
    trigger, delay = _number(facts, "TriggerTime"), _number(facts, "NominalCardiacTriggerDelayTime")
    temporal, ordinal = (
        _number(facts, "TemporalPositionIdentifier"),
        _number(facts, "TemporalPositionIndex"),
    )
    slope, intercept = _number(facts, "RescaleSlope"), _number(facts, "RescaleIntercept")
    return Plane(
        path=path,
        frame=index,
        uid=str(facts.get("SOPInstanceUID", "")),
        study=str(facts.get("StudyInstanceUID", "")),
        series=str(facts.get("SeriesInstanceUID", "")),
        number=None if number is None else int(number),
        description=" ".join(str(facts.get("SeriesDescription") or "").split())[
            :LONGEST_DESCRIPTION
        ],
        instance=instance if index is None else index,
        position=position,
        orientation=orientation,
        size=(int(header.Columns), int(header.Rows)),
        spacing=_spacing(path, facts),
        thickness_mm=_number(facts, "SliceThickness"),
        trigger_ms=delay if trigger is None else trigger,
        temporal=ordinal if temporal is None else temporal,
        heart_rate_bpm=_heart_rate(facts),
        height_cm=_within(100 * (_number(facts, "PatientSize") or 0), 40, 250),
        weight_kg=_within(_number(facts, "PatientWeight"), 2, 400),
        slope=1.0 if slope is None else slope,
        intercept=intercept or 0.0,
        syntax=str(header.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)),
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
    """PixelSpacing names the distance between rows first."""
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
    """Beats per minute, as stated or from the RR interval."""
    stated = _number(facts, "HeartRate")
    interval_ms = _number(facts, "NominalInterval") or _number(facts, "RRIntervalTimeNominal")
    return _within(stated or (60_000 / interval_ms if interval_ms else None), 20, 250)


def _within(value: float | None, low: float, high: float) -> float | None:
    """A number that a living person can have; scanners write 0 for what nobody entered, and heights in cm for m."""
    return value if value is not None and low <= value <= high else None


def _number(facts: dict[str, Any], keyword: str) -> float | None:
    values = _vector(facts, keyword, 1)
    return None if values is None else values[0]


def _vector(facts: dict[str, Any], keyword: str, length: int) -> tuple[float, ...] | None:
    """Finite numbers; None where they are missing, too few or no numbers."""
    value: Any = facts.get(keyword)
    listed: list[Any] = (
        list(value) if isinstance(value, (list, pydicom.multival.MultiValue)) else [value]
    )
    try:
        numbers = tuple(float(part) for part in listed)
    except (TypeError, ValueError):
        return None
    return (
        numbers if len(numbers) == length and all(math.isfinite(part) for part in numbers) else None
    )
