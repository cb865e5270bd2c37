"""The CSV layout: columns image and optionally label, patient, phase, group, case.

Paths are relative to the file. Without ``case``, a case is named after its image, with folders in
front where several images have one name.
"""

import csv
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.errors import InputError
from cardioseg.data.names import distinct_names
from cardioseg.imaging.image import stem

COLUMNS = ("image", "label", "patient", "phase", "group", "case")

LONGEST_NAME = 200  # characters; endings such as _experts.nii.gz follow
LONGEST_SHOWN = 300


def table_cases(path: Path) -> list[Case]:
    """The rows of the table as cases.

    Raises:
        InputError: not a table, unknown or missing columns, or a listed file does not exist.
    """
    names, rows = _read(path)
    _check_columns(path, names)
    files = [_files(path, row) for row in rows]
    images = [image for image, _ in files]
    stems = distinct_names(images, [stem(image) for image in images])
    chosen = [row.get("case") or name for row, name in zip(rows, stems, strict=True)]
    for name in chosen:
        _check_name(path, name)
    return [
        _case(row, name, image, label)
        for row, name, (image, label) in zip(rows, chosen, files, strict=True)
    ]


def _check_columns(path: Path, names: list[str]) -> None:
    if "image" not in names or set(names) - set(COLUMNS):
        raise InputError(
            path,
            found=f"columns {', '.join(names) or 'none'}",
            expected=f"'image' and any of {', '.join(COLUMNS[1:])}",
            cure="correct the first line",
        )


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
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            path,
            found=f"no readable table ({error})",
            expected="a CSV file in UTF-8",
            cure="pass a folder, or a table with a column 'image'",
        ) from None


def _files(table: Path, row: dict[str, str]) -> tuple[Path, Path | None]:
    """Image and mask of a row."""
    image, label = (table.parent / row[key] if row.get(key) else None for key in ("image", "label"))
    for file in (image, label):
        if file is not None and not _exists(file):
            shown = file if len(str(file)) < LONGEST_SHOWN else f"{str(file)[:LONGEST_SHOWN]}…"
            raise InputError(
                shown,
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
    return image, label


def _exists(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a zero byte
        return False


def _check_name(table: Path, name: str) -> None:
    """Case names become file names."""
    if Path(name).name != name or name.startswith(".") or "\0" in name or len(name) > LONGEST_NAME:
        raise InputError(
            table,
            found=f"case name {name[:LONGEST_NAME]!r}",
            expected="a name without a folder",
            cure="correct the column case",
        )


def _case(row: dict[str, str], name: str, image: Path, label: Path | None) -> Case:
    patient, phase = row.get("patient") or name, row.get("phase", "")
    return Case(patient, phase, image, label, row.get("group", ""), name)
