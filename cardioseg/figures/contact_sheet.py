"""The contact sheet ``X_preview.png``: every slice with its contours, loops and experts.

Says what the sheet shows; ``tiles`` says where and ``sheet_canvas`` draws.
"""

from pathlib import Path

from cardioseg.core.atomic import write_bytes
from cardioseg.core.labels import LabelTable
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.figures.agg import default_style
from cardioseg.figures.drawing import NOTICE
from cardioseg.figures.palette import expert_colours, loop_colours
from cardioseg.figures.sheet_canvas import SheetCanvas
from cardioseg.figures.tiles import lay_out
from cardioseg.figures.upright import cropped, upright

LOOP_OPACITY = (0.35, 0.75)  # of one loop and of all loops


def write_contact_sheet(
    path: Path, image: Volume, prediction: Prediction, labels: LabelTable, *, title: str
) -> None:
    """Write the contact sheet as PNG; the arguments are those of ``contact_sheet_png``.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_bytes(path, contact_sheet_png(image, prediction, labels, title=title))


@default_style()
def contact_sheet_png(
    image: Volume, prediction: Prediction, labels: LabelTable, *, title: str
) -> bytes:
    """The contact sheet as PNG.

    Args:
        image: (X, Y, Z) intensities.
        prediction: on the grid of ``image``.
        labels: names of the mask's values.
        title: the headline; nothing else in the picture names the case.
    """
    slices = cropped(upright(image, prediction))
    rows = 2 if slices.experts is None else 3
    grid = lay_out(len(slices.image), rows=rows, tile_mm=slices.tile_mm)
    canvas = SheetCanvas(grid, slices)
    canvas.draw_contours(labels)
    shades = loop_colours(prediction.loops)
    canvas.draw_map(1, "loops", slices.halting, colours=shades, opacity=LOOP_OPACITY)
    canvas.name_loops(1, shades)
    if slices.experts is not None:
        colours = expert_colours(
            len(prediction.expert_shares) or int(slices.experts.max(initial=1))
        )
        canvas.draw_map(2, "expert", slices.experts, colours=colours)
        canvas.name_experts(2, colours)
    count = f"{grid.count} slice{'s' * (grid.count > 1)}"
    facts = f"{count} · loops used: mean {prediction.mean_steps:.1f} of {prediction.loops}"
    return canvas.png(title=title, facts=facts, notice=NOTICE)
