"""The gate: every opened image passes it, whatever verb or function opened it.

``checked`` compares geometry with the ranges of ``limits``, without reading voxels. What needs
voxels is checked once per image, at the first access: the files' checksums and the time axis.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from cardioseg.core.errors import GeometryError
from cardioseg.imaging import limits
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.preprocess import slice_axis

SWAPPED_RATIO = 1.35  # true cines: below 0.6; exchanged axes: above 1.8; noise: 1
PAIRS_OF_FRAMES = 2
SMALLEST_UPRIGHT = 0.1  # determinant of the axes' unit vectors: 1 at right angles
SMALLEST_COMPARED = 4096  # voxels of a frame; in fewer, noise decides

_FIELDS = {
    "nifti": ("pixdim[1]", "pixdim[2]", "pixdim[3]"),
    "nrrd": ("space directions, axis 1", "space directions, axis 2", "space directions, axis 3"),
    "metaimage": ("ElementSpacing, 1st", "ElementSpacing, 2nd", "ElementSpacing, 3rd"),
    "dicom": ("PixelSpacing", "PixelSpacing", "distance between ImagePositionPatient"),
    "array": ("spacing_mm[0]", "spacing_mm[1]", "spacing_mm[2]"),
}


def checked(image: ImageFile, *, kind: str, whole: Callable[[], object] | None = None) -> ImageFile:
    """The image, which checks its content at the first access to its voxels.

    Args:
        image: as its reader opened it.
        kind: "nifti", "nrrd", "metaimage", "dicom" or "array"; names header fields in messages.
        whole: checks the files to their end; None where loading does.

    Raises:
        GeometryError: spacing, size, number of frames or time step is implausible.
    """
    _check_size(image)
    _check_spacing(image, _FIELDS[kind])
    _check_axes(image)
    _check_time(image)

    def check() -> None:
        if whole is not None:
            whole()
        if image.frames > 1 and kind != "dicom":
            _check_time_axis(image)

    return replace(image, check=functools.cache(check))


def check_size(path: Path, shape: tuple[int, ...]) -> None:
    """Check the number of voxels, before memory is taken for them.

    Raises:
        GeometryError: too many voxels in a frame or in all, or too many frames.
    """
    frames = shape[3] if len(shape) == 4 else 1
    voxels, most = math.prod(shape[:3]), limits.most_voxels()
    cure = "check the header, or allow more with --max-voxels"
    if voxels > most:
        found = f"{voxels:,} voxels per frame, shape {shape}"
        raise GeometryError(path, found=found, expected=f"at most {most:,}", cure=cure)
    if voxels * frames > most * limits.FRAMES_AT_MOST_VOXELS:
        found = f"{voxels * frames:,} voxels in {frames} frames, shape {shape}"
        expected = f"at most {most * limits.FRAMES_AT_MOST_VOXELS:,}"
        raise GeometryError(path, found=found, expected=expected, cure=cure)
    if frames > limits.MOST_FRAMES:
        expected = f"at most {limits.MOST_FRAMES}"
        cure = "split the file, or correct the number of frames in the header"
        raise GeometryError(path, found=f"{frames} frames", expected=expected, cure=cure)


def _check_size(image: ImageFile) -> None:
    check_size(image.path, image.shape)
    axis = slice_axis(image)
    thin = [index for index, n in enumerate(image.shape[:3]) if n < 2 and index != axis]
    if thin:
        raise GeometryError(
            image.path,
            found=f"shape {image.shape}, 1 voxel along {'xyz'[thin[0]]}",
            expected="slices of at least 2 × 2 voxels",
            cure="correct the header, or export the image again",
        )


def _check_spacing(image: ImageFile, fields: tuple[str, ...]) -> None:
    axis = slice_axis(image)
    sizes = (*image.shape[:3], 1)[:3]
    for index, (spacing, count) in enumerate(zip(image.spacing, sizes, strict=True)):
        low, high = limits.SLICE_MM if index == axis else limits.IN_PLANE_MM
        name = "between slices" if index == axis else "in-plane"
        if not low <= spacing <= high:
            found = f"a spacing {name} of {spacing:g} mm ({fields[index]})"
            raise _implausible(image.path, found, f"{low:g} to {high:g} mm")
        if count * spacing > limits.FIELD_MM:
            found = f"a field of view of {count * spacing:.0f} mm ({fields[index]})"
            raise _implausible(image.path, found, f"at most {limits.FIELD_MM:.0f} mm")


def _implausible(path: Path, found: str, expected: str) -> GeometryError:
    cure = "correct the spacing or its unit in the header"
    return GeometryError(path, found=found, expected=expected, cure=cure)


def _check_axes(image: ImageFile) -> None:
    """Refuse axes that lie in one plane; such voxels have no volume."""
    upright = float(abs(np.linalg.det(image.affine[:3, :3] / np.array(image.spacing))))
    if not upright > SMALLEST_UPRIGHT:
        raise GeometryError(
            image.path,
            found=f"axes that lie in one plane (determinant {upright:.3f})",
            expected="three axes at right angles",
            cure="correct the orientation in the header",
        )


def _check_time(image: ImageFile) -> None:
    seconds = image.frame_seconds
    low, high = limits.FRAME_SECONDS
    if seconds is not None and not low <= seconds <= high:
        raise GeometryError(
            image.path,
            found=f"a time step of {seconds:g} s",
            expected=f"{low:g} to {high:g} s",
            cure="correct the time step or its unit in the header (NIfTI: pixdim[4], xyzt_units)",
        )


def _check_time_axis(image: ImageFile) -> None:
    """Tell exchanged slices and frames by content: neighbouring frames look more alike.

    Raises:
        GeometryError: frames differ clearly more than slices.
    """
    enough = len(image.shape) == 4 and math.prod(image.shape[:3]) >= SMALLEST_COMPARED
    if not enough or image.shape[2] < 2 or image.frames < 3:
        return
    ratios = [
        ratio
        for index in _pairs(image.frames)
        if (ratio := _change_ratio(image.load(index), image.load(index + 1))) is not None
    ]
    if ratios and min(ratios) > SWAPPED_RATIO:
        slices, frames = image.shape[2:4]
        raise GeometryError(
            image.path,
            found=f"frames that differ {min(ratios):.1f} times as much as slices; shape "
            f"{image.shape} (NIfTI: dim[3] = {slices}, dim[4] = {frames})",
            expected="axes (x, y, slices, frames)",
            cure="exchange the third and fourth axis",
        )


def _pairs(frames: int) -> tuple[int, ...]:
    """First frames of the compared pairs: the start and the middle."""
    return tuple(dict.fromkeys((0, (frames - 1) // 2)))[:PAIRS_OF_FRAMES]


def _change_ratio(first: np.ndarray, second: np.ndarray) -> float | None:
    """Mean change between two frames over that between slices; None where one is constant."""
    one, two = (np.asarray(frame, dtype=np.float32) for frame in (first, second))
    if one.min() == one.max() or two.min() == two.max():
        return None
    between_slices = float(np.abs(np.diff(one, axis=2)).mean())
    between_frames = float(np.abs(one - two).mean())
    return between_frames / between_slices if between_slices > 0 else None
