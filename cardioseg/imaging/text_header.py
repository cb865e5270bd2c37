"""What the text headers of NRRD and MetaImage files say: layout and geometry of the voxels.

The headers are parsed and checked here, and the voxels read with NumPy, because the C++ readers
of these formats crash on some damaged headers and read any file that a header names.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from cardioseg.core.errors import GeometryError, InputError

LONGEST_HEADER = 1 << 20  # bytes; files of Slicer with many segments need some 10,000
MOST_AXES = 8


@dataclass(frozen=True)
class Layout:
    """Where the voxels of a file are, and how they are stored.

    Attributes:
        shape: voxels along each axis, first axis fastest.
        dtype: type of a voxel, with byte order.
        affine: (4, 4) voxel index → LPS world in mm.
        spacing: along the first three axes in mm; as many numbers as there are axes.
        encoding: "raw", "gzip" (or zlib), "bzip2" or "text".
        data: the file that holds the voxels.
        offset: first byte of the voxels; -1 counts from the end of the file.
        packed_size: bytes of the compressed voxels; None up to the end of the file.
        skipped: bytes to skip behind the decompression.
        names: value → structure, of a mask.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    affine: np.ndarray
    spacing: tuple[float, ...]
    encoding: str
    data: Path
    offset: int
    packed_size: int | None = None
    skipped: int = 0
    names: Mapping[int, str] = field(default_factory=dict)


def header_error(
    path: Path,
    *,
    found: str,
    expected: str,
    cure: str = "correct the header, or export the image again",
) -> InputError:
    """The error for a field that is missing, malformed or not supported."""
    return InputError(path, found=found, expected=expected, cure=cure)


def whole_numbers(path: Path, name: str, text: str, *, count: int | None = None) -> tuple[int, ...]:
    """The positive whole numbers of a field.

    Raises:
        InputError: another text, or not ``count`` numbers.
    """
    parts = text.split()
    values = tuple(int(part) for part in parts) if all(map(_is_whole, parts)) else ()
    if not values or 0 in values or count not in (None, len(values)):
        number = "positive whole numbers" if count is None else f"{count} positive whole numbers"
        raise header_error(path, found=f"{name} {shown(text)}", expected=number)
    return values


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19  # fits 64 bits


def numbers(path: Path, name: str, text: str, *, count: int) -> tuple[float, ...]:
    """The finite numbers of a field.

    Raises:
        InputError: another text, or not ``count`` numbers.
    """
    try:
        values = tuple(float(part) for part in text.split())
    except ValueError:
        values = ()
    if len(values) != count or not all(math.isfinite(value) for value in values):
        raise header_error(path, found=f"{name} {shown(text)}", expected=f"{count} finite numbers")
    return values


def dimension(path: Path, name: str, text: str) -> int:
    """Number of axes.

    Raises:
        GeometryError: not a whole number from 1 to ``MOST_AXES``.
    """
    text = text.strip()
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MOST_AXES):
        raise GeometryError(
            path,
            found=f"{name} {shown(text)}",
            expected="2 to 4 axes (x, y, slices, frames)",
            cure="correct the header, or export the image again",
        )
    return int(text)


def beside(path: Path, name: str) -> Path:
    """The data file of a detached header, in the header's own folder.

    Raises:
        InputError: the name has a folder, or there is no such file.
    """
    name = name.strip()
    plain = {PurePosixPath(name).name, PureWindowsPath(name).name} == {name}
    if not plain or name in ("", ".", "..") or "\0" in name:
        expected = "the name of a file in the header's own folder"
        cure = "move the data file there and name it without a folder"
        raise header_error(path, found=f"data file {shown(name)}", expected=expected, cure=cure)
    try:
        there = (path.parent / name).is_file()
    except OSError:  # a name that is too long
        there = False
    if not there:
        expected = "the data file beside the header"
        raise header_error(path, found=f"no file {shown(name)}", expected=expected, cure="copy it")
    return path.parent / name


def no_spacing(path: Path, field_name: str) -> GeometryError:
    """The error for a header without voxel size; guessing 1 mm would make volumes wrong."""
    return GeometryError(
        path,
        found=f"no voxel size ({field_name})",
        expected="the spacing in mm along each axis",
        cure="export the image with its spacing",
    )


def shown(text: str) -> str:
    """A header's text as one short, quoted piece."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def as_affine(columns: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """(4, 4) matrix from up to three columns of axes in mm; missing axes are unit vectors."""
    affine = np.eye(4)
    rows, axes = (min(3, n) for n in columns.shape)
    affine[:rows, :axes] = columns[:rows, :axes]
    affine[: min(3, len(origin)), 3] = origin[:3]
    return affine
