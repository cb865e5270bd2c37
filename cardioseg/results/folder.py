"""The files of a case in an output folder: whose they are, and whether they are whole.

A case is finished when its run record is there and its files have the hashes in the record. While
it is being made, a hidden mark says so. The mark outlives a kill, so the next run knows that the
files beside it are its own, removes them and starts again. Files with neither record nor mark
belong to somebody else. Callers that write hold the case's lock (``results.lock``).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.atomic import cannot_write, remove, write_bytes
from cardioseg.core.digest import sha256
from cardioseg.core.errors import InputError, OutputError
from cardioseg.results.records import RunRecord
from cardioseg.results.viewer_tables import VIEWER_TABLES

RECORD, UNFINISHED, SOURCE = "_run.json", "_unfinished", "_source"
CLINICAL, CURVE_TABLE, CURVE_PICTURE = "_clinical.json", "_curve.csv", "_curve.png"
CHANGED = "_mask_changed"  # a mask that changed after cardioseg wrote it
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


@dataclass(frozen=True)
class StoredCase:
    """A case with a run record.

    Attributes:
        record: the run record.
        problems: files that are missing or changed, one sentence each; empty if the case is whole.
    """

    record: RunRecord
    problems: tuple[str, ...]


def stored_case(output: Path, name: str, *, only: tuple[str, ...] = ()) -> StoredCase | None:
    """The record of a case, and what is wrong with its files; None without a record.

    Args:
        output: the folder.
        name: of the case.
        only: endings of the files to check, such as ``CLINICAL``; () checks all.

    Raises:
        InputError: there is a run record that this version cannot read.
    """
    path = record_of(output, name)
    if not path.is_file():
        return None
    record = RunRecord.read(path)
    return StoredCase(record, tuple(_problems(output, name, record, only)))


def _problems(output: Path, name: str, record: RunRecord, only: tuple[str, ...]) -> Iterator[str]:
    if record.case != name:
        yield f"{name}{RECORD} is the record of {record.case}"
        return
    mask = map_of(output, name, "mask").name
    if mask not in record.files:
        yield f"{name}{RECORD} does not list {mask}"
    for file, digest in record.files.items():
        if not file.endswith(only or ("",)):
            continue
        problem = _problem(output / file, digest)
        if problem:
            yield f"{file} {problem}"


def _problem(path: Path, digest: str) -> str | None:
    try:
        return None if sha256(path) == digest else "has changed since it was written"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def finished_cases(output: Path) -> tuple[dict[str, RunRecord], tuple[str, ...]]:
    """Run records of the folder's finished cases by name, and why others are left out.

    Of each case the files are checked that numbers come from: mask and clinical record.
    """
    found: dict[str, RunRecord] = {}
    left_out: list[str] = []
    for name in recorded_names(output):
        try:
            case = stored_case(output, name, only=("_mask.nii.gz", CLINICAL))
        except InputError as error:
            left_out.append(str(error))
            continue
        if case is None:
            continue
        if case.problems:
            why = "; ".join(case.problems)
            left_out.append(f"{name}: not in the tables: {why}; segment it again")
        else:
            found[name] = case.record
    return found, tuple(left_out)


def recorded_names(output: Path) -> list[str]:
    """Names of the cases that have a run record; macOS's ``._X_run.json`` is none."""
    names = (path.name for path in _files(output) if path.name.endswith(RECORD))
    return sorted(name.removesuffix(RECORD) for name in names if not name.startswith("."))


@contextmanager
def claimed(output: Path, name: str) -> Iterator[None]:
    """Remove the case's earlier files; on failure or interrupt remove those made meanwhile.

    A mask that was changed after the run, by hand for example, is kept as
    ``X_mask_changed.nii.gz``.

    Raises:
        OutputError: the folder cannot be written.
    """
    keep_changed_mask(output, name)
    write_bytes(_mark(output, name), b"")
    try:
        _clear(output, name)
        yield
    except BaseException:
        _clear(output, name)
        remove(_mark(output, name))
        raise
    remove(_mark(output, name))


def settle(output: Path, name: str) -> None:
    """Remove the mark of a case that is whole: its run was killed after the last file.

    Raises:
        OutputError: the mark cannot be removed.
    """
    remove(_mark(output, name))


def unfinished_names(output: Path) -> list[str]:
    """Names of the cases that a run began and did not end."""
    names = (path.name for path in _files(output) if path.name.endswith(UNFINISHED))
    return sorted(n.removeprefix(".").removesuffix(UNFINISHED) for n in names if n.startswith("."))


def keep_changed_mask(output: Path, name: str) -> Path | None:
    """Rename a mask that changed after cardioseg wrote it; None if there is none.

    Raises:
        OutputError: it cannot be renamed.
    """
    mask = map_of(output, name, "mask")
    try:
        digest = RunRecord.read(record_of(output, name)).files.get(mask.name)
    except InputError:  # no record, or none that tells
        return None
    if digest is None or not mask.is_file() or _problem(mask, digest) is None:
        return None
    kept = _free_name(output, name)
    try:
        mask.rename(kept)
    except OSError as error:
        raise cannot_write(mask, error) from None
    return kept


def changed_masks(output: Path, name: str) -> list[Path]:
    """Changed masks that were kept for this case."""
    ours = re.compile(rf"{re.escape(name)}{CHANGED}(_\d+)?\.nii\.gz")
    return sorted(path for path in _files(output) if ours.fullmatch(path.name))


def _free_name(output: Path, name: str) -> Path:
    number, path = 1, output / f"{name}{CHANGED}.nii.gz"
    while path.exists():
        number += 1
        path = output / f"{name}{CHANGED}_{number}.nii.gz"
    return path


def _clear(output: Path, name: str) -> None:
    remove(record_of(output, name))  # first: without it, what remains is not taken for a result
    for path in (*case_files(output, name), output / f".{name}{SOURCE}"):
        remove(path)


def case_files(output: Path, name: str) -> list[Path]:
    """Files of a case that are there, without its run record."""
    made = re.compile(rf"{re.escape(name)}({'|'.join(ENDINGS)})")
    return sorted(path for path in _files(output) if made.fullmatch(path.name))


def _files(output: Path) -> Iterator[Path]:
    return output.iterdir() if output.is_dir() else iter(())


def _mark(output: Path, name: str) -> Path:
    return output / f".{name}{UNFINISHED}"
