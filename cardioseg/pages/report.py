"""``X_report.html``: what the files of one case say, on one page. Nothing is computed here.

``case_page`` collects the facts; ``html/report.html.j2`` lays them out.
"""

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import quote

from cardioseg.clinical.quality import Quality
from cardioseg.clinical.rules import Finding
from cardioseg.figures.svg import drawing_svg
from cardioseg.figures.volume_curve import draw_volume_curve
from cardioseg.pages.html import is_page, render, write_page
from cardioseg.pages.numbers import Numbers, Terms, WallFacts, numbers, volumes, wall
from cardioseg.pages.provenance import provenance
from cardioseg.results.curve import read_curve
from cardioseg.results.folder import CLINICAL, CURVE_TABLE, PREVIEW, REPORT
from cardioseg.results.hearts import read_clinical
from cardioseg.results.records import RunRecord

SIGNS = {
    "pass": ("✓", "Quality checks passed"),
    "warn": ("!", "Quality checks warn: look at this case"),
    "fail": ("✕", "Quality checks failed: do not use this case as it is"),
}
ORDER = ("fail", "warn", "pass")  # gravest first


@dataclass(frozen=True)
class VerdictFacts:
    """A quality verdict for a page.

    Attributes:
        verdict: "pass", "warn" or "fail".
        sign: one character.
        short: sign and verdict.
        words: a sentence.
        reasons: broken rules.
    """

    verdict: str
    sign: str
    short: str
    words: str
    reasons: tuple[Finding, ...]

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return ORDER.index(self.verdict)


@dataclass(frozen=True)
class Picture:
    """A picture inside the page: its data address and what it shows."""

    address: str
    of: str


@dataclass(frozen=True)
class CasePage:
    """What the template of a report needs.

    Attributes:
        title: name of the case.
        facts: the line under it.
        quality: the verdict.
        numbers: the function; None where there is none.
        wall: the bull's-eye; None where there is no function.
        volumes: volumes of a single volume.
        why_none: why there is no function.
        curve: the volume curve as SVG; None where there is none.
        pictures: contact sheets.
        warnings: what to know before using the result.
        provenance: how the case was made.
    """

    title: str
    facts: str
    quality: VerdictFacts
    numbers: Numbers | None
    wall: WallFacts | None
    volumes: Terms
    why_none: str
    curve: str | None
    pictures: list[Picture]
    warnings: list[str]
    provenance: Terms

    def render(self, template: str) -> str:
        """The page."""
        return render(template, **{part.name: getattr(self, part.name) for part in fields(self)})


def write_report(folder: Path, name: str, record: RunRecord) -> Path:
    """Write the report of a case from its run record and the files beside it.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = folder / f"{name}{REPORT}"
    write_page(path, case_page(folder, name, record).render("report.html.j2"), overwrite=True)
    return path


def case_page(folder: Path, name: str, record: RunRecord) -> CasePage:
    """The facts of a case."""
    cine = record.frames > 1
    heart = read_clinical(folder / f"{name}{CLINICAL}") if cine else None
    labels = record.label_table()
    curve = read_curve(folder / f"{name}{CURVE_TABLE}", labels.structures) if cine else None
    size = f"{record.frames} frames" if cine else "one volume"
    shown = "the frame with most blood in the left ventricle" if cine else "the volume"
    return CasePage(
        title=name,
        facts=f"{size} · {made_with(record)}",
        quality=verdict_facts(record.quality),
        numbers=None if heart is None else numbers(heart),
        wall=None if heart is None else wall(heart),
        volumes=[] if cine else volumes(record),
        why_none=record.clinical_reason or "the function of this case was not computed",
        curve=None if curve is None else drawing_svg(draw_volume_curve(curve)),
        pictures=pictures(folder, {name: shown}),
        warnings=list(record.warnings),
        provenance=provenance(record),
    )


def made_with(record: RunRecord) -> str:
    """Spacing and model."""
    spacing = " × ".join(f"{size:.3g}" for size in record.spacing_mm)
    return f"{spacing} mm · segmented by {record.model}"


def verdict_facts(quality: Quality) -> VerdictFacts:
    """A verdict in a sign, in short and in words."""
    sign, words = SIGNS[quality.verdict]
    short = f"{sign} {quality.verdict}"
    return VerdictFacts(quality.verdict, sign, short, words, quality.reasons)


def gravest(judged: Iterable[Quality | None]) -> VerdictFacts:
    """The gravest of several verdicts, the first of several alike."""
    found = [verdict_facts(quality) for quality in judged if quality is not None]
    return min(found, key=lambda facts: facts.rank)


# ---------------------------------------------------------------------------- pictures and links


def pictures(folder: Path, shown: Mapping[str, str]) -> list[Picture]:
    """The contact sheets of cases that are there, as data addresses, each with what it shows."""
    found = {folder / f"{name}{PREVIEW}": of for name, of in shown.items()}
    return [
        Picture(data_address(path.read_bytes()), of) for path, of in found.items() if path.is_file()
    ]


def data_address(png: bytes) -> str:
    """A PNG as an address that needs no file."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def link(folder: Path, name: str) -> str | None:
    """The address of the report of this name for a page beside it; None if cardioseg wrote none."""
    path = folder / f"{name}{REPORT}"
    return quote(os.fsencode(path.name)) if is_page(path) else None
