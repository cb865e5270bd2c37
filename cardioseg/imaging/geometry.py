"""The geometry rules: which of two spacings to use, and which shapes are images.

The spacing is ``pixdim``. Every ACDC file stores a unit affine beside it; volumes computed from
that affine are 5 to 38 times too small, although ratios still look right. A disagreement is noted,
and the affine's columns are rescaled to ``pixdim``. ``trust="affine"`` reverses the rule.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from cardioseg.core.errors import GeometryError
from cardioseg.imaging.image import ImageFile

Trust = Literal["pixdim", "affine"]
TWO_SPACINGS = "pixdim says"  # how the note on two spacings begins
SPACING_TOLERANCE = 0.01


def states_two_spacings(image: ImageFile) -> bool:
    """Whether the header's pixdim and its affine disagree."""
    return any(note.startswith(TWO_SPACINGS) for note in image.notes)


def squeezed_shape(path: Path, shape: tuple[int, ...]) -> tuple[int, ...]:
    """``shape`` without trailing axes of length 1 beyond the third.

    Raises:
        GeometryError: fewer than two or more than four axes remain, or one is empty.
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
    """Choose between a header's two spacings.

    Args:
        path: the file, for messages.
        pixdim: spacing along three axes in mm.
        affine: (4, 4) voxel index → RAS world in mm.
        trust: which spacing to use.

    Returns:
        The affine with columns of the chosen length, the spacing, and a note if the two disagree.

    Raises:
        GeometryError: the chosen spacing is zero, negative or not a number.
    """
    columns = np.linalg.norm(affine[:3, :3], axis=0)
    spacing = np.asarray(pixdim if trust == "pixdim" else columns, dtype=np.float64)
    _check_spacing(path, spacing, trust)
    notes: tuple[str, ...] = ()
    if not np.allclose(pixdim, columns, rtol=SPACING_TOLERANCE):
        stated = " × ".join(f"{value:.4g}" for value in pixdim)
        implied = " × ".join(f"{value:.4g}" for value in columns)
        notes = (f"{TWO_SPACINGS} {stated} mm, the affine {implied} mm; {trust} was used",)
    usable = np.isfinite(affine).all() and (columns > 0).all()
    rescaled = np.eye(4) if not usable else affine.copy()
    rescaled[:3, :3] *= spacing / (columns if usable else 1.0)
    x, y, z = (float(value) for value in spacing)
    return rescaled, (x, y, z), notes


def _check_spacing(path: Path, spacing: np.ndarray, trust: Trust) -> None:
    if np.isfinite(spacing).all() and (spacing > 0).all():
        return
    other = "affine" if trust == "pixdim" else "pixdim"
    raise GeometryError(
        path,
        found=f"spacing {' × '.join(f'{value:g}' for value in spacing)} mm",
        expected="three positive numbers",
        cure=f"correct the header, or pass --trust {other}",
    )
