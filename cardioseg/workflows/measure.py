"""``cardioseg.measure`` and ``cardioseg measure``: the function of a heart from masks, whoever made or corrected them.

The numbers are those of ``cardioseg segment``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
from cardioseg.core.errors import OutputError, UsageError
from cardioseg.core.labels import LabelTable
from cardioseg.core.report import Report
from cardioseg.core.volume import Volume
from cardioseg.data.labels import label_values
from cardioseg.data.pairs import case_name
from cardioseg.data.patients import Patient, check_body, merged_body, patient_of
from cardioseg.figures.volume_curve import write_curve_picture
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.open import open_image, read
from cardioseg.results.curve import write_curve
from cardioseg.results.folder import CLINICAL, CURVE_PICTURE, CURVE_TABLE
from cardioseg.results.hearts import ONE_VOLUME, read_clinical
from cardioseg.results.masks import labels_of
from cardioseg.results.records import ClinicalRecord, clinical_record
from cardioseg.results.summary import headline
from cardioseg.workflows.measure_report import Measured, measure_report

SPACING_TOLERANCE = 0.01  # of a voxel's size
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
        overwrite: replace files of the same name.
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


def measure(
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
        es: likewise end-systole.
        labels: what the values mean, such as "LV=1,MYO=2,RV=3"; None looks beside the mask.
        height_cm: of the patient; None takes what is recorded beside the mask.
        weight_kg: likewise.
        heart_rate_bpm: likewise.
        trust: which of two spacings in a NIfTI header to believe.

    Returns:
        The numbers; one that was not computed is None, with the reason in ``reasons``.

    Raises:
        UsageError: no mask, only one phase, or a frame that the cine does not have.
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
        >>> heart.ed_frame, heart.es_frame, round(heart.lv.ef_percent)
        (1, 4, 58)
    """
    body = Body(height_cm=height_cm, weight_kg=weight_kg, heart_rate_bpm=heart_rate_bpm)
    at_ed, at_es = (None if value is None else str(value) for value in (ed, es))
    path = None if mask is None else Path(mask)
    request = MeasureRequest(path, at_ed, at_es, labels=labels, body=body, trust=trust)
    return _measured(request).record


def measure_masks(request: MeasureRequest) -> Report:
    """Measure a heart, write its files, and report.

    Raises:
        OutputError: a file is there already, or cannot be written.
        Exception: as ``measure``.
    """
    _refuse_existing(request)
    found = _measured(request)
    files = () if request.output is None else _write(request.output, found)
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
    body = _body(request.body, case, path)
    frame_ms = None if image.frame_seconds is None else 1000 * image.frame_seconds
    ed, es = _frame("--ed", request.ed), _frame("--es", request.es)
    beat = Beat(ed=ed, es=es, body=body, frame_ms=frame_ms)
    check_frames(image.frames, beat)
    labels = labels_of(path, request.labels)
    mask = _cine_mask(image, labels)
    grid = image.frame(0).with_array(mask[..., 0])
    found = cine_function(mask, grid, labels, beat)
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
    more = {
        "quality": check_cine_mask(mask, grid, labels, phases=frames),
        "volumes_ml": found.curve.volumes_ml,
    }
    return Measured(record.model_copy(update=more), labels, found.curve)


def _cine_mask(image: ImageFile, labels: LabelTable) -> np.ndarray:
    """(X, Y, Z, T) uint8."""
    frames = (image.frame(index).array for index in range(image.frames))
    return np.stack([label_values(array, labels, path=image.path) for array in frames], axis=-1)


def _volume(request: MeasureRequest, image: ImageFile) -> Measured:
    """One volume: volumes of its structures, and mass and wall thickness at its phase."""
    path = image.path
    if request.ed is not None or request.es is not None:
        expected = "the mask of a cine, with frames"
        cure = "pass the masks of both phases as --ed MASK --es MASK, or this one alone"
        raise UsageError(path, found="one volume", expected=expected, cure=cure)
    case, patient = case_name(path), patient_of(case_name(path), path)
    labels = labels_of(path, request.labels)
    mask = _mask(path, labels, request.trust)
    body = _body(request.body, case, path)
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
    frames = {patient.phase: _frame_of(patient)}
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
    ed, es = (_mask(path, labels, request.trust) for path in paths)
    who = [patient_of(case_name(path), path) for path in paths]
    case = pair_name(paths[0], paths[1])
    function = heart_function(ed, es, labels, _body(request.body, case, paths[0]))
    phases = pair_phases(_frame_of(who[0]), _frame_of(who[1]), function, source="given")
    record = clinical_record(
        case, function, phases, kind="pair", made_by="cardioseg measure", why_none=NO_FRAME
    )
    more = {
        "cases": {"ed": case_name(paths[0]), "es": case_name(paths[1])},
        "quality": check_pair(ed, es, labels),
    }
    return Measured(record.model_copy(update=more), labels, notes=_grids(ed, es))


def pair_name(ed: Path, es: Path) -> str:
    """The patient that both masks name, or the case at ED."""
    names = [patient_of(case_name(path), path).name for path in (ed, es)]
    return names[0] if names[0] == names[1] else case_name(ed)


def _mask(path: Path, labels: LabelTable, trust: Trust) -> Volume:
    volume = read(path, trust=trust)
    return volume.with_array(label_values(volume.array, labels, path=path))


def _frame(option: str, text: str | None) -> int | None:
    if text is not None and not (text.isascii() and text.isdigit()):
        expected = "the number of a frame, because the mask is a cine"
        raise UsageError(option, found=repr(text), expected=expected, cure="count frames from 1")
    return None if text is None else int(text)


def _body(given: Body, case: str, mask: Path) -> Body:
    """What the person gave, else what ``segment`` recorded beside the mask, else what Info.cfg says."""
    recorded = read_clinical(mask.with_name(f"{case}{CLINICAL}"))
    if recorded is None:
        return merged_body(given, patient_of(case_name(mask), mask).body())
    known = recorded.body.model_dump(include=set(Body.model_fields))
    return merged_body(given, Body(**known))


def _frame_of(patient: Patient) -> int | None:
    return None if patient.frame is None else patient.frame - 1


def _grids(ed: Volume, es: Volume) -> tuple[str, ...]:
    """Two masks of one heart share a grid; each is measured with its own spacing."""
    if ed.shape == es.shape and np.allclose(ed.spacing, es.spacing, rtol=SPACING_TOLERANCE):
        return ()
    sizes = f"{ed.shape} and {es.shape} voxels of {ed.spacing} and {es.spacing} mm"
    return (f"ED and ES have different grids: {sizes}",)


# ---------------------------------------------------------------------------------------- files


def _refuse_existing(request: MeasureRequest) -> None:
    """Check, before anything is measured, that no file is replaced by mistake."""
    if request.output is None or request.overwrite:
        return
    if request.cine is not None:
        case = case_name(request.cine)
    elif request.ed and request.es:
        case = pair_name(Path(request.ed), Path(request.es))
    else:
        return
    for ending in (CLINICAL, CURVE_TABLE, CURVE_PICTURE):
        path = request.output / f"{case}{ending}"
        if path.exists():
            cure = "choose another --output, or pass --overwrite"
            raise OutputError(path, found="a file", expected="none of this name", cure=cure)


def _write(output: Path, found: Measured) -> tuple[Path, ...]:
    record, curve = found.record, found.curve
    paths = [output / f"{record.case}{CLINICAL}"]
    record.write(paths[0])
    if curve is not None:
        paths += [output / f"{record.case}{ending}" for ending in (CURVE_TABLE, CURVE_PICTURE)]
        write_curve(paths[1], curve)
        write_curve_picture(paths[2], curve, title=record.case, facts=headline(record))
    return tuple(paths)
