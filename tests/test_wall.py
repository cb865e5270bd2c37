"""Wall thickness: exact on rings, the right segment at the right place however the array lies, nothing invented."""

import numpy as np
import pytest

from cardioseg.clinical.wall import SEGMENTS, wall_thickness
from cardioseg.core.labels import ACDC_LABELS, LabelTable
from cardioseg.core.volume import Volume
from cardioseg.phantom.files import oblique_header

PIXEL, SLICE = 1.2, 8.0
SHAPE = (96, 96, 9)
RADIUS = 24.0
# Seen from the apex, anterior up: where the middle of each basal segment lies, counterclockwise from the patient's left.
MIDDLE = {
    "anterolateral": 30,
    "anterior": 90,
    "anteroseptal": 150,
    "inferoseptal": 210,
    "inferior": 270,
    "inferolateral": 330,
}


def heart(wall_mm=lambda degrees: 10.0 + 0 * degrees, *, rv=True, shrink=0.05, taper=True):
    """(X, Y, Z) as displayed: x to the right, y down, base first; ``wall_mm`` of the angle counterclockwise from the right."""
    x = (np.arange(SHAPE[0]) - 47.3)[:, None] * PIXEL
    y = -(np.arange(SHAPE[1]) - 48.1)[None, :] * PIXEL
    radius, angle = np.hypot(x, y), np.degrees(np.arctan2(y, x)) % 360
    mask = np.zeros(SHAPE, np.uint8)
    for k in range(SHAPE[2]):
        inner = RADIUS * (1 - shrink * k if taper else 1)
        outer = inner + wall_mm(angle)
        septal = (angle > 120) & (angle < 240) & (radius < outer + 15)
        if rv and k < 7:
            mask[:, :, k][septal] = ACDC_LABELS.value("RV")
        mask[:, :, k][radius < outer] = ACDC_LABELS.value("MYO")
        mask[:, :, k][radius < inner] = ACDC_LABELS.value("LV")
    return mask


def volume(array, affine=None, *, scale=1):
    spacing = (scale * PIXEL, scale * PIXEL, scale * SLICE)
    return Volume(
        array,
        np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]) if affine is None else affine,
        spacing,
    )


def by_name(wall):
    return dict(zip(SEGMENTS, wall.segments_mm, strict=True))


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


def lying(array, affine, axes=(0, 1, 2), flips=()):
    """The same heart in the same place of the room, stored with other axes."""
    moved, turned = np.transpose(array, axes), affine[:, [*axes, 3]].copy()
    for axis in flips:
        turned[:3, 3] += turned[:3, axis] * (moved.shape[axis] - 1)
        turned[:3, axis] *= -1
        moved = np.flip(moved, axis)
    spacing = tuple(float(size) for size in np.linalg.norm(turned[:3, :3], axis=0))
    return Volume(np.ascontiguousarray(moved), turned, spacing)


def real_affine():
    """A short-axis stack as a scanner stores it: x to the right of the picture, y down, z from base to apex."""
    header = oblique_header((*SHAPE, 1), (PIXEL, PIXEL, SLICE), frame_s=0.03)
    affine = header.get_best_affine()
    to_base, right, down = -affine[:3, 2], affine[:3, 0], affine[:3, 1]
    assert np.cross(right, down) @ to_base > 0, "seen from the apex: right, down, away"
    return affine


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
