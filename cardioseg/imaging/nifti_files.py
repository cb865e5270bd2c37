"""NIfTI and Analyze files on disk: headers as stored, and voxels read to the checksum."""

import math
from pathlib import Path
from typing import Any

import nibabel as nib

from cardioseg.core.errors import InputError
from cardioseg.imaging.integrity import is_packed, unpacked, wrong_size

FIRST_VOXEL = {348: 352, 540: 544}  # size of a header → smallest offset of voxels behind it
KEPT_BYTES = 2**30  # a larger file is unpacked again for each frame
LARGEST_FILE = 2**34  # of a format whose header does not tell


def stored_header(image: Any) -> Any:
    """The header as the file holds it, without nibabel's repairs; None without a NIfTI file."""
    holder = image.file_map.get("header") or image.file_map.get("image")
    if holder is None or not isinstance(image.header, nib.Nifti1Header):
        return None
    if holder.filename is None or not Path(holder.filename).is_file():
        return None
    with holder.get_prepare_fileobj(mode="rb") as file:
        return image.header_class.from_fileobj(file, check=False)


def voxels_of(path: Path, image: Any) -> Any:
    """The voxels of a nibabel image, indexable by frame.

    The file is checked to its end. Compressed data of ordinary size are unpacked only once.

    Args:
        path: the file, for messages.
        image: nibabel's image, on disk or in memory.

    Raises:
        InputError: damaged, or of another size than the header states.
    """
    source = _source(image)
    if source is None:
        return image.dataobj
    if not _states_its_layout(image):
        if is_packed(source):
            unpacked(source, most=LARGEST_FILE, keep=False)
        return image.dataobj
    expected = _end_of_voxels(path, image)
    slack = _slice_bytes(image) - 1  # some programs pad files
    if not is_packed(source):
        _check_length(path, source.stat().st_size, expected, slack)
        return image.dataobj
    content = unpacked(source, most=expected + slack, keep=expected <= KEPT_BYTES)
    _check_length(path, content.length, expected, slack)
    single = isinstance(image, nib.Nifti1Image)
    return (
        type(image).from_bytes(content.data).dataobj if single and content.data else image.dataobj
    )


def _states_its_layout(image: Any) -> bool:
    """Whether a file consists of a header and voxels; other formats end with more fields."""
    plain = isinstance(image.dataobj, nib.arrayproxy.ArrayProxy)
    return plain and isinstance(image.header, nib.AnalyzeHeader)


def _source(image: Any) -> Path | None:
    """The file of voxels that are not loaded yet."""
    if not nib.is_proxy(image.dataobj) or "image" not in image.file_map:
        return None
    name = image.file_map["image"].filename
    return Path(name) if name is not None and Path(name).is_file() else None


def _end_of_voxels(path: Path, image: Any) -> int:
    """Offset of the first byte behind the voxels.

    Raises:
        InputError: the header places voxels inside itself.
    """
    offset = int(image.dataobj.offset)
    header = stored_header(image)
    if header is not None and isinstance(image, nib.Nifti1Image):
        stored = float(header["vox_offset"])
        least = FIRST_VOXEL[int(header.sizeof_hdr)]
        if not least <= stored < math.inf:
            raise InputError(
                path,
                found=f"vox_offset {stored:g}",
                expected=f"at least {least}, as the header comes first",
                cure="correct the header, or export the image again",
            )
    return offset + int(math.prod(image.shape)) * int(image.dataobj.dtype.itemsize)


def _slice_bytes(image: Any) -> int:
    return int(math.prod(image.shape[:2])) * int(image.dataobj.dtype.itemsize)


def _check_length(path: Path, length: int, expected: int, slack: int) -> None:
    if not expected <= length <= expected + slack:
        raise wrong_size(path, f"{length:,}", expected)
