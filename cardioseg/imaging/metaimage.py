"""Headers of MetaImage files (.mha, .mhd); world coordinates are LPS.

Source: https://itk.org/Wiki/MetaIO/Documentation.
"""

from pathlib import Path

import numpy as np

from cardioseg.core.errors import InputError
from cardioseg.imaging.text_header import (
    LONGEST_HEADER,
    Layout,
    as_affine,
    beside,
    dimension,
    header_error,
    no_spacing,
    numbers,
    shown,
    whole_numbers,
)

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
TRUE = ("true", "t", "1")


def read_metaimage(path: Path) -> Layout:
    """Parse the header of a MetaImage file.

    Raises:
        InputError: not a MetaImage header, or voxels stored in a way that is not supported.
        GeometryError: no voxel size, or a wrong number of axes.
    """
    fields, end = _fields(path)
    axes = dimension(path, "NDims", _need(path, fields, "NDims"))
    shape = whole_numbers(path, "DimSize", _need(path, fields, "DimSize"), count=axes)
    if "ElementSpacing" not in fields:
        raise no_spacing(path, "ElementSpacing")
    spacing = numbers(path, "ElementSpacing", fields["ElementSpacing"], count=axes)
    if fields.get("ElementNumberOfChannels", "1").strip() != "1":
        raise InputError(
            path,
            found="several values per voxel",
            expected="one grey value per voxel",
            cure="convert the image to greyscale",
        )
    data, offset = _place(path, fields, end)
    packed = _flag(fields, "CompressedData")
    size = fields.get("CompressedDataSize") if packed else None
    count = None if size is None else whole_numbers(path, "CompressedDataSize", size, count=1)[0]
    if not _flag(fields, "BinaryData", default=True) and packed:
        expected = "BinaryData = True with CompressedData"
        raise header_error(path, found="compressed text", expected=expected)
    return Layout(
        shape=shape,
        dtype=_dtype(path, fields),
        affine=_affine(path, fields, spacing),
        spacing=spacing,
        encoding="gzip"
        if packed
        else "raw"
        if _flag(fields, "BinaryData", default=True)
        else "text",
        data=data,
        offset=offset,
        packed_size=count,
    )


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Fields up to ElementDataFile, which ends the header, and the offset behind it."""
    with path.open("rb") as file:
        content = file.read(LONGEST_HEADER)
    fields: dict[str, str] = {}
    start = 0
    while "ElementDataFile" not in fields:
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        name, equals, value = (
            content[start:end].decode("utf-8", errors="surrogateescape").partition("=")
        )
        if not equals or start >= len(content):
            found = f"unreadable data (header line {shown(name.strip())})"
            expected = "a MetaImage header, NAME = VALUE up to ElementDataFile"
            raise header_error(path, found=found, expected=expected)
        if name.strip() in fields:
            raise header_error(path, found=f"{name.strip()} twice", expected="each field once")
        fields[name.strip()] = value.strip()
        start = end + 1
    return fields, start


def _need(path: Path, fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise header_error(path, found=f"no {name}", expected="a complete MetaImage header")
    return fields[name]


def _flag(fields: dict[str, str], name: str, *, default: bool = False) -> bool:
    return fields[name].lower() in TRUE if name in fields else default


def _place(path: Path, fields: dict[str, str], end: int) -> tuple[Path, int]:
    """The file with the voxels, and where they begin in it; -1 counts from its end."""
    name = fields["ElementDataFile"]
    if name.upper() == "LOCAL":
        return path, end
    if name.upper().startswith("LIST") or "%" in name:
        expected = "one data file"
        cure = "save the image as one .mha or .nii.gz file"
        raise header_error(path, found=f"data file {shown(name)}", expected=expected, cure=cure)
    size = fields.get("HeaderSize", "0").strip()
    if size in ("0", "-1"):
        return beside(path, name), int(size)
    return beside(path, name), whole_numbers(path, "HeaderSize", size, count=1)[0]


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[np.generic]:
    name = _need(path, fields, "ElementType")
    if name not in TYPES:
        expected = f"one of {', '.join(TYPES)}"
        raise header_error(path, found=f"ElementType {shown(name)}", expected=expected)
    big = any(_flag(fields, key) for key in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"))
    return np.dtype(f"{'>' if big else '<'}{TYPES[name]}")


def _affine(path: Path, fields: dict[str, str], spacing: tuple[float, ...]) -> np.ndarray:
    """Each line of TransformMatrix is the direction of one axis."""
    axes = len(spacing)
    first = {
        key: next((fields[name] for name in names if name in fields), None)
        for key, names in (
            ("turn", ("TransformMatrix", "Rotation", "Orientation")),
            ("origin", ("Offset", "Position", "Origin")),
        )
    }
    turn, origin = np.eye(axes), np.zeros(axes)
    if first["turn"] is not None:
        values = numbers(path, "TransformMatrix", first["turn"], count=axes * axes)
        turn = np.array(values).reshape(axes, axes).T
    if first["origin"] is not None:
        origin = np.array(numbers(path, "Offset", first["origin"], count=axes))
    return as_affine(turn * np.array(spacing), origin)
