"""The geometry rule: which spacing counts when a header states two, and which shapes are images.

The spacing is ``pixdim``. Where the affine disagrees (every ACDC file stores a unit affine), volumes computed from the
affine are 5 to 38 times too small although every ratio still looks right. So the disagreement is noted and the affine's
columns are rescaled; ``trust="affine"`` reverses the rule.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from cardioseg.core.errors import GeometryError
from cardioseg.imaging.image import ImageFile

Trust = Literal["pixdim", "affine"]
TWO_SPACINGS = "pixdim says"  # the note on a header that states two spacings begins like this
SPACING_TOLERANCE = 0.01


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
