"""How phantoms become NIfTI files: ACDC's misleading header, and an honest oblique one.

Knows headers and nothing of what is drawn. nibabel is imported inside the functions, so that drawing does without it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from cardioseg.core.atomic import replacing

# A short-axis plane in scanner coordinates, right-anterior-superior: rows run to the left of the chest, columns to its back
# and the feet, slices to the apex. As in a real heart seen from its apex, the three make a left-handed frame.
TO_APEX, DOWN = np.array([-0.62, 0.60, -0.50]), np.array([0.0, -0.64, -0.77])


def acdc_header(spacing_mm: tuple[float, float, float]) -> Any:
    """ACDC's trap: the affine says 1 mm everywhere, only pixdim knows the spacing, and no unit is named."""
    import nibabel as nib

    header = nib.Nifti1Header()
    header.set_data_shape((1, 1, 1))
    header.set_zooms(spacing_mm)
    header["srow_x"], header["srow_y"], header["srow_z"] = np.diag([-1.0, -1.0, 1.0, 1.0])[:3]
    header["sform_code"], header["qform_code"], header["quatern_d"] = 2, 0, 1.0
    return header


def oblique_header(
    shape: tuple[int, ...], spacing_mm: tuple[float, float, float], *, frame_s: float
) -> Any:
    """A cine's header as a scanner's converter writes it: oblique scanner coordinates, mm and seconds."""
    import nibabel as nib

    apex = TO_APEX / np.linalg.norm(TO_APEX)
    left = np.cross(apex, DOWN)
    left /= np.linalg.norm(left)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack((left, np.cross(left, apex), apex)) * spacing_mm
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape[:3]) / 2)
    header = nib.Nifti1Header()
    header.set_data_shape((1, 1, 1, 1))
    header.set_zooms((*spacing_mm, frame_s))
    header.set_qform(affine, code=1)
    header.set_sform(affine, code=1)
    header.set_xyzt_units("mm", "sec")
    return header


def save(path: Path, array: np.ndarray, header: Any) -> None:
    """Save with the header's geometry untouched: without an affine nibabel does not rewrite it.

    Raises:
        OutputError: the folder cannot be written.
    """
    import nibabel as nib

    zooms = header.get_zooms()
    header.set_data_shape(array.shape)
    header.set_zooms(zooms)
    header.set_data_dtype(array.dtype)
    with replacing(path, suffix=".nii.gz") as temporary:
        nib.save(nib.Nifti1Image(array, None, header), temporary)
