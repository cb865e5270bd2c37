"""Names and colours of a mask's values as a text file that a viewer loads beside the mask.

Formats: ITK-SNAP's label description (Segmentation → Import Label Descriptions), and 3-D Slicer's colour table
(slicer.readthedocs.io, developer guide, "Color table file format"). Neither program reads the other's.
"""

from pathlib import Path

from cardioseg.core.atomic import write_text
from cardioseg.core.labels import LabelTable

SNAP_HEADER = (
    "################################################",
    "# ITK-SnAP Label Description File",
    "# File format:",
    "# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL",
    "################################################",
)
SLICER_HEADER = ("# Color table file", "# index name R G B A")


def label_table_file(path: Path, labels: LabelTable) -> None:
    """Write ``labels`` with the package's colours: for 3-D Slicer when ``path`` ends in .ctbl, else for ITK-SNAP.

    Raises:
        OutputError: the folder cannot be written.
    """
    lines = _slicer_lines(labels) if path.suffix.lower() == ".ctbl" else _snap_lines(labels)
    write_text(path, "\n".join(lines) + "\n")


def _snap_lines(labels: LabelTable) -> list[str]:
    rows = [f'{0:5d}  {0:4d} {0:4d} {0:4d} {0:8d} {0:3d} {0:3d}    "{_quoted(labels.names[0])}"']
    for name, colour in labels.colours.items():
        red, green, blue = rgb(colour)
        rows.append(f'{labels.value(name):5d}  {red:4d} {green:4d} {blue:4d} {1:8d} {1:3d} {1:3d}    "{_quoted(name)}"')
    return [*SNAP_HEADER, *rows]


def _slicer_lines(labels: LabelTable) -> list[str]:
    rows = [f"0 {_joined(labels.names[0])} 0 0 0 0"]
    for name, colour in labels.colours.items():
        rows.append(f"{labels.value(name)} {_joined(name)} {' '.join(map(str, rgb(colour)))} 255")
    return [*SLICER_HEADER, *rows]


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of "#rrggbb"."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def _quoted(name: str) -> str:
    return " ".join(name.replace('"', "'").split())


def _joined(name: str) -> str:
    """Slicer separates by spaces and shows underscores as spaces."""
    return "_".join(name.split()) or "_"
