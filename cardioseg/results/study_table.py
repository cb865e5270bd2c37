"""``study.csv``: a row for every heart of a folder, and one for every single volume that is part of none.

A single volume has neither EDV nor ESV: what it shows of LV, MYO and RV stands in columns of their own, which are empty for
hearts, and the last column says why the others are empty. Knows run records and ``X_clinical.json``'s content; opens no mask.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cardioseg.clinical.function import INDEXED, Body, heart_function
from cardioseg.clinical.phases import Phases
from cardioseg.clinical.volumes import LV_QUANTITIES, RV_QUANTITIES, structure_value
from cardioseg.clinical.wall import SEGMENTS
from cardioseg.core.atomic import remove, write_text
from cardioseg.core.labels import LabelTable
from cardioseg.data.patients import body_of
from cardioseg.results.function import clinical_facts
from cardioseg.results.quality import verdict_of

TABLE = "study.csv"
VENTRICLES = {"lv": LV_QUANTITIES, "rv": RV_QUANTITIES}
VOLUMES = {"lv_ml": "LV", "myo_ml": "MYO", "rv_ml": "RV"}
NO_PHASES = Phases(None, None, "", "none", (), ())
Record = Mapping[str, Any]
Heart = Mapping[str, Any]
Row = dict[str, Any]


def write_table(
    path: Path, hearts: Iterable[Heart], single: Mapping[str, str], records: Mapping[str, Record]
) -> None:
    """Write the table; without a row, take away one of ours.

    Args:
        path: the file.
        hearts: what ``X_clinical.json`` holds of each.
        single: volumes that are in no heart: case → why it has no function.
        records: run records by case.

    Raises:
        OutputError: the folder cannot be written.
    """
    rows = [_heart_row(heart, records) for heart in hearts] + [
        _volume_row(records[case], why) for case, why in single.items()
    ]
    if not rows:
        if our_table(path):
            remove(path)
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["case"]))
    write_text(path, text.getvalue().encode("utf-8", "replace").decode("utf-8"))


def our_table(path: Path) -> bool:
    """Whether a table stands there that ``write_table`` wrote."""
    try:
        return path.read_text(encoding="utf-8").startswith("case,ed_case,es_case,")
    except (OSError, UnicodeDecodeError):
        return False


def _heart_row(heart: Heart, records: Mapping[str, Record]) -> Row:
    cases = heart.get("cases", {"ed": heart["case"], "es": heart["case"]})
    return _row(heart, records[cases["ed"]]) | {"ed_case": cases["ed"], "es_case": cases["es"]}


def _volume_row(record: Record, why: str) -> Row:
    """A single volume as a heart without phases, and what it shows."""
    labels = LabelTable.from_mapping(record["labels"])
    body = body_of(record.get("patient", {}), Body(**record["recipe"]["beat"]["body"]))
    function = heart_function(None, None, labels, body, why_none=why)
    row = _row(clinical_facts(record["case"], function, phases=NO_PHASES, why_none=why), record)
    unseen = {column: f"the mask shows no {structure}" for column, structure in VOLUMES.items()}
    shown = {
        column: ml
        for column, structure in VOLUMES.items()
        if (ml := _volume_ml(record, labels, structure))
    }
    reasons = [
        why,
        *(f"{column}: {reason}" for column, reason in unseen.items() if column not in shown),
    ]
    return (
        row | shown | {"cardioseg": record["versions"]["cardioseg"], "reasons": "; ".join(reasons)}
    )


def _volume_ml(record: Record, labels: LabelTable, structure: str) -> float | None:
    """None where the mask does not show it, or has no name for it."""
    value = structure_value(structure, labels)
    found = None if value is None else record.get("volumes_ml", {}).get(labels.names[value])
    return round(found[0], 2) if found and found[0] > 0 else None


def _row(heart: Heart, record: Record) -> Row:
    """A heart as flat columns; None is an empty cell, and why stands in the last one."""
    body, wall = heart["body"], heart["wall_thickness"]
    return {
        "case": heart["case"],
        "ed_case": None,
        "es_case": None,
        "ed_frame": heart["ed_frame"],
        "es_frame": heart["es_frame"],
        "phases_from": heart["phases"]["source"],
        "phases_confidence": heart["phases"]["confidence"],
        **{
            f"{side}_{name}": heart[side][name]
            for side, names in VENTRICLES.items()
            for name in names
        },
        **dict.fromkeys(VOLUMES),
        "height_cm": body["height_cm"],
        "weight_kg": body["weight_kg"],
        "bsa_m2": body["surface_m2"],
        "heart_rate_bpm": body["heart_rate_bpm"],
        **{f"{name}_per_m2": heart["indexed"][f"{name}_per_m2"] for name in INDEXED},
        "cardiac_output_l_per_min": heart["cardiac_output"]["l_per_min"],
        "cardiac_index_l_per_min_per_m2": heart["cardiac_output"]["l_per_min_per_m2"],
        "wall_mean_mm": wall["mean_mm"],
        "wall_max_mm": wall["max_mm"],
        **{f"wall_{name.replace(' ', '_')}_mm": wall["segments_mm"][name] for name in SEGMENTS},
        "quality": verdict_of(heart) or verdict_of(record),
        "model": record["model"],
        "loops": record["loops"],
        "cardioseg": heart["cardioseg"],
        "reasons": "; ".join(f"{name}: {reason}" for name, reason in heart["reasons"].items()),
    }
