"""The volume curve: its table, and a drawing that shows what the table holds."""

import numpy as np
import pytest

from cardioseg.clinical.beat import VolumeCurve
from cardioseg.core.labels import ACDC_LABELS, PALETTE
from cardioseg.figures.drawing import Line, Text
from cardioseg.figures.volume_curve import HEIGHT, WIDTH, draw_volume_curve, plot_scale
from cardioseg.results.curve import read_curve, write_curve

NAMES = ACDC_LABELS.structures


def shapes(drawing, kind):
    return [shape for shape in drawing.shapes if isinstance(shape, kind)]


def line_of(drawing, structure):
    """The points of a structure's line."""
    (line,) = (
        line
        for line in shapes(drawing, Line)
        if line.colour.dark == PALETTE[structure] and line.opacity == 1
    )
    return line


@pytest.mark.parametrize("frame_ms", [None, 31.4])
@pytest.mark.parametrize("smoothed", [(), (60.25, 30.5)])
def test_what_was_written_is_read(tmp_path, frame_ms, smoothed):
    volumes = {"RV": [80.0, 40.5], "LV": [60.0, 30.125]}
    curve = VolumeCurve(volumes, smoothed, {"ED": 1, "ES": 2}, frame_ms)
    write_curve(tmp_path / "a.csv", curve)
    assert read_curve(tmp_path / "a.csv", NAMES) == curve


@pytest.mark.parametrize(
    "content", ["", "frame\n1\n", "frame,lv_ml,phase,time_ms\n1,x,,\n", "frame\n", "\x00"]
)
def test_another_table_gives_no_curve(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    assert read_curve(tmp_path / "a.csv", NAMES) is None
    assert read_curve(tmp_path / "b.csv", NAMES) is None


def test_the_drawing_shows_the_volumes():
    volumes = {"RV": [130.0, 70.4, 127.1], "MYO": [104.0, 97.2, 101.8], "LV": [119.1, 55.3, 116.0]}
    curve = VolumeCurve(volumes, (118.0, 60.0, 115.0), {"ED": 1, "ES": 2}, 50.0)
    drawn, scale = draw_volume_curve(curve), plot_scale(curve)
    for name in NAMES:
        line = line_of(drawn, name)
        assert [x for x, _ in line.points] == [scale.x(frame + 1) for frame in range(curve.frames)]
        zero, top = scale.y(0), scale.y(scale.top_ml)
        ml = [(zero - y) / (zero - top) * scale.top_ml for _, y in line.points]
        np.testing.assert_allclose(ml, curve.volumes_ml[name], atol=0.5)
    texts = {text.text: text for text in shapes(drawn, Text)}
    assert {*NAMES, "ED", "ES", "0", str(scale.top_ml)} <= set(texts)
    assert texts["ES"].at[0] == scale.x(curve.phases["ES"])


def test_structures_differ_without_colour():
    curve = VolumeCurve({name: [50.0, 60.0, 70.0] for name in NAMES}, (), {}, None)
    drawn = draw_volume_curve(curve)
    assert len({line_of(drawn, name).dash for name in NAMES}) == len(NAMES)


def test_the_description_names_ranges_and_phases():
    curve = VolumeCurve({"LV": [120.0, 50.5]}, (), {"ED": 1, "ES": 2}, None)
    for fact in ("LV", "50.5", "120.0", "ED at frame 1", "ES at frame 2"):
        assert fact in draw_volume_curve(curve).description


@pytest.mark.parametrize(
    "volumes",
    [[0.0], [0.0, 0.0], [5000.0, 1.0], [0.4] * 40, [1.0] * 500],
    ids=["one", "empty", "huge", "flat", "many"],
)
def test_odd_curves_stay_inside(volumes):
    names = ("LV", "x", "a structure with a long name")
    drawn = draw_volume_curve(VolumeCurve(dict.fromkeys(names, volumes), (), {}, None))
    points = [point for line in shapes(drawn, Line) for point in line.points]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    texts = shapes(drawn, Text)
    assert all(0 <= text.at[0] <= WIDTH and 0 < text.at[1] <= HEIGHT for text in texts)
    assert len([text for text in texts if text.anchor == "middle"]) <= 17 + 2
    heights = sorted(text.at[1] for text in texts if text.text in names)
    assert min(np.diff(heights)) >= 15, "names do not overlap"
