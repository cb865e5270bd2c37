"""What ``cardioseg measure`` reads beside the voxels of a cine: masks, frames, names, body size."""

from pathlib import Path

import numpy as np

from cardioseg.clinical.body import Body
from cardioseg.core.errors import UsageError
from cardioseg.core.labels import LabelTable
from cardioseg.core.volume import Volume
from cardioseg.data.pairs import case_name
from cardioseg.data.patients import Patient, merged_body, patient_of
from cardioseg.data.stated import values_by_name
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.open import read
from cardioseg.results.folder import CLINICAL
from cardioseg.results.hearts import read_clinical

SPACING_TOLERANCE = 0.01  # of a voxel's size


def pair_name(ed: Path, es: Path) -> str:
    """The patient, if both masks name the same one; else the case at ED."""
    names = [patient_of(case_name(path), path).name for path in (ed, es)]
    return names[0] if names[0] == names[1] else case_name(ed)


def mask_of(path: Path, labels: LabelTable, trust: Trust) -> Volume:
    """A mask (X, Y, Z) as uint8 label values.

    Raises:
        InputError: not a readable image, or one with several frames.
        LabelError: a value has no name.
    """
    volume = read(path, trust=trust)
    return volume.with_array(values_by_name(volume.array, labels, path=path))


def chosen_frame(option: str, text: str | None) -> int | None:
    """The number of a frame, from 1.

    Raises:
        UsageError: not a whole number.
    """
    if text is not None and not (text.isascii() and text.isdigit()):
        expected = "the number of a frame, because the mask is a cine"
        raise UsageError(option, found=repr(text), expected=expected, cure="count frames from 1")
    return None if text is None else int(text)


def frame_of(patient: Patient) -> int | None:
    """The frame that the file's name states, from 0."""
    return None if patient.frame is None else patient.frame - 1


def named_apart(ed: Patient, es: Patient) -> bool:
    """Whether two files name two patients; a name without a phase may be any name."""
    stated = all(patient.told_by or patient.frame for patient in (ed, es))
    return stated and ed.name != es.name


def body_of(given: Body, case: str, mask: Path) -> Body:
    """Body size as given, else as recorded beside the mask, else from Info.cfg."""
    recorded = read_clinical(mask.with_name(f"{case}{CLINICAL}"))
    if recorded is None:
        return merged_body(given, patient_of(case_name(mask), mask).body())
    known = recorded.body.model_dump(include=set(Body.model_fields))
    return merged_body(given, Body(**known))


def grid_notes(ed: Volume, es: Volume) -> tuple[str, ...]:
    """A note where the masks of one heart have different grids; each keeps its own spacing."""
    if ed.shape == es.shape and np.allclose(ed.spacing, es.spacing, rtol=SPACING_TOLERANCE):
        return ()
    sizes = f"{ed.shape} and {es.shape} voxels of {ed.spacing} and {es.spacing} mm"
    return (f"ED and ES have different grids: {sizes}",)
