"""A case: one patient at one phase, described by paths, not pixels."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One labelled (or only imaged) volume of one patient.

    Attributes:
        patient: what splits group by.
        phase: "ED", "ES", or the frame as text; "" when the source names none.
        image: the image file.
        label: the mask file, None when there is none.
        group: pathology or centre, "" when unknown; evaluation reports by it.
        frame: index from 0 into a 4-D file, None for a 3-D file.
        name: file stem without extension; unique in a data set.
    """

    patient: str
    phase: str
    image: Path
    label: Path | None
    group: str
    name: str
    frame: int | None = None
