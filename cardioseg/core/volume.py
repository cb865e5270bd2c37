"""A volume: voxels with their geometry.

Shape legend: X, Y in-plane, Z slices; arrays are indexed [x, y, z] as in NIfTI.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Affine = np.ndarray


@dataclass(frozen=True)
class Volume:
    """One 3-D image or mask on its own grid.

    Attributes:
        array: (X, Y, Z) voxels; a 2-D file has Z = 1.
        affine: (4, 4) voxel index → RAS world in mm, with columns of length ``spacing``.
        spacing: voxel size in mm along X, Y, Z; all volumes in ml and distances in mm use it.
        header: the stored geometry, opaque here; ``imaging.nifti.write`` keeps it bit for bit.
        notes: assumptions made while reading, such as which of two spacings was used.
    """

    array: np.ndarray
    affine: Affine
    spacing: tuple[float, float, float]
    header: Any = field(default=None, repr=False, compare=False)
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along X, Y, Z."""
        x, y, z = self.array.shape
        return x, y, z

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in ml."""
        return float(np.prod(self.spacing)) / 1000.0

    def position_difference_mm(self, other: "Volume") -> float:
        """Largest distance in mm between corresponding corner voxels of two grids of one shape."""
        ends = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
        corners = ends * [*(np.array(self.shape) - 1), 1]
        apart = corners @ (self.affine - other.affine).T
        return float(np.linalg.norm(apart[:, :3], axis=1).max())

    def with_array(self, array: np.ndarray) -> "Volume":
        """The same grid with other voxels.

        Raises:
            ValueError: the shape differs.
        """
        if array.shape != self.array.shape:
            raise ValueError(f"array has shape {array.shape}, but the grid has {self.array.shape}")
        return replace(self, array=array)
