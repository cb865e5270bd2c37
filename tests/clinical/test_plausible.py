"""Which numbers may leave: not those of a piece of a stack, and not those that no heart has."""

import numpy as np
import pytest

from cardioseg.clinical.body import Body
from cardioseg.clinical.function import heart_function, volume_function
from cardioseg.clinical.plausible import impossible, why_no_ventricle
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.core.volume import Volume
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw

SPACING = (2.0, 2.0, 10.0)
BODY = Body(height_cm=180, weight_kg=80, heart_rate_bpm=60)


@pytest.fixture(scope="module")
def beat() -> np.ndarray:
    """(X, Y, Z, 2) labels at ED and ES."""
    return draw(PhantomConfig(shape=(110, 120, 10), spacing_mm=SPACING, frames=2)).label


def volume(array, spacing=SPACING):
    return Volume(array, np.diag([*spacing, 1.0]), spacing)


def function(ed, es, spacing=SPACING):
    return heart_function(volume(ed, spacing), volume(es, spacing), ACDC_LABELS, BODY)


@pytest.mark.parametrize("part", [slice(4, 5), slice(3, 6), slice(0, 5), slice(2, 7)])
def test_a_stack_that_cannot_hold_a_ventricle_has_no_numbers(beat, part):
    found = function(beat[:, :, part, 0], beat[:, :, part, 1])
    numbers = [*found.lv.model_dump().values(), *found.rv.model_dump().values()]
    numbers += [*found.indexed.model_dump().values(), found.wall_thickness.mean_mm]
    assert numbers == [None] * len(numbers)
    assert all("slice" in found.reasons[name] for name in ("lv.edv_ml", "lv.mass_g", "rv.esv_ml"))


def test_one_volume_of_few_slices_has_no_mass_and_no_wall(beat):
    few = volume(beat[:, :, 3:6, 0])
    found = volume_function(few, ACDC_LABELS, BODY, phase="ED", why_none="one volume")
    assert (found.lv.mass_g, found.wall_thickness.mean_mm) == (None, None)
    assert "3 slices" in found.reasons["lv.mass_g"]


def test_a_whole_stack_is_measured(beat):
    found = function(beat[..., 0], beat[..., 1])
    assert found.lv.ef_percent is not None
    assert found.lv.mass_g is not None


def test_a_thin_stack_and_a_piece_of_a_ventricle_are_refused(beat):
    assert "mm long" in why_no_ventricle(volume(beat[..., 0], (2.0, 2.0, 4.0)), ACDC_LABELS)
    block = np.repeat(beat[:, :, 4:5, 0], 8, axis=2)
    assert "piece of a ventricle" in why_no_ventricle(volume(block), ACDC_LABELS)


def test_a_negative_ejection_fraction_is_null_with_its_reason(beat):
    found = function(beat[..., 1], beat[..., 0])
    assert (found.lv.ef_percent, found.lv.sv_ml) == (None, None)
    assert found.lv.edv_ml is not None
    assert "EF of -" in found.reasons["lv.ef_percent"]


def test_litres_of_blood_are_null(beat):
    found = function(beat[..., 0], beat[..., 1], (20.0, 20.0, 30.0))
    assert set(found.lv.model_dump().values()) == {None}
    assert "not possible" in found.reasons["lv.edv_ml"]


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        ({"edv_ml": 120.0, "esv_ml": 50.0, "sv_ml": 70.0, "ef_percent": 58.0}, set()),
        (
            {"edv_ml": 120.0, "esv_ml": 5.0, "sv_ml": 115.0, "ef_percent": 95.8},
            {"ef_percent", "sv_ml"},
        ),
        (
            {"edv_ml": 1.0, "esv_ml": 0.6, "sv_ml": 0.4, "ef_percent": 40.0},
            {"edv_ml", "esv_ml", "sv_ml", "ef_percent"},
        ),
        ({"edv_ml": None, "esv_ml": None, "mass_g": 2000.0}, {"mass_g"}),
    ],
)
def test_numbers_that_no_heart_has_are_named(numbers, names):
    assert set(impossible(numbers)) == names
