"""The image and maps of a finished case as small NIfTI files in memory, turned upright.

The files are (C, R, Z, T), rows upward as NIfTI's axes run. Their grid starts at the origin and is
parallel to the axes, because a viewer that goes by orientation codes would call oblique short-axis
planes axial, coronal or sagittal about equally often. Intensities become 8-bit.
Shape legend: Z slices, R rows down the screen, C columns, T frames. Does not know HTML.
"""

import gzip
from dataclasses import dataclass

import numpy as np

from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.volume import Volume
from cardioseg.figures.upright import GREY_PERCENTILES, boxed, heart_box, upright
from cardioseg.imaging.preprocess import slice_axis
from cardioseg.results.finished import FinishedCase

MARGIN_MM = 40.0  # kept around the heart: about a third of what a scanner stores
EMBEDDED_PERCENTILES = (0.1, 99.9)
FRAMES_FOR_GREY = 3
COMPRESSION = 6


@dataclass(frozen=True)
class Scene:
    """A case as a page shows it.

    Attributes:
        files: "image", "mask", "halting" and, if there are any, "experts" as compressed NIfTI.
        shape: columns, rows, slices of every frame.
        frames: number of frames.
        voxel_mm: width, height and distance of slices.
        window: the 8-bit intensities shown as black and as white.
        notes: what the page does not show.
    """

    files: dict[str, bytes]
    shape: tuple[int, int, int]
    frames: int
    voxel_mm: tuple[float, float, float]
    window: tuple[float, float]
    notes: tuple[str, ...]


def make_scene(
    case: FinishedCase, *, whole: bool = False, on_progress: OnProgress = unwatched
) -> Scene:
    """Read a case frame by frame, cropped to all structures of all frames.

    Args:
        case: the finished case.
        whole: keep the whole field of view.
        on_progress: told after every frame.

    Raises:
        InputError: a file cannot be read.
        LabelError: the mask holds a value that has no name.
    """
    box, notes = _box(case, whole=whole)
    low, high = _greys(case, box, EMBEDDED_PERCENTILES)
    window = (np.array(_greys(case, box, GREY_PERCENTILES)) - low) / (high - low) * 255
    layers: dict[str, list[np.ndarray]] = {kind: [] for kind in ("image", *case.maps)}
    for index in range(case.image.frames):
        slices = boxed(upright(*case.frame(index)), box)
        for kind, frames in layers.items():
            grey = _bytes(slices.image, low, high) if kind == "image" else getattr(slices, kind)
            frames.append(_axes_as_nifti(grey))
        on_progress(Progress(index + 1, case.image.frames, f"frame {index + 1}"))
    height, width = slices.pixel_mm
    voxel_mm = (width, height, case.image.spacing[slice_axis(case.image.frame(0))])
    files = {kind: _nifti(np.stack(frames, axis=-1), voxel_mm) for kind, frames in layers.items()}
    columns, rows, depth = layers["image"][0].shape
    black, white = max(0.0, float(window[0])), min(255.0, float(window[1]))
    shape = (columns, rows, depth)
    return Scene(files, shape, case.image.frames, voxel_mm, (black, white), notes)


def _box(case: FinishedCase, *, whole: bool) -> tuple[tuple[slice, slice], tuple[str, ...]]:
    """Rows and columns to show, and a note if they are not all."""
    first = upright(*case.frame(0))
    everything = slice(0, first.image.shape[1]), slice(0, first.image.shape[2])
    box = everything if whole else heart_box(_ever(case), first.pixel_mm, margin_mm=MARGIN_MM)
    note = f"Cropped to the heart and {MARGIN_MM:.0f} mm around it."
    return box, () if box == everything else (note,)


def _ever(case: FinishedCase) -> np.ndarray:
    """(R, C) bool: whether any slice of any frame shows a structure."""
    volume, prediction = case.frame(0)
    inside = np.zeros(volume.shape, bool)
    for index in range(case.image.frames):
        inside |= case.maps["mask"].frame(index).array.reshape(volume.shape) > 0
    slices = upright(Volume(inside, volume.affine, volume.spacing), prediction)
    return np.asarray(slices.image.any(axis=0))


def _greys(
    case: FinishedCase, box: tuple[slice, slice], percentiles: tuple[float, float]
) -> tuple[float, float]:
    """Two percentiles of intensity over a few frames of the cycle; the second is larger."""
    spread = np.linspace(0, case.image.frames - 1, FRAMES_FOR_GREY)
    images = (boxed(upright(*case.frame(i)), box).image for i in sorted({int(i) for i in spread}))
    found = [np.percentile(image, percentiles) for image in images]
    low, high = np.mean(found, axis=0)
    return float(low), float(max(high, low + 1e-6))


def _bytes(image: np.ndarray, low: float, high: float) -> np.ndarray:
    share = np.clip((image.astype(np.float32) - low) / (high - low), 0, 1)
    return np.asarray(np.rint(share * 255).astype(np.uint8))


def _axes_as_nifti(stack: np.ndarray) -> np.ndarray:
    """(Z, R, C) → (C, R, Z) with rows upward."""
    return stack[:, ::-1].transpose(2, 1, 0)


def _nifti(array: np.ndarray, voxel_mm: tuple[float, float, float]) -> bytes:
    """Compressed NIfTI whose header states only the grid."""
    import nibabel as nib

    image = nib.Nifti1Image(array.astype(np.uint8), np.diag([*voxel_mm, 1.0]))
    return gzip.compress(image.to_bytes(), COMPRESSION, mtime=0)
