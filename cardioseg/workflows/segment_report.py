"""What ``cardioseg segment`` reports: a row for each case, hearts, warnings, exit code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cardioseg.core.errors import EXIT_OK, EXIT_SOME_FAILED
from cardioseg.core.record import Record
from cardioseg.core.report import Report, Table
from cardioseg.imaging.geometry import TWO_SPACINGS
from cardioseg.results.folder import INDEX, PREVIEW
from cardioseg.results.quality import case_warnings, heart_warnings, quality_exit
from cardioseg.results.records import ClinicalRecord, RunRecord
from cardioseg.results.summary import function_table
from cardioseg.workflows.folder import FolderSummary

COLUMNS = ("case", "", "frames", "mean loops used", "seconds", "quality")


State = Literal["done", "kept", "failed"]


class CaseData(Record):
    """How one case ended.

    Attributes:
        case: its name.
        state: "kept" if the same results were there already.
        error: why it failed; None if it did not.
        run: its run record; None if it failed.
    """

    case: str
    state: State
    error: str | None = None
    run: RunRecord | None = None


class SegmentData(Record):
    """``cardioseg segment --json``: the cases of a call.

    Attributes:
        output: folder of the results.
        model: name of the model.
        cases: every image of the call.
        hearts: clinical records of the call's cines and pairs.
    """

    output: str
    model: str
    cases: tuple[CaseData, ...]
    hearts: tuple[ClinicalRecord, ...]


@dataclass(frozen=True)
class CaseResult:
    """How one case ended.

    Attributes:
        name: case name.
        state: "done", "kept" (it was there already, from the same image and settings) or "failed".
        record: the run record, if there is one.
        error: message of the failure.
        exit_code: of the failure.
        note: why a case that was there was made again.
    """

    name: str
    state: State
    record: RunRecord | None = None
    error: str = ""
    exit_code: int = EXIT_OK
    note: str = ""


def segment_report(
    results: list[CaseResult],
    folder: FolderSummary,
    output: Path,
    *,
    model: str,
    loops: int,
    strict: bool,
) -> Report:
    """The report of a call.

    Args:
        results: how each case ended.
        folder: what lies in the output folder.
        output: the folder.
        model: its name.
        loops: the budget.
        strict: a failed quality check fails the call.
    """
    failed = [result for result in results if result.state == "failed"]
    hearts = _hearts_of(results, folder)
    rows = tuple((r.name, r.state, *_cells(r.record)) for r in results)
    table = Table(f"{model}, {loops} loops", COLUMNS, rows)
    cases = tuple(_case_data(result) for result in results)
    data = SegmentData(output=str(output), model=model, cases=cases, hearts=tuple(hearts))
    tables = (table, function_table(hearts)) if hearts else (table,)
    warnings = (
        *_warnings(results),
        *folder.warnings,
        *(w for h in hearts for w in heart_warnings(h)),
    )
    code = _exit_code(results, failed, hearts, strict=strict)
    return Report("segment", data, tables, warnings, _first_file(results, output), code)


def _hearts_of(results: list[CaseResult], folder: FolderSummary) -> list[ClinicalRecord]:
    """The folder's hearts that a case of this call is part of."""
    names = {result.name for result in results}
    return [heart for heart in folder.hearts if {heart.case, *heart.cases.values()} & names]


def _first_file(results: list[CaseResult], output: Path) -> tuple[Path, ...]:
    """What to open first: the index, which links to every case, or the picture of a single case."""
    made = [result.name for result in results if result.state != "failed"]
    if not made:
        return ()
    return (output / (INDEX if len(made) > 1 else f"{made[0]}{PREVIEW}"),)


def _cells(record: RunRecord | None) -> tuple[str, ...]:
    if record is None:
        return ("",) * 4
    seconds = f"{record.times.predicting_seconds:.1f}"
    return f"{record.frames}", f"{record.mean_steps:.2f}", seconds, record.quality.verdict


def _case_data(result: CaseResult) -> CaseData:
    error = result.error or None
    return CaseData(case=result.name, state=result.state, error=error, run=result.record)


def _warnings(results: list[CaseResult]) -> list[str]:
    lines = [result.error for result in results if result.state == "failed"]
    lines += [f"{result.name}: {result.note}" for result in results if result.note]
    return lines + _record_warnings([r.record for r in results if r.record is not None])


def _record_warnings(records: list[RunRecord]) -> list[str]:
    lines = _once([(record.case, text) for record in records for text in record.warnings])
    return lines + [line for r in records for line in case_warnings(r.case, r.quality)]


def _once(warnings: list[tuple[str, str]]) -> list[str]:
    """A line each; images with two spacings are counted in one."""
    two = [pair for pair in warnings if pair[1].startswith(TWO_SPACINGS)]
    lines = [f"{case}: {text}" for case, text in warnings if not text.startswith(TWO_SPACINGS)]
    if two:
        case, text = two[0]
        more = f"{len(two)} images have headers with two spacings, such as " if two[1:] else ""
        lines.insert(0, f"{more}{case}: {text}")
    return lines


def _exit_code(
    results: list[CaseResult],
    failed: list[CaseResult],
    hearts: list[ClinicalRecord],
    *,
    strict: bool,
) -> int:
    if not failed:
        verdicts = [r.record.quality for r in results if r.record is not None]
        return quality_exit((*verdicts, *(heart.quality for heart in hearts)), strict=strict)
    codes = {result.exit_code for result in failed}
    return codes.pop() if len(failed) == len(results) and len(codes) == 1 else EXIT_SOME_FAILED
