"""``index.html``: every heart of a folder in one table that sorts, with the way to each report; nothing is computed here."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardioseg.pages.html import remove_page, render, write_page
from cardioseg.pages.report import ORDER, VERDICTS, gravest, link
from cardioseg.results.function import CLINICAL, read_clinical

if TYPE_CHECKING:
    from cardioseg.workflows.products import Study

INDEX = "index.html"
NUMBERS = (
    ("lv", "edv_ml", "LV EDV (ml)"),
    ("lv", "esv_ml", "LV ESV (ml)"),
    ("lv", "ef_percent", "LV EF (%)"),
    ("lv", "mass_g", "LV mass (g)"),
    ("rv", "edv_ml", "RV EDV (ml)"),
    ("rv", "esv_ml", "RV ESV (ml)"),
    ("rv", "ef_percent", "RV EF (%)"),
)
Records = Mapping[str, Mapping[str, Any]]


def make_index(study: "Study") -> dict[str, Any]:
    """The product of a folder: its index, none where no case is finished; no facts."""
    if study.records:
        write_index(study.request.output, study.records)
    else:
        remove_page(study.request.output / INDEX)
    return {}


def write_index(folder: Path, records: Records) -> Path:
    """Write the index of a folder from its run records and the numbers beside them.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = folder / INDEX
    write_page(path, render("index.html.j2", **index_facts(folder, records)), overwrite=True)
    return path


def index_facts(folder: Path, records: Records) -> dict[str, Any]:
    """What the template asks for."""
    rows = [
        _row(folder, name, cases, clinical, records)
        for name, cases, clinical in _hearts(folder, records)
    ]
    counts = {
        verdict: sum(row["verdict"] == verdict for row in rows)
        for verdict in (*VERDICTS, "unchecked")
    }
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    hearts = f"{len(rows)} heart{'s' * (len(rows) != 1)}, {len(records)} image{'s' * (len(records) != 1)}"
    columns = [
        {"name": "Case", "number": False},
        {"name": "Quality", "number": False},
        *(
            {"name": name, "number": True}
            for name in ("ED frame", "ES frame", *(name for *_, name in NUMBERS), "Mean loops")
        ),
        {"name": "Warnings", "number": True},
    ]
    return {
        "title": "Segmented hearts",
        "facts": f"{hearts} · quality: {told}",
        "columns": columns,
        "rows": rows,
    }


def _hearts(
    folder: Path, records: Records
) -> Iterator[tuple[str, list[str], dict[str, Any] | None]]:
    """Name, cases and numbers of every heart: cines, pairs of one patient, and volumes that belong to no pair."""
    seen: set[str] = set()
    found: list[tuple[str, list[str], dict[str, Any] | None]] = []
    for path in sorted(folder.glob(f"*{CLINICAL}")):
        clinical = read_clinical(path)
        name = path.name.removesuffix(CLINICAL)
        cases = list(dict.fromkeys(clinical.get("cases", {"": name}).values())) if clinical else []
        if cases and all(case in records for case in cases):
            seen.update(cases)
            found.append((name, cases, clinical))
    found += [(name, [name], None) for name in records if name not in seen]
    yield from sorted(found, key=lambda heart: heart[0])


def _row(
    folder: Path, name: str, cases: list[str], clinical: dict[str, Any] | None, records: Records
) -> dict[str, Any]:
    used = [records[case] for case in cases]
    judged = [
        *used,
        *([clinical] if clinical and clinical.get("quality") else []),
    ]  # a pair is judged as such, too
    quality = gravest(judged)
    numbers: list[tuple[float | None, int]] = [
        *((None if clinical is None else clinical[frame], 0) for frame in ("ed_frame", "es_frame")),
        *((None if clinical is None else clinical[side].get(key), 1) for side, key, _ in NUMBERS),
        (sum(record["mean_steps"] for record in used) / len(used), 2),
        (sum(len(record.get("warnings", [])) for record in used), 0),
    ]
    return {
        "name": name,
        "address": link(folder, name),
        "links": [
            (case, address) for case in cases if case != name and (address := link(folder, case))
        ],
        "verdict": quality["verdict"],
        "quality": quality["short"],
        "rank": ORDER.index(quality["verdict"]),
        "cells": [
            {"text": "–" if value is None else f"{value:.{digits}f}", "value": value}
            for value, digits in numbers
        ],
    }
