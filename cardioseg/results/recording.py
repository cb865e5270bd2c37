"""From the maps of an image to the numbers of its heart and its run record."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from cardioseg.clinical.beat import Beat, VolumeCurve, cine_function, frame_volumes_ml
from cardioseg.clinical.function import volume_function
from cardioseg.clinical.phases import Phases
from cardioseg.clinical.quality import Quality, check_cine_mask, check_volume
from cardioseg.core.labels import LabelTable
from cardioseg.core.version import __version__
from cardioseg.core.volume import Volume
from cardioseg.data.patients import Patient, merged_body, patient_of
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.memory import image_digest
from cardioseg.results.dicom_seg import NO_PHASES, seg_frames
from cardioseg.results.frames import FrameResults, SegmentSettings
from cardioseg.results.hearts import ONE_VOLUME
from cardioseg.results.records import (
    ClinicalRecord,
    ClinicalSummary,
    ExitChoice,
    Recipe,
    RunRecord,
    Times,
    clinical_record,
)

if TYPE_CHECKING:
    from cardioseg.bundle import Model

LIBRARIES = ("torch", "monai", "numpy", "nibabel")  # the result may depend on their versions


def recipe_of(image: ImageFile, model: "Model", settings: SegmentSettings) -> Recipe:
    """Everything that the result depends on."""
    rule = settings.depth.rule
    return Recipe(
        cardioseg=__version__,
        input_sha256=image_digest(image),
        model_sha256=model.sha256,
        config_sha256=model.config_sha256,
        loops=settings.depth.loops or model.loops,
        exit=ExitChoice(
            rule=rule.name or model.exits[0], threshold=rule.threshold, compute=rule.compute
        ),
        windows=settings.windows,
        trust=settings.trust,
        series=settings.series,
        save=tuple(sorted(settings.save)),
        beat=settings.beat,
    )


def image_patient(name: str, image: ImageFile, beat: Beat) -> Patient:
    """From the case's name and what lies beside the image, then from the image itself."""
    found = patient_of(name, image.path, ed=beat.ed, es=beat.es)
    sizes = {key: getattr(found, key) or getattr(image, key) for key in ("height_cm", "weight_kg")}
    return found.model_copy(update=sizes)


@dataclass(frozen=True)
class HeartResult:
    """What the masks of an image say of its heart, and whose it is."""

    patient: Patient
    function: ClinicalRecord
    quality: Quality
    curve: VolumeCurve | None = None


def heart_of_masks(
    name: str, *, mask: np.ndarray, image: ImageFile, beat: Beat, frames: FrameResults
) -> HeartResult:
    """Numbers and verdict from the masks of an image.

    Args:
        name: of the case.
        mask: (X, Y, Z) or (X, Y, Z, T) label values.
        image: the image.
        beat: ED, ES and body, where the person gave them.
        frames: what else the network said of every frame.
    """
    patient = image_patient(name, image, beat)
    labels = frames.labels
    if image.frames == 1:
        grid = Volume(mask, image.affine, image.spacing)
        function = volume_record(name, grid, labels, patient, beat)
        return HeartResult(
            patient, function, check_volume(grid, labels, certainty=frames.certainty[0])
        )
    grid = Volume(mask[..., 0], image.affine, image.spacing)
    found = cine_function(mask, grid, labels, _known_beat(image, beat, patient))
    function = clinical_record(
        name,
        found.function,
        found.phases,
        kind="cine",
        made_by="cardioseg segment",
        why_none=found.why_none,
    ).model_copy(update={"volumes_ml": found.curve.volumes_ml})
    phases = (function.ed_frame, function.es_frame)
    quality = check_cine_mask(mask, grid, labels, phases=phases, certainty=frames.certainty)
    return HeartResult(patient, function, quality, found.curve)


def _known_beat(image: ImageFile, beat: Beat, patient: Patient) -> Beat:
    """What the person gave, completed by what the image states."""
    body = merged_body(beat.body, patient.body(image.heart_rate_bpm))
    frame_ms = None if image.frame_seconds is None else 1000 * image.frame_seconds
    return Beat(ed=beat.ed, es=beat.es, body=body, frame_ms=frame_ms)


def volume_record(
    name: str, mask: Volume, labels: LabelTable, patient: Patient, beat: Beat
) -> ClinicalRecord:
    """What one volume says: volumes of its structures, and mass and wall thickness at its phase."""
    body = merged_body(beat.body, patient.body())
    function = volume_function(mask, labels, body, phase=patient.phase, why_none=ONE_VOLUME)
    phases = Phases(None, None, patient.told_by or "none", "none", (ONE_VOLUME,), ())
    found = clinical_record(
        name,
        function,
        phases,
        kind="volume",
        made_by="cardioseg segment",
        why_none=ONE_VOLUME,
    )
    volumes = frame_volumes_ml(mask.array[..., None], labels, mask.spacing)
    return found.model_copy(update={"volumes_ml": volumes})


def run_record(
    name: str,
    *,
    image: ImageFile,
    model: "Model",
    recipe: Recipe,
    frames: FrameResults,
    heart: HeartResult,
) -> RunRecord:
    """The run record as far as it is known before any file is written."""
    cine = image.frames > 1
    record = RunRecord(
        case=name,
        model=model.name,
        recipe=recipe,
        versions=software_versions(),
        device=next(model.network.parameters()).device.type,
        frames=image.frames,
        spacing_mm=image.spacing,
        labels={label: value for value, label in enumerate(model.labels.names)},
        extrapolated=recipe.loops > model.trained_loops,
        mean_steps=round(float(np.mean(frames.steps)), 4),
        expert_shares=tuple(round(float(share), 4) for share in np.mean(frames.shares, axis=0)),
        flops=frames.flops,
        removed_voxels=frames.removed,
        times=Times(predicting_seconds=round(frames.seconds, 2), made=_now()),
        patient=heart.patient,
        volumes_ml=heart.function.volumes_ml,
        clinical=ClinicalSummary.of(heart.function) if cine else None,
        clinical_reason=None if cine else ONE_VOLUME,
        quality=heart.quality,
    )
    seg = seg_frames(record)
    warnings = _warnings(image, record, model.trained_loops)
    warnings += [NO_PHASES] if seg == () else []
    return record.model_copy(update={"dicom_seg_frames": seg, "warnings": tuple(warnings)})


def _warnings(image: ImageFile, record: RunRecord, trained_loops: int) -> list[str]:
    """What to know before using the result."""
    found = [*image.notes]
    if record.extrapolated:
        found.append(f"{record.recipe.loops} loops are more than the {trained_loops} of training")
    if not any(ml > 0 for volumes in record.volumes_ml.values() for ml in volumes):
        found.append("no structure found: the mask is empty")
    phases = None if record.clinical is None else record.clinical.phases
    if phases is not None and phases.confidence in ("low", "none"):
        found.append(f"ED and ES are doubtful: {'; '.join(phases.reasons)}")
    return found


def software_versions() -> dict[str, str]:
    """Versions of Python, cardioseg and the libraries that read and compute."""
    libraries = {name: metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), "cardioseg": __version__, **libraries}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
