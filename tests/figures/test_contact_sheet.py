"""The contact sheet: slices upright, cropped, laid out; colours in the right places."""

import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colormaps, rc_context
from matplotlib.colors import to_rgb
from PIL import Image

from cardioseg.core.errors import OutputError
from cardioseg.core.labels import ACDC_LABELS, PALETTE, LabelTable
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.figures.contact_sheet import contact_sheet_png, write_contact_sheet
from cardioseg.figures.palette import EXPERTS
from cardioseg.figures.sheet_canvas import LEFT, TOP
from cardioseg.figures.tiles import GAP, MOST_COLUMNS, lay_out
from cardioseg.figures.upright import MARGIN_MM, cropped, upright
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw

SPACING = (2.0, 1.0, 8.0)
SHAPE = (30, 60, 5)
LOOPS = 8


def heart():
    """Label values: RV, MYO and LV in the slices 1 to 3, off the centre."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:20, 20:40, 1:4] = 2
    mask[13:17, 26:34, 1:4] = 3
    mask[6:10, 20:40, 1:4] = 1
    return mask


def scene(mask=None, experts=True, loops=LOOPS, spacing=SPACING, affine=None):
    """A grey ramp, and a prediction that spends all loops inside the heart and one outside."""
    mask = heart() if mask is None else mask
    ramp = np.add.outer(
        np.add.outer(np.arange(mask.shape[0]), 3 * np.arange(mask.shape[1])),
        50 * np.arange(mask.shape[2]),
    )
    default = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    image = Volume(ramp.astype(np.float32), default if affine is None else affine, spacing)
    halting = np.where(mask > 0, loops, 1).astype(np.uint8)
    shares = (0.25,) * 4 if experts else ()
    routed = image.with_array(mask + np.uint8(1)) if experts else None
    return image, Prediction(
        image.with_array(mask), image.with_array(halting), routed, loops, 3.2, shares
    )


def drawn(path, image, prediction, labels=ACDC_LABELS, title="case"):
    """The picture as (height, width, 3) in 0 to 255."""
    write_contact_sheet(path, image, prediction, labels, title=title)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def tile(picture, sheet, row, number):
    """The pixels of one tile."""
    left, top = list(sheet.corners(row))[number]
    height, width = sheet.tile
    return picture[TOP + top : TOP + top + height, LEFT + left : LEFT + left + width]


def near(pixels, colour, tolerance=40):
    """Where ``pixels`` are about ``colour``."""
    return (np.abs(pixels - 255 * np.array(to_rgb(colour))) <= tolerance).all(axis=-1)


def sheet_of(image, prediction):
    stack = cropped(upright(image, prediction))
    return lay_out(len(stack.image), rows=2 if stack.experts is None else 3, tile_mm=stack.tile_mm)


# ------------------------------------------------------------------------------------------ upright


@pytest.mark.parametrize(
    ("swap", "flip_x", "flip_y"), list(itertools.product((False, True), repeat=3))
)
def test_every_way_to_store_a_slice_gives_the_same_picture(swap, flip_x, flip_y):
    image, prediction = scene()
    expected = upright(image, prediction)

    def stored(volume):
        array, affine = volume.array, volume.affine.copy()
        for axis in [0] * flip_x + [1] * flip_y:
            array = np.flip(array, axis)
            affine[:3, 3] += affine[:3, axis] * (SHAPE[axis] - 1)
            affine[:3, axis] *= -1
        order = [1, 0, 2] if swap else [0, 1, 2]
        spacing = tuple(volume.spacing[axis] for axis in order)
        return Volume(array.transpose(order), affine[:, [*order, 3]], spacing)

    maps = {name: stored(getattr(prediction, name)) for name in ("mask", "halting", "experts")}
    found = upright(stored(image), replace(prediction, **maps))
    for name in ("image", "mask", "halting", "experts"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert found.pixel_mm == expected.pixel_mm == (1.0, 2.0), "rows run along Y"


def test_left_is_right_and_back_is_down():
    image, prediction = scene()
    assert np.array_equal(upright(image, prediction).image[0], image.array[:, :, 0].T), (
        "ACDC's axes: X to the left, Y to the back"
    )
    tilted = image.affine.copy()
    tilted[:3, :2] = np.array([[-1.6, 0.1], [-1.0, -0.6], [0.6, -0.8]])
    image, prediction = scene(affine=tilted)
    assert np.array_equal(upright(image, prediction).image[0], image.array[:, :, 0].T), (
        "an oblique short axis"
    )


def test_slices_are_those_across_the_thick_axis():
    mask = np.moveaxis(heart(), 2, 0)
    image, prediction = scene(mask=mask, spacing=(8.0, 2.0, 1.0))
    stack = upright(image, prediction)
    assert len(stack.image) == SHAPE[2]
    assert sorted(stack.image.shape[1:]) == sorted(SHAPE[:2])
    assert [plane.any() for plane in stack.mask] == [False, True, True, True, False]


# --------------------------------------------------------------------------------------------- crop


def test_the_crop_is_the_heart_and_a_margin_in_mm():
    spacing = (2.0, 3.0, 20.0)
    mask = np.zeros((80, 80, 3), np.uint8)
    mask[30:40, 50:60, 1] = 3
    image, prediction = scene(mask=mask, spacing=spacing)
    box = cropped(upright(image, prediction))
    margins = [int(np.ceil(MARGIN_MM / size)) for size in spacing[:2]]
    rows, columns = 10 + 2 * margins[1], 10 + 2 * margins[0]
    assert (
        box.image.shape
        == box.mask.shape
        == box.halting.shape
        == box.experts.shape
        == (3, rows, columns)
    )
    assert (box.mask > 0).sum() == 100, "nothing of the heart is cut"
    assert box.image[1, 0, 0] == image.array[30 - margins[0], 50 - margins[1], 1]


def test_the_crop_ends_at_the_picture_and_an_empty_mask_crops_nothing():
    mask = np.zeros(SHAPE, np.uint8)
    assert cropped(upright(*scene(mask=mask))).image.shape == (SHAPE[2], SHAPE[1], SHAPE[0])
    mask[0, 0, 0] = mask[-1, -1, 0] = 1
    assert cropped(upright(*scene(mask=mask))).image.shape == (SHAPE[2], SHAPE[1], SHAPE[0])


# ------------------------------------------------------------------------------------------- layout

sizes_mm = st.floats(20, 400)


@given(count=st.integers(1, 150), rows=st.integers(2, 3), tile_mm=st.tuples(sizes_mm, sizes_mm))
def test_tiles_keep_their_aspect_and_their_distance(count, rows, tile_mm):
    sheet = lay_out(count, rows=rows, tile_mm=tile_mm)
    height, width = sheet.tile
    assert 1 <= sheet.columns <= min(count, MOST_COLUMNS)
    assert sheet.columns * (sheet.blocks - 1) < count <= sheet.columns * sheet.blocks
    assert (
        abs(height / width - tile_mm[0] / tile_mm[1])
        <= 1.5 * (height / width) / min(height, width) + 0.02
    )
    corners = [corner for row in range(rows) for corner in sheet.corners(row)]
    assert len(set(corners)) == count * rows
    assert max(left for left, _ in corners) + width <= sheet.width
    assert max(top for _, top in corners) + height <= sheet.height
    for axis, size in ((0, width), (1, height)):
        places = sorted({corner[axis] for corner in corners})
        assert all(after - before >= size + GAP for before, after in itertools.pairwise(places))


def test_ten_slices_make_two_blocks_of_five():
    sheet = lay_out(10, rows=3, tile_mm=(120.0, 140.0))
    assert (sheet.columns, sheet.blocks) == (5, 2)


# ------------------------------------------------------------------------------------------ picture


def test_contours_lie_on_the_borders_of_the_mask_in_the_palette(tmp_path):
    image, prediction = scene()
    sheet = sheet_of(image, prediction)
    picture = drawn(tmp_path / "a.png", image, prediction)
    stack = cropped(upright(image, prediction))
    for name, colour in PALETTE.items():
        found = near(tile(picture, sheet, 0, 2), colour)
        inside = np.argwhere(stack.mask[2] == ACDC_LABELS.value(name))
        scale = np.array(sheet.tile) / stack.mask.shape[1:]
        (low, high), at = (inside.min(0) * scale, (inside.max(0) + 1) * scale), np.argwhere(found)
        assert len(at) > 40, f"{name} has no contour"
        # Outer borders; those of MYO lie under RV on one side and around LV inside.
        assert (at.min(0) >= low - 3).all(), name
        assert (at.max(0) <= high + 3).all(), name
        if name != "MYO":
            middle = ((low + high) / 2).astype(int)
            assert not found[tuple(middle)], f"{name} is filled, not outlined"
        assert not near(tile(picture, sheet, 0, 0), colour).any(), (
            "a slice without heart has no contour"
        )


def test_the_maps_show_loops_and_experts_where_they_are(tmp_path):
    image, prediction = scene(mask=heart())
    flat = image.with_array(np.full(SHAPE, 7, np.int16))
    sheet = sheet_of(flat, prediction)
    stack = cropped(upright(flat, prediction))
    picture = drawn(tmp_path / "a.png", flat, prediction)
    scale = np.array(sheet.tile) / stack.mask.shape[1:]

    def pixel(row, name):
        at = np.argwhere(stack.mask[2] == ACDC_LABELS.names.index(name))
        middle = at[len(at) // 2] if name != "background" else at[0] + 1
        return tile(picture, sheet, row, 2)[tuple(((middle + 0.5) * scale).astype(int))]

    assert pixel(1, "LV").sum() > pixel(1, "background").sum() + 200, (
        "all loops glow, one loop does not"
    )
    seen = {name: pixel(2, name) for name in ACDC_LABELS.names}
    ground = seen["background"] - 0.5 * 255 * np.array(to_rgb(EXPERTS[0]))
    for number, name in enumerate(ACDC_LABELS.names):
        assert (
            np.abs(seen[name] - ground - 0.5 * 255 * np.array(to_rgb(EXPERTS[number]))).max() <= 3
        ), name


def test_the_colour_bar_runs_from_one_to_the_budget(tmp_path):
    image, prediction = scene(loops=5)
    sheet = sheet_of(image, prediction)
    picture = drawn(tmp_path / "a.png", image, prediction)
    column = picture[:, LEFT + sheet.width + 14 + 9]
    places = [
        np.flatnonzero(near(column, colormaps["inferno"](share), 4))
        for share in np.linspace(1, 0, 5)
    ]
    assert all(len(place) >= 20 for place in places)
    assert all(before.mean() < after.mean() for before, after in itertools.pairwise(places)), (
        "the budget on top"
    )


def test_legends_name_what_there_is(tmp_path):
    image, prediction = scene()
    with_experts = drawn(tmp_path / "a.png", image, prediction)
    without = drawn(tmp_path / "b.png", *scene(experts=False))
    assert len(np.unique(with_experts[near(with_experts, EXPERTS[2], 1)], axis=0)) == 1, (
        "a swatch of expert 3"
    )
    assert not near(without, EXPERTS[2], 1).any()
    unused = replace(prediction, expert_shares=(0.2,) * 5)
    assert near(drawn(tmp_path / "c.png", image, unused), EXPERTS[4], 1).any(), (
        "an expert that never wins is named too"
    )


def test_other_structures_have_other_colours(tmp_path):
    labels = LabelTable(("background", "Aorta", "myo", "LA appendage"))
    image, prediction = scene()
    picture = drawn(tmp_path / "a.png", image, prediction, labels)
    assert labels.colours["myo"] == PALETTE["MYO"]
    assert len({*labels.colours.values(), *PALETTE.values()}) == 5
    assert near(picture, labels.colours["Aorta"]).sum() > 40
    assert not near(picture, PALETTE["LV"], 10).any()


@pytest.mark.parametrize(
    "title",
    ["$x_$ 50 %", "Müller – 心臓", "\udcff.nii", "a" * 500, ""],
    ids=["dollar", "foreign", "bytes", "long", "none"],
)
def test_any_title_is_drawn_within_the_picture(tmp_path, title):
    image, prediction = scene(experts=False)
    picture = drawn(tmp_path / "a.png", image, prediction, title=title)
    head = picture[8:32]
    assert (head < 100).any() == bool(title)
    assert (head[:, -8:] > 250).all(), "it runs out of the picture"


@pytest.mark.parametrize(
    "changes",
    [
        {"mask": np.zeros(SHAPE, np.uint8)},
        {"mask": np.full(SHAPE, 3, np.uint8)},
        {"mask": heart()[:, :, 2:3]},
        {"mask": heart()[:1, :, 2:3]},
        {"loops": 1},
        {"loops": 255},
    ],
    ids=["empty", "full", "one slice", "one line", "one loop", "255 loops"],
)
def test_odd_predictions_are_drawn(tmp_path, changes):
    image, prediction = scene(**changes)
    picture = drawn(tmp_path / "a.png", image, prediction)
    assert np.ptp(picture) > 200


def test_a_noisy_picture_stays_below_two_megabytes(tmp_path):
    phantom = draw(
        PhantomConfig(shape=(128, 144, 24), spacing_mm=(2.5, 2.5, 4.0), frames=1, noise=0.06)
    )
    image, prediction = scene(mask=phantom.label[..., 0], spacing=phantom.spacing_mm)
    write_contact_sheet(
        tmp_path / "a.png",
        image.with_array(phantom.image[..., 0]),
        prediction,
        ACDC_LABELS,
        title="noise",
    )
    assert 2e5 < (tmp_path / "a.png").stat().st_size < 2e6


def test_the_notice_stands_at_the_foot_and_the_file_says_nothing_else(tmp_path, monkeypatch):
    image, prediction = scene()
    path = tmp_path / "Müller" / "a.png"
    picture = drawn(path, image, prediction)
    assert (picture[-30:-8] < 130).any()
    monkeypatch.setattr("cardioseg.figures.contact_sheet.NOTICE", "")
    assert (drawn(path, image, prediction)[-30:-8] > 250).all()
    with Image.open(io.BytesIO(path.read_bytes())) as written:
        assert set(written.info) <= {"dpi"}, "no text chunks: no software, no path, no date"


def test_the_same_input_gives_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        write_contact_sheet(tmp_path / name, *scene(), ACDC_LABELS, title="case")
    first = (tmp_path / "a.png").read_bytes()
    assert first == (tmp_path / "b.png").read_bytes()
    assert contact_sheet_png(*scene(), ACDC_LABELS, title="case") == first


def test_the_settings_of_a_notebook_have_no_effect():
    expected = contact_sheet_png(*scene(), ACDC_LABELS, title="case")
    styled = {"savefig.bbox": "tight", "figure.facecolor": "black", "font.size": 30}
    with rc_context(styled | {"savefig.facecolor": "red", "image.origin": "lower"}):
        assert contact_sheet_png(*scene(), ACDC_LABELS, title="case") == expected


def test_a_closed_folder_is_an_output_error_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_contact_sheet(tmp_path / "file" / "a.png", *scene(), ACDC_LABELS, title="case")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
