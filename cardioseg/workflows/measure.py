"""``cardioseg.measure`` and ``cardioseg measure``: the function of a heart from any masks.

The masks may come from other tools or be corrected by hand. The numbers are computed as by
``cardioseg segment``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.clinical.annotated import annotated_frames
from cardioseg.clinical.beat import (
    Beat,
    check_frames,
    cine_function,
    frame_volumes_ml,
    pair_phases,
)
from cardioseg.clinical.body import UNKNOWN, Body
from cardioseg.clinical.function import heart_function, volume_function
from cardioseg.clinical.phases import Phases
from cardioseg.clinical.quality import check_cine_mask, check_pair, check_volume
from cardioseg.core.config import validate
from cardioseg.core.errors import UsageError
from cardioseg.core.labels import LabelTable
from cardioseg.core.paths import as_path
from cardioseg.core.report import Report
from cardioseg.data.pairs import case_name
from cardioseg.data.patients import Patient, check_body, patient_of
from cardioseg.data.stated import values_by_name
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.open import open_image
from cardioseg.results.hearts import ONE_VOLUME
from cardioseg.results.masks import labels_of
from cardioseg.results.records import ClinicalRecord, clinical_record
from cardioseg.workflows.arguments import MeasureArguments
from cardioseg.workflows.measure_files import write_measured
from cardioseg.workflows.measure_inputs import (
    body_of,
    chosen_frame,
    frame_of,
    grid_notes,
    mask_of,
    named_apart,
    pair_name,
)
from cardioseg.workflows.measure_report import Measured, measure_report

NOT_A_MASK = "pass the path of a mask; the numbers of a Segmentation are its `function`"
NO_FRAME = "the file's name states no frame"


@dataclass(frozen=True)
class MeasureRequest:
    """What the person asked for.

    Attributes:
        cine: mask of every frame, or of one volume; None for two volumes.
        ed: mask at end-diastole; of a cine the frame, from 1; None lets the volume curve decide.
        es: likewise end-systole.
        output: folder for the files; None writes none.
        labels: ``NAME=VALUE,…``; None looks beside the mask.
        body: height, weight and heart rate.
        trust: which of two spacings in a header to believe.
        overwrite: replace files of the same name that hold other numbers.
        strict: a failed quality check fails the call.
    """

    cine: Path | None = None
    ed: str | None = None
    es: str | None = None
    output: Path | None = None
    labels: str | None = None
    body: Body = UNKNOWN
    trust: Trust = "pixdim"
    overwrite: bool = False
    strict: bool = False


def measure(  # noqa: PLR0913 — these are the options of the verb
    mask: str | Path | None = None,
    *,
    ed: str | Path | int | None = None,
    es: str | Path | int | None = None,
    labels: str | None = None,
    height_cm: float | None = None,
    weight_kg: float | None = None,
    heart_rate_bpm: float | None = None,
    trust: Trust = "pixdim",
) -> ClinicalRecord:
    """Volumes, EF, mass, cardiac output and wall thickness of one heart.

    Args:
        mask: mask of a cine or of one volume; None if ``ed`` and ``es`` are masks.
        ed: mask at end-diastole; of a cine the frame, from 1.
        es: mask at end-systole; of a cine the frame, from 1.
        labels: what the values mean, such as "LV=1,MYO=2,RV=3"; None looks beside the mask.
        height_cm: of the patient; None takes the value recorded beside the mask.
        weight_kg: of the patient; None takes the value recorded beside the mask.
        heart_rate_bpm: of the patient; None takes the value recorded beside the mask.
        trust: which spacing to use where a NIfTI header states two.

    Returns:
        The numbers; one that was not computed is None, with the reason in ``reasons``.

    Raises:
        UsageError: no mask, only one phase, a frame that the cine does not have, or an argument
            of a wrong type or value.
        InputError: a mask cannot be read.
        LabelError: a mask holds values without a name.

    Examples:
        >>> import cardioseg
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from cardioseg.phantom.config import PhantomConfig
        >>> from cardioseg.phantom.draw import draw
        >>> from cardioseg.phantom.files import write_truth
        >>> with TemporaryDirectory() as folder:
        ...     mask = Path(folder) / "heart_mask.nii.gz"
        ...     write_truth(mask, draw(PhantomConfig(shape=(96, 96, 10), frames=8)))
        ...     heart = cardioseg.measure(mask, height_cm=172, weight_kg=70)
        >>> heart.kind, heart.ed_frame, heart.es_frame
        ('cine', 1, 4)
    """
    asked = {
        "labels": labels,
        "height_cm": height_cm,
        "weight_kg": weight_kg,
        "heart_rate_bpm": heart_rate_bpm,
        "trust": trust,
    }
    checked = validate(MeasureArguments, asked, source="measure")
    body = Body(
        height_cm=checked.height_cm,
        weight_kg=checked.weight_kg,
        heart_rate_bpm=checked.heart_rate_bpm,
    )
    path = None if mask is None else as_path(mask, "mask", cure=NOT_A_MASK)
    at_ed, at_es = (
        _phase(name, value, cine=path is not None) for name, value in (("ed", ed), ("es", es))
    )
    request = MeasureRequest(
        path, at_ed, at_es, labels=checked.labels, body=body, trust=checked.trust
    )
    return _measured(request).record


def _phase(name: str, value: str | Path | int | None, *, cine: bool) -> str | None:
    """The text of a frame number of a cine, or of the path of a mask."""
    if value is None or (cine and isinstance(value, (int, np.integer))):
        return None if value is None else str(value)
    return str(as_path(value, name, cure=NOT_A_MASK))


def measure_masks(request: MeasureRequest) -> Report:
    """Measure a heart, write its files, and report.

    Raises:
        OutputError: a file holds other numbers, or cannot be written.
        Exception: as ``measure``.
    """
    found = _measured(request)
    files: tuple[Path, ...] = ()
    if request.output is not None:
        files = write_measured(request.output, found, overwrite=request.overwrite)
    return measure_report(found, files, strict=request.strict)


def _measured(request: MeasureRequest) -> Measured:
    check_body(request.body)
    if request.cine is None:
        return _pair(request)
    image = open_image(request.cine, trust=request.trust)
    return _volume(request, image) if image.frames == 1 else _cine(request, image)


def _cine(request: MeasureRequest, image: ImageFile) -> Measured:
    path = image.path
    case = case_name(path)
    body = body_of(request.body, case, path)
    frame_ms = None if image.frame_seconds is None else 1000 * image.frame_seconds
    ed, es = chosen_frame("--ed", request.ed), chosen_frame("--es", request.es)
    beat = Beat(ed=ed, es=es, body=body, frame_ms=frame_ms)
    check_frames(image.frames, beat)
    labels = labels_of(path, request.labels)
    mask = _cine_mask(image, labels)
    grid = image.frame(0).with_array(mask[..., 0])
    annotated = annotated_frames(mask)
    found = cine_function(mask, grid, labels, beat, annotated=annotated)
    phases = found.phases
    record = clinical_record(
        case,
        found.function,
        phases,
        kind="cine",
        made_by="cardioseg measure",
        why_none=found.why_none,
    )
    frames = (record.ed_frame, record.es_frame)
    quality = check_cine_mask(mask, grid, labels, phases=frames, annotated=annotated)
    if len(annotated) < image.frames:  # the others have no volume
        return Measured(record.model_copy(update={"quality": quality}), labels)
    more = {"quality": quality, "volumes_ml": found.curve.volumes_ml}
    return Measured(record.model_copy(update=more), labels, found.curve)


def _cine_mask(image: ImageFile, labels: LabelTable) -> np.ndarray:
    """(X, Y, Z, T) uint8."""
    frames = (image.frame(index).array for index in range(image.frames))
    return np.stack(
        [values_by_name(array, labels, path=image.path) for array in frames],
        axis=-1,
    )


def _volume(request: MeasureRequest, image: ImageFile) -> Measured:
    """One volume: volumes of its structures, and mass and wall thickness at its phase."""
    path = image.path
    if request.ed is not None or request.es is not None:
        expected = "the mask of a cine, with frames"
        cure = "pass the masks of both phases as --ed MASK --es MASK, or this one alone"
        raise UsageError(path, found="one volume", expected=expected, cure=cure)
    case, patient = case_name(path), patient_of(case_name(path), path)
    labels = labels_of(path, request.labels)
    mask = mask_of(path, labels, request.trust)
    body = body_of(request.body, case, path)
    function = volume_function(mask, labels, body, phase=patient.phase, why_none=ONE_VOLUME)
    record = clinical_record(
        case,
        function,
        _phases_of_volume(patient),
        kind="volume",
        made_by="cardioseg measure",
        why_none=ONE_VOLUME,
    )
    more = {
        "volumes_ml": frame_volumes_ml(mask.array[..., None], labels, mask.spacing),
        "quality": check_volume(mask, labels),
    }
    return Measured(record.model_copy(update=more), labels)


def _phases_of_volume(patient: Patient) -> Phases:
    """What is known of the phase of one volume, and what its numbers are not."""
    frames = {patient.phase: frame_of(patient)}
    at = f"at {patient.phase}" if patient.phase else "of an unknown phase"
    doubts = () if patient.phase == "ED" else (f"mass and wall thickness are {at}",)
    source = patient.told_by or "none"
    return Phases(frames.get("ED"), frames.get("ES"), source, "none", (ONE_VOLUME, *doubts), ())


def _pair(request: MeasureRequest) -> Measured:
    if request.ed is None or request.es is None:
        cure = "pass a mask, or the masks of both phases as --ed MASK --es MASK"
        found = "neither a cine nor both phases"
        raise UsageError("measure", found=found, expected="one of them", cure=cure)
    paths = [Path(request.ed), Path(request.es)]
    labels = labels_of(paths[0], request.labels)
    ed, es = (mask_of(path, labels, request.trust) for path in paths)
    who = [patient_of(case_name(path), path) for path in paths]
    case = pair_name(paths[0], paths[1])
    function = heart_function(ed, es, labels, body_of(request.body, case, paths[0]))
    phases = pair_phases(frame_of(who[0]), frame_of(who[1]), function, source="given")
    record = clinical_record(
        case, function, phases, kind="pair", made_by="cardioseg measure", why_none=NO_FRAME
    )
    more = {
        "cases": {"ed": case_name(paths[0]), "es": case_name(paths[1])},
        "quality": check_pair(ed, es, labels, patients_differ=named_apart(*who)),
    }
    return Measured(record.model_copy(update=more), labels, notes=grid_notes(ed, es))
