"""A tiny ACDC-like data set: phantoms with 3 mm voxels, five slices and ACDC's headers."""

import numpy as np

from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw
from cardioseg.phantom.files import acdc_header, save

SPACING = (3.0, 3.0, 18.0)
SHAPE = (64, 60, 5)
GROUPS = ("DCM", "HCM", "NOR")
CASES_PER_PATIENT = 2


def write_patient(root, number, *, group=None, es=9):
    """``patientNNN`` with ED as frame 1 and ES as frame ``es``; returns its folder."""
    phantom = draw(
        PhantomConfig(
            seed=number, shape=SHAPE, spacing_mm=SPACING, frames=2, radius_mm=22 + number % 5
        )
    )
    name = f"patient{number:03d}"
    for index, frame in enumerate((1, es)):
        stem = root / name / f"{name}_frame{frame:02d}"
        save(
            stem.with_name(f"{stem.name}.nii.gz"),
            np.rint(phantom.image[..., index]).astype(np.int16),
            acdc_header(SPACING),
        )
        save(
            stem.with_name(f"{stem.name}_gt.nii.gz"),
            phantom.label[..., index],
            acdc_header(SPACING),
        )
    facts = {
        "ED": 1,
        "ES": es,
        "Group": group or GROUPS[number % len(GROUPS)],
        "Height": 171.0,
        "NbFrame": 12,
        "Weight": 70.0,
    }
    (root / name / "Info.cfg").write_text(
        "".join(f"{key}: {value}\n" for key, value in facts.items())
    )
    return root / name


def write_patients(root, count):
    """Patients 1 to ``count`` below ``root``."""
    for number in range(1, count + 1):
        write_patient(root, number)
    return root
