"""Wall thickness: exact on rings; the same segments however the array is stored."""

import numpy as np
import pytest
from walls import MIDDLE, PIXEL, SHAPE, SLICE, by_name, heart, lying, real_affine, volume

from cardioseg.clinical.wall import wall_thickness
from cardioseg.core.labels import ACDC_LABELS, LabelTable


@pytest.mark.parametrize("thickness", [5.0, 8.0, 12.0, 20.0])
def test_a_ring_has_its_thickness_in_every_segment(thickness):
    wall = wall_thickness(volume(heart(lambda degrees: thickness + 0 * degrees)), ACDC_LABELS)
    assert wall.mean_mm == pytest.approx(thickness, abs=0.15)
    assert wall.segments_mm[:16] == pytest.approx([thickness] * 16, abs=0.4)
    assert wall.segments_mm[16] is None
    assert set(wall.reasons) == {"apex"}


@pytest.mark.parametrize("name", MIDDLE)
def test_a_thick_place_is_found_in_its_segment(name):
    def thick(degrees):
        away = np.abs((degrees - MIDDLE[name] + 180) % 360 - 180)
        return np.where(away < 30, 16.0, 8.0)

    found = by_name(wall_thickness(volume(heart(thick)), ACDC_LABELS))
    for level in ("basal", "mid"):
        around = {wall: found[f"{level} {wall}"] for wall in MIDDLE}
        assert around.pop(name) == pytest.approx(16, abs=0.7)
        assert list(around.values()) == pytest.approx([8.0] * 5, abs=0.7)
    apical = {
        wall: found[f"apical {wall}"] for wall in ("anterior", "septal", "inferior", "lateral")
    }
    assert (
        max(apical, key=apical.get)
        in name + " septal"[: 7 * ("septal" in name)] + " lateral"[: 8 * ("lateral" in name)]
    )


def test_pixels_larger_than_the_gap_that_still_is_an_insertion():
    """A heart of three times the size: pixels of 3.6 mm."""
    small, large = (wall_thickness(volume(heart(), scale=scale), ACDC_LABELS) for scale in (1, 3))
    assert large.segments_mm[:16] == pytest.approx(
        [3 * thickness for thickness in small.segments_mm[:16]], rel=0.05
    )


def inferior_is_thick(degrees):
    return np.where(np.abs(degrees - 270) < 30, 16.0, 8.0)


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (0, 2, 1)])
@pytest.mark.parametrize("flips", [(), (0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_with_a_real_affine_the_segments_do_not_depend_on_storage(axes, flips):
    stored = lying(heart(inferior_is_thick), real_affine(), axes, flips)
    wall = wall_thickness(stored, ACDC_LABELS)
    found = by_name(wall)
    assert wall.anterior == "from the affine"
    assert found["mid inferior"] == pytest.approx(16, abs=0.7)
    assert found["mid anterior"] == pytest.approx(8, abs=0.7)


def test_an_affine_along_the_axes_is_not_believed():
    for signs in ((1, 1, 1), (-1, -1, 1), (1, -1, 1)):
        wall = wall_thickness(
            volume(heart(inferior_is_thick), np.diag([PIXEL, PIXEL, SLICE, 1.0]) * [*signs, 1]),
            ACDC_LABELS,
        )
        assert wall.anterior == "as displayed"
        assert by_name(wall)["basal inferior"] == pytest.approx(16, abs=0.7)


def test_slices_from_the_apex_give_the_same_numbers():
    wall = [
        wall_thickness(volume(array), ACDC_LABELS)
        for array in (heart(inferior_is_thick), heart(inferior_is_thick)[:, :, ::-1])
    ]
    assert wall[0].segments_mm == wall[1].segments_mm


def test_labels_are_found_by_name():
    order = LabelTable(("background", "LV", "MYO", "RV"))
    other = np.array([0, 3, 2, 1], np.uint8)[heart(inferior_is_thick)]
    same = wall_thickness(volume(heart(inferior_is_thick)), ACDC_LABELS)
    assert wall_thickness(volume(other), order) == same


def test_what_is_not_there_is_none_with_a_reason():
    without_rv = wall_thickness(volume(heart(rv=False)), ACDC_LABELS)
    assert without_rv.segments_mm == (None,) * 17
    assert without_rv.mean_mm == pytest.approx(10, abs=0.15)
    assert set(without_rv.reasons.values()) == {"the RV touches the LV's wall in no slice"}
    two = wall_thickness(volume(heart()[:, :, 3:5]), ACDC_LABELS)
    assert set(two.reasons.values()) == {"fewer than three slices show LV cavity and wall"}
    for empty in (np.zeros(SHAPE, np.uint8), np.where(heart() == 2, 0, heart()).astype(np.uint8)):
        nothing = wall_thickness(volume(empty), ACDC_LABELS)
        assert (nothing.mean_mm, nothing.segments_mm) == (None, (None,) * 17)
        assert nothing.reasons["mean"] == "no slice shows LV cavity and wall"


def test_a_segment_without_wall_is_none_and_the_others_stay():
    array = heart()
    array[:, :40][array[:, :40] == ACDC_LABELS.value("MYO")] = 0
    found = by_name(wall_thickness(volume(array), ACDC_LABELS))
    assert found["basal anterior"] is None
    assert found["basal inferior"] == pytest.approx(10, abs=0.5)
