"""Whose files lie in an output folder: those of a finished case, those of one that was stopped, or somebody else's.

A case is done when its run record is there. While it is being made a hidden mark says so, which outlives a kill: the next
run then knows the files beside it for its own, clears them away and starts again. Files with neither belong to somebody else.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cardioseg.core.atomic import PART, remove, write_bytes
from cardioseg.core.errors import OutputError
from cardioseg.results.viewer_tables import VIEWER_TABLES
from cardioseg.results.source import SOURCE
from cardioseg.workflows.products import endings

RECORD, UNFINISHED = "_run.json", "_unfinished"
MAPS = ("mask", "halting", "experts", "probs", "routing")


def refuse_foreign(output: Path, name: str) -> None:
    """Leave alone what lies there under a case's names and is not ours.

    Raises:
        OutputError: there is such a file.
    """
    if record_of(output, name).exists() or _mark(output, name).exists():
        return
    for path in case_files(output, name):
        cure = "choose another --output, or pass --overwrite to lose it"
        raise OutputError(
            path, found="a file that no finished run made", expected="none of this name", cure=cure
        )


def refuse_foreign_study(output: Path, names: Iterable[str]) -> None:
    """Leave alone the files of the folder as a whole, the viewers' tables too, where no case of ours was ever begun.

    Raises:
        OutputError: there is such a file.
    """
    if any(path.name.endswith((RECORD, UNFINISHED)) for path in _files(output)):
        return
    for path in (output / name for name in (*names, *VIEWER_TABLES)):
        if path.exists():
            cure = "choose another --output, or pass --overwrite to lose it"
            raise OutputError(
                path,
                found="a file that no finished run made",
                expected="none of this name",
                cure=cure,
            )


def finished(output: Path, name: str) -> dict[str, Any] | None:
    """The run record of a case whose files are all there."""
    try:
        data = json.loads(record_of(output, name).read_text(encoding="utf-8"))
        whole = data["case"] == name and all((output / file).is_file() for file in data["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return data if whole else None


def finished_cases(output: Path) -> dict[str, dict[str, Any]]:
    """Run records of every finished case in the folder, by name."""
    names = sorted(
        path.name.removesuffix(RECORD) for path in _files(output) if path.name.endswith(RECORD)
    )
    return {name: found for name in names if (found := finished(output, name)) is not None}


@contextmanager
def claimed(output: Path, name: str) -> Iterator[None]:
    """Clear away the case's earlier files, and on any failure or interrupt those that were made meanwhile.

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


def _remove_empty(folders: list[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _clear(output: Path, name: str) -> None:
    remove(
        record_of(output, name)
    )  # first: what remains of a case without it is not taken for a result
    for path in (*case_files(output, name), *_sources(output, name)):
        remove(path)


def case_files(output: Path, name: str) -> list[Path]:
    """Maps, picture and products of a case that are there, whole or half written."""
    maps = rf"_({'|'.join(MAPS)})(_frame\d+)?\.nii\.gz"
    ours = "|".join((maps, r"_preview\.png", *endings()))
    made = re.compile(rf"{re.escape(name)}({ours})")
    half = re.compile(
        rf"\.{re.escape(name)}({ours}|{re.escape(RECORD)})\..{{8}}{re.escape(PART)}.*"
    )
    return sorted(
        path for path in _files(output) if made.fullmatch(path.name) or half.fullmatch(path.name)
    )


def _sources(output: Path, name: str) -> list[Path]:
    """Where the image lay, whole or half written: never somebody else's, and no result."""
    ours = re.compile(
        rf"\.{re.escape(name)}{SOURCE}|\.\.{re.escape(name)}{SOURCE}\..{{8}}{re.escape(PART)}.*"
    )
    return [path for path in _files(output) if ours.fullmatch(path.name)]


def _files(output: Path) -> Iterator[Path]:
    return output.iterdir() if output.is_dir() else iter(())


def record_of(output: Path, name: str) -> Path:
    """Where the run record of a case lies."""
    return output / f"{name}{RECORD}"


def _mark(output: Path, name: str) -> Path:
    return output / f".{name}{UNFINISHED}"
