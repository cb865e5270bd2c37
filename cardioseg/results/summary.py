"""The numbers of hearts in words: one line for a picture, and a table with a row for each heart."""

from collections.abc import Sequence

from cardioseg.core.report import Table
from cardioseg.results.records import ClinicalRecord

COLUMNS = (
    ("lv", "edv_ml", "LV EDV (ml)"),
    ("lv", "esv_ml", "LV ESV (ml)"),
    ("lv", "ef_percent", "LV EF (%)"),
    ("lv", "mass_g", "LV mass (g)"),
    ("rv", "edv_ml", "RV EDV (ml)"),
    ("rv", "ef_percent", "RV EF (%)"),
)


def headline(heart: ClinicalRecord) -> str:
    """One line: phases and the numbers of the LV."""
    if heart.ed_frame is None:
        return f"no phases: {heart.reasons.get('ed_frame', 'unknown')}"
    frames = f"ED frame {heart.ed_frame}, ES frame {heart.es_frame}"
    phases = f"{frames} (confidence {heart.phases.confidence})"
    named = (
        ("EDV", heart.lv.edv_ml, "ml"),
        ("ESV", heart.lv.esv_ml, "ml"),
        ("EF", heart.lv.ef_percent, "%"),
        ("mass", heart.lv.mass_g, "g"),
    )
    numbers = " · ".join(
        f"{name} {value:.1f} {unit}" for name, value, unit in named if value is not None
    )
    return f"LV {numbers} · {phases}" if numbers else phases


def function_table(hearts: Sequence[ClinicalRecord]) -> Table:
    """A row for each heart with the numbers that people look at first."""
    rows = []
    for heart in hearts:
        numbers = (getattr(getattr(heart, side), name) for side, name, _ in COLUMNS)
        frames = (str(frame or "–") for frame in (heart.ed_frame, heart.es_frame))
        shown = ("–" if value is None else f"{value:.1f}" for value in numbers)
        rows.append((heart.case, *frames, *shown))
    title = "Function; research use only, not a medical device"
    return Table(title, ("heart", "ED", "ES", *(name for *_, name in COLUMNS)), tuple(rows))
