"""``cardioseg check``: which cases of an output folder are whole, which are not, and why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from cardioseg.core.atomic import parts
from cardioseg.core.errors import EXIT_INPUT, EXIT_OK, InputError
from cardioseg.core.record import Record
from cardioseg.core.report import Report, Table, few
from cardioseg.results.folder import (
    RECORD,
    recorded_names,
    stored_case,
    unfinished_names,
)
from cardioseg.results.lock import LOCK, holder

CURE = "run cardioseg segment again with the same options: it makes these cases again"

State = Literal["whole", "changed", "unfinished", "running", "unreadable"]


class CheckedCase(Record):
    """A case of an output folder.

    Attributes:
        case: its name.
        state: "whole"; "changed" if a file is missing or has changed; "unfinished" if
            a run ended before its end; "running" if one is at work on it; "unreadable" if its run
            record cannot be read.
        problems: why it is not whole, one sentence each.
    """

    case: str
    state: State
    problems: tuple[str, ...] = ()


class CheckData(Record):
    """``cardioseg check --json``: the cases of an output folder.

    Attributes:
        folder: the folder.
        whole: whether every case is whole.
        cases: every case.
        temporary: hidden files of unfinished writes; the next ``cardioseg segment`` removes them.
    """

    folder: str
    whole: bool
    cases: tuple[CheckedCase, ...]
    temporary: tuple[str, ...] = ()


def check_folder(folder: Path) -> Report:
    """Compare the files of every case with the hashes in its run record; nothing is written.

    The report's exit code is 4 if a case is not whole.

    Raises:
        InputError: there is no such folder, or no case in it.
    """
    names = sorted({*recorded_names(folder), *unfinished_names(folder)})
    if not names:
        found = "no case" if folder.is_dir() else "no such folder"
        expected = f"a folder with run records (*{RECORD})"
        cure = "pass the folder that cardioseg segment wrote"
        raise InputError(folder, found=found, expected=expected, cure=cure)
    cases = tuple(_checked(folder, name) for name in names)
    data = CheckData(
        folder=str(folder),
        whole=all(case.state == "whole" for case in cases),
        cases=cases,
        temporary=tuple(path.name for path in parts(folder)),
    )
    rows = tuple((case.case, case.state, "; ".join(case.problems)) for case in cases)
    code = EXIT_OK if data.whole else EXIT_INPUT
    table = Table(_title(cases), ("case", "", ""), rows)
    return Report("check", data, (table,), tuple(_warnings(data)), (), code)


def _checked(folder: Path, name: str) -> CheckedCase:
    busy = holder(folder / f".{name}{LOCK}")
    if busy is not None:
        return CheckedCase(case=name, state="running", problems=(f"in use by {busy}",))
    try:
        stored = stored_case(folder, name)
    except InputError as error:
        return CheckedCase(case=name, state="unreadable", problems=(error.found,))
    if stored is None:
        why = "its run was killed before the end"
        return CheckedCase(case=name, state="unfinished", problems=(why,))
    state: State = "changed" if stored.problems else "whole"
    return CheckedCase(case=name, state=state, problems=stored.problems)


def _title(cases: tuple[CheckedCase, ...]) -> str:
    whole = sum(case.state == "whole" for case in cases)
    return f"{whole} of {len(cases)} cases whole"


def _warnings(data: CheckData) -> Iterator[str]:
    broken = [case.case for case in data.cases if case.state not in ("whole", "running")]
    if broken:
        yield f"not whole: {few(broken)}; {CURE}"
    if data.temporary:
        yield f"{len(data.temporary)} temporary files; the next run into this folder removes them"
