"""Colours of the figures: readable in both themes, each stated once."""

import re
from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.labels import PALETTE
from cardioseg.figures import palette
from cardioseg.figures.palette import FAINT, INK, PAPER, RULE, THICK, THIN, on_white

FIGURES = Path(palette.__file__).parent
CSS = FIGURES.parent / "pages" / "html" / "base.css"


def contrast(one, other):
    """WCAG 2 contrast of two colours."""

    def luminance(colour):
        parts = [part / 255 for part in bytes.fromhex(colour[1:])]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot((0.2126, 0.7152, 0.0722), linear))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_no_other_module_of_figures_has_a_colour():
    literal = re.compile(r"\"#[0-9a-fA-F]{3,6}\"|\"(black|white|gr[ae]y)\"|color=\"[\w.]+\"")
    found = {
        path.name: literal.search(path.read_text(encoding="utf-8"))
        for path in FIGURES.glob("*.py")
        if path.name != "palette.py"
    }
    assert [name for name, match in found.items() if match] == []


def test_the_pages_use_the_same_colours():
    light, dark = CSS.read_text(encoding="utf-8").split("@media", 1)
    for shade in (INK, FAINT, RULE, PAPER):
        for look, rules in ((shade.light, light), (shade.dark, dark)):
            assert f"--{shade.variable}: {look};" in rules


@pytest.mark.parametrize("shade", [INK, FAINT])
def test_words_are_readable_on_paper(shade):
    assert contrast(shade.light, PAPER.light) >= 4.5
    assert contrast(shade.dark, PAPER.dark) >= 4.5


@pytest.mark.parametrize("colour", PALETTE.values())
def test_names_of_structures_are_readable_in_both_themes(colour):
    assert contrast(on_white(colour), PAPER.light) >= 4.45  # 4.5 before it is rounded to 8 bits
    assert contrast(colour, PAPER.dark) >= 4.5


def test_thicker_walls_are_stronger_and_every_number_on_them_is_readable():
    shades = [palette.thickness_shade(mm) for mm in np.linspace(4, 16, 25)]
    for look in ("light", "dark"):
        ratios = [contrast(getattr(shade, look), getattr(INK, look)) for shade in shades]
        assert ratios == sorted(ratios, reverse=True), "monotone, so that grey paper shows it too"
        assert min(ratios) >= 4.5
    assert (shades[0], shades[-1]) == (THIN, THICK)
    assert (palette.thickness_shade(1.0), palette.thickness_shade(40.0)) == (THIN, THICK)
