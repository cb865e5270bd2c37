"""What a person looks at beside the numbers: a contact sheet of one prediction, and names and colours for viewers.

Says what the sheet shows and in which colours; ``sheet`` knows where, ``page`` how. Formats for viewers, of which neither reads
the other's: ITK-SNAP's label description (Segmentation → Import Label Descriptions, or
``itksnap -g IMAGE -s MASK -l labels.txt``), and 3-D Slicer's colour table (slicer.readthedocs.io, developer guide, "Color table
file format": load it first, then choose it under "Show options" while the mask is added as a label map).
"""

from pathlib import Path

from cardioseg.core.atomic import write_text
from cardioseg.core.labels import LabelTable
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.figures.drawing import NOTICE
from cardioseg.figures.page import Page
from cardioseg.figures.palette import expert_colours, loop_colours
from cardioseg.figures.sheet import cropped, lay_out, upright

LOOP_OPACITY = (0.35, 0.75)
VIEWER_TABLES = ("labels.txt", "labels.ctbl")
SNAP_HEADER = (
    "################################################",
    "# ITK-SnAP Label Description File",
    "# File format:",
    "# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL",
    "################################################",
)
SLICER_HEADER = ("# Color table file", "# index name R G B A")


def draw_preview(
    path: Path, image: Volume, prediction: Prediction, labels: LabelTable, *, title: str
) -> None:
    """Write a contact sheet as PNG: every slice with its contours, beneath it the loops used and the strongest expert.

    Args:
        path: the PNG.
        image: (X, Y, Z) intensities.
        prediction: on the grid of ``image``.
        labels: names of the mask's values.
        title: the headline; nothing else in the picture says whose heart it is.

    Raises:
        OutputError: the folder cannot be written.
    """
    stack = cropped(upright(image, prediction))
    page = Page(
        lay_out(len(stack.image), rows=2 if stack.experts is None else 3, tile_mm=stack.tile_mm),
        stack,
    )
    page.draw_contours(labels)
    shades = loop_colours(prediction.loops)
    page.draw_map(1, "loops", stack.halting, colours=shades, opacity=LOOP_OPACITY)
    page.name_loops(1, shades)
    if stack.experts is not None:
        count = len(prediction.expert_shares) or int(stack.experts.max(initial=1))
        colours = expert_colours(count)
        page.draw_map(2, "expert", stack.experts, colours=colours)
        page.name_experts(2, colours)
    slices = f"{page.sheet.count} slice{'s' * (page.sheet.count > 1)}"
    facts = f"{slices} · loops used: mean {prediction.mean_steps:.1f} of {prediction.loops}"
    page.save(path, title=title, facts=facts, notice=NOTICE)


def label_table_file(path: Path, labels: LabelTable) -> None:
    """Write names and colours of ``labels``: for 3-D Slicer when ``path`` ends in .ctbl, else for ITK-SNAP.

    Raises:
        OutputError: the folder cannot be written.
    """
    lines = _slicer_lines(labels) if path.suffix.lower() == ".ctbl" else _snap_lines(labels)
    write_text(path, "\n".join(lines) + "\n")


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
    return (
        f'{value:5d}  {red:4d} {green:4d} {blue:4d} {shown:8d} {shown:3d} {shown:3d}    "{quoted}"'
    )


def _slicer_lines(labels: LabelTable) -> list[str]:
    """A space ends a column, so those of a name become underscores, as Slicer writes them."""
    rows = [f"0 {'_'.join(labels.names[0].split())} 0 0 0 0"]
    for name, colour in labels.colours.items():
        rows.append(
            f"{labels.value(name)} {'_'.join(name.split())} {' '.join(map(str, _rgb(colour)))} 255"
        )
    return [*SLICER_HEADER, *rows]


def _rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of "#rrggbb"."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
