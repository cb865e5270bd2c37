"""``X_report.html``: what the files of one case say, on one page to read, print and hand on. Nothing is computed here.

``case_page`` collects the facts; ``html/report.html.j2`` lays them out.
"""

import base64
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from cardioseg.clinical.quality import Quality
from cardioseg.clinical.rules import Finding
from cardioseg.clinical.volumes import chamber_numbers
from cardioseg.figures.bullseye import anterior_note, draw_bullseye, missing_segments
from cardioseg.figures.svg import drawing_svg
from cardioseg.figures.volume_curve import draw_volume_curve
from cardioseg.pages.html import is_page, render, write_page
from cardioseg.results.curve import read_curve
from cardioseg.results.folder import CLINICAL, CURVE_TABLE, PREVIEW, REPORT
from cardioseg.results.hearts import read_clinical
from cardioseg.results.records import ClinicalRecord, RunRecord

VENTRICLES = (
    ("edv_ml", "EDV", "ml"),
    ("esv_ml", "ESV", "ml"),
    ("sv_ml", "SV", "ml"),
    ("ef_percent", "EF", "%"),
    ("mass_g", "Mass", "g"),
)
SIGNS = {
    "pass": ("✓", "Quality checks passed"),
    "warn": ("!", "Quality checks warn: look at this case"),
    "fail": ("✕", "Quality checks failed: do not use this case as it is"),
}
ORDER = ("fail", "warn", "pass")  # gravest first
THICKNESS = (("mean_mm", "mean"), ("max_mm", "thickest segment"))
# The bull's-eye says why a segment is empty; what the person has to give is not "not computed".
NOT_LISTED = (
    "wall_thickness.segments_mm.",
    "wall_thickness.anterior",
    "body.height_cm",
    "body.weight_kg",
    "body.heart_rate_bpm",
)
HASH_LETTERS = 16
CARDIAC_INDEX = "cardiac_output.l_per_min_per_m2"
# Parts of a number's dotted name that its words leave out.
UNSAID = ("segments", "mm", "ml", "g", "percent", "per", "m2", "l", "min")
Terms = list[tuple[str, str]]  # names and their values, in order


@dataclass(frozen=True)
class VerdictFacts:
    """A quality verdict for a page.

    Attributes:
        verdict: "pass", "warn" or "fail".
        sign: one character.
        short: sign and verdict.
        words: a sentence.
        reasons: broken rules.
    """

    verdict: str
    sign: str
    short: str
    words: str
    reasons: tuple[Finding, ...]

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return ORDER.index(self.verdict)


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


@dataclass(frozen=True)
class Picture:
    """A picture inside the page: its data address and what it shows."""

    address: str
    of: str


@dataclass(frozen=True)
class CasePage:
    """What the template of a report needs.

    Attributes:
        title: name of the case.
        facts: the line under it.
        quality: the verdict.
        numbers: the function; None where there is none.
        wall: the bull's-eye; None where there is no function.
        volumes: volumes of a single volume.
        why_none: why there is no function.
        curve: the volume curve as SVG; None where there is none.
        pictures: contact sheets.
        warnings: what to know before using the result.
        provenance: how the case was made.
    """

    title: str
    facts: str
    quality: VerdictFacts
    numbers: Numbers | None
    wall: WallFacts | None
    volumes: Terms
    why_none: str
    curve: str | None
    pictures: list[Picture]
    warnings: list[str]
    provenance: Terms

    def render(self, template: str) -> str:
        """The page."""
        return render(template, **{part.name: getattr(self, part.name) for part in fields(self)})


def write_report(folder: Path, name: str, record: RunRecord) -> Path:
    """Write the report of a case from its run record and the files beside it.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = folder / f"{name}{REPORT}"
    write_page(path, case_page(folder, name, record).render("report.html.j2"), overwrite=True)
    return path


def case_page(folder: Path, name: str, record: RunRecord) -> CasePage:
    """The facts of a case."""
    cine = record.frames > 1
    heart = read_clinical(folder / f"{name}{CLINICAL}") if cine else None
    labels = record.label_table()
    curve = read_curve(folder / f"{name}{CURVE_TABLE}", labels.structures) if cine else None
    size = f"{record.frames} frames" if cine else "one volume"
    shown = "the frame with most blood in the left ventricle" if cine else "the volume"
    return CasePage(
        title=name,
        facts=f"{size} · {made_with(record)}",
        quality=verdict_facts(record.quality),
        numbers=None if heart is None else numbers(heart),
        wall=None if heart is None else wall(heart),
        volumes=[] if cine else volumes(record),
        why_none=record.clinical_reason or "the function of this case was not computed",
        curve=None if curve is None else drawing_svg(draw_volume_curve(curve)),
        pictures=pictures(folder, {name: shown}),
        warnings=list(record.warnings),
        provenance=provenance(record),
    )


def made_with(record: RunRecord) -> str:
    """Spacing and model."""
    spacing = " × ".join(f"{size:.3g}" for size in record.spacing_mm)
    return f"{spacing} mm · segmented by {record.model}"


def verdict_facts(quality: Quality) -> VerdictFacts:
    """A verdict in a sign, in short and in words."""
    sign, words = SIGNS[quality.verdict]
    short = f"{sign} {quality.verdict}"
    return VerdictFacts(quality.verdict, sign, short, words, quality.reasons)


def gravest(judged: Iterable[Quality | None]) -> VerdictFacts:
    """The gravest of several verdicts, the first of several alike."""
    found = [verdict_facts(quality) for quality in judged if quality is not None]
    return min(found, key=lambda facts: facts.rank)


# --------------------------------------------------------------------------------------- numbers


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


# ------------------------------------------------------------------------------------ provenance


def provenance(record: RunRecord) -> Terms:
    """How the case was made, as names and values."""
    recipe, windows = record.recipe, record.recipe.windows
    removed = ", ".join(f"{name} {count}" for name, count in record.removed_voxels.items() if count)
    spacing = " × ".join(f"{size:.4g}" for size in record.spacing_mm)
    made = datetime.fromisoformat(record.times.made)
    return [
        ("Model", _model(record)),
        ("Image", f"SHA-256 {_short(recipe.input_sha256)}"),
        ("Software", ", ".join(f"{name} {version}" for name, version in record.versions.items())),
        ("Loops", _loops(record)),
        ("Exits", _exits(record)),
        (
            "Windows",
            f"{' × '.join(map(str, windows.size))}, {100 * windows.overlap:.0f} % overlap, "
            f"{windows.views} views",
        ),
        ("Spacing", f"{spacing} mm, from the {recipe.trust}"),
        ("Voxels removed", removed or "none"),
        ("Time", f"{record.times.predicting_seconds:.1f} s on {record.device}"),
        ("Made", f"{made:%Y-%m-%d %H:%M:%S} UTC"),
    ]


def _model(record: RunRecord) -> str:
    recipe = record.recipe
    weights, settings = _short(recipe.model_sha256), _short(recipe.config_sha256)
    return f"{record.model}, SHA-256 {weights}, settings {settings}"


def _loops(record: RunRecord) -> str:
    beyond = " (more than in training)" if record.extrapolated else ""
    return f"at most {record.recipe.loops}, {record.mean_steps:.2f} used on average{beyond}"


def _exits(record: RunRecord) -> str:
    found = record.recipe.exit.model_dump()
    return ", ".join(f"{key} {value}" for key, value in found.items() if value is not None)


def _short(digest: str) -> str:
    return f"{digest[:HASH_LETTERS]}…"


# ---------------------------------------------------------------------------- pictures and links


def pictures(folder: Path, shown: Mapping[str, str]) -> list[Picture]:
    """The contact sheets of cases that are there, as data addresses, each with what it shows."""
    found = {folder / f"{name}{PREVIEW}": of for name, of in shown.items()}
    return [
        Picture(data_address(path.read_bytes()), of) for path, of in found.items() if path.is_file()
    ]


def data_address(png: bytes) -> str:
    """A PNG as an address that needs no file."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def link(folder: Path, name: str) -> str | None:
    """The address of the report of this name for a page beside it; None if cardioseg wrote none."""
    path = folder / f"{name}{REPORT}"
    return quote(os.fsencode(path.name)) if is_page(path) else None
