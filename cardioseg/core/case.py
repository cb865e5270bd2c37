"""A case: one patient at one phase, described by paths; no voxels."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One volume of one patient, with or without a mask.

    Attributes:
        patient: patient id; splits keep all cases of a patient together.
        phase: "ED", "ES", or the frame number as text; "" when unknown.
        image: the image file.
        label: the mask file, None when there is none.
        group: pathology or centre, "" when unknown; evaluation reports by it.
        name: file name without its ending; unique in a data set.
        frame: index from 0 into a 4-D file, None for a 3-D file.
    """

    patient: str
    phase: str
    image: Path
    label: Path | None
    group: str
    name: str
    frame: int | None = None
