"""The short-axis cine of a DICOM folder or multi-frame file as an image.

All headers are read first (``files``), then the series is chosen (``series``) and its planes are
sorted (``grid``). Voxels are read one frame at a time. Nothing here identifies the patient.
"""

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from cardioseg.core.errors import InputError
from cardioseg.imaging.dicom.files import (
    LeftOut,
    StudyContent,
    counted_reasons,
    possibly_of_cine,
    read_files,
)
from cardioseg.imaging.dicom.grid import PlaneGrid, sort_grid
from cardioseg.imaging.dicom.headers import candidate_files
from cardioseg.imaging.dicom.series import choose_cine
from cardioseg.imaging.dicom.voxels import check_decoders, read_plane
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.nifti import new_header
from cardioseg.imaging.plane import Plane


def open_dicom(path: Path, *, series: tuple[int, ...] = ()) -> ImageFile:
    """Open the short-axis cine below a folder, or in one multi-frame file, without reading voxels.

    Args:
        path: a folder, searched recursively, or a file.
        series: numbers of the series to use; () chooses by geometry.

    Raises:
        InputError: no MR image, no series that looks like a short-axis cine, several such series,
            a damaged file that may belong to the cine, or no decoder for its voxels.
        GeometryError: a slice or phase is missing or duplicated, or slices differ in size, spacing
            or orientation.
        UsageError: a requested series does not exist.
    """
    files = candidate_files(path)
    content = read_files(files)
    if not content.planes:
        raise _no_planes(path, content.left_out)
    cine = choose_cine(content.planes, series, source=path)
    _check_none_lost(path, possibly_of_cine(cine.planes, content.planes, content.left_out))
    grid = sort_grid(cine.planes, source=path)
    check_decoders((plane.syntax for phase in grid.planes for plane in phase), path)
    notes = (*cine.notes, *_notes(content, cine.planes), *grid.notes)
    return _image_file(path, grid, notes)


def _no_planes(path: Path, left_out: Sequence[LeftOut]) -> InputError:
    dicom = [one for one in left_out if one.dicom or one.damaged]
    if not dicom:
        return InputError(
            path,
            found="no DICOM file",
            expected="a short-axis cine",
            cure="pass the folder that holds the images",
        )
    return InputError(
        path,
        found=f"no usable MR image; this does not look like a short-axis cine: "
        f"{_files(len(dicom))} ({counted_reasons(dicom)})",
        expected="MR images with their position",
        cure="export or copy the study again, or pass the folder that holds the cine",
    )


def _check_none_lost(path: Path, lost: Sequence[LeftOut]) -> None:
    if not lost:
        return
    raise InputError(
        path,
        found=f"{_files(len(lost))} that may be images of the cine and cannot be used: "
        f"{counted_reasons(lost)}; the first is {lost[0].path.name}",
        expected="every image of the cine, as a missing slice makes the volumes wrong",
        cure="export or copy the study again, or remove what does not belong to it",
    )


def _notes(content: StudyContent, cine: Sequence[Plane]) -> tuple[str, ...]:
    """What was left out or is unusual, without names of files, which may identify the patient."""
    notes = []
    if content.left_out:
        left = content.left_out
        notes.append(f"{_files(len(left))} left out: {counted_reasons(left)}")
    if content.copies:
        notes.append(f"{_files(content.copies)} left out: identical copies of others")
    if content.irregular:
        notes.append(f"{_files(content.irregular)} with values that the DICOM standard forbids")
    inverted = sum(plane.inverted_from is not None for plane in cine)
    if inverted:
        notes.append(f"{inverted} of {len(cine)} images are stored inverted (MONOCHROME1)")
    absent = _absent_numbers(content.planes, cine)
    if absent:
        notes.append(
            f"{absent} instance numbers of the series are absent; a slice may be missing at an end"
        )
    return tuple(notes)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _absent_numbers(planes: Sequence[Plane], cine: Sequence[Plane]) -> int:
    """Gaps in the instance numbers of the cine's series; 0 where they are not one sequence."""
    chosen = {plane.series for plane in cine}
    absent = 0
    for series in chosen:
        found = [plane for plane in planes if plane.series == series and plane.frame is None]
        numbers = {int(plane.instance) for plane in found if plane.instance is not None}
        if len(numbers) == len(found) > 1:
            absent += max(numbers) - min(numbers) + 1 - len(numbers)
    return absent


def _image_file(path: Path, grid: PlaneGrid, notes: tuple[str, ...]) -> ImageFile:
    frames = len(grid.planes)
    ordered = [plane for phase in grid.planes for plane in phase]
    shape = (*ordered[0].size, len(grid.planes[0]))
    scaled = any(
        (plane.slope, plane.intercept, plane.inverted_from) != (1.0, 0.0, None) for plane in ordered
    )
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
