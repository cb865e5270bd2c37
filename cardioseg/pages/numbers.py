"""The numbers of a heart as pages show them, and why some were not computed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cardioseg.clinical.volumes import chamber_numbers
from cardioseg.figures.bullseye import anterior_note, draw_bullseye, missing_segments
from cardioseg.figures.svg import drawing_svg
from cardioseg.results.records import ClinicalRecord, RunRecord

VENTRICLES = (
    ("edv_ml", "EDV", "ml"),
    ("esv_ml", "ESV", "ml"),
    ("sv_ml", "SV", "ml"),
    ("ef_percent", "EF", "%"),
    ("mass_g", "Mass", "g"),
)
THICKNESS = (("mean_mm", "mean"), ("max_mm", "thickest segment"))
# The bull's-eye says why a segment is empty; what the person has to give is not "not computed".
NOT_LISTED = (
    "wall_thickness.segments_mm.",
    "wall_thickness.anterior",
    "body.height_cm",
    "body.weight_kg",
    "body.heart_rate_bpm",
)
CARDIAC_INDEX = "cardiac_output.l_per_min_per_m2"
# Parts of a number's dotted name that its words leave out.
UNSAID = ("segments", "mm", "ml", "g", "percent", "per", "m2", "l", "min")
Terms = list[tuple[str, str]]  # names and their values, in order


@dataclass(frozen=True)
class NumberRow:
    """A row of the table of function: the quantity, its cells and its unit."""

    name: str
    cells: tuple[str, ...]
    unit: str


@dataclass(frozen=True)
class Numbers:
    """The function of a heart for a page.

    Attributes:
        columns: names of the table's number columns.
        rows: of the table.
        more: further facts.
        missing: reason → the numbers that it left out.
    """

    columns: tuple[str, ...]
    rows: tuple[NumberRow, ...]
    more: Terms
    missing: Terms


@dataclass(frozen=True)
class WallFacts:
    """The bull's-eye for a page.

    Attributes:
        phase: "ED" or "ES".
        svg: the drawing; None if no segment has a thickness.
        anterior: how the anterior side was found.
        missing: reason → segments without a thickness.
    """

    phase: str
    svg: str | None
    anterior: str
    missing: Terms


def numbers(heart: ClinicalRecord) -> Numbers:
    """Rows of both ventricles, further facts, and what was not computed and why."""
    indexed = heart.indexed.model_dump()
    per_area = any(value is not None for value in indexed.values())
    sides = {"lv": chamber_numbers(heart.lv), "rv": chamber_numbers(heart.rv)}
    rows = []
    for key, name, unit in VENTRICLES:
        cells = []
        for side, found in sides.items():
            cells.append(_cell(found, key))
            if per_area:
                cells.append(_cell(indexed, f"{side}_{key}_per_m2"))
        rows.append(NumberRow(name, tuple(cells), unit))
    columns = ("LV", "LV per m²", "RV", "RV per m²") if per_area else ("LV", "RV")
    reasons = {n: why for n, why in heart.reasons.items() if not n.startswith(NOT_LISTED)}
    return Numbers(columns, tuple(rows), _more(heart), missing(reasons))


def wall(heart: ClinicalRecord) -> WallFacts:
    """The bull's-eye, how its anterior side was found, and why segments are empty."""
    found, prefix = heart.wall_thickness, "wall_thickness.segments_mm."
    phase = found.phase or "ED"
    drawing = draw_bullseye(found.segments_mm, anterior=found.anterior, phase=phase)
    reasons = {name.removeprefix(prefix): why for name, why in heart.reasons.items()}
    return WallFacts(
        phase=phase,
        svg=None if drawing is None else drawing_svg(drawing),
        anterior=anterior_note(found.anterior),
        missing=missing_segments(found.segments_mm, reasons),
    )


def _cell(found: Mapping[str, float | None], key: str) -> str:
    """A number; "–" where it was not computed, and nothing where there is no such quantity."""
    if key not in found:
        return ""
    value = found[key]
    return "–" if value is None else f"{value:.1f}"


def _more(heart: ClinicalRecord) -> Terms:
    """Facts beside the table; only those that are known."""
    found: Terms = [("Phases", _phases(heart))]
    output, body, thickness = heart.cardiac_output, heart.body, heart.wall_thickness
    if output.l_per_min is not None:
        index = output.l_per_min_per_m2
        per_area = "" if index is None else f", {index:.2f} l/min per m²"
        rate = f"{body.heart_rate_bpm:g} beats per minute"
        found.append(("Cardiac output", f"{output.l_per_min:.2f} l/min at {rate}{per_area}"))
    if body.surface_area_m2 is not None:
        size = f"{body.height_cm:g} cm, {body.weight_kg:g} kg; Mosteller"
        found.append(("Body surface", f"{body.surface_area_m2:.2f} m² ({size})"))
    known = [
        f"{name} {value:.1f} mm"
        for key, name in THICKNESS
        if (value := getattr(thickness, key)) is not None
    ]
    if known:
        found.append(("Wall thickness at ED", ", ".join(known)))
    return found


def _phases(heart: ClinicalRecord) -> str:
    ed, es, phases = heart.ed_frame, heart.es_frame, heart.phases
    told = f"ED frame {ed}, ES frame {es}" if ed and es else "not found"
    source = [f"from the {phases.source}"] if phases.source else []
    return "; ".join([told, *source, f"confidence {phases.confidence}", *phases.reasons])


def missing(reasons: Mapping[str, str]) -> Terms:
    """Reason → the numbers that it left out, each reason once."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        words = "cardiac index" if name == CARDIAC_INDEX else _in_words(name)
        names.setdefault(reason, []).append(words)
    return [(reason, ", ".join(dict.fromkeys(found))) for reason, found in names.items()]


def _in_words(name: str) -> str:
    return " ".join(part for part in re.split(r"[._]", name) if part not in UNSAID)


def volumes(record: RunRecord) -> Terms:
    """Structure and volume of a single volume."""
    return [(name, f"{found[0]:.1f} ml") for name, found in record.volumes_ml.items()]
