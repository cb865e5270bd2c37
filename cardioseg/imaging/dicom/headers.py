"""DICOM files below a folder, and selected attributes of their headers.

A file counts as DICOM only when it has the "DICM" mark after its preamble.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pydicom.dataset import FileDataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from cardioseg.core.errors import InputError
from cardioseg.imaging.image import ENDINGS

MR_IMAGES = (MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage)

# pydicom logs each invalid value it reads. The value may be the patient's name.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def dicom_files(path: Path) -> list[Path]:
    """The DICOM files below a folder, or the file itself, sorted by name; hidden files are skipped.

    Raises:
        InputError: a file cannot be opened.
    """
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [p for p in paths if p.is_file() and not p.name.startswith(".") and is_dicom(p)]


def is_dicom(path: Path) -> bool:
    """Whether a file has DICOM's mark; files with another format's ending are not opened.

    Raises:
        InputError: the file cannot be opened.
    """
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
    """Silence pydicom's warnings, such as of the invalid UIDs that many anonymisers write."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(path: Path, keywords: tuple[str, ...]) -> FileDataset:
    """Read only the attributes in ``keywords``.

    Raises:
        InputError: the header cannot be read.
    """
    try:
        with unwarned():
            return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(keywords))
    except Exception as error:  # noqa: BLE001 - pydicom raises a dozen unrelated types on bad files
        raise damaged(path, f"an unreadable header ({one_line(error)})") from None


def damaged(path: Path, found: str) -> InputError:
    """The error for a damaged DICOM file."""
    return InputError(
        path, found=found, expected="an intact DICOM file", cure="export or copy it again"
    )


def one_line(error: Exception) -> str:
    """An error's text on one line, at most 120 characters."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def sop_class(header: FileDataset) -> str:
    """The SOP class UID: what kind of object the file holds."""
    return str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID", ""))
