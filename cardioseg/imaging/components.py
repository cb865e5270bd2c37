"""Specks: pieces of a structure far smaller than its largest piece.

Keeping only the largest piece would be wrong: breath-hold shifts tear real ventricles apart between
slices, and on one expert mask of ACDC it deletes 43 % of the cavity. Every removal is counted.
"""

import numpy as np
from skimage.measure import label


def remove_specks(
    mask: np.ndarray, *, smallest_share: float = 0.1
) -> tuple[np.ndarray, dict[int, int]]:
    """Remove the pieces of each structure below a share of its largest one.

    Args:
        mask: (X, Y, Z) label values, 0 background; pieces connect by faces, edges or corners.
        smallest_share: of the largest piece's voxels; smaller pieces become background.

    Returns:
        The cleaned mask, and the number of removed voxels by label value, where there are any.
    """
    pieces = label(mask, background=0, connectivity=3)  # touching pieces differ in value
    sizes = np.bincount(pieces.ravel())
    value_of = np.zeros(len(sizes), mask.dtype)
    value_of[pieces] = mask
    cleaned, removed = mask.copy(), {}
    for value in np.unique(mask[mask > 0]):
        own = np.where(value_of == value, sizes, 0)
        specks = (own > 0) & (own < smallest_share * own.max())
        if specks.any():
            cleaned[specks[pieces]] = 0
            removed[int(value)] = int(own[specks].sum())
    return cleaned, removed
