"""The mask of a DICOM study as DICOM-SEG, for PACS and viewers: ``X_seg_frame01.dcm``, one object per phase.

These files carry the patient's and the study's identity, as DICOM demands; nothing else that ``segment`` writes does.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cardioseg.core.errors import UsageError
from cardioseg.imaging.image import ImageFile

if TYPE_CHECKING:
    from cardioseg.workflows.products import Segmented

PHASES, ALL = "dicom-seg", "dicom-seg-all"
SEGMENTATIONS = (PHASES, ALL)
SEG_ENDING = r"_seg(_frame\d+)?\.dcm"


def check_seg_library(save: tuple[str, ...]) -> None:
    """DICOM-SEG takes a library that not everybody needs.

    Raises:
        UsageError: it is not installed.
    """
    if set(save) & set(SEGMENTATIONS) and find_spec("highdicom") is None:
        cure = "run pip install 'cardioseg[dicom]'"
        raise UsageError(
            "--save dicom-seg", found="no highdicom", expected="the extra dicom", cure=cure
        )


def check_seg_input(save: tuple[str, ...], image: ImageFile) -> None:
    """Before the image is worked on, not after.

    Raises:
        UsageError: DICOM-SEG was asked for, and the image has no DICOM objects to refer to.
    """
    if set(save) & set(SEGMENTATIONS):
        from cardioseg.imaging.dicom.seg import check_referable

        check_referable(image.planes, image.path)


def segmented_seg(segmented: "Segmented") -> dict[str, Any]:
    """The product: segmentations of ED and ES, or of every phase, where they were asked for."""
    asked = set(segmented.request.save) & set(SEGMENTATIONS)
    if not asked:
        return {}
    phases = _phases(segmented)
    frames = sorted(
        range(1, segmented.image.frames + 1)
        if ALL in asked or segmented.image.frames == 1
        else phases
    )
    _write(segmented, frames, phases)
    facts: dict[str, Any] = {"dicom_seg": {"frames": frames}}
    if frames:
        return facts
    lack = "no DICOM-SEG was written, as ED and ES were not found: choose them with --ed and --es, or save dicom-seg-all"
    return facts | {"warnings": [*segmented.facts["warnings"], lack]}


def _phases(segmented: "Segmented") -> dict[int, str]:
    """Frame from 1 → "ED" or "ES", of those that are known."""
    clinical = segmented.facts.get("clinical") or {}
    found = {clinical.get("ed_frame"): "ED", clinical.get("es_frame"): "ES"}
    return {frame: phase for frame, phase in found.items() if frame is not None}


def _write(segmented: "Segmented", frames: list[int], phases: dict[int, str]) -> None:
    from cardioseg.imaging.dicom.seg import new_series, write_seg

    facts, image = segmented.facts, segmented.image
    maker = new_series(facts["model"], facts["recipe"]["model_sha256"], segmented.labels)
    cine = image.frames > 1
    for number, frame in enumerate(frames, start=1):
        path = segmented.path(f"_seg_frame{frame:02d}.dcm" if cine else "_seg.dcm")
        mask = segmented.mask[..., frame - 1] if cine else segmented.mask
        phase = f"{phases[frame]}, " if frame in phases else ""
        about = f"{phase}frame {frame} of {image.frames}; not a medical device"
        write_seg(path, image.planes[frame - 1], mask, maker, number=number, about=about)
