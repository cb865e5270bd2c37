"""CSV text that is safe to open in a spreadsheet; every CSV file of cardioseg is made here."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

Cell = str | float | int | None
# A spreadsheet runs cells that begin with one of these, full-width forms included (OWASP, "CSV
# Injection"). A quotation mark in front makes the cell text.
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> str:
    """A heading and one line per row; None is an empty cell, a missing key too.

    Text that a spreadsheet would run gets a quotation mark in front. Control characters become
    spaces, and characters that UTF-8 cannot express become question marks.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_safe(column) for column in columns])
    writer.writerows([_safe(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


def _safe(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    shown = "".join(" " if unicodedata.category(c) == "Cc" else c for c in cell)
    shown = shown.encode("utf-8", "replace").decode("utf-8")
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) else shown
