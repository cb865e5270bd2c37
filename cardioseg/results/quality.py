"""The quality verdict as commands report it: a warning line, and the exit code."""

from collections.abc import Iterable, Sequence

from cardioseg.clinical.measures import Measures
from cardioseg.clinical.quality import BOTH, Quality, check_measured_pair
from cardioseg.clinical.rules import Finding
from cardioseg.core.errors import EXIT_OK, EXIT_QUALITY
from cardioseg.results.records import ClinicalRecord, RunRecord

SHOWN_REASONS = 3


def pair_quality(ed: RunRecord, es: RunRecord, both: Measures) -> Quality:
    """The verdict on both phases of a patient, from the run records of two volumes.

    Args:
        ed: at end-diastole.
        es: at end-systole.
        both: what ``clinical.quality.together`` measured on both masks.
    """
    at_ed, at_es = (record.quality.measures["mask"] for record in (ed, es))
    return check_measured_pair(at_ed, at_es, both)


def case_warnings(name: str, quality: Quality | None) -> list[str]:
    """One line about a case that does not pass, none about one that does."""
    return [] if quality is None else _line(name, quality, quality.reasons)


def heart_warnings(heart: ClinicalRecord) -> list[str]:
    """One line about two volumes of a patient that do not fit together."""
    if heart.quality is None:
        return []
    between = [reason for reason in heart.quality.reasons if reason.where == BOTH]
    return _line(heart.case, heart.quality, between)


def _line(name: str, quality: Quality, reasons: Sequence[Finding]) -> list[str]:
    if not reasons:
        return []
    texts = [f"{reason.text} ({reason.where})" for reason in reasons[:SHOWN_REASONS]]
    more = [f"{len(reasons) - SHOWN_REASONS} more"] if len(reasons) > SHOWN_REASONS else []
    return [f"{name}: quality {quality.verdict}: {'; '.join(texts + more)}"]


def quality_exit(found: Iterable[Quality | None], *, strict: bool) -> int:
    """The exit code of a command that did its work: with ``--strict`` a failed verdict counts."""
    failed = any(quality is not None and quality.verdict == "fail" for quality in found)
    return EXIT_QUALITY if strict and failed else EXIT_OK
