"""Integrity of files: compressed data are unpacked to their checksum, and sizes must agree."""

import bz2
import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.errors import InputError
from cardioseg.imaging.image import broken

GZIP, BZIP2 = b"\x1f\x8b", b"BZh"
CHUNK = 1 << 20


def is_packed(path: Path) -> bool:
    """Whether a file is compressed with gzip or bzip2; its first bytes decide, not its name."""
    with path.open("rb") as file:
        return file.read(3).startswith((GZIP, BZIP2))


@dataclass(frozen=True)
class Content:
    """What a compressed file holds: its length in bytes, and the data if they were kept."""

    length: int
    data: bytes


def unpacked(path: Path, *, most: int, keep: bool = True) -> Content:
    """The content of a gzip or bzip2 file, read to the checksum at its end.

    Args:
        path: the file.
        most: reading stops with an error behind this number of bytes.
        keep: keep the data.

    Raises:
        InputError: damaged, truncated, or longer than ``most``.
    """
    parts: list[bytes] = []
    length = 0
    try:
        with path.open("rb") as raw:
            packed = bz2.open if raw.read(3) == BZIP2 else gzip.open
        with packed(path, "rb") as file:
            while part := file.read(CHUNK):
                length += len(part)
                if length > most:
                    raise wrong_size(path, f"more than {most:,}", most)
                if keep:
                    parts.append(part)
    except (OSError, EOFError, zlib.error) as error:
        raise broken(path, error) from None
    return Content(length, b"".join(parts))


def inflated(path: Path, packed: bytes, *, expected: int) -> bytes:
    """Unpack a zlib or gzip stream of a known length to its checksum.

    Raises:
        InputError: damaged, truncated, or of another length.
    """
    inflater = zlib.decompressobj(wbits=47)  # recognises zlib and gzip
    try:
        data = inflater.decompress(packed, expected + 1)
        if len(data) == expected and not inflater.eof:
            data += inflater.decompress(inflater.unconsumed_tail, 1)  # reads the checksum
    except zlib.error as error:
        raise broken(path, error) from None
    if len(data) != expected:
        raise wrong_size(path, f"{len(data):,}", expected)
    if not inflater.eof:
        raise broken(path, EOFError("the compressed data end before their checksum"))
    return data


def inflated_bzip2(path: Path, packed: bytes, *, expected: int) -> bytes:
    """As ``inflated``, for bzip2.

    Raises:
        InputError: damaged, truncated, or of another length.
    """
    inflater = bz2.BZ2Decompressor()
    data = b""
    try:
        while not inflater.eof and len(data) <= expected and (packed or not inflater.needs_input):
            data += inflater.decompress(packed, expected + 1 - len(data) or 1)
            packed = b""
    except (OSError, ValueError) as error:
        raise broken(path, error) from None
    if len(data) != expected:
        raise wrong_size(path, f"{len(data):,}", expected)
    if not inflater.eof:
        raise broken(path, EOFError("the compressed data end before their checksum"))
    return data


def wrong_size(path: Path, found: str, expected: int) -> InputError:
    """The error for voxel data of another length than the header states."""
    return InputError(
        path,
        found=f"unreadable data ({found} bytes)",
        expected=f"{expected:,} bytes, as the header states",
        cure="export or copy it again",
    )
