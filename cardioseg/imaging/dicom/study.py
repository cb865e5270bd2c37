"""A folder of DICOM files, or one multi-frame file, as an image: the short-axis cine, one frame in memory at a time.

Headers are read at once (``dicom_planes``), the series is chosen (``dicom_series``), its planes are sorted (``dicom_grid``), and
voxels wait on the disk until a frame is asked for. It does not know who the patient is.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
from pydicom.pixels import get_decoder, iter_pixels, pixel_array
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import UID

from cardioseg.core.errors import InputError
from cardioseg.imaging.dicom.grid import Grid, sort_grid
from cardioseg.imaging.dicom.planes import (
    Plane,
    damaged,
    dicom_files,
    one_line,
    read_planes,
    unwarned,
)
from cardioseg.imaging.dicom.series import choose_stack
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.nifti import new_header


def open_dicom(path: Path, *, series: tuple[int, ...] = ()) -> ImageFile:
    """Open the short-axis cine below a folder, or in one multi-frame file, without reading voxels.

    Args:
        path: folder, searched below, or file.
        series: numbers of the series to use; () lets the geometry decide.

    Raises:
        InputError: no MR image there, no single series that could be the cine, or a compression nothing here can undo.
        GeometryError: a slice or phase is missing or doubled, or slices differ in size, spacing or orientation.
        UsageError: a series asked for is not there.
    """
    files = dicom_files(path)
    planes = [plane for file in files for plane in read_planes(file)]
    if not planes:
        found = f"{len(files)} DICOM files, none of them a grey-scale MR image with a position"
        raise InputError(
            path,
            found=found,
            expected="a short-axis cine",
            cure="pass the folder that holds the images",
        )
    stack = choose_stack(planes, series, source=path)
    grid = sort_grid(stack.planes, source=path)
    _check_decoders(grid, path)
    return _image_file(path, grid, ((stack.note,) if stack.note else ()) + grid.notes)


def _image_file(path: Path, grid: Grid, notes: tuple[str, ...]) -> ImageFile:
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
    grid: Grid, shape: tuple[int, ...], frames: int, seconds: float | None
) -> nib.Nifti1Header:
    """The geometry as a NIfTI header, for results written on this grid."""
    if frames == 1:
        return new_header(shape, grid.spacing, grid.affine)
    zooms = (*grid.spacing, seconds or 1.0)
    return new_header((*shape, frames), zooms, grid.affine, time_unit="sec" if seconds else None)


def _frame_seconds(grid: Grid) -> float | None:
    """Mean time between phases; slices differ a little, as the heart does not beat evenly."""
    if grid.order != "trigger time" or len(grid.planes) == 1:
        return None
    first, last = ([plane.trigger_ms or 0.0 for plane in grid.planes[index]] for index in (0, -1))
    return float(np.mean(np.subtract(last, first))) / (len(grid.planes) - 1) / 1000


def read_plane(plane: Plane, *, scaled: bool = True) -> np.ndarray:
    """Voxels [column, row] of a plane, after slope and intercept as float32 when ``scaled``, else as stored.

    Raises:
        InputError: they cannot be read, or are of another size than the header says.
    """
    try:
        with unwarned():
            array = pixel_array(plane.path, index=plane.frame, raw=True)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 — pydicom and its decoders raise a dozen unrelated types on damaged files
        raise damaged(plane.path, f"unreadable voxels ({one_line(error)})") from None
    if array.shape != plane.size[::-1]:
        raise damaged(
            plane.path, f"voxels of shape {array.shape}, the header says {plane.size[::-1]}"
        )
    if not scaled:
        return array.T
    return array.T.astype(np.float32) * np.float32(plane.slope) + np.float32(plane.intercept)


def _check_decoders(grid: Grid, path: Path) -> None:
    """Before the first frame is worked on, not after."""
    for syntax in {UID(plane.syntax) for phase in grid.planes for plane in phase}:
        try:
            known = get_decoder(syntax).is_available
        except (
            NotImplementedError
        ):  # pydicom's answer for a syntax that it has no decoder for at all
            known = False
        if not known:
            raise InputError(
                path,
                found=f"voxels compressed as {syntax.name}",
                expected="a compression that an installed decoder can undo",
                cure="run pip install 'cardioseg[dicom]' for more decoders, or export without compression",
            )


def check_voxels(path: Path) -> None:
    """Read a DICOM file to its end: all voxels must be there, and compressed ones must unpack.

    Raises:
        InputError: it was damaged or cut off, or holds no voxels.
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
    except Exception as error:  # noqa: BLE001 — as in read_plane
        raise damaged(path, f"unreadable data ({one_line(error)})") from None
    if not expected:
        raise damaged(path, "no voxels")
    if stored < expected:
        raise damaged(path, f"{stored} bytes of voxels instead of {expected}")
