"""What an interactive page shows of a finished case: image and maps turned upright, as small NIfTI files in memory.

Shapes: stacks are (Z, R, C), rows down the screen; the files are (C, R, Z, T) with rows upward, as NIfTI's axes run. Their grid
starts at the origin and is parallel to the axes: short-axis planes are oblique, and a viewer that goes by orientation codes
would call them axial, coronal or sagittal about equally often. Intensities become 8-bit. Knows nothing of HTML.
"""

import gzip
from dataclasses import dataclass

import numpy as np

from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.volume import Volume
from cardioseg.figures.upright import GREY_PERCENTILES, boxed, heart_box, upright
from cardioseg.imaging.preprocess import slice_axis
from cardioseg.results.finished import FinishedCase

MARGIN_MM = 40.0  # what is left around the heart: enough to see where it lies, a third of what a scanner stores
EMBEDDED_PERCENTILES = (0.1, 99.9)
FRAMES_FOR_GREY = 3
COMPRESSION = 6


@dataclass(frozen=True)
class Scene:
    """A case as a page shows it.

    Attributes:
        files: "image", "mask", "halting" and, if the network routes, "experts" as compressed NIfTI.
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
    """Read a case frame by frame and crop it to the heart, which is every structure in any frame.

    Args:
        case: the finished case.
        whole: keep the whole field of view.
        on_progress: told after every frame.

    Raises:
        InputError, LabelError: a file cannot be read, or the mask holds a value that has no name.
    """
    box, notes = _box(case, whole=whole)
    low, high = _greys(case, box, EMBEDDED_PERCENTILES)
    black, white = (
        float(v) for v in (np.array(_greys(case, box, GREY_PERCENTILES)) - low) / (high - low) * 255
    )
    layers: dict[str, list[np.ndarray]] = {kind: [] for kind in ("image", *case.maps)}
    for index in range(case.image.frames):
        stack = boxed(upright(*case.frame(index)), box)
        for kind, frames in layers.items():
            frames.append(
                _axes_as_nifti(
                    _bytes(stack.image, low, high) if kind == "image" else getattr(stack, kind)
                )
            )
        on_progress(Progress(index + 1, case.image.frames, f"frame {index + 1}"))
    height, width = stack.pixel_mm
    voxel_mm = (width, height, case.image.spacing[slice_axis(case.image.frame(0))])
    files = {kind: _nifti(np.stack(frames, axis=-1), voxel_mm) for kind, frames in layers.items()}
    columns, rows, slices = layers["image"][0].shape
    return Scene(
        files,
        (columns, rows, slices),
        case.image.frames,
        voxel_mm,
        (max(0.0, black), min(255.0, white)),
        notes,
    )


def _box(case: FinishedCase, *, whole: bool) -> tuple[tuple[slice, slice], tuple[str, ...]]:
    """Rows and columns to show, and a note when they are not all."""
    first = upright(*case.frame(0))
    everything = slice(0, first.image.shape[1]), slice(0, first.image.shape[2])
    box = everything if whole else heart_box(_ever(case), first.pixel_mm, margin_mm=MARGIN_MM)
    return box, () if box == everything else (
        f"Cropped to the heart and {MARGIN_MM:.0f} mm around it.",
    )


def _ever(case: FinishedCase) -> np.ndarray:
    """(R, C) where any slice of any frame shows a structure."""
    volume, prediction = case.frame(0)
    inside = np.zeros(volume.shape, bool)
    for index in range(case.image.frames):
        inside |= case.maps["mask"].frame(index).array.reshape(volume.shape) > 0
    stack = upright(Volume(inside, volume.affine, volume.spacing), prediction)
    return np.asarray(stack.image.any(axis=0))


def _greys(
    case: FinishedCase, box: tuple[slice, slice], percentiles: tuple[float, float]
) -> tuple[float, float]:
    """Two intensities of a few frames spread over the cycle; the second is larger."""
    chosen = sorted(
        {int(index) for index in np.linspace(0, case.image.frames - 1, FRAMES_FOR_GREY)}
    )
    found = [
        np.percentile(boxed(upright(*case.frame(index)), box).image, percentiles)
        for index in chosen
    ]
    low, high = np.mean(found, axis=0)
    return float(low), float(max(high, low + 1e-6))


def _bytes(image: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.rint(np.clip((image.astype(np.float32) - low) / (high - low), 0, 1) * 255).astype(
        np.uint8
    )


def _axes_as_nifti(stack: np.ndarray) -> np.ndarray:
    """(Z, R, C) → (C, R, Z) with rows upward."""
    return stack[:, ::-1].transpose(2, 1, 0)


def _nifti(array: np.ndarray, voxel_mm: tuple[float, float, float]) -> bytes:
    """Compressed NIfTI that says nothing but the grid."""
    import nibabel as nib

    image = nib.Nifti1Image(array.astype(np.uint8), np.diag([*voxel_mm, 1.0]))
    return gzip.compress(image.to_bytes(), COMPRESSION, mtime=0)
