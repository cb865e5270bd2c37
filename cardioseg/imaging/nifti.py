"""NIfTI: reading images frame by frame, and writing results with the geometry of the source, bit for bit."""

import logging
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from cardioseg.core.atomic import replacing
from cardioseg.core.errors import InputError
from cardioseg.core.volume import Volume
from cardioseg.imaging.geometry import Trust, settle_geometry, squeezed_shape
from cardioseg.imaging.image import ImageFile, broken

MILLIMETRES = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}

# nibabel prints a line for every header field that it mends, without saying in which file.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)


def open_nifti(path: Path, trust: Trust) -> ImageFile:
    try:
        image: Any = nib.load(path)
        header = image.header
        best = np.asarray(image.affine, dtype=np.float64)
        zooms = _stored_zooms(image)
    except Exception as error:  # noqa: BLE001 — see below
        # nibabel raises a dozen unrelated types on damaged headers; each means the same to the person.
        raise broken(path, error) from None
    shape = squeezed_shape(path, tuple(int(n) for n in header.get_data_shape()))
    if header.get_data_dtype().kind not in "biuf":
        found = "complex voxels" if header.get_data_dtype().kind == "c" else "RGB voxels"
        raise InputError(
            path,
            found=found,
            expected="one grey value per voxel",
            cure="convert the image to greyscale",
        )
    unit = MILLIMETRES.get(_units(header)[0], 1.0)
    stored = [zoom * unit for zoom in zooms]
    affine, spacing, notes = settle_geometry(
        path, stored + [1.0] * (3 - len(stored)), best * np.array([[unit]] * 3 + [[1.0]]), trust
    )
    proxy: Any = image.dataobj

    def load(index: int) -> np.ndarray:
        voxels = proxy[:, :, :, index] if len(shape) == 4 else proxy
        return np.asarray(voxels).reshape(shape[:3])

    frames = shape[3] if len(shape) == 4 else 1
    return ImageFile(
        path,
        shape,
        frames,
        affine,
        spacing,
        _frame_seconds(header, frames),
        notes,
        header,
        load,
        (path,),
    )


def _stored_zooms(image: Any) -> list[float]:
    """Spacing along at most three axes as the file has it: nibabel turns a pixdim of 0 into 1 mm while loading."""
    zooms = [float(zoom) for zoom in image.header.get_zooms()[:3]]
    if not isinstance(image.header, nib.Nifti1Header):
        return zooms
    holder = image.file_map.get("header") or image.file_map["image"]
    with holder.get_prepare_fileobj(mode="rb") as file:
        untouched = image.header_class.from_fileobj(file, check=False)
    return [
        0.0 if raw == 0 else zoom
        for raw, zoom in zip(untouched["pixdim"][1:4], zooms, strict=False)
    ]


def _frame_seconds(header: Any, frames: int) -> float | None:
    if frames == 1:
        return None
    scale = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}.get(_units(header)[1])
    step = float(header.get_zooms()[3])
    return step * scale if scale and step > 0 else None


def _units(header: Any) -> tuple[str, str]:
    """Units of space and time; a code that NIfTI does not know names none."""
    try:
        space, time = header.get_xyzt_units()
    except (AttributeError, KeyError):
        return "unknown", "unknown"
    return space, time


def write(path: Path, volume: Volume, *, frames: int | None = None) -> None:
    """Write voxels as compressed NIfTI with the geometry the volume came with, atomically.

    Args:
        path: ends in .nii.gz.
        volume: array (X, Y, Z) or, for maps and cines, (X, Y, Z, K); uint8 or float32.
        frames: K when the last axis is time on the source's own 4-D grid; its time step is then kept.

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
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image = kind(data, None, header)
    image.header.set_slope_inter(1, 0)
    with replacing(path, suffix=".nii.gz") as temporary:
        nib.save(image, temporary)


def _spatial(header: nib.Nifti1Header) -> tuple[int, ...]:
    return tuple(int(n) for n in header.get_data_shape()[:3])


def _geometry_header(volume: Volume, *, time_axis: bool) -> nib.Nifti1Header:
    """The source's header stripped of everything but geometry; a fresh one when the source was no NIfTI."""
    if isinstance(volume.header, nib.Nifti1Header):
        header = volume.header.copy()
        header.extensions.clear()
        for text in ("descrip", "aux_file", "db_name", "intent_name"):
            if text in header:
                header[text] = b""
        header["cal_min"] = 0
        if not time_axis:
            header["pixdim"][4:] = 1
        return header
    header = nib.Nifti1Header()
    header.set_data_shape(volume.array.shape)
    header.set_zooms(tuple(volume.spacing) + (1.0,) * (volume.array.ndim - 3))
    header.set_qform(volume.affine, code=1)
    header.set_sform(volume.affine, code=1)
    header.set_xyzt_units("mm")
    return header
