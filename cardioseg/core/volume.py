"""A volume: voxels, where they lie, and what the file said about it.

Shape legend: X, Y in-plane, Z slices; arrays are indexed [x, y, z] as NIfTI stores them.
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
        affine: (4, 4) voxel index → world in mm, with columns of length ``spacing``.
        spacing: voxel size in mm along X, Y, Z; the one truth for every volume in ml and distance in mm.
        header: the geometry as the file stored it, opaque here; written back bit for bit by ``imaging.nifti.write``.
        notes: decisions taken while reading (say, that pixdim and affine disagreed), for the run record.
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
        """Largest distance in mm between the world positions of the two grids' corner voxels; shapes must agree."""
        corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * [
            *(np.array(self.shape) - 1),
            1,
        ]
        apart = corners @ (self.affine - other.affine).T
        return float(np.linalg.norm(apart[:, :3], axis=1).max())

    def with_array(self, array: np.ndarray) -> "Volume":
        """New voxels on the same grid; ValueError if the shape differs."""
        if array.shape != self.array.shape:
            raise ValueError(f"array has shape {array.shape}, the grid {self.array.shape}")
        return replace(self, array=array)
