"""Phantoms as NIfTI files, with ACDC's misleading header or a correct oblique one.

nibabel is imported inside the functions to keep the import of this module fast.
"""

from pathlib import Path
from typing import Any

import numpy as np

from cardioseg.core.atomic import replacing, write_text
from cardioseg.phantom.config import random_config
from cardioseg.phantom.draw import Phantom, draw

GROUPS = ("DCM", "HCM", "MINF", "NOR", "RV")

# A short-axis plane in RAS coordinates: rows run to the left of the chest, columns to the back and
# feet, slices to the apex. As in a heart seen from its apex, the frame is left-handed.
TO_APEX, DOWN = np.array([-0.62, 0.60, -0.50]), np.array([0.0, -0.64, -0.77])


def acdc_header(spacing_mm: tuple[float, float, float]) -> Any:
    """A header like ACDC's: a unit affine, the true spacing only in pixdim, and no unit."""
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
    """A header as DICOM converters write it: oblique scanner coordinates, in mm and seconds."""
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
    """Save with the header's geometry unchanged; nibabel rewrites it only if given an affine.

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


def write_acdc(folder: Path, *, patients: int, first: int = 901, seed: int = 0) -> None:
    """Write phantoms at ED and ES as a data set with ACDC's layout, headers and ``Info.cfg``.

    Args:
        folder: where patientNNN folders are written.
        patients: number of phantoms.
        first: number of the first patient. ACDC uses 1 to 150; training with ``--extra`` excludes
            names that are validation patients there.
        seed: of the random settings.

    Raises:
        OutputError: the folder cannot be written.
    """
    for number in range(first, first + patients):
        case_seed = seed * 100_003 + number
        phantom, rng = draw(random_config(case_seed)), np.random.default_rng([case_seed, 1])
        name, kind = f"patient{number:03d}", rng.choice(["int16", "float32"])
        for t in (phantom.ed, phantom.es):
            stem, header = f"{name}_frame{t + 1:02d}", acdc_header(phantom.spacing_mm)
            image = np.rint(phantom.image[..., t]).astype(kind)
            save(folder / name / f"{stem}.nii.gz", image, header)
            save(folder / name / f"{stem}_gt.nii.gz", phantom.label[..., t], header)
        facts = {"ED": phantom.ed + 1, "ES": phantom.es + 1, "Group": rng.choice(GROUPS)}
        height, weight = (float(rng.integers(*limits)) for limits in ((150, 200), (50, 110)))
        facts |= {"Height": height, "NbFrame": phantom.image.shape[3], "Weight": weight}
        lines = "".join(f"{key}: {value}\n" for key, value in facts.items())
        write_text(folder / name / "Info.cfg", lines)


def write_cine(path: Path, phantom: Phantom) -> None:
    """Write the 4-D image as int16 NIfTI with an oblique affine, in mm and seconds."""
    image = np.rint(phantom.image).astype(np.int16)
    save(path, image, oblique_header(image.shape, phantom.spacing_mm, frame_s=phantom.frame_s))


def write_truth(path: Path, phantom: Phantom) -> None:
    """Write the true 4-D mask as uint8 NIfTI on the grid of ``write_cine``."""
    shape, spacing_mm = phantom.label.shape, phantom.spacing_mm
    save(path, phantom.label, oblique_header(shape, spacing_mm, frame_s=phantom.frame_s))
