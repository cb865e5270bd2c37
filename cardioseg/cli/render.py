"""The one place that prints a verb's result, as tables for people or as JSON for programs."""

import json
import os
import re
import sys
from collections.abc import Iterable

import typer
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from cardioseg.cli.alike import shortened
from cardioseg.core.report import Report, Table
from cardioseg.core.version import __version__

SCHEMA = 1
NUMBER = re.compile(r"[-+−]?\d[\d.,]*\s?(%|±.*)?|[-–—]|nan|")
PIPE_WIDTH = 200  # without a terminal Rich assumes 80 columns and would cut cells


def finish(report: Report, *, json_output: bool) -> None:
    """Print ``report`` and end the verb.

    Args:
        report: what the workflow returned.
        json_output: one JSON object instead of tables.

    Raises:
        typer.Exit: the report's exit code is not 0.
    """
    show = _show_json if json_output else _show_tables
    show(report)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def envelope(report: Report) -> dict[str, object]:
    """The JSON object of a report: the same seven keys for every verb."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "verb": report.verb,
        "exit_code": report.exit_code,
        "data": report.data.model_dump(mode="json"),
        "warnings": list(report.warnings),
        "files": [str(path) for path in report.files],
    }


def print_failure(verb: str, error: str, exit_code: int) -> None:
    """Print the JSON object of a verb that failed: the seven keys and ``error``."""
    _print_json(envelope(Report(verb, exit_code=exit_code)) | {"error": error})


def _show_json(report: Report) -> None:
    _print_json(envelope(report))


def _print_json(data: dict[str, object]) -> None:
    typer.echo(json.dumps(data, indent=1, allow_nan=False))


def _show_tables(report: Report) -> None:
    """The tables, the files, the hints and, on stderr, the warnings."""
    console = Console(highlight=False, width=_width())
    for table in report.tables:
        console.print(_rich_table(table))
    for path in report.files:
        console.print(Text(printable(str(path))), soft_wrap=True)
    for hint in report.hints:
        console.print(Text(printable(hint)), soft_wrap=True)
    console.file.flush()
    for warning in shortened(report.warnings):
        typer.echo(f"warning: {printable(warning)}", err=True)


def printable(text: str) -> str:
    """``text`` on one line, with control characters escaped; file names may contain them."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _width() -> int | None:
    """Columns to draw in; None lets Rich ask the terminal."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH


def _rich_table(table: Table) -> RichTable:
    drawn = RichTable(title=Text(table.title), title_justify="left")
    for index, name in enumerate(table.columns):
        numeric = _is_numeric(row[index] for row in table.rows)
        drawn.add_column(Text(name), justify="right" if numeric else "left")
    for row in table.rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    return drawn


def _is_numeric(cells: Iterable[str]) -> bool:
    return all(NUMBER.fullmatch(cell.strip()) for cell in cells)
