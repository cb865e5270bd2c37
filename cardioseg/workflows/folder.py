"""The tables and pages of an output folder, made at the end of a call from its finished cases."""

from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.atomic import clear_parts
from cardioseg.pages.index import write_index
from cardioseg.pages.patient import write_patient_reports
from cardioseg.results.folder import STUDY_TABLE, finished_cases
from cardioseg.results.hearts import Hearts, make_hearts
from cardioseg.results.lock import folder_lock
from cardioseg.results.records import ClinicalRecord, RunRecord
from cardioseg.results.study_table import is_study_table, write_study_table
from cardioseg.results.viewer_tables import VIEWER_TABLES, write_viewer_tables


@dataclass(frozen=True)
class FolderSummary:
    """What lies in an output folder at the end of a call.

    Attributes:
        hearts: every cine and every pair of ED and ES.
        warnings: what was not written, and why.
    """

    hearts: tuple[ClinicalRecord, ...]
    warnings: tuple[str, ...]


def update_folder(output: Path, *, overwrite: bool = False) -> FolderSummary:
    """Make the records and reports of pairs, ``study.csv`` and ``index.html``.

    Raises:
        OutputError: the folder cannot be written.
    """
    if not output.is_dir():
        return FolderSummary((), ())
    with folder_lock(output):
        clear_parts(output)
        return _updated(output, overwrite=overwrite)


def _updated(output: Path, *, overwrite: bool) -> FolderSummary:
    records, left_out = finished_cases(output)
    hearts = make_hearts(output, records, overwrite=overwrite)
    warnings = [*left_out, *hearts.warnings]
    warnings += write_patient_reports(output, hearts.pairs, records, overwrite=overwrite)
    warnings += _write_table(output, hearts, records, overwrite=overwrite)
    _write_viewer_tables(output, records)
    write_index(output, hearts, records)
    return FolderSummary(tuple(hearts.all), tuple(warnings))


def _write_viewer_tables(output: Path, records: dict[str, RunRecord]) -> None:
    """Write the viewers' tables where a killed run did not get so far."""
    if records and not all((output / name).is_file() for name in VIEWER_TABLES):
        latest = max(records.values(), key=lambda record: record.times.made)
        write_viewer_tables(output, latest.label_table())


def _write_table(
    output: Path, hearts: Hearts, records: dict[str, RunRecord], *, overwrite: bool
) -> list[str]:
    path = output / STUDY_TABLE
    if path.exists() and not is_study_table(path) and not overwrite:
        return [f"{path.name} was not written by cardioseg and was left; --overwrite replaces it"]
    write_study_table(path, hearts, records)
    return []
