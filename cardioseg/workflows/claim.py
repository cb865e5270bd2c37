"""Whose files lie in an output folder: those of a finished case, those of one that was stopped, or somebody else's.

A case is done when its run record is there. While it is being made a hidden mark says so, which outlives a kill: the next
run then knows the files beside it for its own, clears them away and starts again. Files with neither belong to somebody else.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cardioseg.core.atomic import PART, remove, write_bytes
from cardioseg.core.errors import OutputError

MAPS = ("mask", "halting", "experts", "probs", "routing")


def refuse_foreign(output: Path, name: str) -> None:
    """Leave alone what lies there under a case's names and is not ours.

    Raises:
        OutputError: there is such a file.
    """
    if _record(output, name).exists() or _mark(output, name).exists():
        return
    for path in case_files(output, name):
        cure = "choose another --output, or pass --overwrite to lose it"
        raise OutputError(path, found="a file that no finished run made", expected="none of this name", cure=cure)


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
    remove(_record(output, name))  # first: what remains of a case without it is not taken for a result
    for path in case_files(output, name):
        remove(path)


def case_files(output: Path, name: str) -> list[Path]:
    """Maps and picture of a case that are there, whole or half written."""
    maps = rf"_({'|'.join(MAPS)})(_frame\d+)?\.nii\.gz"
    made = re.compile(rf"{re.escape(name)}({maps}|_preview\.png)")
    half = re.compile(rf"\.{re.escape(name)}({maps}|_preview\.png|_run\.json)\..{{8}}{re.escape(PART)}.*")
    paths = output.iterdir() if output.is_dir() else iter(())
    return sorted(path for path in paths if made.fullmatch(path.name) or half.fullmatch(path.name))


def _record(output: Path, name: str) -> Path:
    return output / f"{name}_run.json"


def _mark(output: Path, name: str) -> Path:
    return output / f".{name}_unfinished"
