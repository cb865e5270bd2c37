"""Specks go, torn ventricles stay, and what goes is counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.ndimage import generate_binary_structure, label

from cardioseg.imaging.components import remove_specks

CORNERS = generate_binary_structure(3, 3)


def sizes(mask, value):
    """Voxels of every piece of a structure."""
    pieces, _ = label(mask == value, structure=CORNERS)
    return np.bincount(pieces.ravel())[1:]


masks = arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 6)] * 3), elements=st.integers(0, 3))
shares = st.sampled_from([0.01, 0.1, 0.34, 0.5, 1.0])


@given(masks, shares)
def test_only_small_pieces_go_and_all_of_them_are_counted(mask, share):
    before = mask.copy()
    cleaned, removed = remove_specks(mask, smallest_share=share)
    assert np.array_equal(mask, before), "the input is left alone"
    assert (cleaned.shape, cleaned.dtype) == (mask.shape, mask.dtype)
    assert set(np.unique(cleaned[cleaned != mask])) <= {0}
    for value in (1, 2, 3):
        was, now = sizes(mask, value), sizes(cleaned, value)
        assert sorted(now) == sorted(size for size in was if size >= share * was.max(initial=0))
        assert removed.get(value, 0) == was.sum() - now.sum()
    assert all(count > 0 for count in removed.values())


@given(masks, shares)
def test_cleaning_twice_is_cleaning_once(mask, share):
    once, _ = remove_specks(mask, smallest_share=share)
    twice, removed = remove_specks(once, smallest_share=share)
    assert np.array_equal(once, twice)
    assert removed == {}


def test_a_ventricle_torn_by_a_breath_hold_keeps_both_halves():
    mask = np.zeros((40, 40, 6), np.uint8)
    mask[5:15, 5:15, :3] = 3
    mask[25:34, 25:34, 3:] = 3
    cleaned, removed = remove_specks(mask)
    assert np.array_equal(cleaned, mask)
    assert removed == {}


def test_a_speck_in_another_slice_goes():
    mask = np.zeros((40, 40, 6), np.uint8)
    mask[5:15, 5:15, :3] = 3
    mask[30, 30, 5] = 3
    mask[20, 20, 0] = 1
    cleaned, removed = remove_specks(mask)
    assert removed == {3: 1}
    assert cleaned[30, 30, 5] == 0
    assert cleaned[20, 20, 0] == 1, "small beside others, but the largest of its structure"


def test_pieces_that_touch_at_a_corner_are_one():
    mask = np.zeros((10, 10, 4), np.uint8)
    mask[:5, :5, :2] = 2
    mask[5, 5, 2] = 2
    assert remove_specks(mask)[1] == {}
    mask[5, 5, 2], mask[6, 5, 2] = 0, 2
    assert remove_specks(mask)[1] == {2: 1}


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 1, 1), (4, 4, 1)])
def test_an_empty_mask_and_a_thin_one_stay(shape):
    for value in (0, 1):
        mask = np.full(shape, value, np.uint8)
        cleaned, removed = remove_specks(mask)
        assert np.array_equal(cleaned, mask)
        assert removed == {}
