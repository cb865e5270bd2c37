"""The bull's-eye of a report: every segment at its place with its number and thickness, grey and a reason where there is none."""

import json
import re

import numpy as np
import pytest
from browser import Page
from small_case import write_reported_case as case
from test_wall import MIDDLE, by_name, heart, lying, real_affine, volume

from cardioseg.clinical.wall import SEGMENTS, wall_thickness
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.figures.bullseye import HEIGHT, RADII, THICK, THIN, WIDTH, X, Y, drawing, shade
from cardioseg.pages.report import report_facts, write_report

APEX = "no short-axis slice cuts across the apical cap"
INK = {"light": "#1a1c1f", "dark": "#e8eaed"}  # --ink of base.css
APICAL = {"anterior": 90, "septal": 180, "inferior": 270, "lateral": 0}


def wall(**changes):
    """``wall_thickness`` of 1 mm in segment 1, 2 mm in segment 2 and so on, none at the apex."""
    segments = {name: float(number) for number, name in enumerate(SEGMENTS[:16], start=1)} | {
        "apex": None
    }
    return {"phase": "ED", "segments_mm": segments, "anterior": "from the affine"} | changes


def clinical_of(thickness):
    """``wall_thickness`` of ``X_clinical.json`` from a measured wall."""
    return {"phase": "ED", "segments_mm": by_name(thickness), "anterior": thickness.anterior}


def polar(segment):
    """Angle counterclockwise from the right in degrees, and distance from the centre, of a segment's words."""
    right, up = segment["x"] - X, Y - segment["y"]
    return float(np.degrees(np.arctan2(up, right)) % 360), float(np.hypot(right, up))


def contrast(one, other):
    """Of two colours (WCAG 2)."""

    def luminance(colour):
        parts = [part / 255 for part in bytes.fromhex(colour[1:])]
        linear = [
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return sum(
            weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
        )

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_segment_has_its_number_its_place_and_its_thickness():
    segments = drawing(wall(), {"wall_thickness.segments_mm.apex": APEX})["segments"]
    assert [segment["number"] for segment in segments] == list(range(1, 18))
    assert [segment["text"] for segment in segments] == [
        f"{number}.0" for number in range(1, 17)
    ] + ["–"]
    for name, segment in zip(SEGMENTS, segments, strict=True):
        angle, radius = polar(segment)
        ring = 3 if name == "apex" else ("basal", "mid", "apical").index(name.split()[0])
        inner = 0 if ring == 3 else RADII[ring + 1]
        assert inner <= radius < RADII[ring], name
        if ring < 3:
            assert angle == pytest.approx(
                (APICAL if ring == 2 else MIDDLE)[name.split()[1]], abs=0.5
            ), name


def test_anterior_is_on_top_and_the_septum_left():
    drawn = drawing(wall(), {})
    top, left, bottom, right = (drawn["segments"][number - 1] for number in (13, 14, 15, 16))
    assert (top["x"], left["y"], bottom["x"], right["y"]) == (X, Y, X, Y)
    assert top["y"] < Y < bottom["y"]
    assert left["x"] < X < right["x"]
    at = {word["text"]: (word["x"], word["y"]) for word in drawn["words"]}
    assert at["Anterior"][1] < Y < at["Inferior"][1]
    assert at["Septum"][0] < X < at["Lateral"][0]


def test_outlines_meet_and_stay_inside():
    segments = drawing(wall(), {})["segments"]
    numbers = [
        [float(number) for number in re.findall(r"-?[\d.]+", segment["path"])]
        for segment in segments
    ]
    assert all(0 <= number <= max(WIDTH, HEIGHT) for found in numbers for number in found)
    starts, ends = ([found[:2] for found in numbers[:6]], [found[7:9] for found in numbers[:6]])
    assert starts[1:] == ends[:-1], "counterclockwise, each begins where the one before ends"
    assert starts[0] == ends[-1]


@pytest.mark.parametrize("place", MIDDLE)
def test_what_is_thick_in_the_picture_is_thick_in_the_figure(place):
    """From a mask with a bulge, as displayed and stored obliquely, to the words of the figure."""

    def thick(degrees):
        away = np.abs((degrees - MIDDLE[place] + 180) % 360 - 180)
        return np.where(away < 30, 16.0, 8.0)

    for mask in (volume(heart(thick)), lying(heart(thick), real_affine(), (1, 0, 2), (0,))):
        basal = drawing(clinical_of(wall_thickness(mask, ACDC_LABELS)), {})["segments"][:6]
        thickest = max(basal, key=lambda segment: float(segment["text"]))
        assert polar(thickest)[0] == pytest.approx(MIDDLE[place], abs=0.5)


def test_an_assumed_direction_is_said_to_be_one():
    told, assumed, unknown = (
        drawing(wall(anterior=how), {}) for how in ("from the affine", "as displayed", None)
    )
    assert "assumed" not in told["anterior"] + str(told["words"])
    for drawn in (assumed, unknown):
        assert "is assumed" in drawn["anterior"]
        assert [word["text"] for word in drawn["words"]] == [
            "Anterior (assumed)",
            "Septum",
            "Inferior (assumed)",
            "Lateral",
        ]
    assert "anterior and inferior change places" in assumed["anterior"]


def test_segments_without_a_thickness_are_grey_and_have_a_reason():
    segments = wall()["segments_mm"] | {"mid inferior": None}
    open_ring = "more than half of the segment has no wall"
    reasons = {
        "wall_thickness.segments_mm.apex": APEX,
        "wall_thickness.segments_mm.mid inferior": open_ring,
    }
    drawn = drawing(wall(segments_mm=segments), reasons)
    assert [segment["number"] for segment in drawn["segments"] if segment["colours"] is None] == [
        10,
        17,
    ]
    assert drawn["missing"] == [(open_ring, "10 mid inferior"), (APEX, "17 apex")]
    assert "10 mid inferior: not computed" in drawn["description"]
    assert drawing(wall(segments_mm=segments), {})["missing"] == [
        ("no reason is on record", "10 mid inferior, 17 apex")
    ]


@pytest.mark.parametrize(
    "nothing", [{}, {"segments_mm": None}, {"segments_mm": dict.fromkeys(SEGMENTS)}]
)
def test_without_any_thickness_there_is_no_figure(nothing):
    drawn = drawing(nothing, {f"wall_thickness.segments_mm.{name}": "no LV" for name in SEGMENTS})
    assert drawn["segments"] == []
    assert [reason for reason, _ in drawn["missing"]] == ["no LV"]


def test_thicker_is_stronger_and_every_number_can_be_read():
    for look, ink in INK.items():
        shades = [shade(mm)[look] for mm in np.linspace(4, 16, 25)]
        ratios = [contrast(colour, ink) for colour in shades]
        assert ratios == sorted(ratios, reverse=True), (
            "lightness runs one way, so grey paper shows it too"
        )
        assert min(ratios) >= 4.5
        assert (shades[0], shades[-1]) == (THIN[look], THICK[look])
    assert (shade(1.0), shade(40.0)) == (shade(4.0), shade(16.0))


def test_the_page_has_the_figure_with_words_for_those_who_do_not_see_it(tmp_path):
    record = case(tmp_path)
    clinical = json.loads((tmp_path / "heart_clinical.json").read_text(encoding="utf-8"))
    path = write_report(tmp_path, "heart", record)
    content, text = path.read_text(encoding="utf-8"), " ".join(" ".join(Page(path).text).split())
    for number, (name, mm) in enumerate(clinical["wall_thickness"]["segments_mm"].items(), start=1):
        assert f"{number} {name}: {'not computed' if mm is None else f'{mm:.1f} mm'}" in text
    assert 'role="img" aria-labelledby="wall-title wall-words"' in content
    assert f"Grey, not computed: 17 apex ({APEX})." in text
    assert "Anterior (assumed)" in text, "the case lies on a grid without an orientation"
    listed = report_facts(tmp_path, "heart", record)["numbers"]["missing"]
    assert listed == [], "the figure tells its reasons itself"


def test_a_heart_without_a_wall_says_why_there_is_no_figure(tmp_path):
    record = case(tmp_path)
    path = tmp_path / "heart_clinical.json"
    clinical = json.loads(path.read_text(encoding="utf-8"))
    names = [f"wall_thickness.segments_mm.{name}" for name in SEGMENTS]
    clinical["wall_thickness"] |= {"segments_mm": dict.fromkeys(SEGMENTS)}
    clinical["reasons"] |= dict.fromkeys(names, "the RV touches the LV's wall in no slice")
    path.write_text(json.dumps(clinical), encoding="utf-8")
    page = write_report(tmp_path, "heart", record)
    assert "In no segment: the RV touches the LV's wall in no slice." in " ".join(
        " ".join(Page(page).text).split()
    )
    assert "bullseye" not in page.read_text(encoding="utf-8").split("</style>")[1]
