"""The short-axis cine of a DICOM folder or multi-frame file as an image.

All headers are read first (``planes``), then the series is chosen (``series``) and its planes are
sorted (``grid``). Voxels are read one frame at a time. Nothing here identifies the patient.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import get_expected_length, iter_pixels, pixel_array
from pydicom.uid import UID

from cardioseg.core.errors import InputError
from cardioseg.imaging.dicom.grid import PlaneGrid, sort_grid
from cardioseg.imaging.dicom.headers import damaged, dicom_files, one_line, unwarned
from cardioseg.imaging.dicom.planes import read_planes
from cardioseg.imaging.dicom.series import choose_cine
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.nifti import new_header
from cardioseg.imaging.plane import Plane


def open_dicom(path: Path, *, series: tuple[int, ...] = ()) -> ImageFile:
    """Open the short-axis cine below a folder, or in one multi-frame file, without reading voxels.

    Args:
        path: a folder, searched recursively, or a file.
        series: numbers of the series to use; () chooses by geometry.

    Raises:
        InputError: no MR image, not exactly one candidate series, or no decoder for its voxels.
        GeometryError: a slice or phase is missing or duplicated, or slices differ in size, spacing
            or orientation.
        UsageError: a requested series does not exist.
    """
    files = dicom_files(path)
    planes = [plane for file in files for plane in read_planes(file)]
    if not planes:
        raise InputError(
            path,
            found=f"{len(files)} DICOM files, but no grey-scale MR image with a position",
            expected="a short-axis cine",
            cure="pass the folder that holds the images",
        )
    cine = choose_cine(planes, series, source=path)
    grid = sort_grid(cine.planes, source=path)
    _check_decoders(grid, path)
    return _image_file(path, grid, ((cine.note,) if cine.note else ()) + grid.notes)


def _image_file(path: Path, grid: PlaneGrid, notes: tuple[str, ...]) -> ImageFile:
    frames = len(grid.planes)
    ordered = [plane for phase in grid.planes for plane in phase]
    shape = (*ordered[0].size, len(grid.planes[0]))
    scaled = any((plane.slope, plane.intercept) != (1.0, 0.0) for plane in ordered)
    seconds = _frame_seconds(grid)

    def load(index: int) -> np.ndarray:
        return np.stack([read_plane(plane, scaled=scaled) for plane in grid.planes[index]], axis=-1)

    rates = [plane.heart_rate_bpm for plane in ordered if plane.heart_rate_bpm is not None]
    return ImageFile(
        path=path,
        shape=shape if frames == 1 else (*shape, frames),
        frames=frames,
        affine=grid.affine,
        spacing=grid.spacing,
        frame_seconds=seconds,
        notes=notes,
        header=_header(grid, shape, frames, seconds),
        load=load,
        files=tuple(dict.fromkeys(plane.path for plane in ordered)),
        heart_rate_bpm=float(np.median(rates)) if rates else None,
        height_cm=ordered[0].height_cm,
        weight_kg=ordered[0].weight_kg,
        planes=grid.planes,
    )


def _header(
    grid: PlaneGrid, shape: tuple[int, ...], frames: int, seconds: float | None
) -> nib.Nifti1Header:
    """The geometry as a NIfTI header, for results written on this grid."""
    if frames == 1:
        return new_header(shape, grid.spacing, grid.affine)
    zooms = (*grid.spacing, seconds or 1.0)
    return new_header((*shape, frames), zooms, grid.affine, time_unit="sec" if seconds else None)


def _frame_seconds(grid: PlaneGrid) -> float | None:
    """Mean seconds between phases over all slices; None without trigger times."""
    if grid.order != "trigger time" or len(grid.planes) == 1:
        return None
    first, last = ([plane.trigger_ms or 0.0 for plane in grid.planes[index]] for index in (0, -1))
    return float(np.mean(np.subtract(last, first))) / (len(grid.planes) - 1) / 1000


def read_plane(plane: Plane, *, scaled: bool = True) -> np.ndarray:
    """Voxels [column, row] of a plane.

    Args:
        plane: where they are.
        scaled: apply slope and intercept and return float32; otherwise as stored.

    Raises:
        InputError: they cannot be read, or their size differs from the header's.
    """
    try:
        with unwarned():
            array = pixel_array(plane.path, index=plane.frame, raw=True)
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
    return array.T.astype(np.float32) * np.float32(plane.slope) + np.float32(plane.intercept)


def _check_decoders(grid: PlaneGrid, path: Path) -> None:
    """Require a decoder for every compression, before any frame is processed."""
    for syntax in {UID(plane.syntax) for phase in grid.planes for plane in phase}:
        if not _can_decode(syntax):
            raise InputError(
                path,
                found=f"voxels compressed as {syntax.name}",
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
            whole = pydicom.dcmread(path)
            expected = get_expected_length(whole) if "PixelData" in whole else 0
            compressed = bool(expected) and whole.file_meta.TransferSyntaxUID.is_compressed
            stored = expected if compressed or not expected else len(whole.PixelData)
            if compressed:
                for _ in iter_pixels(whole, raw=True):
                    pass
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - as in read_plane
        raise damaged(path, f"unreadable data ({one_line(error)})") from None
    if not expected:
        raise damaged(path, "no voxels")
    if stored < expected:
        raise damaged(path, f"{stored} bytes of voxels instead of {expected}")
