"""What a workflow tells the person: a table of facts, warnings and files; ``cli`` alone puts it on a screen."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cardioseg.core.errors import EXIT_OK


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
