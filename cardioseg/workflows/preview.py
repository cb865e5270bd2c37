"""The picture of one prediction: what a person looks at before the numbers.

Says what the contact sheet shows and in which colours; ``sheet`` knows where, ``page`` how.
"""

from pathlib import Path

from cardioseg.core.labels import LabelTable
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.workflows.page import Page
from cardioseg.workflows.sheet import cropped, lay_out, upright

NOTICE = "Research use only; not a medical device."
# From black for one loop: where the network stops at once the picture stays grey, where it works on it glows.
LOOP_COLOURS, LOOP_OPACITY = "inferno", (0.35, 0.75)
# Okabe and Ito's palette, those of the structures last.
EXPERT_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#56b4e9", "#d55e00", "#999999")


def draw_preview(path: Path, image: Volume, prediction: Prediction, labels: LabelTable, *, title: str) -> None:
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
    page = Page(lay_out(len(stack.image), rows=2 if stack.experts is None else 3, tile_mm=stack.tile_mm), stack)
    page.draw_contours(labels)
    shades = _loop_colours(prediction.loops)
    page.draw_map(1, "loops", stack.halting, colours=shades, opacity=LOOP_OPACITY)
    page.name_loops(1, shades)
    if stack.experts is not None:
        count = len(prediction.expert_shares) or int(stack.experts.max(initial=1))
        colours = [EXPERT_COLOURS[number % len(EXPERT_COLOURS)] for number in range(count)]
        page.draw_map(2, "expert", stack.experts, colours=colours)
        page.name_experts(2, colours)
    slices = f"{page.sheet.count} slice{'s' * (page.sheet.count > 1)}"
    facts = f"{slices} · loops used: mean {prediction.mean_steps:.1f} of {prediction.loops}"
    page.save(path, title=title, facts=facts, notice=NOTICE)


def _loop_colours(loops: int) -> list[str]:
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps[LOOP_COLOURS](share)) for share in np.linspace(0, 1, loops)]
