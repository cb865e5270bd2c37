"""``index.html``: every heart of a folder in one table that sorts, with links to the reports."""

from dataclasses import dataclass
from pathlib import Path

from cardioseg.pages.html import remove_page, render, write_page
from cardioseg.pages.report import ORDER, VerdictFacts, gravest, link
from cardioseg.results.folder import INDEX
from cardioseg.results.hearts import Hearts
from cardioseg.results.records import ClinicalRecord, RunRecord, RunRecords

NUMBERS = (
    ("lv", "edv_ml", "LV EDV (ml)"),
    ("lv", "esv_ml", "LV ESV (ml)"),
    ("lv", "ef_percent", "LV EF (%)"),
    ("lv", "mass_g", "LV mass (g)"),
    ("rv", "edv_ml", "RV EDV (ml)"),
    ("rv", "esv_ml", "RV ESV (ml)"),
    ("rv", "ef_percent", "RV EF (%)"),
)


@dataclass(frozen=True)
class Column:
    """A column's name, and whether it holds numbers."""

    name: str
    number: bool


@dataclass(frozen=True)
class Cell:
    """A number as shown and as sorted; None sorts last."""

    text: str
    value: float | None


@dataclass(frozen=True)
class IndexRow:
    """A heart.

    Attributes:
        name: of the case, or of the patient.
        address: of its report; None if there is none.
        links: names and addresses of the reports of a pair's cases.
        quality: the gravest verdict.
        cells: numbers.
    """

    name: str
    address: str | None
    links: list[tuple[str, str]]
    quality: VerdictFacts
    cells: list[Cell]


def write_index(folder: Path, hearts: Hearts, records: RunRecords) -> None:
    """Write the index of a folder; without any case, remove an earlier one.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = folder / INDEX
    if not records:
        remove_page(path)
        return
    rows = index_rows(folder, hearts, records)
    columns = [
        Column("Case", number=False),
        Column("Quality", number=False),
        *(Column(name, number=True) for name in ("ED frame", "ES frame")),
        *(Column(name, number=True) for *_, name in NUMBERS),
        *(Column(name, number=True) for name in ("Mean loops", "Warnings")),
    ]
    page = render(
        "index.html.j2",
        title="Segmented hearts",
        facts=_headline(rows, len(records)),
        columns=columns,
        rows=rows,
    )
    write_page(path, page, overwrite=True)


def _headline(rows: list[IndexRow], images: int) -> str:
    counts = {
        verdict: sum(row.quality.verdict == verdict for row in rows) for verdict in reversed(ORDER)
    }
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    hearts = f"{len(rows)} heart{'s' * (len(rows) != 1)}, {images} image{'s' * (images != 1)}"
    return f"{hearts} · quality: {told}"


def index_rows(folder: Path, hearts: Hearts, records: RunRecords) -> list[IndexRow]:
    """Cines, pairs of one patient, and volumes that belong to no pair, by name."""
    found = [_row(folder, heart.case, heart, _cases(heart, records)) for heart in hearts.all]
    found += [_row(folder, name, None, [records[name]]) for name in hearts.alone]
    seen = {row.name for row in found}
    cines = [record for name, record in records.items() if record.frames > 1 and name not in seen]
    found += [_row(folder, record.case, None, [record]) for record in cines]
    return sorted(found, key=lambda row: row.name)


def _cases(heart: ClinicalRecord, records: RunRecords) -> list[RunRecord]:
    return [records[name] for name in dict.fromkeys(heart.cases.values() or (heart.case,))]


def _row(folder: Path, name: str, heart: ClinicalRecord | None, used: list[RunRecord]) -> IndexRow:
    judged = [*(record.quality for record in used), *([heart.quality] if heart else [])]
    links = [
        (record.case, address)
        for record in used
        if record.case != name and (address := link(folder, record.case))
    ]
    return IndexRow(name, link(folder, name), links, gravest(judged), _cells(heart, used))


def _cells(heart: ClinicalRecord | None, used: list[RunRecord]) -> list[Cell]:
    frames = (None, None) if heart is None else (heart.ed_frame, heart.es_frame)
    shown: list[tuple[float | None, int]] = [(frame, 0) for frame in frames]
    for side, key, _ in NUMBERS:
        shown.append((None if heart is None else getattr(getattr(heart, side), key), 1))
    shown.append((sum(record.mean_steps for record in used) / len(used), 2))
    shown.append((sum(len(record.warnings) for record in used), 0))
    return [Cell("–" if value is None else f"{value:.{d}f}", value) for value, d in shown]
