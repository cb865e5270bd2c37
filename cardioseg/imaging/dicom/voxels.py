"""Voxels of DICOM planes: decoding, rescaling, and the check that a file holds all of them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import get_expected_length, iter_pixels, pixel_array
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from cardioseg.core.errors import InputError
from cardioseg.imaging.dicom.headers import damaged, one_line, unwarned
from cardioseg.imaging.plane import IMPLICIT_LITTLE_ENDIAN, Plane


def read_plane(plane: Plane, *, scaled: bool = True) -> np.ndarray:
    """Voxels [column, row] of a plane.

    Args:
        plane: where they are.
        scaled: turn MONOCHROME1, apply slope and intercept and return float32; otherwise as stored.

    Raises:
        InputError: they cannot be read, or their size differs from the header's.
    """
    try:
        with unwarned():
            array = _stored(plane)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - pydicom raises a dozen unrelated types on bad files
        raise damaged(plane.path, f"unreadable voxels ({one_line(error)})") from None
    if array.shape != plane.size[::-1]:
        raise damaged(
            plane.path, f"voxels of shape {array.shape}, but {plane.size[::-1]} in the header"
        )
    if not scaled:
        return array.T
    values = array.T.astype(np.float32)
    if plane.inverted_from is not None:
        values = np.float32(plane.inverted_from) - values
    return values * np.float32(plane.slope) + np.float32(plane.intercept)


def _stored(plane: Plane) -> np.ndarray:
    """Voxels (rows, columns) as stored. pydicom inflates deflated files only as a whole."""
    if plane.syntax == DeflatedExplicitVRLittleEndian:
        return pixel_array(pydicom.dcmread(plane.path, force=True), index=plane.frame, raw=True)
    return pixel_array(
        plane.path, index=plane.frame, raw=True, transfer_syntax_uid=UID(plane.syntax)
    )


def check_decoders(syntaxes: Iterable[str], source: Path) -> None:
    """Require a decoder for every transfer syntax, before any frame is processed.

    Raises:
        InputError: voxels are compressed in a way that no installed library decodes.
    """
    for syntax in sorted(set(syntaxes)):
        with unwarned():
            known = _can_decode(UID(syntax))
            name = UID(syntax).name
        if not known:
            raise InputError(
                source,
                found=f"voxels compressed as {name}",
                expected="a compression with an installed decoder",
                cure="run pip install 'cardioseg[dicom]', or export without compression",
            )


def _can_decode(syntax: UID) -> bool:
    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:  # pydicom knows no decoder for this syntax
        return False


def check_voxels(path: Path) -> None:
    """Read a DICOM file to its end and decode compressed voxels.

    Raises:
        InputError: the file is damaged or truncated, or holds no voxels.
    """
    try:
        with unwarned():
            whole = pydicom.dcmread(path, force=True)
            stored, expected = _stored_and_expected(whole)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - as in read_plane
        raise damaged(path, f"unreadable data ({one_line(error)})") from None
    if not expected:
        raise damaged(path, "no voxels")
    if stored < expected:
        raise damaged(path, f"{stored} bytes of voxels instead of {expected}")


def _stored_and_expected(whole: FileDataset) -> tuple[int, int]:
    """Bytes of voxels; compressed voxels are decoded, which fails where they are damaged."""
    expected = get_expected_length(whole) if "PixelData" in whole else 0
    syntax = UID(whole.file_meta.get("TransferSyntaxUID", IMPLICIT_LITTLE_ENDIAN))
    if not expected or not syntax.is_encapsulated:
        return (len(whole.PixelData) if expected else 0), expected
    for _ in iter_pixels(whole, raw=True):
        pass
    return expected, expected
