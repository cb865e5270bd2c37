"""NIfTI: images read frame by frame, results written with the source's geometry, bit for bit."""

import logging
import math
from functools import cache, partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from cardioseg.core.atomic import replacing
from cardioseg.core.errors import GeometryError
from cardioseg.core.volume import Volume
from cardioseg.imaging.gate import checked
from cardioseg.imaging.geometry import Trust, settle_geometry, squeezed_shape
from cardioseg.imaging.image import ImageFile, broken, check_grey
from cardioseg.imaging.nifti_files import stored_header, voxels_of

MILLIMETRES = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}

FORMAT_FIELDS = ("magic", "regular")  # texts that belong to the format

# nibabel logs every header field that it repairs, without naming the file.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)


def open_nifti(path: Path, trust: Trust) -> ImageFile:
    """Open a NIfTI or Analyze file without reading its voxels.

    Raises:
        InputError: unreadable, or more than one value per voxel.
        GeometryError: more than four axes, or an implausible spacing, size or time step.
    """
    try:
        image: Any = nib.load(path)
        zooms = stored_zooms(image)
    except Exception as error:  # noqa: BLE001 - nibabel raises a dozen types on bad headers
        raise broken(path, error) from None
    return image_of(path, image, zooms=zooms, trust=trust, files=(path,))


def image_of(
    path: Path, image: Any, *, zooms: list[float], trust: Trust, files: tuple[Path, ...]
) -> ImageFile:
    """A nibabel image, on disk or in memory, as an ``ImageFile``.

    Args:
        path: the file, or a name for error messages.
        image: nibabel's image.
        zooms: stored spacing along at most three axes, in the header's unit.
        trust: which of the two spacings to use where they disagree.
        files: the files that hold the image; () for an image in memory.

    Raises:
        InputError: more than one value per voxel.
        GeometryError: more than four axes, or an implausible spacing, size or time step.
    """
    header = image.header
    shape = squeezed_shape(path, tuple(int(n) for n in header.get_data_shape()))
    check_grey(path, header.get_data_dtype())
    unit = MILLIMETRES.get(_units(header)[0], 1.0)
    pixdim = [zoom * unit for zoom in zooms] + [1.0] * (3 - len(zooms))
    stated = header.get_best_affine() if image.affine is None else image.affine
    in_mm = np.asarray(stated, dtype=np.float64) * np.array([[unit]] * 3 + [[1.0]])
    affine, spacing, notes = settle_geometry(path, pixdim, in_mm, trust)
    frames = shape[3] if len(shape) == 4 else 1
    voxels = cache(partial(voxels_of, path, image))

    def load(index: int) -> np.ndarray:
        stored = voxels()[:, :, :, index] if len(shape) == 4 else voxels()
        return np.asarray(stored).reshape(shape[:3])

    opened = ImageFile(
        path=path,
        shape=shape,
        frames=frames,
        affine=affine,
        spacing=spacing,
        frame_seconds=_frame_seconds(path, header, frames),
        notes=notes,
        header=header,
        load=load,
        files=files,
    )
    return checked(opened, kind="nifti", whole=voxels)


def stored_zooms(image: Any) -> list[float]:
    """Spacing along at most three axes as the file states it, in the header's unit.

    nibabel replaces a pixdim of 0 with 1 and a negative one with its amount while loading. Where
    the file is at hand, its header is read once more and the stored value restored.
    """
    zooms = [float(zoom) for zoom in image.header.get_zooms()[:3]]
    untouched = stored_header(image)
    if untouched is None:
        return zooms
    return [
        float(raw) if raw <= 0 else zoom
        for raw, zoom in zip(untouched["pixdim"][1:4], zooms, strict=False)
    ]


def _frame_seconds(path: Path, header: Any, frames: int) -> float | None:
    """Time step of a cine in seconds; None if not stated.

    Raises:
        GeometryError: negative, as of a reversed time axis, or not a number.
    """
    if frames == 1:
        return None
    step = float(header.get_zooms()[3])
    if not 0 <= step < math.inf:
        raise GeometryError(
            path,
            found=f"a time step of {step:g} (pixdim[4])",
            expected="a positive number, or 0 for an unknown one",
            cure="correct pixdim[4]; if time runs backwards, reverse the frames",
        )
    scale = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}.get(_units(header)[1])
    return step * scale if scale and step > 0 else None


def _units(header: Any) -> tuple[str, str]:
    """Units of space and time; "unknown" for missing or invalid codes."""
    try:
        space, time = header.get_xyzt_units()
    except (AttributeError, KeyError):
        return "unknown", "unknown"
    return space, time


def write(path: Path, volume: Volume, *, frames: int | None = None) -> None:
    """Write voxels as compressed NIfTI with the volume's stored geometry, atomically.

    Args:
        path: ends in .nii.gz.
        volume: array (X, Y, Z) or, for maps and cines, (X, Y, Z, K); uint8 or float32.
        frames: K when the last axis is the source's time axis, whose step is then kept.

    Raises:
        OutputError: the folder cannot be written.
    """
    array = volume.array
    header = _geometry_header(volume, time_axis=frames is not None)
    stored_2d = isinstance(volume.header, nib.Nifti1Header) and len(_spatial(volume.header)) == 2
    data = array[:, :, 0] if stored_2d and array.ndim == 3 else array
    header.set_data_dtype(array.dtype)
    header.set_data_shape(data.shape)
    header["cal_max"] = float(array.max(initial=0)) if array.dtype == np.uint8 else 0.0
    kind: Any = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image = kind(data, None, header)
    image.header.set_slope_inter(1, 0)
    with replacing(path, suffix=".nii.gz") as temporary:
        nib.save(image, temporary)


def _spatial(header: nib.Nifti1Header) -> tuple[int, ...]:
    return tuple(int(n) for n in header.get_data_shape()[:3])


def _geometry_header(volume: Volume, *, time_axis: bool) -> nib.Nifti1Header:
    """The source's header reduced to its geometry, or a new one if the source was not NIfTI."""
    if isinstance(volume.header, nib.Nifti1Header):
        header: nib.Nifti1Header = volume.header.copy()
        header.extensions.clear()
        _blank_texts(header)
        header["cal_min"] = 0
        if not time_axis:
            header["pixdim"][4:] = 1
        return header
    extra = (1.0,) * (volume.array.ndim - 3)
    return new_header(volume.array.shape, (*volume.spacing, *extra), volume.affine)


def _blank_texts(header: nib.Nifti1Header) -> None:
    """Empty every text field, because some programs write patient names into them."""
    fields = header.structarr.dtype
    for name in fields.names or ():
        if fields[name].kind == "S" and name not in FORMAT_FIELDS:
            header[name] = b""


def new_header(
    shape: tuple[int, ...],
    zooms: tuple[float, ...],
    affine: np.ndarray,
    *,
    time_unit: str | None = None,
) -> nib.Nifti1Header:
    """A NIfTI header in mm for an image without one; ``zooms`` has one value per axis."""
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    header.set_zooms(zooms)
    header.set_qform(affine, code=1)
    header.set_sform(affine, code=1)
    header.set_xyzt_units("mm", time_unit)
    return header
