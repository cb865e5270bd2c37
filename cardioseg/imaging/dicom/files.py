"""The image planes of all files of a study, and the files left out with the reason for each.

A file is left out because it is damaged, or because it is something else: a screenshot, a report,
a CT image. A damaged file may be an image of the cine, and without it the volume would be wrong.
"""

import filecmp
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileDataset
from pydicom.uid import UID

from cardioseg.core.errors import InputError
from cardioseg.imaging.dicom.headers import MR_IMAGES, is_cut, mark_of, read_header, sop_class
from cardioseg.imaging.dicom.planes import HEADER, planes_of
from cardioseg.imaging.dicom.values import number, words
from cardioseg.imaging.plane import Plane

UNREADABLE = {"empty": "empty", "cut": "cut short", "other": "not DICOM"}
COLOUR = "a colour image"
MOST_REASONS = 6


@dataclass(frozen=True)
class LeftOut:
    """A file without usable image planes.

    Attributes:
        path: the file.
        reason: what is wrong with it, or what it is.
        damaged: whether it may be an MR image that cannot be used.
        dicom: whether it begins as DICOM does.
        series: series instance UID, "" where it cannot be read.
    """

    path: Path
    reason: str
    damaged: bool
    dicom: bool = True
    series: str = ""


@dataclass(frozen=True)
class StudyContent:
    """What the files of a study hold.

    Attributes:
        planes: image planes, in the order of the files.
        left_out: files without planes.
        copies: number of files that are identical copies of others.
        irregular: number of files with values that the DICOM standard does not allow.
    """

    planes: tuple[Plane, ...]
    left_out: tuple[LeftOut, ...]
    copies: int
    irregular: int


def read_files(paths: Iterable[Path]) -> StudyContent:
    """Read the headers of files; files of text and of other formats are ignored."""
    planes: list[Plane] = []
    left_out: list[LeftOut] = []
    irregular = 0
    for path in paths:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = _read_file(path)
        irregular += bool(caught)
        if isinstance(found, LeftOut):
            left_out.append(found)
        else:
            planes += found
    once = _without_copies(planes)
    copies = len({plane.path for plane in planes}) - len({plane.path for plane in once})
    return StudyContent(tuple(once), tuple(left_out), copies, irregular)


def _read_file(path: Path) -> list[Plane] | LeftOut:
    try:
        mark = mark_of(path)
        if mark == "text":
            return []
        if mark in UNREADABLE:
            return LeftOut(path, UNREADABLE[mark], damaged=True, dicom=False)
        header = read_header(path, HEADER)
    except InputError as error:
        return LeftOut(path, error.found, damaged=True)
    return _of_header(path, header)


def _of_header(path: Path, header: FileDataset) -> list[Plane] | LeftOut:
    series = str(header.get("SeriesInstanceUID", ""))
    kind = sop_class(header)
    if kind not in MR_IMAGES:
        reason = _other_object(kind, words(header, "Modality"))
        return LeftOut(path, reason, damaged=is_cut(kind), series=series)
    if "PhotometricInterpretation" in header and not _is_grey(header):
        return LeftOut(path, COLOUR, damaged=False, series=series)
    try:
        return planes_of(path, header)
    except InputError as error:
        reason = error.found
    except Exception as error:  # noqa: BLE001 - pydicom raises a dozen unrelated types on bad files
        reason = f"an unreadable header ({type(error).__name__})"
    return LeftOut(path, reason, damaged=True, series=series)


def _is_grey(header: FileDataset) -> bool:
    grey = words(header, "PhotometricInterpretation") in (["MONOCHROME1"], ["MONOCHROME2"])
    return grey and (number(header, "SamplesPerPixel") or 1) == 1


def _other_object(kind: str, modality: list[str]) -> str:
    """What a DICOM object other than an MR image is, from its class: "CT Image Storage"."""
    if is_cut(kind):
        return "a header cut short"
    name = UID(kind).name
    if name != kind:
        return str(name)
    known = [word for word in modality if re.fullmatch(r"[A-Z]{2,10}", word)]
    return f"an object of modality {known[0]}" if known else "an object of unknown class"


def _without_copies(planes: Sequence[Plane]) -> list[Plane]:
    """Planes without those of files that are byte for byte a copy of an earlier file."""
    first: dict[tuple[str, int | None], list[Plane]] = {}
    kept: list[Plane] = []
    for plane in planes:
        same = first.setdefault((plane.uid, plane.frame), [])
        if plane.uid and any(_is_copy(plane, other) for other in same):
            continue
        same.append(plane)
        kept.append(plane)
    return kept


def _is_copy(plane: Plane, other: Plane) -> bool:
    alike = (plane.position, plane.trigger_ms) == (other.position, other.trigger_ms)
    return alike and filecmp.cmp(plane.path, other.path, shallow=False)


def counted_reasons(left_out: Sequence[LeftOut]) -> str:
    """Reasons with their counts: "5 empty, 4 no position"."""
    counts = Counter(one.reason for one in left_out).most_common()
    shown = ", ".join(f"{count} {reason}" for reason, count in counts[:MOST_REASONS])
    more = sum(count for _, count in counts[MOST_REASONS:])
    return f"{shown}, {more} others" if more else shown


def possibly_of_cine(
    cine: Sequence[Plane], planes: Sequence[Plane], left_out: Sequence[LeftOut]
) -> list[LeftOut]:
    """The damaged files that may be images of the cine.

    That is a file of one of its series, or of a series without any usable image where the cine has
    several series. A file whose series is unknown may be one if it lies beside images of the cine
    and has their ending, or in a folder without images and has a name like theirs.
    """
    return [one for one in left_out if one.damaged and _may_belong(one, cine, planes)]


def _may_belong(one: LeftOut, cine: Sequence[Plane], planes: Sequence[Plane]) -> bool:
    series = {plane.series for plane in cine}
    if one.series in {plane.series for plane in planes}:
        return one.series in series
    if one.series and len(series) > 1:
        return True
    return _is_named_alike(one.path, cine, planes)


def _is_named_alike(path: Path, cine: Sequence[Plane], planes: Sequence[Plane]) -> bool:
    """Whether a file has the ending of cine images beside it.

    In a folder without images: whether it has a name like that of any cine image.
    """
    folder = path.parent
    if any(plane.path.parent == folder for plane in planes):
        beside = (plane.path for plane in cine if plane.path.parent == folder)
        return _ending(path) in {_ending(image) for image in beside}
    return _shape(path) in {_shape(plane.path) for plane in cine}


def _ending(path: Path) -> str:
    """The ending in lower case; digits, as of a UID, are none."""
    ending = path.suffix.lower()
    return "" if ending[1:].isdigit() else ending


def _shape(path: Path) -> str:
    """A file name with each run of digits replaced: names of one export are alike."""
    return re.sub(r"\d+", "#", path.name.lower())
