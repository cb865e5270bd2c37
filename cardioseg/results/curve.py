"""``X_curve.csv``: the volume of every structure in every frame, written and read."""

import csv
from collections.abc import Sequence
from pathlib import Path

from cardioseg.clinical.beat import VolumeCurve
from cardioseg.core.atomic import write_text
from cardioseg.core.csv_text import Cell, csv_text


def write_curve(path: Path, curve: VolumeCurve) -> None:
    """Write ``curve_text``.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_text(path, curve_text(curve))


def curve_text(curve: VolumeCurve) -> str:
    """The table as CSV, one row per frame.

    Columns: frame (from 1), time_ms (empty when unknown), phase, the volume of every structure in
    ml, and the smoothed volume of the LV (empty when there is no LV).
    """
    rows = [_row(curve, index) for index in range(curve.frames)]
    columns = _columns(curve)
    return csv_text(columns, (dict(zip(columns, row, strict=True)) for row in rows))


def _columns(curve: VolumeCurve) -> list[str]:
    structures = (f"{name.lower()}_ml" for name in curve.volumes_ml)
    return ["frame", "time_ms", "phase", *structures, "smoothed_ml"]


def _row(curve: VolumeCurve, index: int) -> list[Cell]:
    """The cells of a frame, counted from 0."""
    phases = {frame: phase for phase, frame in curve.phases.items()}
    time = None if curve.frame_ms is None else round(index * curve.frame_ms, 1)
    volumes = (round(found[index], 3) for found in curve.volumes_ml.values())
    smooth = round(curve.smoothed_ml[index], 3) if curve.smoothed_ml else None
    return [index + 1, time, phases.get(index + 1), *volumes, smooth]


def read_curve(path: Path, structures: Sequence[str]) -> VolumeCurve | None:
    """Read a table of ``write_curve``.

    Args:
        path: the table.
        structures: names as the mask has them; the table holds them in lower case.

    Returns:
        The curve; None when there is no such file, or it is not such a table.
    """
    names = {name.lower(): name for name in structures}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns = [column.removesuffix("_ml") for column in rows[0] if column.endswith("_ml")]
        volumes = {
            names.get(column, column): [float(row[f"{column}_ml"]) for row in rows]
            for column in columns
            if column != "smoothed"
        }
        return VolumeCurve(volumes, _smoothed(rows), _phases(rows), _frame_ms(rows))
    except (OSError, ValueError, KeyError, IndexError, TypeError, csv.Error):
        return None


def _smoothed(rows: list[dict[str, str]]) -> tuple[float, ...]:
    cells = [row.get("smoothed_ml", "") for row in rows]
    return tuple(map(float, cells)) if all(cells) else ()


def _phases(rows: list[dict[str, str]]) -> dict[str, int]:
    return {row["phase"]: int(row["frame"]) for row in rows if row["phase"]}


def _frame_ms(rows: list[dict[str, str]]) -> float | None:
    return float(rows[1]["time_ms"]) if len(rows) > 1 and rows[1]["time_ms"] else None
