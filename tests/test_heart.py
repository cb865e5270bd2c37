"""One heart per chest."""

import numpy as np
import pytest

from cardioseg.core.config import WindowConfig
from cardioseg.inference.heart import find_heart
from cardioseg.inference.predictor import Maps, _clear_outside

CONFIG = WindowConfig()


def certain(label: np.ndarray, classes: int = 4) -> np.ndarray:
    """Probabilities (K, U, V, W) of a labelled volume."""
    return np.moveaxis(np.eye(classes, dtype=np.float32)[label], -1, 0)


def chest() -> np.ndarray:
    """A small heart of three structures, and a larger single-structure thing far away in every slice."""
    label = np.zeros((150, 140, 6), int)
    label[40:60, 30:50, 1:5] = 2
    label[45:55, 35:45, 1:5] = 3
    label[40:60, 22:30, 1:4] = 1
    label[110:140, 100:125, :] = 2
    return label


def test_the_heart_is_where_all_structures_are() -> None:
    place = find_heart(certain(chest()), margin=8, window=(32, 32))
    assert place is not None
    assert place.box == (slice(32, 68), slice(14, 58))


def test_of_two_that_hold_all_structures_it_is_the_one_in_the_middle() -> None:
    label = np.zeros((150, 140, 6), int)
    for top, left, size in (
        (65, 60, 20),
        (110, 4, 24),
    ):  # an untrained network's heart in the liver is the larger of the two
        for value in (1, 2, 3):
            label[top : top + size, left + 8 * (value - 1) : left + 8 * value, 1:5] = value
    place = find_heart(certain(label), margin=0, window=(8, 8))
    assert place is not None
    assert place.box == (slice(65, 85), slice(60, 84))


def test_a_heart_torn_by_a_breath_hold_stays_whole() -> None:
    label = chest()
    label[:, :, 4] = np.roll(
        label[:, :, 4], 18, axis=0
    )  # 27 mm at 1.5 mm: the cavity moves, as on one expert mask of ACDC
    place = find_heart(certain(label), margin=0, window=(32, 32))
    assert place is not None
    assert place.box[0] == slice(40, 78)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ((slice(40, 60), slice(90, 100)), (slice(32, 68), slice(79, 111))),
        ((slice(0, 3), slice(138, 140)), (slice(0, 32), slice(108, 140))),
        ((slice(0, 150), slice(10, 130)), (slice(0, 150), slice(2, 138))),
    ],
)
def test_the_view_is_at_least_a_window(
    inside: tuple[slice, slice], expected: tuple[slice, slice]
) -> None:
    label = np.zeros((150, 140, 2), int)
    label[(*inside, 1)] = 1
    place = find_heart(certain(label), margin=8, window=(32, 32))
    assert place is not None
    assert place.view == expected


def test_nothing_found_is_no_place() -> None:
    assert find_heart(certain(np.zeros((9, 9, 2), int)), margin=8, window=(32, 32)) is None


def test_what_lies_elsewhere_becomes_background_and_is_counted() -> None:
    label = chest()
    place = find_heart(certain(label), margin=8, window=(32, 32))
    assert place is not None
    steps = np.ones(label.shape, np.float32)
    cleared = _clear_outside(Maps(certain(label), steps, None), place)
    found = cleared.probabilities.argmax(0)
    assert (found[:80] == label[:80]).all()
    assert (found[100:] == 0).all()
    assert cleared.cleared == (label[100:] > 0).sum()
    assert np.allclose(cleared.probabilities.sum(0), 1)


def test_a_cluster_apart_inside_the_box_becomes_background_too() -> None:
    label = chest()[:80]
    label[25:29, 56:64, 5] = (
        3  # within the margin, but farther from the heart than the pieces of a heart are from each other
    )
    place = find_heart(certain(label), margin=16, window=(32, 32))
    assert place is not None
    cleared = _clear_outside(Maps(certain(label), np.ones(label.shape, np.float32), None), place)
    found = cleared.probabilities.argmax(0)
    assert cleared.cleared == (label[:, :, 5] > 0).sum() == 32
    assert (found[:, :, :5] == label[:, :, :5]).all()
    assert (found[:, :, 5] == 0).all()
