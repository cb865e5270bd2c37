"""Images that are in memory already: NumPy arrays and nibabel images as ``ImageFile``.

Shape legend: X, Y in-plane, Z slices, T frames. Such an image has no files; its ``path`` is a name.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from cardioseg.core.digest import sha256
from cardioseg.core.errors import GeometryError, InputError
from cardioseg.imaging.gate import checked
from cardioseg.imaging.geometry import SPACING_TOLERANCE, Trust, squeezed_shape
from cardioseg.imaging.image import ImageFile, check_grey, stem
from cardioseg.imaging.nifti import image_of, new_header, stored_zooms


def image_from_array(
    array: np.ndarray,
    *,
    spacing_mm: Sequence[float],
    affine: np.ndarray | None = None,
    frame_seconds: float | None = None,
    name: str = "image",
) -> ImageFile:
    """A NumPy array as an image. The voxels are not copied.

    Args:
        array: (X, Y), (X, Y, Z) or (X, Y, Z, T) intensities, one real number per voxel.
        spacing_mm: voxel size along X, Y and Z; two numbers will do for a single slice.
        affine: (4, 4) voxel index → RAS world in mm; axis-aligned when None.
        frame_seconds: time between frames.
        name: case name, used in messages and for result files.

    Raises:
        InputError: more than one value per voxel.
        GeometryError: spacing, affine or shape are unusable or implausible, or spacing and affine
            disagree.
    """
    voxels, path = np.asarray(array), Path(name)
    shape = squeezed_shape(path, voxels.shape)
    check_grey(path, voxels.dtype)
    spacing = _checked_spacing(path, spacing_mm, single_slice=len(shape) == 2)
    grid = np.diag([*spacing, 1.0]) if affine is None else _checked_affine(path, affine, spacing)
    frames = shape[3] if len(shape) == 4 else 1
    seconds = _checked_seconds(path, frame_seconds) if frames > 1 else None
    voxels = voxels.reshape(shape)

    def load(index: int) -> np.ndarray:
        return voxels[..., index] if voxels.ndim == 4 else voxels

    zooms = (*spacing, seconds or 1.0)[: len(shape)]
    opened = ImageFile(
        path=path,
        shape=shape,
        frames=frames,
        affine=grid,
        spacing=spacing,
        frame_seconds=seconds,
        notes=(),
        header=new_header(shape, zooms, grid, time_unit="sec" if seconds else None),
        load=load,
        files=(),
    )
    return checked(opened, kind="array")


def image_from_nibabel(
    image: Any, *, trust: Trust = "pixdim", name: str | None = None
) -> ImageFile:
    """A nibabel image as an image, with the geometry rule of files.

    Args:
        image: any spatial image of nibabel, loaded or made in memory.
        trust: which spacing to use where pixdim and affine disagree.
        name: case name; None takes the stem of the image's file name, or "image".

    Raises:
        InputError: not a spatial image, or more than one value per voxel.
        GeometryError: more than four axes, or a spacing that is not positive.
    """
    if not isinstance(image, nib.spatialimages.SpatialImage):
        raise InputError(
            name or "image",
            found=f"a {type(image).__name__}",
            expected="a nibabel image with voxels and an affine",
            cure="pass nibabel.load(path) of a NIfTI file",
        )
    source = image.get_filename()
    path = Path(name if name is not None else stem(Path(source)) if source else "image")
    opened = image_of(path, image, zooms=stored_zooms(image), trust=trust, files=())
    return replace(opened, header=image.header.copy())


def image_digest(image: ImageFile) -> str:
    """SHA-256 that identifies an image.

    Of files, as ``core.digest.sha256``. In memory, over stored shape, voxel type, spacing in mm
    and the voxels frame by frame, in little-endian C order.
    """
    if image.files:
        return sha256(*image.files)
    digest = hashlib.sha256()
    for index in range(image.frames):
        voxels = np.asarray(image.load(index))
        kind = voxels.dtype.newbyteorder("<")
        if index == 0:
            digest.update(f"{image.shape} {kind.str} {image.spacing}".encode())
        digest.update(np.ascontiguousarray(voxels, dtype=kind).tobytes())
    return digest.hexdigest()


def _checked_spacing(
    path: Path, spacing_mm: Sequence[float], *, single_slice: bool
) -> tuple[float, float, float]:
    try:
        values = [float(value) for value in spacing_mm]
    except (TypeError, ValueError):  # one number, or no numbers
        values = []
    if single_slice and len(values) == 2:
        values.append(1.0)
    if len(values) != 3 or not all(math.isfinite(value) and value > 0 for value in values):
        raise GeometryError(
            path,
            found=f"spacing_mm {spacing_mm!r}",
            expected="three positive numbers in mm",
            cure="pass the voxel size along x, y and z",
        )
    return values[0], values[1], values[2]


def _checked_affine(
    path: Path, affine: np.ndarray, spacing: tuple[float, float, float]
) -> np.ndarray:
    grid = np.array(affine, dtype=np.float64)
    if grid.shape != (4, 4) or not np.isfinite(grid).all():
        raise GeometryError(
            path,
            found=f"an affine of shape {grid.shape}",
            expected="4 × 4 finite numbers",
            cure="correct the affine or leave it out",
        )
    columns = np.linalg.norm(grid[:3, :3], axis=0)
    if not np.allclose(columns, spacing, rtol=SPACING_TOLERANCE):
        implied, stated = (" × ".join(f"{v:.4g}" for v in values) for values in (columns, spacing))
        raise GeometryError(
            path,
            found=f"an affine with voxels of {implied} mm",
            expected=f"spacing_mm, {stated} mm",
            cure="correct the one that is wrong, or leave the affine out",
        )
    grid[:3, :3] *= np.asarray(spacing) / columns
    return grid


def _checked_seconds(path: Path, seconds: float | None) -> float | None:
    if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
        raise GeometryError(
            path,
            found=f"frame_seconds {seconds:g}",
            expected="a positive number of seconds",
            cure="correct it or leave it out",
        )
    return seconds
