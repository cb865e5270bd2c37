"""Reading images frame by frame and writing results on the same grid.

One rule for geometry: the spacing is ``pixdim``. When the affine disagrees (every ACDC file stores a unit affine), volumes
taken from the affine are 5 to 38 times too small while every ratio still looks right, so the disagreement is noted and the
affine's columns are rescaled; ``trust="affine"`` turns the rule round. Results carry the input's geometry fields bit for bit.
"""

import gzip
import logging
import zlib
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np

from cardioseg.core.atomic import replacing
from cardioseg.core.errors import GeometryError, InputError, UsageError
from cardioseg.core.volume import Volume
from cardioseg.imaging.image import ENDINGS, ITK_ENDINGS, ImageFile, broken

Trust = Literal["pixdim", "affine"]
TWO_SPACINGS = "pixdim says"  # so begins the note on a header that states two
MILLIMETRES = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}
SPACING_TOLERANCE = 0.01

# nibabel prints a line for every header field that it mends, without saying in which file.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)


def check_whole(path: Path) -> None:
    """Read a .gz file to its end, where its checksum stands: whoever stops at the last voxel misses flipped bits before it.

    Of a DICOM file, all voxels must be there.

    Raises:
        InputError: the file was damaged or cut off.
    """
    if _is_dicom(path):
        from cardioseg.imaging.dicom import check_voxels

        check_voxels(path)
    if not path.name.lower().endswith(".gz"):
        return
    try:
        with gzip.open(path) as file:
            while file.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise broken(path, error) from None


def read(path: Path, *, trust: Trust = "pixdim") -> Volume:
    """The one volume of a 2-D or 3-D file.

    Raises:
        InputError: not a readable image, or a cine with several frames.
    """
    image = open_image(path, trust=trust)
    if image.frames > 1:
        raise InputError(
            path, found=f"{image.frames} frames", expected="one volume", cure="pass a 3-D file here"
        )
    return image.frame(0)


def open_image(path: Path, *, trust: Trust = "pixdim", series: tuple[int, ...] = ()) -> ImageFile:
    """Open a NIfTI, NRRD or MetaImage file, or a DICOM study or file, without reading its voxels.

    Args:
        path: file, or folder of a DICOM study.
        trust: which of two spacings in a NIfTI header to believe.
        series: numbers of the DICOM series to use; () lets the geometry decide.

    Raises:
        InputError: missing, empty, truncated, or not an image.
        GeometryError: five axes, or a spacing that is zero or not a number.
        UsageError: a series asked for in a file that has none.
    """
    if path.is_dir() or (path.is_file() and _is_dicom(path)):
        from cardioseg.imaging.dicom import open_dicom

        return open_dicom(path, series=series)
    if series:
        cure = "leave the option out, or pass the DICOM folder"
        raise UsageError(
            "--series", found=f"{path}, which is no DICOM", expected="a DICOM study", cure=cure
        )
    if not path.is_file():
        raise InputError(
            path, found="no such file", expected="an image file", cure="check the path"
        )
    if path.stat().st_size == 0:
        raise InputError(
            path,
            found="an empty file",
            expected=f"an image ({', '.join(ENDINGS)})",
            cure="export or copy it again",
        )
    if path.name.lower().endswith(ITK_ENDINGS):
        from cardioseg.imaging.itk import open_itk

        return open_itk(path)
    return _open_nifti(path, trust)


def _is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by its mark; pydicom stays unimported for the formats that have endings."""
    if path.name.lower().endswith(ENDINGS):
        return False
    from cardioseg.imaging.dicom_planes import is_dicom

    return is_dicom(path)


def _open_nifti(path: Path, trust: Trust) -> ImageFile:
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


def states_two_spacings(image: ImageFile) -> bool:
    """Whether the header's pixdim and its affine disagree."""
    return any(note.startswith(TWO_SPACINGS) for note in image.notes)


def squeezed_shape(path: Path, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without trailing axes of one voxel beyond the third.

    Raises:
        GeometryError: fewer than two or more than four axes are left, or one is empty.
    """
    kept = shape
    while len(kept) > 3 and kept[-1] == 1:
        kept = kept[:-1]
    if not 2 <= len(kept) <= 4 or 0 in kept:
        raise GeometryError(
            path,
            found=f"shape {shape}",
            expected="2 to 4 axes (x, y, slices, frames)",
            cure="split the file into volumes",
        )
    return kept


def settle_geometry(
    path: Path, pixdim: list[float], affine: np.ndarray, trust: Trust
) -> tuple[np.ndarray, tuple[float, float, float], tuple[str, ...]]:
    """One spacing from the two a header states, the affine rescaled to it, and a note when they disagree.

    Raises:
        GeometryError: the trusted spacing is zero, negative or not a number.
    """
    columns = np.linalg.norm(affine[:3, :3], axis=0)
    spacing = np.asarray(pixdim if trust == "pixdim" else columns, dtype=np.float64)
    if not np.isfinite(spacing).all() or (spacing <= 0).any():
        shown = " × ".join(f"{value:g}" for value in spacing)
        cure = (
            "correct the header, or pass --trust affine"
            if trust == "pixdim"
            else "correct the header, or pass --trust pixdim"
        )
        raise GeometryError(
            path, found=f"spacing {shown} mm", expected="three positive numbers", cure=cure
        )
    notes: tuple[str, ...] = ()
    if not np.allclose(pixdim, columns, rtol=SPACING_TOLERANCE):
        stated = " × ".join(f"{value:.4g}" for value in pixdim)
        implied = " × ".join(f"{value:.4g}" for value in columns)
        notes = (f"{TWO_SPACINGS} {stated} mm, the affine {implied} mm; {trust} was trusted",)
    usable = np.isfinite(affine).all() and (columns > 0).all()
    rescaled = np.eye(4) if not usable else affine.copy()
    rescaled[:3, :3] *= spacing / (columns if usable else 1.0)
    x, y, z = (float(value) for value in spacing)
    return rescaled, (x, y, z), notes


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
