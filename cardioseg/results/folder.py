"""The files of a case in an output folder, and whose they are.

A case is finished when its run record is there. While it is being made, a hidden mark says so and
survives a kill: the next run then knows that the files beside it are its own, removes them and
starts again. Files with neither belong to somebody else.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cardioseg.core.atomic import PART, remove, write_bytes
from cardioseg.core.errors import InputError, OutputError
from cardioseg.results.records import RunRecord
from cardioseg.results.viewer_tables import VIEWER_TABLES

RECORD, UNFINISHED, SOURCE = "_run.json", "_unfinished", "_source"
CLINICAL, CURVE_TABLE, CURVE_PICTURE = "_clinical.json", "_curve.csv", "_curve.png"
PREVIEW, REPORT, VIEW = "_preview.png", "_report.html", "_view.html"
STUDY_TABLE, INDEX = "study.csv", "index.html"
MAPS = ("mask", "halting", "experts", "probs", "routing")
# What follows the case's name in its files, as regular expressions; without the run record.
ENDINGS = (
    rf"_({'|'.join(MAPS)})(_frame\d+)?\.nii\.gz",
    r"_seg(_frame\d+)?\.dcm",
    *(re.escape(name) for name in (CLINICAL, CURVE_TABLE, CURVE_PICTURE, PREVIEW, REPORT, VIEW)),
)


def record_of(output: Path, name: str) -> Path:
    """Where the run record of a case lies."""
    return output / f"{name}{RECORD}"


def map_of(output: Path, name: str, kind: str) -> Path:
    """Where a map of a case lies; ``kind`` is one of ``MAPS``."""
    return output / f"{name}_{kind}.nii.gz"


def refuse_foreign(output: Path, name: str) -> None:
    """Protect files that have the names of a case's files and are not cardioseg's.

    Raises:
        OutputError: there is such a file.
    """
    if record_of(output, name).exists() or _mark(output, name).exists():
        return
    for path in case_files(output, name):
        raise _foreign(path)


def refuse_foreign_tables(output: Path) -> None:
    """Protect files named like the folder's own tables and pages where no case was ever begun.

    Raises:
        OutputError: there is such a file.
    """
    if any(path.name.endswith((RECORD, UNFINISHED)) for path in _files(output)):
        return
    for path in (output / name for name in (STUDY_TABLE, INDEX, *VIEWER_TABLES)):
        if path.exists():
            raise _foreign(path)


def _foreign(path: Path) -> OutputError:
    cure = "choose another --output, or pass --overwrite to replace it"
    found = "a file that no finished run made"
    return OutputError(path, found=found, expected="no file of this name", cure=cure)


def finished(output: Path, name: str) -> RunRecord | None:
    """The run record of a case whose files are all there; None if it is not finished.

    Raises:
        InputError: there is a run record that this version cannot read.
    """
    path = record_of(output, name)
    if not path.is_file():
        return None
    record = RunRecord.read(path)
    whole = record.case == name and all((output / file).is_file() for file in record.files)
    return record if whole else None


def finished_cases(output: Path) -> tuple[dict[str, RunRecord], tuple[str, ...]]:
    """Run records of every finished case in the folder, and what is wrong with unreadable ones."""
    found: dict[str, RunRecord] = {}
    unreadable: list[str] = []
    for name in recorded_names(output):
        try:
            record = finished(output, name)
        except InputError as error:
            unreadable.append(str(error))
            continue
        if record is not None:
            found[name] = record
    return found, tuple(unreadable)


def recorded_names(output: Path) -> list[str]:
    """Names of the cases that have a run record; macOS's ``._X_run.json`` is none."""
    names = (path.name for path in _files(output) if path.name.endswith(RECORD))
    return sorted(name.removesuffix(RECORD) for name in names if not name.startswith("."))


@contextmanager
def claimed(output: Path, name: str) -> Iterator[None]:
    """Remove the case's earlier files; on a failure or interrupt also those made meanwhile.

    Raises:
        OutputError: the folder cannot be written.
    """
    new = [folder for folder in (output, *output.parents) if not folder.exists()]
    write_bytes(_mark(output, name), b"")
    try:
        _clear(output, name)
        yield
    except BaseException:
        _clear(output, name)
        remove(_mark(output, name))
        _remove_empty(new)
        raise
    remove(_mark(output, name))


def _remove_empty(folders: Iterable[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _clear(output: Path, name: str) -> None:
    remove(record_of(output, name))  # first: without it, what remains is not taken for a result
    for path in (*case_files(output, name), *_sources(output, name)):
        remove(path)


def case_files(output: Path, name: str) -> list[Path]:
    """Files of a case that are there, whole or half written, without its run record."""
    ours, case = "|".join(ENDINGS), re.escape(name)
    made = re.compile(rf"{case}({ours})")
    half = re.compile(rf"\.{case}({ours}|{re.escape(RECORD)})\..{{8}}{re.escape(PART)}.*")
    return sorted(
        path for path in _files(output) if made.fullmatch(path.name) or half.fullmatch(path.name)
    )


def _sources(output: Path, name: str) -> list[Path]:
    """Files that say where the image was, whole or half written; they are no results."""
    case = re.escape(name)
    ours = re.compile(rf"\.{case}{SOURCE}|\.\.{case}{SOURCE}\..{{8}}{re.escape(PART)}.*")
    return [path for path in _files(output) if ours.fullmatch(path.name)]


def _files(output: Path) -> Iterator[Path]:
    return output.iterdir() if output.is_dir() else iter(())


def _mark(output: Path, name: str) -> Path:
    return output / f".{name}{UNFINISHED}"
