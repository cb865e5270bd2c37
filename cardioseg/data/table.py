"""The CSV layout: columns image and optionally label, patient, phase, group.

Paths are relative to the file.
"""

import csv
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.errors import InputError
from cardioseg.imaging.image import stem

COLUMNS = ("image", "label", "patient", "phase", "group")


def table_cases(path: Path) -> list[Case]:
    """The rows of the table as cases.

    Raises:
        InputError: not a table, unknown or missing columns, or a listed file does not exist.
    """
    names, rows = _read(path)
    if "image" not in names or set(names) - set(COLUMNS):
        raise InputError(
            path,
            found=f"columns {', '.join(names) or 'none'}",
            expected=f"'image' and any of {', '.join(COLUMNS[1:])}",
            cure="correct the first line",
        )
    return [_case(path, row) for row in rows]


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Column names and rows, without surrounding spaces."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = [name.strip() for name in reader.fieldnames or []]
            return names, [
                {key.strip(): (value or "").strip() for key, value in row.items() if key}
                for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            path,
            found=f"no readable table ({error})",
            expected="a CSV file in UTF-8",
            cure="pass a folder, or a table with a column 'image'",
        ) from None


def _case(table: Path, row: dict[str, str]) -> Case:
    image, label = (table.parent / row[key] if row.get(key) else None for key in ("image", "label"))
    for file in (image, label):
        if file is not None and not file.is_file():
            raise InputError(
                file,
                found="no such file",
                expected=f"a file named in {table.name}",
                cure="correct the table",
            )
    if image is None:
        raise InputError(
            table,
            found="a row without an image",
            expected="a path in every row",
            cure="correct the table",
        )
    name = stem(image)
    return Case(
        row.get("patient") or name, row.get("phase", ""), image, label, row.get("group", ""), name
    )
