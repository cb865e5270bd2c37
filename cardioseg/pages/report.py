"""``X_report.html``: what one case's files say, on one page to read, print and hand on; nothing is computed here.

Knows the run record and the files beside it; ``html/report.html.j2`` knows how they look.
"""

import base64
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cardioseg.core.labels import LabelTable
from cardioseg.figures.bullseye import anterior_note, draw_bullseye, missing_segments
from cardioseg.figures.curve import read_curve
from cardioseg.figures.svg import drawing_svg
from cardioseg.figures.volume_curve import draw_volume_curve
from cardioseg.pages.html import is_page, render, write_page
from cardioseg.results.function import CLINICAL, CURVE_TABLE, read_clinical

if TYPE_CHECKING:
    from cardioseg.workflows.products import Segmented

REPORT = "_report.html"
VENTRICLES = (
    ("edv_ml", "EDV", "ml"),
    ("esv_ml", "ESV", "ml"),
    ("sv_ml", "SV", "ml"),
    ("ef_percent", "EF", "%"),
    ("mass_g", "Mass", "g"),
)
VERDICTS = {
    "pass": ("✓", "Quality checks passed"),
    "warn": ("!", "Look at this one: quality checks warn"),
    "fail": ("✕", "Do not use as it is: quality checks failed"),
}
UNCHECKED = ("–", "Quality was not checked")
ORDER = ("fail", "warn", "pass", "unchecked")  # the gravest first
THICKNESS = (("mean_mm", "mean"), ("max_mm", "thickest segment"))
# The bull's-eye tells why a segment is empty, and what somebody has to say is not computed.
NOT_LISTED = (
    "wall_thickness.segments_mm.",
    "wall_thickness.anterior",
    "body.height_cm",
    "body.weight_kg",
    "body.heart_rate_bpm",
)
HASH_LETTERS = 16
CARDIAC_INDEX = "cardiac_output.l_per_min_per_m2"
# Parts of a number's dotted name that its words do without.
UNSAID = ("segments", "mm", "ml", "g", "percent", "per", "m2", "l", "min")


def segmented_report(segmented: "Segmented") -> dict[str, Any]:
    """The product: the report of a case; no facts."""
    write_report(segmented.request.output, segmented.name, segmented.facts)
    return {}


def write_report(folder: Path, name: str, record: Mapping[str, Any]) -> Path:
    """Write the report of a case from its run record and the files beside it.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = folder / f"{name}{REPORT}"
    write_page(path, render("report.html.j2", **report_facts(folder, name, record)), overwrite=True)
    return path


def report_facts(folder: Path, name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """What the template asks for."""
    labels = LabelTable.from_mapping(record["labels"])
    frames = record["frames"]
    clinical = read_clinical(folder / f"{name}{CLINICAL}") if frames > 1 else None
    table = folder / f"{name}{CURVE_TABLE}"
    curve = read_curve(table, labels.structures) if frames > 1 else None
    return {
        "title": name,
        "facts": f"{f'{frames} frames' if frames > 1 else 'one volume'} · {made_with(record)}",
        "quality": quality_facts(record.get("quality")),
        "numbers": None if clinical is None else numbers(clinical),
        "wall": None if clinical is None else wall(clinical),
        "volumes": [] if clinical else volumes(record),
        "why_none": record.get("clinical_reason", "the function of this case was not computed"),
        "curve": None if curve is None else drawing_svg(draw_volume_curve(curve)),
        "pictures": pictures(
            folder,
            {
                name: "the frame with most blood in the left ventricle"
                if frames > 1
                else "the volume"
            },
        ),
        "warnings": list(record.get("warnings", [])),
        "provenance": provenance(record),
    }


def made_with(record: Mapping[str, Any]) -> str:
    """Spacing and model."""
    return f"{' × '.join(f'{size:.3g}' for size in record['spacing_mm'])} mm · segmented by {record['model']}"


def quality_facts(quality: Mapping[str, Any] | None) -> dict[str, Any]:
    """Verdict in a sign, in short and in words, and its reasons; ``unchecked`` where there is none."""
    verdict = (quality or {}).get("verdict")
    sign, words = VERDICTS.get(str(verdict), UNCHECKED)
    reasons = [
        {
            key: reason.get(key, "")
            for key in ("rule", "where", "severity", "value", "limit", "text")
        }
        for reason in (quality or {}).get("reasons", [])
    ]
    known, short = (verdict, verdict) if verdict in VERDICTS else ("unchecked", "not checked")
    return {
        "verdict": known,
        "sign": sign,
        "short": f"{sign} {short}",
        "words": words,
        "reasons": reasons,
    }


def gravest(judged: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The gravest verdict in records and hearts, the first of several alike."""
    return min(
        (quality_facts(facts.get("quality")) for facts in judged),
        key=lambda facts: ORDER.index(facts["verdict"]),
    )


# ----------------------------------------------------------------------------------------------------------------- numbers


def numbers(clinical: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of both ventricles, further facts, and what was not computed and why."""
    indexed = clinical.get("indexed", {})
    per_area = any(value is not None for value in indexed.values())
    rows = []
    for key, name, unit in VENTRICLES:
        cells = []
        for side in ("lv", "rv"):
            cells.append(_shown(clinical[side][key]) if key in clinical[side] else "")
            if per_area:
                cells.append(
                    _shown(indexed[f"{side}_{key}_per_m2"])
                    if f"{side}_{key}_per_m2" in indexed
                    else ""
                )
        rows.append({"name": name, "unit": unit, "cells": cells})
    columns = [
        name
        for side in ("LV", "RV")
        for name in ((side, f"{side} per m²") if per_area else (side,))
    ]
    reasons = {
        name: why
        for name, why in clinical.get("reasons", {}).items()
        if not name.startswith(NOT_LISTED)
    }
    return {"columns": columns, "rows": rows, "more": _more(clinical), "missing": missing(reasons)}


def wall(clinical: Mapping[str, Any]) -> dict[str, Any]:
    """The bull's-eye, how its anterior side was found, and why segments are empty."""
    found, prefix = clinical.get("wall_thickness") or {}, "wall_thickness.segments_mm."
    segments_mm, anterior = found.get("segments_mm") or {}, found.get("anterior")
    phase = found.get("phase") or "ED"
    reasons = {name.removeprefix(prefix): why for name, why in clinical.get("reasons", {}).items()}
    drawing = draw_bullseye(segments_mm, anterior=anterior, phase=phase)
    return {
        "phase": phase,
        "svg": None if drawing is None else drawing_svg(drawing),
        "anterior": anterior_note(anterior),
        "missing": missing_segments(segments_mm, reasons),
    }


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _more(clinical: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Terms and values beside the table; only what there is."""
    found = [("Phases", _phases(clinical))]
    output, body, wall = (
        clinical.get(key) or {} for key in ("cardiac_output", "body", "wall_thickness")
    )
    if output.get("l_per_min") is not None:
        index = output.get("l_per_min_per_m2")
        per_area = "" if index is None else f", {index:.2f} l/min per m²"
        found.append(
            (
                "Cardiac output",
                f"{output['l_per_min']:.2f} l/min at {body['heart_rate_bpm']:g} beats per minute{per_area}",
            )
        )
    if body.get("surface_m2") is not None:
        found.append(
            (
                "Body surface",
                f"{body['surface_m2']:.2f} m² ({body['height_cm']:g} cm, {body['weight_kg']:g} kg; Mosteller)",
            )
        )
    thickness = [
        f"{name} {wall[key]:.1f} mm" for key, name in THICKNESS if wall.get(key) is not None
    ]
    if thickness:
        found.append(("Wall thickness at ED", ", ".join(thickness)))
    return found


def _phases(clinical: Mapping[str, Any]) -> str:
    ed, es, phases = clinical["ed_frame"], clinical["es_frame"], clinical.get("phases", {})
    told = f"ED frame {ed}, ES frame {es}" if ed and es else "not found"
    known = [f"from the {phases['source']}"] if phases.get("source") else []
    known += [f"confidence {phases['confidence']}"] if phases.get("confidence") else []
    return "; ".join([told, *known, *phases.get("reasons", [])])


def missing(reasons: Mapping[str, str]) -> list[tuple[str, str]]:
    """Reason → the numbers that it left out, each reason once."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(
            "cardiac index" if name == CARDIAC_INDEX else _in_words(name)
        )
    return [(reason, ", ".join(dict.fromkeys(found))) for reason, found in names.items()]


def _in_words(name: str) -> str:
    return " ".join(part for part in re.split(r"[._]", name) if part not in UNSAID)


def volumes(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Structure and volume of a single volume."""
    found = record.get("volumes_ml") or {}
    return (
        [(name, f"{volumes[0]:.1f} ml") for name, volumes in found.items()]
        if record["frames"] == 1
        else []
    )


# -------------------------------------------------------------------------------------------------------------- provenance


def provenance(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the case was made, as terms and values."""
    recipe, windows = record["recipe"], record["recipe"].get("windows", {})
    loops = f"at most {record['loops']}, {record['mean_steps']:.2f} used on average"
    found = [
        (
            "Model",
            f"{record['model']}, SHA-256 {_short(recipe['model_sha256'])}, settings {_short(recipe['config_sha256'])}",
        ),
        ("Image", f"SHA-256 {_short(recipe['input_sha256'])}"),
        (
            "Software",
            ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
        ),
        ("Loops", loops + (" (more than in training)" if record["extrapolated"] else "")),
    ]
    if recipe.get("exit"):
        found.append(
            (
                "Exits",
                ", ".join(
                    f"{key} {value}" for key, value in recipe["exit"].items() if value is not None
                ),
            )
        )
    if windows:
        size = " × ".join(map(str, windows["size"]))
        found.append(
            (
                "Windows",
                f"{size}, {100 * windows['overlap']:.0f} % overlap, {windows['views']} views",
            )
        )
    removed = ", ".join(
        f"{name} {count}" for name, count in record["removed_voxels"].items() if count
    )
    spacing = " × ".join(f"{size:.4g}" for size in record["spacing_mm"])
    found += [
        ("Spacing", f"{spacing} mm, from the {record['spacing_rule']}"),
        ("Voxels removed", removed or "none"),
        ("Time", f"{record['seconds']:.1f} s on {record['device']}"),
    ]
    if made := record.get("times", {}).get("made"):
        found.append(("Made", f"{datetime.fromisoformat(made):%Y-%m-%d %H:%M:%S} UTC"))
    return found


def _short(digest: str) -> str:
    return f"{digest[:HASH_LETTERS]}…"


# ------------------------------------------------------------------------------------------------------ pictures and links


def pictures(folder: Path, shown: Mapping[str, str]) -> list[dict[str, str]]:
    """The previews of cases that are there, as data: addresses, each with what it shows."""
    found = {folder / f"{name}_preview.png": of for name, of in shown.items()}
    return [{"address": _embedded(path), "of": of} for path, of in found.items() if path.is_file()]


def _embedded(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def link(folder: Path, name: str) -> str | None:
    """The address of the report of this name, as seen from a page beside it; None when there is none of ours."""
    return quote(os.fsencode(f"{name}{REPORT}")) if is_page(folder / f"{name}{REPORT}") else None
