"""The bull's-eye: every segment in its place with its number and thickness, or grey."""

import numpy as np
import pytest
from walls import MIDDLE, by_name, heart, lying, real_affine, volume

from cardioseg.clinical.wall import SEGMENTS, wall_thickness
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.figures.bullseye import (
    CENTRE,
    RADII,
    RINGS,
    anterior_note,
    draw_bullseye,
    missing_segments,
)
from cardioseg.figures.drawing import Gradient, Group, Text
from cardioseg.figures.palette import RULE

APEX = "no short-axis slice cuts across the apical cap"
APICAL = {"anterior": 90, "septal": 180, "inferior": 270, "lateral": 0}


def wall(**changes):
    """``wall_thickness`` of 1 mm in segment 1, 2 mm in segment 2 and so on, none at the apex."""
    segments = {name: float(number) for number, name in enumerate(SEGMENTS[:16], start=1)} | {
        "apex": None
    }
    return {"phase": "ED", "segments_mm": segments, "anterior": "from the affine"} | changes


def polar(number):
    """Angle counterclockwise from the right in degrees, and distance from the centre, of a text."""
    (x, y), (left, top) = number.at, CENTRE
    right, up = x - left, top - (y + 5)
    return float(np.degrees(np.arctan2(up, right)) % 360), float(np.hypot(right, up))


def drawing(**changes):
    facts = wall(**changes)
    return draw_bullseye(facts["segments_mm"], anterior=facts["anterior"], phase=facts["phase"])


def segments_of(drawn):
    """Sector, number and thickness of every segment."""
    return [shape.shapes for shape in drawn.shapes if isinstance(shape, Group)]


def words_of(drawn):
    return {shape.text: shape.at for shape in drawn.shapes if isinstance(shape, Text)}


def test_every_segment_has_its_number_its_place_and_its_thickness():
    segments = segments_of(drawing())
    assert [number.text for _, number, _ in segments] == [str(n) for n in range(1, 18)]
    assert [value.text for *_, value in segments] == [f"{n}.0" for n in range(1, 17)] + ["–"]
    for name, (sector, number, _) in zip(SEGMENTS, segments, strict=True):
        angle, radius = polar(number)
        ring = 3 if name == "apex" else ("basal", "mid", "apical").index(name.split()[0])
        inner = 0 if ring == 3 else RADII[ring + 1]
        assert (sector.inner, sector.outer) == (inner, RADII[ring])
        assert inner <= radius < RADII[ring], name
        if ring < 3:
            expected = (APICAL if ring == 2 else MIDDLE)[name.split()[1]]
            assert angle == pytest.approx(expected, abs=0.5), name
            assert (sector.start + sector.end) / 2 % 360 == pytest.approx(expected), name


def test_anterior_is_on_top_and_the_septum_left():
    drawn, (x, y) = drawing(), CENTRE
    angles = [polar(segments_of(drawn)[number - 1][1])[0] for number in (13, 14, 15, 16)]
    assert angles == pytest.approx([90, 180, 270, 0])
    at = words_of(drawn)
    assert at["Anterior"][1] < y < at["Inferior"][1]
    assert at["Septum"][0] < x < at["Lateral"][0]


def test_the_sectors_of_a_ring_meet_and_fill_it():
    sectors = [sector for sector, *_ in segments_of(drawing())]
    for first, count in RINGS:
        ring = sectors[first : first + count]
        assert [one.end for one in ring[:-1]] == [other.start for other in ring[1:]]
        assert ring[-1].end - ring[0].start == 360


@pytest.mark.parametrize("place", MIDDLE)
def test_what_is_thick_in_the_picture_is_thick_in_the_figure(place):
    """From a mask with a bulge, as displayed and stored obliquely, to the words of the figure."""

    def thick(degrees):
        away = np.abs((degrees - MIDDLE[place] + 180) % 360 - 180)
        return np.where(away < 30, 16.0, 8.0)

    for mask in (volume(heart(thick)), lying(heart(thick), real_affine(), (1, 0, 2), (0,))):
        measured = by_name(wall_thickness(mask, ACDC_LABELS))
        basal = segments_of(drawing(segments_mm=measured))[:6]
        _, number, _ = max(basal, key=lambda shapes: float(shapes[2].text))
        assert polar(number)[0] == pytest.approx(MIDDLE[place], abs=0.5)


def test_an_assumed_direction_is_marked():
    assert {"Anterior", "Inferior"} <= set(words_of(drawing()))
    assert "assumed" not in anterior_note("from the affine")
    for how in ("as displayed", None):
        assert {"Anterior (assumed)", "Septum", "Inferior (assumed)", "Lateral"} <= set(
            words_of(drawing(anterior=how))
        )
        assert "assumed" in anterior_note(how)
        assert anterior_note(how) in drawing(anterior=how).description


def test_segments_without_a_thickness_are_grey_and_have_a_reason():
    segments = wall()["segments_mm"] | {"mid inferior": None}
    drawn = drawing(segments_mm=segments)
    grey = [number.text for sector, number, _ in segments_of(drawn) if sector.fill == RULE]
    assert grey == ["10", "17"]
    assert [sector.dashed for sector, *_ in segments_of(drawn)].count(True) == 2
    assert "10 mid inferior: not computed" in drawn.description
    open_ring = "more than half of the segment has no wall"
    reasons = {"apex": APEX, "mid inferior": open_ring}
    assert missing_segments(segments, reasons) == [
        (open_ring, "10 mid inferior"),
        (APEX, "17 apex"),
    ]
    ((_, names),) = missing_segments(segments, {})
    assert names == "10 mid inferior, 17 apex"


@pytest.mark.parametrize("nothing", [{}, dict.fromkeys(SEGMENTS)])
def test_without_any_thickness_there_is_no_figure(nothing):
    assert draw_bullseye(nothing, anterior=None, phase="ED") is None
    reasons = dict.fromkeys(SEGMENTS, "no LV")
    assert [reason for reason, _ in missing_segments(nothing, reasons)] == ["no LV"]


def test_the_scale_has_the_colours_of_the_segments():
    drawn = drawing(segments_mm={"apex": 4.0, "mid inferior": 16.0})
    (bar,) = (shape for shape in drawn.shapes if isinstance(shape, Gradient))
    fills = [sector.fill for sector, *_ in segments_of(drawn) if sector.fill != RULE]
    assert fills == [bar.right, bar.left]
