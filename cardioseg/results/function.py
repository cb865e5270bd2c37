"""The function of one heart as ``segment`` and ``measure`` write it: ``X_clinical.json``, and of a cine its volume curve.

``X_clinical.json`` holds ed_frame and es_frame (counted from 1), lv, rv, indexed, cardiac_output, body, wall_thickness,
phases (source, confidence, reasons) and reasons: dotted name → why that number is null. Knows masks, not how they were made.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardioseg import __version__
from cardioseg.clinical.function import UNKNOWN, Body, heart_function
from cardioseg.clinical.phases import Phases, find_phases
from cardioseg.clinical.volumes import structure_value, volume_ml
from cardioseg.core.atomic import write_json
from cardioseg.core.errors import UsageError
from cardioseg.core.labels import LabelTable
from cardioseg.core.report import Table
from cardioseg.core.volume import Volume
from cardioseg.data.patients import body_of
from cardioseg.evaluation.scores import title
from cardioseg.figures.curve import VolumeCurve, write_curve
from cardioseg.figures.drawing import captioned
from cardioseg.figures.raster import write_drawing
from cardioseg.figures.volume_curve import draw_volume_curve

if TYPE_CHECKING:
    from cardioseg.workflows.products import Segmented

SHOWN = ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent", "lv_mass_g", "rv_edv_ml", "rv_ef_percent")
ONE_VOLUME = "one volume: EDV and ESV take ED and ES"
CLINICAL, CURVE_TABLE, CURVE_PICTURE = "_clinical.json", "_curve.csv", "_curve.png"


@dataclass(frozen=True)
class Beat:
    """What is known of a beat beside its masks.

    Attributes:
        ed: frame from 1 that somebody chose as end-diastole, None where the curve is to tell.
        es: likewise end-systole.
        body: of the patient.
        frame_ms: time between frames.
    """

    ed: int | None = None
    es: int | None = None
    body: Body = UNKNOWN
    frame_ms: float | None = None


NOTHING_KNOWN = Beat()


@dataclass(frozen=True)
class CineFunction:
    """What a cine's masks say: the content of ``X_clinical.json``, and its curve."""

    clinical: dict[str, Any]
    curve: VolumeCurve


def segmented_function(segmented: "Segmented") -> dict[str, Any]:
    """The product: of a cine its three files and the main numbers, of one volume the volumes of its structures."""
    image, labels, mask = segmented.image, segmented.labels, segmented.mask
    if image.frames == 1:
        volumes = frame_volumes_ml(mask[..., None], labels, image.spacing)
        return {"volumes_ml": volumes, "clinical": None, "clinical_reason": ONE_VOLUME}
    beat = segmented.request.beat
    body = body_of(segmented.facts["patient"], beat.body, heart_rate_bpm=image.heart_rate_bpm)
    frame_ms = None if image.frame_seconds is None else 1000 * image.frame_seconds
    grid = Volume(mask[..., 0], image.affine, image.spacing)
    found = cine_function(
        segmented.name, mask, grid, labels, Beat(beat.ed, beat.es, body, frame_ms)
    )
    write_function(segmented.request.output, segmented.name, found)
    main = ("ed_frame", "es_frame", "lv", "rv", "phases")
    facts = {
        "volumes_ml": found.curve.volumes_ml,
        "clinical": {key: found.clinical[key] for key in main},
    }
    if found.clinical["phases"]["confidence"] not in ("low", "none"):
        return facts
    doubt = f"ED and ES are doubtful: {'; '.join(found.clinical['phases']['reasons'])}"
    return facts | {"warnings": [*segmented.facts["warnings"], doubt]}


def frame_volumes_ml(
    mask: np.ndarray, labels: LabelTable, spacing_mm: Sequence[float]
) -> dict[str, list[float]]:
    """Structure → volume in ml of every frame of (X, Y, Z, T)."""
    frames = range(mask.shape[3])
    return {
        name: [
            round(volume_ml(mask[..., frame], labels.value(name), spacing_mm), 4)
            for frame in frames
        ]
        for name in labels.structures
    }


def cine_function(
    case: str, mask: np.ndarray, grid: Volume, labels: LabelTable, beat: Beat
) -> CineFunction:
    """Phases and function of a cine.

    Args:
        case: name of the case.
        mask: (X, Y, Z, T) label values.
        grid: any volume on the grid of one frame.
        labels: names of the values.
        beat: what is known beside the masks.

    Raises:
        UsageError: a chosen frame that the cine does not have.
    """
    check_frames(mask.shape[3], beat)
    volumes = frame_volumes_ml(mask, labels, grid.spacing)
    value = structure_value("LV", labels)
    cavity = None if value is None else labels.names[value]
    lv = [0.0] * mask.shape[3] if cavity is None else volumes[cavity]
    ed, es = (None if frame is None else frame - 1 for frame in (beat.ed, beat.es))
    phases = find_phases(lv, ed=ed, es=es)
    why_none = phases.reasons[0] if phases.ed is None else ""
    if cavity is None and phases.ed is None:
        why_none = f"no structure LV among {', '.join(labels.structures)}"
    at_ed, at_es = (
        None if frame is None else grid.with_array(mask[..., frame])
        for frame in (phases.ed, phases.es)
    )
    found = heart_function(at_ed, at_es, labels, beat.body, why_none=why_none)
    clinical = clinical_facts(case, found, phases=phases, why_none=why_none)
    smoothed = () if cavity is None else phases.smoothed_ml
    marked = {"ED": phases.ed, "ES": phases.es}
    frames = {phase: frame + 1 for phase, frame in marked.items() if frame is not None}
    return CineFunction(clinical, VolumeCurve(volumes, smoothed, frames, beat.frame_ms))


def check_frames(frames: int, beat: Beat) -> None:
    """Chosen frames must be there, and two.

    Raises:
        UsageError: they are not.
    """
    for option, frame in (("--ed", beat.ed), ("--es", beat.es)):
        if frame is not None and not 1 <= frame <= frames:
            raise UsageError(
                option,
                found=f"frame {frame}",
                expected=f"1 to {frames}",
                cure="count frames from 1",
            )
    if beat.ed is not None and beat.ed == beat.es:
        raise UsageError(
            "--es",
            found=f"frame {beat.es}, which is --ed",
            expected="another frame",
            cure="correct one",
        )


def clinical_facts(
    case: str, function: dict[str, Any], *, phases: Phases, why_none: str = ""
) -> dict[str, Any]:
    """The content of ``X_clinical.json``."""
    frames = {"ed_frame": phases.ed, "es_frame": phases.es}
    reasons = {name: why_none for name, frame in frames.items() if frame is None}
    return {
        "case": case,
        "research_use_only": "Not a medical device.",
        "cardioseg": __version__,
        **{name: None if frame is None else frame + 1 for name, frame in frames.items()},
        **function,
        "phases": {
            "source": phases.source,
            "confidence": phases.confidence,
            "reasons": list(phases.reasons),
        },
        "reasons": reasons | function["reasons"],
    }


def pair_phases(
    ed: int | None,
    es: int | None,
    function: dict[str, Any],
    *,
    source: str,
    doubts: tuple[str, ...] = (),
) -> Phases:
    """Phases of two volumes.

    Args:
        ed: frame from 0, None where nothing says it.
        es: likewise.
        function: of both.
        source: what told which is which.
        doubts: what must be known about that.
    """
    stroke = function["lv"]["sv_ml"]
    if stroke is not None and stroke <= 0:
        return Phases(ed, es, source, "low", (*doubts, "the LV is not larger at ED than at ES"), ())
    return Phases(ed, es, source, "medium" if doubts else "high", doubts, ())


def write_function(output: Path, name: str, found: CineFunction) -> tuple[Path, ...]:
    """Numbers, table and picture of a cine; the files.

    Raises:
        OutputError: the folder cannot be written.
    """
    paths = tuple(output / f"{name}{ending}" for ending in (CLINICAL, CURVE_TABLE, CURVE_PICTURE))
    write_json(paths[0], found.clinical)
    write_curve(paths[1], found.curve)
    drawing = draw_volume_curve(found.curve)
    write_drawing(paths[2], captioned(drawing, title=name, facts=headline(found.clinical)))
    return paths


def read_clinical(path: Path) -> dict[str, Any] | None:
    """What one of these functions wrote to ``path``; None when it is not there, or somebody else's."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if {"case", "lv", "rv", "body", "reasons"} <= set(found) else None
    except (OSError, ValueError, TypeError):
        return None


def headline(clinical: dict[str, Any]) -> str:
    """One line: phases and the LV's numbers."""
    lv = clinical["lv"]
    if clinical["ed_frame"] is None:
        return f"no phases: {clinical['reasons'].get('ed_frame', 'unknown')}"
    frames = f"ED frame {clinical['ed_frame']}, ES frame {clinical['es_frame']} (confidence {clinical['phases']['confidence']})"
    named = (
        ("EDV", lv["edv_ml"], "ml"),
        ("ESV", lv["esv_ml"], "ml"),
        ("EF", lv["ef_percent"], "%"),
        ("mass", lv["mass_g"], "g"),
    )
    numbers = " · ".join(
        f"{name} {value:.1f} {unit}" for name, value, unit in named if value is not None
    )
    return f"LV {numbers} · {frames}" if numbers else frames


def function_table(hearts: Sequence[dict[str, Any]]) -> Table:
    """A row a heart: what a person looks at first."""
    columns = ("heart", "ED", "ES", *(title(quantity) for quantity in SHOWN))
    rows = []
    for heart in hearts:
        numbers = (heart[quantity[:2]][quantity[3:]] for quantity in SHOWN)
        frames = (str(heart[name] or "–") for name in ("ed_frame", "es_frame"))
        rows.append(
            (
                heart["case"],
                *frames,
                *("–" if value is None else f"{value:.1f}" for value in numbers),
            )
        )
    return Table("Function; research use only, not a medical device", columns, tuple(rows))
