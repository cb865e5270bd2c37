"""The result of a verb: tables, warnings and files. ``cli`` prints it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cardioseg.core.errors import EXIT_OK

NAMES_SHOWN = 5


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
        data: JSON-ready facts; printed as they are with ``--json``.
        tables: what a person reads.
        warnings: lines for stderr.
        files: what was written, most worth opening first.
        exit_code: what the process ends with.
    """

    verb: str
    data: dict[str, Any] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    exit_code: int = EXIT_OK


def few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
