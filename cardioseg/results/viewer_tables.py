"""Names and colours of a mask's values, in the formats of two viewers.

ITK-SNAP reads its label description (Segmentation → Import Label Descriptions, or
``itksnap -g IMAGE -s MASK -l labels.txt``). 3-D Slicer reads its colour table
(slicer.readthedocs.io, developer guide, "Color table file format"): load it first, then choose it
under "Show options" while the mask is added as a label map.
"""

from pathlib import Path

from cardioseg.core.atomic import write_text
from cardioseg.core.labels import LabelTable

VIEWER_TABLES = ("labels.txt", "labels.ctbl")
SNAP_HEADER = (
    "################################################",
    "# ITK-SnAP Label Description File",
    "# File format:",
    "# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL",
    "################################################",
)
SLICER_HEADER = ("# Color table file", "# index name R G B A")


def write_viewer_table(path: Path, labels: LabelTable) -> None:
    """Write names and colours: for 3-D Slicer when ``path`` ends in .ctbl, else for ITK-SNAP.

    Raises:
        OutputError: the folder cannot be written.
    """
    lines = _slicer_lines(labels) if path.suffix.lower() == ".ctbl" else _snap_lines(labels)
    write_text(path, "\n".join(lines) + "\n")


def write_viewer_tables(folder: Path, labels: LabelTable) -> None:
    """Write the tables of both viewers into a folder of results.

    Raises:
        OutputError: the folder cannot be written.
    """
    for name in VIEWER_TABLES:
        write_viewer_table(folder / name, labels)


def _snap_lines(labels: LabelTable) -> list[str]:
    rows = [_snap_line(0, (0, 0, 0), 0, labels.names[0])]
    rows += [
        _snap_line(labels.value(name), _rgb(colour), 1, name)
        for name, colour in labels.colours.items()
    ]
    return [*SNAP_HEADER, *rows]


def _snap_line(value: int, colour: tuple[int, int, int], shown: int, name: str) -> str:
    red, green, blue = colour
    quoted = " ".join(name.replace('"', "'").split())
    numbers = f"{value:5d}  {red:4d} {green:4d} {blue:4d} {shown:8d} {shown:3d} {shown:3d}"
    return f'{numbers}    "{quoted}"'


def _slicer_lines(labels: LabelTable) -> list[str]:
    """A space ends a column, so the spaces of a name become underscores, as Slicer writes them."""
    rows = [f"0 {_joined(labels.names[0])} 0 0 0 0"]
    for name, colour in labels.colours.items():
        red, green, blue = _rgb(colour)
        rows.append(f"{labels.value(name)} {_joined(name)} {red} {green} {blue} 255")
    return [*SLICER_HEADER, *rows]


def _joined(name: str) -> str:
    return "_".join(name.split())


def _rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of "#rrggbb"."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
