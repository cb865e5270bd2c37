"""``PATIENT_report.html``: the heart of a patient whose ED and ES are files of their own; nothing is computed here.

The page of a case (``report_page``) with both frames on it and the way to their reports. It follows from the pair's
``PATIENT_clinical.json`` and both run records, is made again with them, and goes with them.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardioseg.pages.html import is_page, remove_page, render, write_page
from cardioseg.pages.report import (
    REPORT,
    gravest,
    link,
    made_with,
    numbers,
    pictures,
    provenance,
    volumes,
    wall,
)

if TYPE_CHECKING:
    from cardioseg.workflows.products import Study

MARK = '<meta name="cardioseg-page" content="patient">'  # a case of the patient's name has a report of the same file name
Clinical = Mapping[str, Any]
Frames = Mapping[str, Mapping[str, Any]]  # "ED", "ES" → run record


def make_patient_reports(study: "Study", pairs: Mapping[str, Clinical]) -> list[str]:
    """Write the report of every pair and remove those of pairs that are gone; what was not written, in sentences.

    Raises:
        OutputError: the folder cannot be written.
    """
    folder, warnings = study.request.output, []
    for path in folder.glob(f"*{REPORT}"):
        if path.name.removesuffix(REPORT) not in pairs:
            remove_page(path, mark=MARK)
    for patient, clinical in pairs.items():
        path = folder / f"{patient}{REPORT}"
        if path.exists() and not is_page(path, mark=MARK) and not study.request.overwrite:
            warnings.append(
                f"{path.name} is no report of this patient; --overwrite replaces it: none was written"
            )
            continue
        write_patient_report(folder, clinical, study.records)
    return warnings


def write_patient_report(folder: Path, clinical: Clinical, records: Frames) -> Path:
    """Write the report of a pair from its numbers, the run records of its cases and the files beside them.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = folder / f"{clinical['case']}{REPORT}"
    frames = {phase.upper(): records[case] for phase, case in clinical["cases"].items()}
    write_page(
        path, render("patient.html.j2", **patient_facts(folder, clinical, frames)), overwrite=True
    )
    return path


def patient_facts(folder: Path, clinical: Clinical, frames: Frames) -> dict[str, Any]:
    """What the template asks for."""
    names = {phase: record["case"] for phase, record in frames.items()}
    judged = [
        *([clinical] if clinical.get("quality") else []),
        *frames.values(),
    ]  # alike, the pair's reasons tell of both
    return {
        "title": clinical["case"],
        "facts": f"ED and ES in files of their own · {'; '.join(dict.fromkeys(map(made_with, frames.values())))}",
        "mark": MARK,
        "quality": gravest(judged),
        "numbers": numbers(clinical),
        "wall": wall(clinical),
        "volumes": [],
        "why_none": "",
        "curve": None,
        "structures": [name for name, _ in volumes(frames["ED"])],
        "frames": [_frame(folder, phase, clinical, record) for phase, record in frames.items()],
        "pictures": pictures(folder, {name: f"{phase} ({name})" for phase, name in names.items()}),
        "warnings": said_by(
            {phase: record.get("warnings", []) for phase, record in frames.items()}
        ),
        "provenance": _provenance(frames),
    }


def _frame(
    folder: Path, phase: str, clinical: Clinical, record: Mapping[str, Any]
) -> dict[str, Any]:
    """A row of the table of both files."""
    return {
        "phase": phase,
        "number": clinical[f"{phase.lower()}_frame"],
        "case": record["case"],
        "address": link(folder, record["case"]),
        "quality": gravest([record]),
        "volumes": [text for _, text in volumes(record)],
    }


def said_by(sayings: Mapping[str, Iterable[str]]) -> list[str]:
    """What each phase says, once, with the phases before it."""
    phases: dict[str, list[str]] = {}
    for phase, texts in sayings.items():
        for text in texts:
            phases.setdefault(text, []).append(phase)
    return [f"{' and '.join(dict.fromkeys(who))}: {text}" for text, who in phases.items()]


def _provenance(frames: Frames) -> list[tuple[str, str]]:
    """Terms and values of both files, a value that both have once and without a phase."""
    found = {phase: dict(provenance(record)) for phase, record in frames.items()}
    terms = dict.fromkeys(term for told in found.values() for term in told)
    return [
        (term, _both({phase: told.get(term, "–") for phase, told in found.items()}))
        for term in terms
    ]


def _both(values: Mapping[str, str]) -> str:
    """The value that all phases share, else each phase's."""
    shared = {*values.values()}
    return (
        shared.pop()
        if len(shared) == 1
        else "; ".join(f"{phase}: {value}" for phase, value in values.items())
    )
