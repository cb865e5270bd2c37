"""The record of an opened image of any format; ``imaging.open.open_image`` makes it."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from cardioseg.core.errors import InputError
from cardioseg.core.volume import Volume
from cardioseg.imaging.plane import Plane

NIFTI_ENDINGS = (".nii.gz", ".nii")
ITK_ENDINGS = (".nrrd", ".nhdr", ".mha", ".mhd")
ENDINGS = NIFTI_ENDINGS + ITK_ENDINGS
PICTURE_ENDINGS = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
LARGEST_INTENSITY = 1e18  # its square, needed for a standard deviation, still fits a float32


def stem(path: Path) -> str:
    """File name without its image ending: "a.b.nii.gz" → "a.b"."""
    for ending in ENDINGS:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.stem


def _unchecked() -> None:
    """An image without anything to check."""


@dataclass(frozen=True)
class ImageFile:
    """An opened image: its geometry is read, its voxels are loaded one frame at a time.

    Attributes:
        path: the file, the folder of a DICOM study, or the name of an image in memory.
        shape: stored shape, two to four axes.
        frames: number of volumes; 1 for a 3-D image.
        affine: (4, 4) voxel index → RAS world in mm, columns of length ``spacing``.
        spacing: voxel size in mm.
        frame_seconds: time between frames, None when not stated.
        notes: assumptions made while reading, for the run record.
        header: geometry as stored, as a nibabel header; results are written with it.
        load: frame index → (X, Y, Z) array.
        files: the files that hold the image, in voxel order; () for an image in memory.
        heart_rate_bpm: as stated in the file, else None.
        height_cm: the patient's height, where stated.
        weight_kg: the patient's weight, where stated.
        planes: the DICOM planes by frame and slice; () for other formats.
        check: checks files and time axis once, before the first voxels are used.
        names: value → structure, as the header of a mask states it; {} if it does not.
    """

    path: Path
    shape: tuple[int, ...]
    frames: int
    affine: np.ndarray
    spacing: tuple[float, float, float]
    frame_seconds: float | None
    notes: tuple[str, ...]
    header: Any = field(repr=False)
    load: Callable[[int], np.ndarray] = field(repr=False)
    files: tuple[Path, ...] = field(repr=False)
    heart_rate_bpm: float | None = None
    height_cm: float | None = None
    weight_kg: float | None = None
    planes: tuple[tuple[Plane, ...], ...] = field(default=(), repr=False)
    check: Callable[[], None] = field(default=_unchecked, repr=False, compare=False)
    names: Mapping[int, str] = field(default_factory=dict)

    def frame(self, index: int) -> Volume:
        """Load one volume (X, Y, Z), with the file's intensity scaling applied.

        Raises:
            InputError: the voxels cannot be read, are not finite, or do not fit in memory.
        """
        array = self._voxels(index)
        array = array.reshape(array.shape + (1,) * (3 - array.ndim))
        if array.dtype.kind == "f":
            _check_intensities(self.path, array)
        return Volume(array, self.affine, self.spacing, self.header, self.notes)

    def check_whole(self) -> None:
        """Check the files to their end, and the time axis of a cine; done once per image.

        Raises:
            InputError: a file is damaged or truncated, or does not fit in memory.
            GeometryError: slices and frames are exchanged.
        """
        with self._explained():
            self.check()

    def _voxels(self, index: int) -> np.ndarray:
        with self._explained():
            self.check()
            return np.asarray(self.load(index))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Readers' errors as an ``InputError`` that names the file."""
        try:
            yield
        except (
            OSError,
            EOFError,
            ValueError,
            OverflowError,
            zlib.error,
            nib.filebasedimages.ImageFileError,
        ) as error:
            raise broken(self.path, error) from None
        except MemoryError:
            raise InputError(
                self.path,
                found=f"an image of shape {self.shape}, which does not fit in memory",
                expected="an image that fits",
                cure="check the header, or use a machine with more memory",
            ) from None


def _check_intensities(path: Path, array: np.ndarray) -> None:
    cure = "repair or re-export the image"
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise InputError(
            path, found=f"{bad} NaN or infinite voxels", expected="finite intensities", cure=cure
        )
    largest = float(np.abs(array).max(initial=0))
    if largest > LARGEST_INTENSITY:
        raise InputError(
            path,
            found=f"an intensity of {largest:.3g}",
            expected=f"at most {LARGEST_INTENSITY:g}",
            cure=cure,
        )


def check_grey(path: Path, dtype: np.dtype[Any]) -> None:
    """Accept one real number per voxel.

    Raises:
        InputError: complex, RGB or other voxels.
    """
    if dtype.kind not in "biuf":
        raise InputError(
            path,
            found={"c": "complex voxels", "V": "RGB voxels"}.get(dtype.kind, f"{dtype} voxels"),
            expected="one grey value per voxel",
            cure="convert the image to greyscale",
        )


def broken(path: Path, error: Exception) -> InputError:
    """The error for a file that its reader cannot parse; the message starts with the path."""
    text = " ".join(str(error).replace(str(path), path.name).split())
    reason = text[:120] or type(error).__name__
    return InputError(
        path,
        found=f"unreadable data ({reason})",
        expected=f"an intact image ({', '.join(ENDINGS)})",
        cure="export or copy it again",
    )
