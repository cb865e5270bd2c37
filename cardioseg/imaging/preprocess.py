"""Preprocessing for the networks, shared by training and inference.

Its settings (``PreparationConfig``) are saved with the model, so the two cannot differ.

Shape legend: X, Y, Z the file's grid with slices last; U, V, W the working grid.
"""

from typing import Protocol

import numpy as np

from cardioseg.core.config import PreparationConfig
from cardioseg.core.errors import GeometryError, InputError
from cardioseg.core.volume import Volume

LARGEST_FIELD_MM = 2000  # the height of a person


class Grid(Protocol):
    """Anything with a shape and a spacing: a ``Volume`` or an ``ImageFile``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis."""

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm."""


def slice_axis(grid: Grid) -> int:
    """The axis across slices: the one with clearly the largest spacing, else the last.

    For a single slice it is the last. Orientation codes do not help: short-axis planes are oblique,
    and after "closest canonical" the slice axis is R/L, A/P and S/I about equally often.
    """
    if len(grid.shape) < 3 or grid.shape[2] == 1:
        return 2
    widest = int(np.argmax(grid.spacing))
    others = [s for axis, s in enumerate(grid.spacing) if axis != widest]
    return widest if grid.spacing[widest] > 1.5 * max(others) else 2


def slices_last(array: np.ndarray, axis: int) -> np.ndarray:
    """The array with its slice axis moved to the end."""
    return np.moveaxis(array, axis, 2)


def slices_back(array: np.ndarray, axis: int) -> np.ndarray:
    """Undo ``slices_last``; a trailing channel axis stays in place."""
    return np.moveaxis(array, 2, axis)


def spacing_slices_last(
    spacing: tuple[float, float, float], axis: int
) -> tuple[float, float, float]:
    """Spacing in the order of ``slices_last``."""
    first, second = (s for i, s in enumerate(spacing) if i != axis)
    return first, second, spacing[axis]


def working_shape(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], config: PreparationConfig
) -> tuple[int, int, int]:
    """Shape (U, V, W) of the working grid for a slices-last grid; ``spacing`` in mm."""
    u, v = (
        max(1, round(n * s / config.spacing_mm))
        for n, s in zip(shape[:2], spacing[:2], strict=True)
    )
    if config.slice_spacing_mm is None:
        return u, v, shape[2]
    return u, v, max(1, round(shape[2] * spacing[2] / config.slice_spacing_mm))


def preprocess(volume: Volume, config: PreparationConfig, *, name: str = "image") -> np.ndarray:
    """Resampled and standardised intensities, (U, V, W) float32.

    Raises:
        InputError: every voxel has the same value.
        GeometryError: the field of view is larger than any scanner's.
    """
    axis = slice_axis(volume)
    _check_field_of_view(volume, axis, name)
    array = slices_last(volume.array, axis).astype(np.float32)
    low, high = (float(bound) for bound in np.percentile(array, config.clip_percentiles))
    if array.min() == array.max():
        raise InputError(
            name,
            found=f"a constant image (every voxel {array.flat[0]:g})",
            expected="an image with contrast",
            cure="check the export",
        )
    if low < high:
        array = array.clip(low, high)
    shape = working_shape(array.shape, spacing_slices_last(volume.spacing, axis), config)
    array = resize(array[None], shape)[0]
    return np.asarray((array - array.mean()) / max(float(array.std()), 1e-6))


def _check_field_of_view(volume: Volume, axis: int, name: str) -> None:
    """Refuse a spacing in the wrong unit, which would need more memory than there is."""
    widest = max(
        n * s
        for i, (n, s) in enumerate(zip(volume.shape, volume.spacing, strict=True))
        if i != axis
    )
    if widest > LARGEST_FIELD_MM:
        raise GeometryError(
            name,
            found=f"a field of view of {widest:.0f} mm",
            expected=f"at most {LARGEST_FIELD_MM} mm",
            cure="correct the spacing or its unit in the header",
        )


def preprocess_label(volume: Volume, config: PreparationConfig, *, classes: int) -> np.ndarray:
    """A mask on the working grid, (U, V, W) uint8: argmax of the linearly resampled classes."""
    axis = slice_axis(volume)
    array = slices_last(volume.array, axis).astype(np.int64)
    shape = working_shape(array.shape, spacing_slices_last(volume.spacing, axis), config)
    one_hot = np.stack([(array == value).astype(np.float32) for value in range(classes)])
    return np.asarray(resize(one_hot, shape).argmax(0), dtype=np.uint8)


def resize(maps: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resample (C, X, Y, Z) linearly to ``shape`` over the same extent.

    In-plane, shrinking is antialiased.
    """
    import torch
    from torch.nn import functional as F

    tensor = torch.from_numpy(np.ascontiguousarray(maps))
    if tuple(tensor.shape[1:3]) != tuple(shape[:2]):
        planes = tensor.permute(0, 3, 1, 2)
        tensor = F.interpolate(
            planes, size=tuple(shape[:2]), mode="bilinear", antialias=True
        ).permute(0, 2, 3, 1)
    if tensor.shape[3] != shape[2]:
        tensor = F.interpolate(tensor[None], size=tuple(shape), mode="trilinear")[0]
    return tensor.contiguous().numpy()


def neighbouring_slices(array: np.ndarray, index: int, neighbours: int) -> np.ndarray:
    """Slice ``index`` of (U, V, W) and its n neighbours on both sides, as (1 + 2 n, U, V).

    Beyond the ends, the first or last slice repeats.
    """
    positions = np.clip(
        np.arange(index - neighbours, index + neighbours + 1), 0, array.shape[2] - 1
    )
    return np.moveaxis(array[:, :, positions], 2, 0)
