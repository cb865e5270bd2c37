"""The result of a verb: facts, tables, warnings and files. ``cli`` prints it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.errors import EXIT_OK
from cardioseg.core.record import Record

NAMES_SHOWN = 5
NO_FACTS = Record()


@dataclass(frozen=True)
class Table:
    """Rows under column names, already formatted."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Report:
    """The result of one verb.

    Attributes:
        verb: the command that made it.
        data: the facts; ``--json`` prints them. Each verb has its own record.
        tables: the same for a person.
        warnings: lines for stderr.
        files: files written, the one to open first.
        exit_code: exit code of the process.
        hints: lines printed last, such as what to open next.
    """

    verb: str
    data: Record = NO_FACTS
    tables: tuple[Table, ...] = ()
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    exit_code: int = EXIT_OK
    hints: tuple[str, ...] = ()


def few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
