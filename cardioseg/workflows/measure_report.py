"""What ``cardioseg measure`` reports: the numbers of one heart as tables."""

from dataclasses import dataclass
from pathlib import Path

from cardioseg.clinical.beat import VolumeCurve
from cardioseg.core.labels import LabelTable
from cardioseg.core.report import Report, Table
from cardioseg.results.quality import case_warnings, quality_exit
from cardioseg.results.records import ClinicalRecord

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
LEVELS = ("basal", "mid", "apical")
ROWS = (
    ("EDV (ml)", "edv_ml"),
    ("ESV (ml)", "esv_ml"),
    ("SV (ml)", "sv_ml"),
    ("EF (%)", "ef_percent"),
    ("mass (g)", "mass_g"),
)


@dataclass(frozen=True)
class Measured:
    """A measured heart.

    Attributes:
        record: its numbers.
        labels: names of the mask's values.
        curve: volumes over the beat; None without a cine.
        notes: what to know about the masks.
    """

    record: ClinicalRecord
    labels: LabelTable
    curve: VolumeCurve | None = None
    notes: tuple[str, ...] = ()


class MeasureData(ClinicalRecord):
    """``cardioseg measure --json``: the function of one heart.

    Attributes:
        labels: structure → value in the mask.
    """

    labels: dict[str, int]


def measure_report(found: Measured, files: tuple[Path, ...], *, strict: bool) -> Report:
    """The report of a call; with ``strict`` a failed quality check fails it."""
    record = found.record
    values = dict(zip(found.labels.names, found.labels.stored, strict=True))
    data = MeasureData(**dict(record), labels=values)
    doubts = record.phases.reasons
    unknown = [
        f"{name}: {why}"
        for name, why in record.reasons.items()
        if name.startswith(("lv.", "rv.")) and why not in doubts
    ]
    phases = [f"phases: {reason}" for reason in doubts]
    warnings = (*found.notes, *phases, *unknown, *case_warnings(record.case, record.quality))
    tables: tuple[Table, ...] = (_numbers(record), _wall(record))
    if record.kind == "volume":
        tables = (_volumes(record), *tables)
    code = quality_exit([record.quality], strict=strict)
    return Report("measure", data, tables, warnings, files, code)


def _volumes(record: ClinicalRecord) -> Table:
    rows = tuple((name, _shown(found[0])) for name, found in record.volumes_ml.items())
    return Table("Volumes", ("structure", "ml"), rows)


def _numbers(record: ClinicalRecord) -> Table:
    indexed = record.indexed.model_dump()
    rows = []
    for word, name in ROWS:
        values = [getattr(chamber, name, None) for chamber in (record.lv, record.rv)]
        per_m2 = [indexed.get(f"{side}_{name}_per_m2") for side in ("lv", "rv")]
        rows.append((word, *map(_shown, values), *map(_shown, per_m2)))
    output = record.cardiac_output
    shown = (_shown(output.l_per_min), "–", _shown(output.l_per_min_per_m2), "–")
    rows.append(("output (l/min)", *shown))
    frames = f"ED frame {record.ed_frame or '–'} and ES frame {record.es_frame or '–'}"
    what = "one volume" if record.kind == "volume" else frames
    verdict = "not checked" if record.quality is None else record.quality.verdict
    title = f"{record.case}, {what}, quality {verdict}; research use only, not a medical device"
    return Table(title, ("quantity", "LV", "RV", "LV per m²", "RV per m²"), tuple(rows))


def _wall(record: ClinicalRecord) -> Table:
    wall = record.wall_thickness
    rows = tuple(
        (name, *(_shown(wall.segments_mm.get(f"{level} {name}")) for level in LEVELS))
        for name in AROUND
    )
    assumed = "; anterior side assumed from the picture" if wall.anterior == "as displayed" else ""
    title = f"Wall thickness at {wall.phase or 'an unknown phase'} (mm)"
    return Table(f"{title}, mean {_shown(wall.mean_mm)}{assumed}", ("wall", *LEVELS), rows)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
