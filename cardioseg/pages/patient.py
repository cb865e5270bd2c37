"""``PATIENT_report.html``: the heart of a patient whose ED and ES are two files.

It is the page of a case (``pages.report``) with both phases on it and links to their reports. It
follows from the pair's ``PATIENT_clinical.json`` and both run records, is made again with them,
and is removed with them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cardioseg.pages.html import is_page, remove_page, write_page
from cardioseg.pages.numbers import Terms, numbers, volumes, wall
from cardioseg.pages.provenance import provenance
from cardioseg.pages.report import (
    CasePage,
    VerdictFacts,
    gravest,
    link,
    made_with,
    pictures,
    verdict_facts,
)
from cardioseg.results.folder import REPORT
from cardioseg.results.records import ClinicalRecord, RunRecord, RunRecords

# A case of the patient's name has a report of the same file name; the mark tells them apart.
MARK = '<meta name="cardioseg-page" content="patient">'
Frames = Mapping[str, RunRecord]  # "ED", "ES" → run record


@dataclass(frozen=True)
class FrameRow:
    """A row of the table of both files.

    Attributes:
        phase: "ED" or "ES".
        number: frame from 1; None where it is not known.
        case: name of the case.
        address: of its report; None if there is none.
        quality: its verdict.
        volumes: of its structures.
    """

    phase: str
    number: int | None
    case: str
    address: str | None
    quality: VerdictFacts
    volumes: list[str]


@dataclass(frozen=True)
class PatientPage(CasePage):
    """What the template of a patient's report needs beside that of a case.

    Attributes:
        mark: what tells the page from the report of a case.
        structures: columns of the table of both files.
        frames: its rows.
    """

    mark: str
    structures: list[str]
    frames: list[FrameRow]


def write_patient_reports(
    folder: Path,
    pairs: Mapping[str, ClinicalRecord],
    records: RunRecords,
    *,
    overwrite: bool = False,
) -> list[str]:
    """Write the report of every pair, and remove those of pairs that are gone.

    Args:
        folder: the folder.
        pairs: patient → function of the pair.
        records: run records of the folder's cases.
        overwrite: replace files of the reports' names that cardioseg did not make.

    Returns:
        What was not written, a sentence each.

    Raises:
        OutputError: the folder cannot be written.
    """
    warnings = []
    for path in folder.glob(f"*{REPORT}"):
        if path.name.removesuffix(REPORT) not in pairs:
            remove_page(path, mark=MARK)
    for patient, heart in pairs.items():
        path = folder / f"{patient}{REPORT}"
        if path.exists() and not is_page(path, mark=MARK) and not overwrite:
            why = "is not the report of this patient and was left; --overwrite replaces it"
            warnings.append(f"{path.name} {why}")
            continue
        frames = {phase.upper(): records[case] for phase, case in heart.cases.items()}
        page = patient_page(folder, heart, frames)
        write_page(path, page.render("patient.html.j2"), overwrite=True)
    return warnings


def patient_page(folder: Path, heart: ClinicalRecord, frames: Frames) -> PatientPage:
    """The facts of a pair."""
    names = {phase: record.case for phase, record in frames.items()}
    judged = [heart.quality, *(record.quality for record in frames.values())]
    made = "; ".join(dict.fromkeys(map(made_with, frames.values())))
    shown = {name: f"{phase} ({name})" for phase, name in names.items()}
    return PatientPage(
        title=heart.case,
        facts=f"ED and ES in two files · {made}",
        quality=gravest(
            judged
        ),  # of equal verdicts the pair's comes first: its reasons name both phases
        numbers=numbers(heart),
        wall=wall(heart),
        volumes=[],
        why_none="",
        curve=None,
        pictures=pictures(folder, shown),
        warnings=said_by({phase: record.warnings for phase, record in frames.items()}),
        provenance=_provenance(frames),
        mark=MARK,
        structures=[name for name, _ in volumes(frames["ED"])],
        frames=[
            FrameRow(
                phase=phase,
                number=heart.ed_frame if phase == "ED" else heart.es_frame,
                case=record.case,
                address=link(folder, record.case),
                quality=verdict_facts(record.quality),
                volumes=[text for _, text in volumes(record)],
            )
            for phase, record in frames.items()
        ],
    )


def said_by(sayings: Mapping[str, Iterable[str]]) -> list[str]:
    """Sentences of both phases, each once, with the phases that they belong to."""
    phases: dict[str, list[str]] = {}
    for phase, texts in sayings.items():
        for text in texts:
            phases.setdefault(text, []).append(phase)
    return [f"{' and '.join(dict.fromkeys(who))}: {text}" for text, who in phases.items()]


def _provenance(frames: Frames) -> Terms:
    """Names and values of both files; a value that both share stands once."""
    found = {phase: dict(provenance(record)) for phase, record in frames.items()}
    terms = dict.fromkeys(term for told in found.values() for term in told)
    return [
        (term, _both({phase: told.get(term, "–") for phase, told in found.items()}))
        for term in terms
    ]


def _both(values: Mapping[str, str]) -> str:
    """The value that all phases share, or each phase's."""
    shared = {*values.values()}
    if len(shared) == 1:
        return shared.pop()
    return "; ".join(f"{phase}: {value}" for phase, value in values.items())
