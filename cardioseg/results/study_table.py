"""``study.csv``: a row for every heart of a folder, and for every volume that is part of none.

A single volume has neither EDV nor ESV: the volumes of its LV, MYO and RV stand in columns of
their own, which are empty for hearts, and the last column says why the others are empty.
"""

from pathlib import Path

from cardioseg.clinical.body import INDEXED
from cardioseg.clinical.function import heart_function
from cardioseg.clinical.phases import Phases
from cardioseg.clinical.quality import Quality
from cardioseg.clinical.volumes import structure_value
from cardioseg.clinical.wall import SEGMENTS
from cardioseg.core.atomic import remove, write_text
from cardioseg.core.csv_text import Cell, csv_text
from cardioseg.data.patients import merged_body
from cardioseg.results.hearts import Hearts
from cardioseg.results.records import ClinicalRecord, RunRecord, RunRecords, clinical_record

VOLUMES = {"lv_ml": "LV", "myo_ml": "MYO", "rv_ml": "RV"}
NO_PHASES = Phases(None, None, "", "none", (), ())
Row = dict[str, Cell]


def write_study_table(path: Path, hearts: Hearts, records: RunRecords) -> None:
    """Write the table; without any row, remove an earlier table of cardioseg's.

    Raises:
        OutputError: the folder cannot be written.
    """
    rows = [_heart_row(heart, records) for heart in hearts.all]
    rows += [_volume_row(records[case], why) for case, why in hearts.alone.items()]
    if not rows:
        if is_study_table(path):
            remove(path)
        return
    write_text(path, csv_text(list(rows[0]), sorted(rows, key=lambda row: str(row["case"]))))


def is_study_table(path: Path) -> bool:
    """Whether the file is a table that ``write_study_table`` wrote."""
    try:
        return path.read_text(encoding="utf-8").startswith("case,ed_case,es_case,")
    except (OSError, UnicodeDecodeError):
        return False


def _heart_row(heart: ClinicalRecord, records: RunRecords) -> Row:
    cases = heart.cases or {"ed": heart.case, "es": heart.case}
    names: Row = {"ed_case": cases["ed"], "es_case": cases["es"]}
    return _row(heart, records[cases["ed"]]) | names


def _volume_row(record: RunRecord, why: str) -> Row:
    """A single volume as a heart without phases, with the volumes that it shows."""
    labels = record.label_table()
    body = merged_body(record.recipe.beat.body, record.patient.body())
    function = heart_function(None, None, labels, body, why_none=why)
    heart = clinical_record(
        record.case,
        function,
        NO_PHASES,
        kind="volume",
        made_by="cardioseg segment",
        why_none=why,
    )
    shown: Row = {
        column: ml
        for column, structure in VOLUMES.items()
        if (ml := _volume_ml(record, structure)) is not None
    }
    reasons = [
        why,
        *(
            f"{column}: the mask shows no {structure}"
            for column, structure in VOLUMES.items()
            if column not in shown
        ),
    ]
    made: Row = {"cardioseg": record.versions["cardioseg"], "reasons": "; ".join(reasons)}
    return _row(heart, record) | shown | made


def _volume_ml(record: RunRecord, structure: str) -> float | None:
    """None if the mask does not show it, or has no name for it."""
    labels = record.label_table()
    value = structure_value(structure, labels)
    found = None if value is None else record.volumes_ml.get(labels.names[value])
    return round(found[0], 2) if found and found[0] > 0 else None


def _row(heart: ClinicalRecord, record: RunRecord) -> Row:
    """A heart as flat columns; None is an empty cell, and the last column says why it is empty."""
    return {
        "case": heart.case,
        "ed_case": None,
        "es_case": None,
        "ed_frame": heart.ed_frame,
        "es_frame": heart.es_frame,
        "phases_from": heart.phases.source,
        "phases_confidence": heart.phases.confidence,
        **_numbers(heart),
        "quality": _verdict(heart.quality or record.quality),
        "model": record.model,
        "loops": record.recipe.loops,
        "cardioseg": heart.cardioseg,
        "reasons": "; ".join(f"{name}: {reason}" for name, reason in heart.reasons.items()),
    }


def _numbers(heart: ClinicalRecord) -> Row:
    body, output, wall = heart.body, heart.cardiac_output, heart.wall_thickness
    sides = {"lv": heart.lv, "rv": heart.rv}
    return {
        **{
            f"{side}_{name}": getattr(chamber, name)
            for side, chamber in sides.items()
            for name in type(chamber).model_fields
        },
        **dict.fromkeys(VOLUMES),
        "height_cm": body.height_cm,
        "weight_kg": body.weight_kg,
        "bsa_m2": body.surface_area_m2,
        "heart_rate_bpm": body.heart_rate_bpm,
        **{name: getattr(heart.indexed, name) for name in INDEXED},
        "cardiac_output_l_per_min": output.l_per_min,
        "cardiac_index_l_per_min_per_m2": output.l_per_min_per_m2,
        "wall_mean_mm": wall.mean_mm,
        "wall_max_mm": wall.max_mm,
        **{f"wall_{name.replace(' ', '_')}_mm": wall.segments_mm[name] for name in SEGMENTS},
    }


def _verdict(quality: Quality) -> str:
    return quality.verdict
