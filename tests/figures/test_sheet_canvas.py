"""Text and numbers on a contact sheet."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cardioseg.figures import sheet_canvas
from cardioseg.figures.agg import shortened
from cardioseg.figures.sheet_canvas import ticks


@given(st.integers(1, 255))
def test_ticks_are_few_integers_with_both_ends(loops):
    found = ticks(loops)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (1, loops)
    assert len(found) <= 11
    between = [after - before for before, after in itertools.pairwise(found)]
    assert not between or min(between) * sheet_canvas.BAR / loops >= 9, "labels overlap"


def test_ticks_are_round():
    assert ticks(8) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert ticks(24) == [1, 5, 10, 15, 20, 24]


@given(st.text(max_size=80), st.integers(8, 60))
def test_a_long_title_keeps_its_ends(text, most):
    short = shortened(text, most)
    assert len(short) <= most
    assert (
        short == text
        if len(text) <= most
        else (short[0] == text[0] and short[-1] == text[-1] and "…" in short)
    )
