"""One heart per chest."""

import numpy as np
import pytest

from cardioseg.core.config import WindowConfig
from cardioseg.inference.localise import find_heart
from cardioseg.inference.predictor import Maps, _clear_outside

CONFIG = WindowConfig()


def certain(label: np.ndarray, classes: int = 4) -> np.ndarray:
    """Probabilities (K, U, V, W) of a labelled volume."""
    return np.moveaxis(np.eye(classes, dtype=np.float32)[label], -1, 0)


def chest() -> np.ndarray:
    """A small heart of three structures, and a larger cluster of one structure far from it."""
    label = np.zeros((150, 140, 6), int)
    label[40:60, 30:50, 1:5] = 2
    label[45:55, 35:45, 1:5] = 3
    label[40:60, 22:30, 1:4] = 1
    label[110:140, 100:125, :] = 2
    return label


def test_the_heart_is_where_all_structures_are() -> None:
    region = find_heart(certain(chest()), margin=8, window=(32, 32))
    assert region is not None
    assert region.box == (slice(32, 68), slice(14, 58))


def test_of_two_clusters_with_all_structures_the_central_one_is_the_heart() -> None:
    label = np.zeros((150, 140, 6), int)
    # The second, such as an untrained network sees in the liver, is the larger of the two.
    for top, left, size in ((65, 60, 20), (110, 4, 24)):
        for value in (1, 2, 3):
            label[top : top + size, left + 8 * (value - 1) : left + 8 * value, 1:5] = value
    region = find_heart(certain(label), margin=0, window=(8, 8))
    assert region is not None
    assert region.box == (slice(65, 85), slice(60, 84))


def test_a_heart_shifted_between_breath_holds_stays_whole() -> None:
    label = chest()
    # 27 mm at 1.5 mm: the cavity moves, as on one expert mask of ACDC.
    label[:, :, 4] = np.roll(label[:, :, 4], 18, axis=0)
    region = find_heart(certain(label), margin=0, window=(32, 32))
    assert region is not None
    assert region.box[0] == slice(40, 78)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ((slice(40, 60), slice(90, 100)), (slice(32, 68), slice(79, 111))),
        ((slice(0, 3), slice(138, 140)), (slice(0, 32), slice(108, 140))),
        ((slice(0, 150), slice(10, 130)), (slice(0, 150), slice(2, 138))),
    ],
)
def test_the_grown_region_is_at_least_a_window(
    inside: tuple[slice, slice], expected: tuple[slice, slice]
) -> None:
    label = np.zeros((150, 140, 2), int)
    label[(*inside, 1)] = 1
    region = find_heart(certain(label), margin=8, window=(32, 32))
    assert region is not None
    assert region.grown == expected


def test_nothing_found_is_no_region() -> None:
    assert find_heart(certain(np.zeros((9, 9, 2), int)), margin=8, window=(32, 32)) is None


def test_structures_elsewhere_become_background_and_is_counted() -> None:
    label = chest()
    region = find_heart(certain(label), margin=8, window=(32, 32))
    assert region is not None
    steps = np.ones(label.shape, np.float32)
    cleared = _clear_outside(Maps(certain(label), steps, None), region)
    found = cleared.probabilities.argmax(0)
    assert (found[:80] == label[:80]).all()
    assert (found[100:] == 0).all()
    assert cleared.cleared == (label[100:] > 0).sum()
    assert np.allclose(cleared.probabilities.sum(0), 1)


def test_a_separate_cluster_inside_the_box_becomes_background() -> None:
    label = chest()[:80]
    label[25:29, 56:64, 5] = 3  # within the margin, but too far from the heart to be part of it
    region = find_heart(certain(label), margin=16, window=(32, 32))
    assert region is not None
    cleared = _clear_outside(Maps(certain(label), np.ones(label.shape, np.float32), None), region)
    found = cleared.probabilities.argmax(0)
    assert cleared.cleared == (label[:, :, 5] > 0).sum() == 32
    assert (found[:, :, :5] == label[:, :, :5]).all()
    assert (found[:, :, 5] == 0).all()
