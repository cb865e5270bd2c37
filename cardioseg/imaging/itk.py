"""NRRD and MetaImage files, the formats of ITK, as images.

Their world coordinates are LPS, ours RAS: the first two axes change sign.
"""

import math
from functools import cache, partial
from pathlib import Path

import numpy as np

from cardioseg.core.errors import InputError
from cardioseg.imaging.gate import check_size, checked
from cardioseg.imaging.geometry import settle_geometry, squeezed_shape
from cardioseg.imaging.image import ImageFile, broken
from cardioseg.imaging.integrity import inflated, inflated_bzip2, wrong_size
from cardioseg.imaging.metaimage import read_metaimage
from cardioseg.imaging.nrrd import read_nrrd
from cardioseg.imaging.text_header import Layout


def open_itk(path: Path) -> ImageFile:
    """Open an NRRD or MetaImage file without reading its voxels.

    Raises:
        InputError: unreadable, or several values per voxel.
        GeometryError: more than four axes, no voxel size, or an implausible one.
    """
    kind = "metaimage" if path.name.lower().endswith((".mha", ".mhd")) else "nrrd"
    try:
        layout = read_metaimage(path) if kind == "metaimage" else read_nrrd(path)
    except OSError as error:
        raise broken(path, error) from None
    shape = squeezed_shape(path, layout.shape)
    check_size(path, shape)
    pixdim = [*layout.spacing, 1.0][:3]
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ layout.affine
    affine, spacing, notes = settle_geometry(path, pixdim, to_ras, "pixdim")
    frames = shape[3] if len(shape) == 4 else 1
    voxels = cache(partial(_voxels, path, layout))

    def load(index: int) -> np.ndarray:
        array = voxels().reshape(shape, order="F")
        return np.ascontiguousarray(array[..., index] if array.ndim == 4 else array)

    opened = ImageFile(
        path=path,
        shape=shape,
        frames=frames,
        affine=affine,
        spacing=spacing,
        frame_seconds=None,
        notes=notes,
        header=None,
        load=load,
        files=tuple(dict.fromkeys((path, layout.data))),
        names=layout.names,
    )
    return checked(opened, kind=kind, whole=voxels)


def _voxels(path: Path, layout: Layout) -> np.ndarray:
    """All voxels in file order, native byte order; compressed data are checked to their end.

    Raises:
        InputError: damaged, truncated, or of another size than the header states.
    """
    count = math.prod(layout.shape)
    expected = count * layout.dtype.itemsize
    if layout.encoding == "text":
        return _parsed(path, layout, count)
    if layout.encoding == "raw":
        content = _raw(path, layout, expected)
    else:
        packed = _tail(layout)
        if layout.packed_size is not None:
            if len(packed) < layout.packed_size:
                raise wrong_size(path, f"{len(packed):,}", layout.packed_size)
            packed = packed[: layout.packed_size]
        unpack = inflated_bzip2 if layout.encoding == "bzip2" else inflated
        content = unpack(path, packed, expected=expected + layout.skipped)[layout.skipped :]
    stored = np.frombuffer(content, layout.dtype)
    return stored.astype(layout.dtype.newbyteorder("="), copy=False)


def _tail(layout: Layout) -> bytes:
    with layout.data.open("rb") as file:
        file.seek(layout.offset)
        return file.read()


def _raw(path: Path, layout: Layout, expected: int) -> bytes:
    size = layout.data.stat().st_size
    start = size - expected if layout.offset < 0 else layout.offset
    plane = math.prod(layout.shape[:2]) * layout.dtype.itemsize
    if start < 0 or not expected <= size - start < expected + plane:
        raise wrong_size(path, f"{max(0, size - max(start, 0)):,}", expected)
    with layout.data.open("rb") as file:
        file.seek(start)
        return file.read(expected)


def _parsed(path: Path, layout: Layout, count: int) -> np.ndarray:
    words = _tail(layout).split()
    if len(words) != count:
        raise InputError(
            path,
            found=f"unreadable data ({len(words):,} numbers)",
            expected=f"{count:,}, as the header states",
            cure="export or copy it again",
        )
    return np.array(words, dtype=layout.dtype.newbyteorder("="))
