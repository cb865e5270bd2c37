"""DICOM files below a folder, and selected attributes of their headers.

Source: DICOM PS3.10 §7.1: 128 bytes of preamble, then "DICM". Files without a preamble, which older
archives write, begin with the first data element; they are recognised by it.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pydicom
from pydicom.dataset import FileDataset
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from cardioseg.core.errors import InputError
from cardioseg.core.walk import files_below
from cardioseg.imaging.image import ENDINGS

MR_IMAGES = (MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage)
STANDARD_UID = "1.2.840.10008."  # of the classes that the standard defines
MARK_END = 132  # bytes of preamble and mark
# The first element of a file without a preamble, little endian: group 0002 or 0008, a low element
# number, then a value representation or the upper half of a small length.
BARE = re.compile(rb"[\x02\x08]\x00[\x00-\x20]\x00([A-Z]{2}|.{2}\x00\x00)", re.DOTALL)
Mark = Literal["dicom", "bare", "empty", "cut", "text", "other"]

# pydicom logs each invalid value it reads. The value may be the patient's name.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def candidate_files(path: Path) -> list[Path]:
    """The files below a folder, or the file itself, by name; no hidden files or other formats."""
    paths = sorted(files_below(path)) if path.is_dir() else [path]
    return [p for p in paths if p.is_file() and not p.name.startswith(".") and not _other_format(p)]


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does; files with another format's ending are not opened.

    Raises:
        InputError: the file cannot be opened.
    """
    return not _other_format(path) and mark_of(path) in ("dicom", "bare")


def _other_format(path: Path) -> bool:
    return path.name.lower().endswith(ENDINGS)


def mark_of(path: Path) -> Mark:
    """What the first bytes say: DICOM, DICOM without preamble, empty, cut short, text or other.

    Raises:
        InputError: the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4 * MARK_END)
    except OSError as error:
        raise InputError(
            path,
            found=str(error.strerror),
            expected="a readable file",
            cure="check its permissions",
        ) from None
    if start[MARK_END - 4 : MARK_END] == b"DICM":
        return "dicom"
    if not start:
        return "empty"
    if len(start) > MARK_END and BARE.match(start):
        return "bare"
    if _is_text(start):
        return "text"
    return "cut" if len(start) < MARK_END else "other"


def _is_text(start: bytes) -> bool:
    return not any(byte < 32 and byte not in b"\t\n\f\r\x1b" for byte in start)


@contextmanager
def unwarned() -> Iterator[None]:
    """Silence pydicom's warnings, such as of the invalid UIDs that many anonymisers write."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(path: Path, keywords: tuple[str | int, ...]) -> FileDataset:
    """Read only the attributes in ``keywords``. Callers catch or count pydicom's warnings.

    Raises:
        InputError: the header cannot be read, or one of the attributes has no valid value.
    """
    tags = [Tag(key) for key in keywords]
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags, force=True)
        for _ in (*header.file_meta, *header):  # values are decoded when they are first read
            pass
    except Exception as error:  # noqa: BLE001 - pydicom raises a dozen unrelated types on bad files
        # The error's text may quote a value, so only its type is told.
        raise damaged(path, f"an unreadable header ({type(error).__name__})") from None
    return header


def damaged(path: Path, found: str) -> InputError:
    """The error for a damaged DICOM file."""
    return InputError(
        path, found=found, expected="an intact DICOM file", cure="export or copy it again"
    )


def one_line(error: Exception) -> str:
    """An error's text on one line, at most 120 characters."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def sop_class(header: FileDataset) -> str:
    """The SOP class UID: what kind of object the file holds; "" where it is not stated."""
    return str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID", ""))


def is_cut(kind: str) -> bool:
    """Whether a SOP class UID is missing or cut short, as in a truncated header."""
    standard = kind[: len(STANDARD_UID)] == STANDARD_UID[: len(kind)]
    return standard and UID(kind).name == kind
