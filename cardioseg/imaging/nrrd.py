"""Headers of NRRD files (.nrrd, .nhdr), and the segment names that 3D Slicer writes into them.

Source: https://teem.sourceforge.net/nrrd/format.html. Without a known space, world coordinates
are taken as LPS, as ITK does.
"""

import re
from pathlib import Path

import numpy as np

from cardioseg.core.errors import InputError
from cardioseg.imaging.text_header import (
    LONGEST_HEADER,
    MOST_AXES,
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
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int"), "i2"),
    **dict.fromkeys(("int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int"), "u2"),
    **dict.fromkeys(("uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long"), "i8"),
    **dict.fromkeys(("signed long long int", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int"), "u8"),
    **dict.fromkeys(("uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
ENCODINGS = {
    "raw": "raw",
    "gz": "gzip",
    "gzip": "gzip",
    "bz2": "bzip2",
    "bzip2": "bzip2",
    "txt": "text",
    "text": "text",
    "ascii": "text",
}
TO_LPS = {  # signs of the world axes
    "right-anterior-superior": (-1.0, -1.0, 1.0),
    "ras": (-1.0, -1.0, 1.0),
    "right-anterior-superior-time": (-1.0, -1.0, 1.0),
    "rast": (-1.0, -1.0, 1.0),
    "left-anterior-superior": (1.0, -1.0, 1.0),
    "las": (1.0, -1.0, 1.0),
    "left-anterior-superior-time": (1.0, -1.0, 1.0),
    "last": (1.0, -1.0, 1.0),
}
SPATIAL = ("domain", "space", "???", "none")
SEGMENT = re.compile(r"Segment(\d{1,4})_(Name|LabelValue)")
VECTOR = re.compile(r"\(([^()]*)\)|none")


def read_nrrd(path: Path) -> Layout:
    """Parse the header of an NRRD file.

    Raises:
        InputError: not an NRRD header, or voxels stored in a way that is not supported.
        GeometryError: no voxel size, or a wrong number of axes.
    """
    fields, extra, end = _fields(path)
    axes = dimension(path, "dimension", _need(path, fields, "dimension"))
    shape = whole_numbers(path, "sizes", _need(path, fields, "sizes"), count=axes)
    _check_grey(path, fields)
    name = fields.get("data file", fields.get("datafile"))
    columns, origin = _geometry(path, fields, axes)
    skip = {key: fields.get(f"{key} skip", fields.get(f"{key}skip", "0")) for key in LINES_BYTES}
    encoding = _encoding(path, fields)
    data = path if name is None else _data_file(path, name)
    offset, skipped = _skips(path, skip, end if name is None else 0, encoding)
    return Layout(
        shape=shape,
        dtype=_dtype(path, fields),
        affine=as_affine(columns, origin),
        spacing=tuple(float(size) for size in np.linalg.norm(columns, axis=0)),
        encoding=encoding,
        data=data,
        offset=offset,
        skipped=skipped,
        names=_segment_names(path, extra),
    )


def segment_names(path: Path) -> dict[int, str]:
    """Value → segment name, from the header alone; {} if it names none.

    Raises:
        InputError: not an NRRD header, or contradictory names.
    """
    return _segment_names(path, _fields(path)[1])


LINES_BYTES = ("line", "byte")


def _fields(path: Path) -> tuple[dict[str, str], dict[str, str], int]:
    """Fields, key/value pairs, and the offset behind the empty line that ends the header."""
    with path.open("rb") as file:
        content = file.read(LONGEST_HEADER)
    if not content.startswith(b"NRRD000"):
        found = f"unreadable data ({shown(content[:8].decode('latin-1'))})"
        raise header_error(path, found=found, expected="an NRRD file, which begins with NRRD000")
    fields: dict[str, str] = {}
    extra: dict[str, str] = {}
    start = content.find(b"\n") + 1 or len(content)
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        line = content[start:end].decode("utf-8", errors="replace").rstrip("\r")
        start = end + 1
        if not line:
            break
        if not line.startswith("#"):
            _add(path, line, fields, extra)
    return fields, extra, min(start, len(content))


def _add(path: Path, line: str, fields: dict[str, str], extra: dict[str, str]) -> None:
    colon, pair = line.find(": "), line.find(":=")
    if pair >= 0 and (colon < 0 or pair < colon):
        extra[line[:pair]] = line[pair + 2 :]
        return
    name, found, value = line.partition(":")
    name = " ".join(name.lower().split())
    if not found:
        raise header_error(
            path, found=f"unreadable data (header line {shown(line)})", expected="NAME: VALUE"
        )
    if name in fields:
        raise header_error(path, found=f"{name} twice", expected="each field once")
    fields[name] = value.strip()


def _need(path: Path, fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise header_error(
            path, found=f"unreadable data (no {name})", expected="a complete NRRD header"
        )
    return fields[name]


def _check_grey(path: Path, fields: dict[str, str]) -> None:
    """Only the last axis may hold something other than space: frames."""
    kinds = fields.get("kinds", "").lower().split()
    directions = VECTOR.findall(fields.get("space directions", ""))
    vectors = [index for index, kind in enumerate(kinds[:3]) if kind not in SPATIAL]
    vectors += [index for index, numbers_of in enumerate(directions[:3]) if not numbers_of]
    if vectors:
        raise InputError(
            path,
            found="several values per voxel, or overlapping segments",
            expected="one grey value or label per voxel",
            cure="convert the image to greyscale, or export one label map",
        )


def _data_file(path: Path, name: str) -> Path:
    if name.upper().startswith("LIST") or "%" in name:
        cure = "save the image as one .nrrd or .nii.gz file"
        raise header_error(
            path, found=f"data file {shown(name)}", expected="one data file", cure=cure
        )
    return beside(path, name.removeprefix("./"))


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[np.generic]:
    name = " ".join(_need(path, fields, "type").lower().split())
    if name not in TYPES:
        raise header_error(path, found=f"type {shown(name)}", expected="whole or real numbers")
    order = fields.get("endian", "little").lower()
    if order not in ("little", "big") or ("endian" not in fields and TYPES[name][1] != "1"):
        found = f"endian {shown(fields.get('endian', ''))}"
        if _encoding(path, fields) != "text":
            raise header_error(path, found=found, expected="little or big")
    return np.dtype(f"{'>' if order == 'big' else '<'}{TYPES[name]}")


def _encoding(path: Path, fields: dict[str, str]) -> str:
    name = _need(path, fields, "encoding").lower()
    if name not in ENCODINGS:
        expected = f"one of {', '.join(ENCODINGS)}"
        raise header_error(path, found=f"encoding {shown(name)}", expected=expected)
    return ENCODINGS[name]


def _skips(path: Path, skip: dict[str, str], start: int, encoding: str) -> tuple[int, int]:
    """Offset of the voxels in the file, and bytes to skip behind the decompression."""
    if skip["line"].strip() != "0":
        expected = "line skip 0"
        raise header_error(path, found=f"line skip {shown(skip['line'])}", expected=expected)
    text = skip["byte"].strip()
    if text == "-1" and encoding == "raw":
        return -1, 0
    count = 0 if text == "0" else whole_numbers(path, "byte skip", text, count=1)[0]
    return (start + count, 0) if encoding == "raw" else (start, count)


def _geometry(path: Path, fields: dict[str, str], axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the axes in mm, and the origin, both in LPS.

    Raises:
        GeometryError: no voxel size.
    """
    count = min(axes, 3)
    if "space directions" in fields:
        columns = _directions(path, fields["space directions"], axes)[:, :count]
    elif "spacings" in fields:
        columns = np.diag(_spacings(path, fields["spacings"], axes)[:count])
    else:
        raise no_spacing(path, "space directions or spacings")
    rows = len(columns)
    origin = np.zeros(rows)
    if "space origin" in fields:
        text = fields["space origin"].strip().strip("()").replace(",", " ")
        origin = np.array(numbers(path, "space origin", text, count=len(text.split())))[:rows]
    signs = np.ones(rows)
    signs[:3] = TO_LPS.get(fields.get("space", "").lower(), (1.0, 1.0, 1.0))[:rows]
    return columns * signs[:, None], origin * signs[: len(origin)]


def _directions(path: Path, text: str, axes: int) -> np.ndarray:
    """(rows, axes) columns; an axis that is no axis of space is zero."""
    vectors = VECTOR.findall(text)
    known = [vector for vector in vectors if vector]
    size = len(known[0].split(",")) if known else 0
    if len(vectors) != axes or not 2 <= size <= MOST_AXES:
        raise header_error(
            path, found=f"space directions {shown(text)}", expected=f"{axes} vectors of 3 numbers"
        )
    columns = np.zeros((size, axes))
    for index, vector in enumerate(vectors):
        if vector:
            plain = vector.replace(",", " ")
            columns[:, index] = numbers(path, "space directions", plain, count=size)
    return columns[:3]


def _spacings(path: Path, text: str, axes: int) -> tuple[float, ...]:
    parts = text.split()
    if len(parts) == axes and any(part.lower() == "nan" for part in parts[:3]):
        raise no_spacing(path, f"spacings {shown(text)}")
    return numbers(path, "spacings", " ".join(parts[:3]), count=min(axes, 3))


def _segment_names(path: Path, extra: dict[str, str]) -> dict[int, str]:
    """Value → segment name of a .seg.nrrd file.

    Raises:
        InputError: two segments have one value or one name.
    """
    found: dict[str, dict[str, str]] = {}
    for key, value in extra.items():
        match = SEGMENT.fullmatch(key)
        if match:
            found.setdefault(match[1], {})[match[2]] = value.strip()
    pairs = [
        (whole_numbers(path, "LabelValue", part["LabelValue"], count=1)[0], part["Name"])
        for part in found.values()
        if "Name" in part and "LabelValue" in part
    ]
    names = dict(pairs)
    if len(names) != len(pairs) or len(set(names.values())) != len(pairs):
        expected = "one name and one value for each segment"
        raise header_error(path, found="segments that share a value or a name", expected=expected)
    return names
