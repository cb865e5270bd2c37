"""``cardioseg measure``: the function of a heart from masks, whoever made or corrected them, with the numbers of ``segment``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardioseg.clinical.function import UNKNOWN, Body, heart_function, volume_function
from cardioseg.clinical.phases import Phases
from cardioseg.clinical.quality import check_pair, check_volume
from cardioseg.core.atomic import write_json
from cardioseg.core.errors import OutputError, UsageError
from cardioseg.core.report import Report, Table
from cardioseg.data.labels import label_values
from cardioseg.data.pairs import case_name
from cardioseg.data.patients import Patient, body_of, check_body, patient_of
from cardioseg.results.function import (
    CLINICAL,
    CURVE_PICTURE,
    CURVE_TABLE,
    ONE_VOLUME,
    Beat,
    check_frames,
    cine_function,
    clinical_facts,
    frame_volumes_ml,
    pair_phases,
    read_clinical,
    write_function,
)
from cardioseg.results.masks import labels_of
from cardioseg.results.quality import case_warnings, cine_quality, quality_exit, verdict_of

if TYPE_CHECKING:
    from cardioseg.core.labels import LabelTable
    from cardioseg.core.volume import Volume
    from cardioseg.imaging.geometry import Trust
    from cardioseg.imaging.image import ImageFile

SPACING_TOLERANCE = 0.01  # of a voxel's size
AROUND = (
    "anterior",
    "anteroseptal",
    "septal",
    "inferoseptal",
    "inferior",
    "inferolateral",
    "lateral",
    "anterolateral",
)
ROWS = (
    ("EDV", "edv", "ml"),
    ("ESV", "esv", "ml"),
    ("SV", "sv", "ml"),
    ("EF", "ef", "percent"),
    ("mass", "mass", "g"),
)


@dataclass(frozen=True)
class MeasureRequest:
    """What the person asked for.

    Attributes:
        cine: mask of every frame, or of one volume; None for two volumes.
        ed: mask at end-diastole; of a cine the frame, from 1; None leaves it to the volume curve.
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
    trust: "Trust" = "pixdim"
    overwrite: bool = False
    strict: bool = False


def measure(request: MeasureRequest) -> Report:
    """Volumes, EF, mass, output and wall thickness of one heart; of one volume what does not take both phases.

    Raises:
        UsageError: the call names no mask or only one phase's, or a frame that is not there.
        InputError: a mask cannot be read.
        LabelError: a mask holds values without a name.
        OutputError: a file is there already, or cannot be written.
    """
    check_body(request.body)
    if request.cine is None:
        return _pair(request)
    from cardioseg.imaging.open import open_image

    image = open_image(request.cine, trust=request.trust)
    return _volume(request, image) if image.frames == 1 else _cine(request, image)


def _cine(request: MeasureRequest, image: "ImageFile") -> Report:
    path = image.path
    case = case_name(path)
    body = _body(request.body, case, path)
    frame_ms = None if image.frame_seconds is None else 1000 * image.frame_seconds
    beat = Beat(_frame("--ed", request.ed), _frame("--es", request.es), body, frame_ms)
    check_frames(image.frames, beat)
    _refuse_existing(request, case, (CLINICAL, CURVE_TABLE, CURVE_PICTURE))
    labels = labels_of(path, request.labels)
    mask = _cine_mask(image, labels)
    grid = image.frame(0).with_array(mask[..., 0])
    found = cine_function(case, mask, grid, labels, beat)
    phases = (found.clinical["ed_frame"], found.clinical["es_frame"])
    checked = {"quality": cine_quality(mask, grid, labels, phases=phases).facts()}
    found = replace(found, clinical=found.clinical | checked)
    files = () if request.output is None else write_function(request.output, case, found)
    return _report(request, found.clinical | {"volumes_ml": found.curve.volumes_ml}, labels, files)


def _cine_mask(image: "ImageFile", labels: "LabelTable") -> np.ndarray:
    """(X, Y, Z, T) uint8."""
    return np.stack(
        [label_values(image.frame(i).array, labels, path=image.path) for i in range(image.frames)],
        axis=-1,
    )


def _volume(request: MeasureRequest, image: "ImageFile") -> Report:
    """Of one volume: what lies in it, and the mass and the wall's thickness at its phase."""
    path = image.path
    if request.ed is not None or request.es is not None:
        cure = "pass the masks of both phases as --ed MASK --es MASK, or the one without them"
        raise UsageError(path, found="one volume", expected="a cine's mask, with frames", cure=cure)
    case = case_name(path)
    _refuse_existing(request, case, (CLINICAL,))
    labels = labels_of(path, request.labels)
    mask = image.frame(0)
    mask = mask.with_array(label_values(mask.array, labels, path=path))
    patient = patient_of(case, path)
    found = volume_function(
        mask, labels, _body(request.body, case, path), phase=patient.phase, why_none=ONE_VOLUME
    )
    clinical = clinical_facts(case, found, phases=_phase(patient), why_none=ONE_VOLUME)
    clinical["cases"] = {}  # no pair, and no cine: a folder's table of hearts leaves it out
    clinical["volumes_ml"] = frame_volumes_ml(mask.array[..., None], labels, mask.spacing)
    clinical["quality"] = check_volume(mask, labels).facts()
    return _report(request, clinical, labels, _written(request, clinical))


def _phase(patient: Patient) -> Phases:
    """What is known of one volume's, and what its numbers are not."""
    frames = {patient.phase: _frame_of(patient)}
    whose = (
        f"at {patient.phase}" if patient.phase else "at a phase that the file's name does not tell"
    )
    doubts = () if patient.phase == "ED" else (f"mass and wall thickness are those {whose}",)
    return Phases(
        frames.get("ED"),
        frames.get("ES"),
        patient.told_by or "none",
        "none",
        (ONE_VOLUME, *doubts),
        (),
    )


def _written(request: MeasureRequest, clinical: dict[str, Any]) -> tuple[Path, ...]:
    if request.output is None:
        return ()
    path = request.output / f"{clinical['case']}{CLINICAL}"
    write_json(path, clinical)
    return (path,)


def _frame(option: str, text: str | None) -> int | None:
    if text is not None and not (text.isascii() and text.isdigit()):
        raise UsageError(
            option,
            found=repr(text),
            expected="a frame's number, as the mask is a cine",
            cure="count frames from 1",
        )
    return None if text is None else int(text)


def _pair(request: MeasureRequest) -> Report:
    if request.ed is None or request.es is None:
        cure = "pass a mask, or those of both phases as --ed MASK --es MASK"
        raise UsageError(
            "measure", found="no cine and not both phases", expected="one or the other", cure=cure
        )
    paths = [Path(request.ed), Path(request.es)]
    labels = labels_of(paths[0], request.labels)
    masks = [_mask(path, labels, request.trust) for path in paths]
    who = [patient_of(case_name(path), path) for path in paths]
    case = who[0].name if who[0].name == who[1].name else case_name(paths[0])
    _refuse_existing(request, case, (CLINICAL,))
    function = heart_function(masks[0], masks[1], labels, _body(request.body, case, paths[0]))
    phases = pair_phases(_frame_of(who[0]), _frame_of(who[1]), function, source="given")
    clinical = clinical_facts(
        case, function, phases=phases, why_none="the file's name states no frame"
    )
    clinical["cases"] = {"ed": case_name(paths[0]), "es": case_name(paths[1])}
    clinical["quality"] = check_pair(masks[0], masks[1], labels).facts()
    return _report(request, clinical, labels, _written(request, clinical), _grids(*masks))


def _mask(path: Path, labels: "LabelTable", trust: "Trust") -> "Volume":
    from cardioseg.imaging.open import read

    volume = read(path, trust=trust)
    return volume.with_array(label_values(volume.array, labels, path=path))


def _body(given: Body, case: str, mask: Path) -> Body:
    """What the person said, else what ``segment`` wrote of the case beside the mask, else what Info.cfg says."""
    recorded = read_clinical(mask.with_name(f"{case}{CLINICAL}"))
    known = recorded["body"] if recorded else patient_of(case_name(mask), mask).facts()
    return body_of(known, given, heart_rate_bpm=known.get("heart_rate_bpm"))


def _frame_of(patient: Patient) -> int | None:
    return None if patient.frame is None else patient.frame - 1


def _grids(ed: "Volume", es: "Volume") -> tuple[str, ...]:
    """Two masks of one heart have one grid; each is measured with its own spacing."""
    if ed.shape == es.shape and np.allclose(ed.spacing, es.spacing, rtol=SPACING_TOLERANCE):
        return ()
    return (
        f"ED and ES lie on different grids: {ed.shape} and {es.shape} voxels of {ed.spacing} and {es.spacing} mm",
    )


def _refuse_existing(request: MeasureRequest, case: str, endings: tuple[str, ...]) -> None:
    for path in (
        ()
        if request.output is None or request.overwrite
        else (request.output / f"{case}{end}" for end in endings)
    ):
        if path.exists():
            cure = "choose another --output, or pass --overwrite"
            raise OutputError(path, found="a file", expected="none of this name", cure=cure)


# ------------------------------------------------------------------------------------------------------------------- report


def _report(
    request: MeasureRequest,
    clinical: dict[str, Any],
    labels: "LabelTable",
    files: tuple[Path, ...],
    notes: tuple[str, ...] = (),
) -> Report:
    data = clinical | {"labels": {name: value for value, name in enumerate(labels.names)}}
    doubts = clinical["phases"]["reasons"]
    unknown = {
        name: why
        for name, why in clinical["reasons"].items()
        if name.startswith(("lv.", "rv.")) and why not in doubts
    }
    missing = tuple(f"{name}: {why}" for name, why in unknown.items())
    warnings = (
        *notes,
        *(f"phases: {reason}" for reason in doubts),
        *missing,
        *case_warnings(clinical["case"], clinical),
    )
    code = quality_exit([clinical], strict=request.strict)
    volumes = (_volumes(clinical),) if clinical.get("cases") == {} else ()
    return Report(
        "measure", data, (*volumes, _numbers(clinical), _wall(clinical)), warnings, files, code
    )


def _volumes(clinical: dict[str, Any]) -> Table:
    """Of one volume."""
    rows = tuple((name, _shown(ml)) for name, (ml,) in clinical["volumes_ml"].items())
    return Table("Volumes", ("structure", "ml"), rows)


def _numbers(clinical: dict[str, Any]) -> Table:
    rows = []
    for word, name, unit in ROWS:
        values = [clinical[side].get(f"{name}_{unit}") for side in ("lv", "rv")]
        per_m2 = [clinical["indexed"].get(f"{side}_{name}_{unit}_per_m2") for side in ("lv", "rv")]
        rows.append(
            (
                f"{word} ({'%' if unit == 'percent' else unit})",
                *map(_shown, values),
                *map(_shown, per_m2),
            )
        )
    output = clinical["cardiac_output"]
    rows.append(
        (
            "output (l/min)",
            _shown(output["l_per_min"]),
            "–",
            _shown(output["l_per_min_per_m2"]),
            "–",
        )
    )
    frames = " and ".join(
        f"{phase.upper()} frame {clinical[f'{phase}_frame'] or '–'}" for phase in ("ed", "es")
    )
    if clinical.get("cases") == {}:
        frames = "one volume"
    title = f"{clinical['case']}, {frames}, quality {verdict_of(clinical)}; research use only, not a medical device"
    return Table(title, ("quantity", "LV", "RV", "LV per m²", "RV per m²"), tuple(rows))


def _wall(clinical: dict[str, Any]) -> Table:
    wall = clinical["wall_thickness"]
    levels = ("basal", "mid", "apical")
    rows = tuple(
        (name, *(_shown(wall["segments_mm"].get(f"{level} {name}")) for level in levels))
        for name in AROUND
    )
    told = "; anterior side assumed from the picture" if wall["anterior"] == "as displayed" else ""
    phase = wall["phase"] or "an unknown phase"
    return Table(
        f"Wall thickness at {phase} (mm), mean {_shown(wall['mean_mm'])}{told}",
        ("wall", *levels),
        rows,
    )


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
