"""Preprocessing: the slice axis, resampled images and labels, and one path for all callers."""

import itertools

import numpy as np
import pytest

from cardioseg.core.config import PreparationConfig
from cardioseg.core.errors import InputError
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.core.volume import Volume
from cardioseg.evaluation.metrics import overlap_dice
from cardioseg.imaging.preprocess import (
    neighbouring_slices,
    preprocess,
    preprocess_label,
    resize,
    slice_axis,
    slices_back,
    slices_last,
    spacing_slices_last,
    working_shape,
)
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw

SPACING = (1.25, 1.25, 10.0)


@pytest.fixture(scope="module")
def phantom():
    return draw(PhantomConfig(shape=(144, 160, 9), spacing_mm=SPACING, frames=1))


def volume(array, spacing=SPACING):
    return Volume(array, np.diag([*spacing, 1.0]), spacing)


@pytest.mark.parametrize(
    ("spacing", "axis"),
    [
        ((1.4, 1.4, 8.0), 2),
        ((8.0, 1.4, 1.4), 0),
        ((1.4, 8.0, 1.4), 1),
        ((1.4, 1.4, 1.4), 2),
        ((2.0, 1.4, 1.4), 2),
        ((1.2, 1.6, 2.0), 2),
        ((1.6, 2.5, 1.6), 1),
    ],
)
def test_slices_lie_across_the_clearly_widest_axis_else_the_last(spacing, axis):
    assert slice_axis(volume(np.zeros((4, 5, 6)), spacing)) == axis


@pytest.mark.parametrize("shape", [(30, 20, 1), (1, 20, 1)])
def test_a_single_slice_is_never_cut_along_itself(shape):
    assert slice_axis(volume(np.zeros(shape), (2.0, 1.0, 1.0))) == 2


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_moving_slices_last_is_undone_also_with_channels(axis):
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    moved = slices_last(array, axis)
    assert moved.shape[2] == array.shape[axis]
    assert np.array_equal(slices_back(moved, axis), array)
    spacing = tuple(float(n) for n in array.shape[:3])
    assert spacing_slices_last(spacing, axis) == tuple(
        float(n) for n in slices_last(array[..., 0], axis).shape
    )


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        (PreparationConfig(), (120, 133, 9)),
        (PreparationConfig(spacing_mm=2.5), (72, 80, 9)),
        (PreparationConfig(slice_spacing_mm=5.0), (120, 133, 18)),
        (PreparationConfig(spacing_mm=1000, slice_spacing_mm=1000), (1, 1, 1)),
    ],
)
def test_the_working_grid_covers_the_same_extent(config, shape):
    assert working_shape((144, 160, 9), SPACING, config) == shape


def test_intensities_are_standardised_on_the_working_grid(phantom):
    seen = preprocess(volume(phantom.image[..., 0]), PreparationConfig())
    assert (seen.shape, seen.dtype) == ((120, 133, 9), np.float32)
    assert float(seen.mean()) == pytest.approx(0, abs=1e-3)
    assert float(seen.std()) == pytest.approx(1, abs=1e-3)


def test_gain_offset_and_a_few_hot_voxels_change_nothing_much(phantom):
    image = phantom.image[..., 0]
    plain = preprocess(volume(image), PreparationConfig())
    assert preprocess(volume(3.5 * image + 1000), PreparationConfig()) == pytest.approx(
        plain, abs=1e-3
    )
    hot = image.copy()
    hot.flat[::5000] = 1e6
    assert np.abs(preprocess(volume(hot), PreparationConfig()) - plain).mean() < 0.02
    unclipped = preprocess(volume(hot), PreparationConfig(clip_percentiles=(0, 100)))
    assert np.abs(unclipped - plain).mean() > 0.2, "clipping is what helps"


def test_a_faint_image_is_not_taken_for_a_constant_one():
    array = np.zeros((60, 60, 4), np.int16)
    array[30, 30, 2] = 1  # both percentiles are 0
    assert preprocess(volume(array), PreparationConfig(spacing_mm=1.25)).max() > 1


@pytest.mark.parametrize("value", [0, -3.5, 32000])
def test_a_constant_image_is_refused(value):
    with pytest.raises(InputError) as caught:
        preprocess(
            volume(np.full((8, 8, 3), value)), PreparationConfig(), name="patient007_frame01"
        )
    assert str(caught.value).startswith("patient007_frame01: found a constant image")
    assert f"{value:g}" in caught.value.found


@pytest.mark.parametrize("axis", [0, 1])
def test_the_slice_axis_may_be_stored_anywhere(phantom, axis):
    image, label = phantom.image[..., 0], phantom.label[..., 0]
    spacing = [SPACING[0], SPACING[1]]
    spacing.insert(axis, SPACING[2])
    stored, mask = (volume(slices_back(array, axis), tuple(spacing)) for array in (image, label))
    assert stored.shape[axis] == 9
    assert np.array_equal(
        preprocess(stored, PreparationConfig()), preprocess(volume(image), PreparationConfig())
    )
    assert np.array_equal(
        preprocess_label(mask, PreparationConfig(), classes=4),
        preprocess_label(volume(label), PreparationConfig(), classes=4),
    )


def test_labels_survive_the_trip_to_the_working_grid_and_back(phantom):
    label = phantom.label[..., 0]
    there = preprocess_label(volume(label), PreparationConfig(), classes=4)
    assert (there.shape, there.dtype) == ((120, 133, 9), np.uint8)
    one_hot = np.stack([(there == value).astype(np.float32) for value in range(4)])
    back = resize(one_hot, label.shape).argmax(0)
    dice = {
        name: overlap_dice(back == value, label == value)
        for value, name in enumerate(ACDC_LABELS.names)
    }
    assert all(score > 0.98 for score in dice.values()), dice


def test_image_and_label_stay_on_top_of_each_other(phantom):
    """A shift of half a voxel between image and mask would blur the contrast of blood and wall."""
    label = phantom.label[..., 0]
    seen = preprocess(
        volume((label == 3).astype(np.float32)), PreparationConfig(clip_percentiles=(0, 100))
    )
    mask = preprocess_label(volume(label), PreparationConfig(), classes=4)
    assert np.array_equal(seen > (seen.max() + seen.min()) / 2, mask == 3)


def test_resizing_keeps_positions_and_values():
    ramp = np.broadcast_to(
        np.linspace(0.5, 19.5, 20, dtype=np.float32)[:, None, None], (20, 12, 5)
    )[None]
    assert np.array_equal(resize(ramp, (20, 12, 5)), ramp)
    for shape in ((40, 12, 5), (10, 6, 5), (20, 12, 10)):
        found = resize(ramp, shape)[0]
        step = 20 / shape[0]
        expected = (np.arange(shape[0]) + 0.5) * step
        inner = slice(2, -2)
        assert found.shape == shape
        assert found[inner, shape[1] // 2, 0] == pytest.approx(expected[inner], abs=1e-4)


def test_shrinking_smooths_instead_of_skipping():
    peaks = np.tile(np.array([1, 0, 0, 0], np.float32), 10)[None, :, None, None] * np.ones(
        (1, 1, 8, 2), np.float32
    )
    assert resize(peaks, (10, 8, 2))[0, 2:-2] == pytest.approx(0.25, abs=0.1)


def test_all_storage_orientations_of_a_slice_are_seen_alike(phantom):
    image = phantom.image[:, :, 3:6, 0]
    plain = preprocess(volume(image), PreparationConfig())
    for flip, turns in itertools.product((False, True), range(4)):
        stored = np.rot90(image[::-1] if flip else image, turns)
        expected = np.rot90(plain[::-1] if flip else plain, turns)
        assert preprocess(volume(stored), PreparationConfig()) == pytest.approx(expected, abs=1e-3)


def test_neighbours_are_channels_and_the_ends_repeat():
    array = np.broadcast_to(np.arange(5), (2, 3, 5))
    assert neighbouring_slices(array, 2, 0)[:, 0, 0].tolist() == [2]
    assert neighbouring_slices(array, 2, 1)[:, 0, 0].tolist() == [1, 2, 3]
    assert neighbouring_slices(array, 0, 2)[:, 0, 0].tolist() == [0, 0, 0, 1, 2]
    assert neighbouring_slices(array, 4, 1).shape == (3, 2, 3)
    assert neighbouring_slices(array, 4, 1)[:, 0, 0].tolist() == [3, 4, 4]
    assert PreparationConfig(neighbours=2).channels == len(neighbouring_slices(array, 0, 2))
