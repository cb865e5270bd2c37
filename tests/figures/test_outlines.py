"""Outlines of structures follow the borders of their voxels and are closed."""

import numpy as np
import pytest

from cardioseg.figures.outlines import outlines


def area(polygon):
    """Area inside a closed polygon (N, 2)."""
    (y, x) = polygon.T
    return abs(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1])) / 2


def test_an_empty_slice_has_no_outline():
    assert outlines(np.zeros((4, 5), bool)) == []


def test_the_outline_of_a_rectangle_is_its_border_with_cut_corners():
    inside = np.zeros((8, 9), bool)
    inside[2:5, 3:7] = True
    (border,) = outlines(inside)
    assert border.min(axis=0).tolist() == [1.5, 2.5]
    assert border.max(axis=0).tolist() == [4.5, 6.5]
    assert area(border) == pytest.approx(3 * 4 - 4 / 8)


def test_a_slice_that_is_full_is_closed_at_its_edge():
    (border,) = outlines(np.ones((3, 4), bool))
    assert (border[0] == border[-1]).all()
    assert area(border) == pytest.approx(3 * 4 - 4 / 8)


def test_a_ring_has_two_outlines():
    ring = np.ones((7, 7), bool)
    ring[3, 3] = False
    assert sorted(round(area(border), 2) for border in outlines(ring)) == [0.5, 48.5]
