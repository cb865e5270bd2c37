"""Every colour of the figures, except those of the structures (``core.labels``).

A report follows the reader's light or dark theme, so a colour of a drawing is a ``Shade``: one for
each theme. PNG files are drawn in the light one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cardioseg.core.labels import LabelTable

# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#e69f00", "#009e73", "#cc79a7"
YELLOW, SKY, VERMILION = "#f0e442", "#56b4e9", "#d55e00"

EXPERTS = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY, VERMILION, "#999999")
GROUPS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, "#7f7f7f")
MISSED = "#b00020"
ZERO_LINE = "#bfbfbf"
# Inferno starts at black for one loop: tissue that halts at once stays grey, the rest glows.
LOOPS = "inferno"
STOPPED = "#000000"
INTENSITIES = "gray"

READABLE = 4.5  # least contrast of text against its background (WCAG 2, level AA)
THINNEST_MM, THICKEST_MM = 4.0, 16.0


@dataclass(frozen=True)
class Shade:
    """One colour in both themes.

    Attributes:
        light: "#rrggbb" on light paper.
        dark: "#rrggbb" on dark paper.
        variable: the CSS variable of the page that overrides both, without "--"; "" for none.
    """

    light: str
    dark: str
    variable: str = ""


# The same values as in pages/html/base.css.
INK = Shade("#1a1c1f", "#e8eaed", "ink")
FAINT = Shade("#5a6068", "#a3abb5", "faint")
RULE = Shade("#d5d9de", "#383d45", "line")
PAPER = Shade("#ffffff", "#14161a", "paper")
# The text on a segment of the bull's-eye is readable at both ends and between them.
THIN = Shade("#eaf2fb", "#1d2a38")
THICK = Shade("#5b9bd5", "#2563a3")


def structure_shades(structures: Sequence[str]) -> dict[str, Shade]:
    """Structure → its colour, darkened on light paper until text in it is readable."""
    colours = LabelTable(("background", *structures)).colours
    return {name: Shade(on_white(colour), colour) for name, colour in colours.items()}


def expert_colours(count: int) -> list[str]:
    """A colour for each of ``count`` experts; they repeat after eight."""
    return [EXPERTS[number % len(EXPERTS)] for number in range(count)]


def group_colours(groups: Sequence[str]) -> dict[str, str]:
    """Group → colour; they repeat after seven."""
    return {group: GROUPS[number % len(GROUPS)] for number, group in enumerate(groups)}


def loop_colours(loops: int) -> list[str]:
    """A colour for each loop from 1 to ``loops``."""
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps[LOOPS](share)) for share in np.linspace(0, 1, loops)]


def thickness_shade(mm: float) -> Shade:
    """The colour of a wall thickness, from THIN at 4 mm or less to THICK at 16 mm or more."""
    share = min(1.0, max(0.0, (mm - THINNEST_MM) / (THICKEST_MM - THINNEST_MM)))
    return Shade(_between(THIN.light, THICK.light, share), _between(THIN.dark, THICK.dark, share))


def on_white(colour: str) -> str:
    """``colour``, darkened until its contrast against white is ``READABLE``."""
    parts = [part / 255 for part in bytes.fromhex(colour.removeprefix("#"))]
    shares = (share / 100 for share in range(100, 0, -1))
    share = next(s for s in shares if _contrast([s * part for part in parts]) >= READABLE)
    return "#" + "".join(f"{int(255 * share * part):02x}" for part in parts)


def _contrast(parts: list[float]) -> float:
    """WCAG 2 contrast against white of red, green and blue in 0 to 1."""
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    weights = (0.2126, 0.7152, 0.0722)
    return 1.05 / (sum(w * p for w, p in zip(weights, linear, strict=True)) + 0.05)


def _between(low: str, high: str, share: float) -> str:
    ends = zip(bytes.fromhex(low[1:]), bytes.fromhex(high[1:]), strict=True)
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in ends)
