"""The mask of a DICOM study as DICOM-SEG: ``X_seg_frame01.dcm``, one object for each phase.

These files carry the identity of the patient and the study, as DICOM demands; no other file that
``segment`` writes does.
"""

from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from cardioseg.core.errors import UsageError
from cardioseg.imaging.image import ImageFile
from cardioseg.results.records import RunRecord

PHASES, ALL = "dicom-seg", "dicom-seg-all"
SEGMENTATIONS = (PHASES, ALL)
NO_PHASES = (
    "no DICOM-SEG was written because ED and ES were not found: choose them with --ed and --es, "
    "or use --save dicom-seg-all"
)


def check_seg_library(save: Collection[str]) -> None:
    """Check that the library for DICOM-SEG is installed, if DICOM-SEG was asked for.

    Raises:
        UsageError: it is not installed.
    """
    if set(save) & set(SEGMENTATIONS) and find_spec("highdicom") is None:
        cure = "run pip install 'cardioseg[dicom]'"
        raise UsageError(
            "--save dicom-seg", found="no highdicom", expected="the extra dicom", cure=cure
        )


def check_seg_input(save: Collection[str], image: ImageFile) -> None:
    """Check, before the image is segmented, that it has DICOM objects to refer to.

    Raises:
        UsageError: DICOM-SEG was asked for, and the image has none.
    """
    if set(save) & set(SEGMENTATIONS):
        from cardioseg.imaging.dicom.seg import check_referable

        check_referable(image.planes, image.path)


def seg_frames(record: RunRecord) -> tuple[int, ...] | None:
    """Frames from 1 that are to be written as DICOM-SEG; None if it was not asked for."""
    asked = set(record.recipe.save) & set(SEGMENTATIONS)
    if not asked:
        return None
    if ALL in asked or record.frames == 1:
        return tuple(range(1, record.frames + 1))
    return tuple(sorted(_phases(record)))


def write_segmentations(
    output: Path, image: ImageFile, mask: np.ndarray, record: RunRecord
) -> None:
    """Write the frames that ``record`` names as DICOM-SEG.

    Args:
        output: the folder.
        image: the DICOM study.
        mask: (X, Y, Z) or (X, Y, Z, T) label values.
        record: of the case.

    Raises:
        OutputError: the folder cannot be written.
    """
    frames = record.dicom_seg_frames
    if not frames:
        return
    from cardioseg.imaging.dicom.seg import new_series, write_seg

    maker = new_series(record.model, record.recipe.model_sha256, record.label_table())
    phases, cine = _phases(record), record.frames > 1
    for number, frame in enumerate(frames, start=1):
        ending = f"_seg_frame{frame:02d}.dcm" if cine else "_seg.dcm"
        phase = f"{phases[frame]}, " if frame in phases else ""
        write_seg(
            output / f"{record.case}{ending}",
            image.planes[frame - 1],
            mask[..., frame - 1] if cine else mask,
            maker,
            number=number,
            about=f"{phase}frame {frame} of {record.frames}; not a medical device",
        )


def _phases(record: RunRecord) -> dict[int, str]:
    """Frame from 1 → "ED" or "ES", for those that are known."""
    if record.clinical is None:
        return {}
    found = {record.clinical.ed_frame: "ED", record.clinical.es_frame: "ES"}
    return {frame: phase for frame, phase in found.items() if frame is not None}
