"""One drawing, two files: the SVG is complete and escaped, the PNG shows the same shapes."""

import io
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from cardioseg.core.errors import OutputError
from cardioseg.figures.drawing import (
    NOTICE,
    Drawing,
    Gradient,
    Group,
    Line,
    Sector,
    Text,
    captioned,
)
from cardioseg.figures.palette import INK, PAPER, RULE, THICK, THIN, Shade
from cardioseg.figures.raster import SCALE, drawing_png, write_drawing
from cardioseg.figures.svg import drawing_svg

SVG = "{http://www.w3.org/2000/svg}"
RED, GREEN, BLUE = (Shade(colour, "#ffffff") for colour in ("#ff0000", "#00ff00", "#0000ff"))
SHAPES = (
    Line(((10, 10), (190, 10)), RED, width=4),
    Sector((100, 60), 10, 40, 0, 90, GREEN, edge=GREEN),
    Group((Line(((10, 0), (190, 0)), BLUE, width=4),), said="<b>&", down=110),
    Gradient((10, 130), 180, 10, THIN, THICK),
    Text((100, 160), "$a<b>$ & c", "middle"),
)
DRAWING = Drawing("test", 200, 180, 'a "title" <i>', "a description", SHAPES)


def pixels(drawing):
    with Image.open(io.BytesIO(drawing_png(drawing))) as picture:
        assert set(picture.info) <= {"dpi"}, "no text chunks"
        return np.asarray(picture.convert("RGB")).astype(int)


def colour_at(picture, x, y):
    return picture[int(y * SCALE), int(x * SCALE)].tolist()


def rgb(colour):
    return [round(255 * part) for part in to_rgb(colour)]


def test_the_png_has_every_shape_at_its_place():
    picture = pixels(DRAWING)
    assert picture.shape[:2] == (180 * SCALE, 200 * SCALE)
    assert colour_at(picture, 100, 10) == rgb(RED.light)
    assert colour_at(picture, 117, 43) == rgb(GREEN.light), "0 to 90 degrees is right and up"
    for x, y in ((117, 77), (83, 43), (83, 77), (103, 57)):
        assert colour_at(picture, x, y) == rgb(PAPER.light), "other quadrants, and the hole"
    assert colour_at(picture, 100, 110) == rgb(BLUE.light), "a group is moved down"
    assert np.abs(np.subtract(colour_at(picture, 11, 135), rgb(THIN.light))).max() < 4
    assert np.abs(np.subtract(colour_at(picture, 189, 135), rgb(THICK.light))).max() < 4
    text = picture[int(146 * SCALE) : int(164 * SCALE)]
    assert (text < 100).all(axis=-1).any()


def test_the_svg_is_well_formed_escaped_and_described():
    root = ET.fromstring(drawing_svg(DRAWING))  # noqa: S314 — it was made here
    assert root.get("role") == "img"
    ids = {element.get("id"): element.text for element in root.iter() if element.get("id")}
    described = [ids[name] for name in root.get("aria-labelledby").split()]
    assert described == [DRAWING.title, DRAWING.description]
    assert root.find(f"{SVG}g/{SVG}title").text == "<b>&"
    assert root.find(f"{SVG}text").text == "$a<b>$ & c"
    kinds = [element.tag.removeprefix(SVG) for element in root.iter()]
    assert [kinds.count(kind) for kind in ("polyline", "path", "rect", "text")] == [2, 1, 1, 1]


def test_every_colour_of_the_svg_has_a_light_and_a_dark_value():
    content = drawing_svg(DRAWING)
    light, dark = re.search("<style>(.*) @media screen and (.*)</style>", content).groups()
    for use in set(re.findall(r"var\((--test-\d+)\)", content)):
        assert f"{use}:" in light
        assert f"{use}:" in dark
    body = content.split("</style>")[1]
    assert not re.search("#[0-9a-f]{6}", body), "no colour stands outside the style"
    assert f"var(--ink,{INK.light})" in light
    assert f"var(--ink,{INK.dark})" in dark


def test_a_whole_disc_closes():
    disc = Drawing("disc", 100, 100, "", "", (Sector((50, 50), 0, 30, 0, 360, RULE),))
    assert drawing_svg(disc).count(" A 30 30 ") == 2
    picture = pixels(disc)
    for x, y in ((50, 50), (75, 50), (25, 50), (50, 75), (50, 25)):
        assert colour_at(picture, x, y) == rgb(RULE.light)


@pytest.mark.parametrize("title", ["$x_$ 50 %", "Müller – 心臓", "\udcff.nii", "a" * 500, ""])
def test_any_caption_stays_inside(title):
    drawn = captioned(DRAWING, title=title, facts=title[:20])
    picture = pixels(drawn)
    assert picture.shape[0] > 180 * SCALE
    head = picture[: int(30 * SCALE)]
    assert (head < 100).any() == bool(title)
    assert (head[:, -5:] > 250).all()
    assert NOTICE in drawing_svg(drawn)


def test_the_same_drawing_gives_the_same_bytes_and_a_closed_folder_an_error(tmp_path):
    write_drawing(tmp_path / "a.png", DRAWING)
    assert (tmp_path / "a.png").read_bytes() == drawing_png(DRAWING)
    with pytest.raises(OutputError):
        write_drawing(tmp_path / "a.png" / "b.png", DRAWING)
