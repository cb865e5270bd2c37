"""Specks: pieces of a structure far smaller than its largest piece.

Nothing keeps only the largest component: breath-hold shifts tear real ventricles apart between slices, and on one expert
mask of ACDC "keep the largest" deletes 43 % of the cavity. Every removal is counted.
"""

import numpy as np
from scipy.ndimage import generate_binary_structure, label

CORNERS = generate_binary_structure(3, 3)


def remove_specks(
    mask: np.ndarray, *, smallest_share: float = 0.1
) -> tuple[np.ndarray, dict[int, int]]:
    """Drop the components of each structure below a share of its largest one.

    Args:
        mask: (X, Y, Z) label values, 0 background; components touch by faces, edges or corners.
        smallest_share: of the largest component's voxels; smaller ones become background.

    Returns:
        The cleaned mask, and the number of voxels removed by label value (only where some were).
    """
    cleaned, removed = mask.copy(), {}
    for value in np.unique(mask[mask > 0]):
        pieces, count = label(mask == value, structure=CORNERS)
        if count < 2:
            continue
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        specks = (sizes < smallest_share * sizes.max())[pieces] & (pieces > 0)
        if specks.any():
            cleaned[specks] = 0
            removed[int(value)] = int(specks.sum())
    return cleaned, removed
