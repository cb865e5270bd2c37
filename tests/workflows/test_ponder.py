"""``cardioseg view --ponder``: strip and animation show the active tokens of the halting map."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from small_case import LOOPS, SHAPE, SPACING, write_case
from tiny import cardioseg, save_image

from cardioseg.core.errors import EXIT_OK, EXIT_USAGE, OutputError, UsageError
from cardioseg.core.labels import PALETTE
from cardioseg.figures.ponder_strip import GAP, HEADING, LAST_MS, PANEL, SIDE, STEP_MS, TOP
from cardioseg.figures.upright import cropped, upright
from cardioseg.results.finished import open_finished
from cardioseg.workflows.places import fullest_frame
from cardioseg.workflows.ponder import PonderRequest, ponder

# Loops used by name, as small_case writes them.
STEPS = {"background": 1, "RV": 2, "MYO": 4, "LV": LOOPS}


@pytest.fixture
def drawn(tmp_path):
    """A case, what ponder said of it, its strip (H, W, 3) and the slice as the strip shows it."""
    write_case(tmp_path)
    report = ponder(PonderRequest(tmp_path, tmp_path / "strip.png"))
    case = open_finished(tmp_path)
    stack = cropped(upright(*case.frame(report.data.frame - 1)))
    with Image.open(tmp_path / "strip.png") as picture:
        return (
            report,
            np.asarray(picture.convert("RGB")).astype(int),
            stack,
            report.data.slice - 1,
        )


def panel(picture, stack, number, columns):
    """The pixels of one panel."""
    height = round(PANEL * stack.tile_mm[0] / stack.tile_mm[1])
    row, column = divmod(number, columns)
    left, top = SIDE + column * (PANEL + GAP), TOP + HEADING + row * (HEADING + height + GAP)
    return picture[top : top + height, left : left + PANEL]


def inner(region):
    """Voxels whose neighbours have the same value, away from contours."""
    shifted = [np.roll(region, step, axis) for axis in (0, 1) for step in (-1, 1)]
    return np.logical_and.reduce([region, *shifted])


def mean_colour(pixels, region):
    """Mean colour (3,) over the middles of voxels."""
    scale = np.array(pixels.shape[:2]) / region.shape
    at = ((np.argwhere(region) + 0.5) * scale).astype(int)
    return pixels[at[:, 0], at[:, 1]].mean(axis=0)


def test_what_is_active_is_tinted_and_what_stopped_is_dark(drawn):
    _, picture, stack, index = drawn
    columns = (LOOPS + 2) // 2
    image = panel(picture, stack, 0, columns)
    regions = {name: inner(stack.mask[index] == value) for value, name in enumerate(STEPS)}
    for loop in range(1, LOOPS + 1):
        pixels = panel(picture, stack, loop, columns)
        for name in ("RV", "MYO", "LV"):
            before, now = mean_colour(image, regions[name]), mean_colour(pixels, regions[name])
            if STEPS[name] > loop:
                assert np.ptp(now) > 12, f"{name} after loop {loop} has the loop's tint"
            else:
                assert np.ptp(now) < 6, f"{name} after loop {loop} is grey"
                assert now.mean() < 0.6 * before.mean() + 6, f"{name} after loop {loop} is dark"


def test_the_first_panel_has_the_contours_in_colour(drawn):
    _, picture, stack, _ = drawn
    image = panel(picture, stack, 0, (LOOPS + 2) // 2)
    for name, colour in PALETTE.items():
        assert (np.abs(image - 255 * np.array(to_rgb(colour))).max(axis=-1) < 40).sum() > 30, name


def test_the_slice_and_the_frame_are_those_with_most_to_see(drawn):
    report, _, stack, index = drawn
    walls = (stack.mask == 2).sum(axis=(1, 2))
    assert walls[index] == walls.max()
    steps, heart = stack.halting[index], stack.mask[index] > 0
    assert report.data.mean_steps == pytest.approx(steps[heart].mean(), abs=1e-4)
    assert report.data.most_steps == LOOPS


def test_the_frame_with_most_blood_is_chosen(tmp_path):
    truth = write_case(tmp_path)
    assert fullest_frame(open_finished(tmp_path)) == int((truth == 3).sum(axis=(0, 1, 2)).argmax())


def test_slice_and_frame_can_be_asked_for(tmp_path):
    write_case(tmp_path)
    asked = PonderRequest(tmp_path, tmp_path / "a.png", slice_number=5, frame=2)
    data = ponder(asked).data
    assert (data.slice, data.frame) == (5, 2)
    for option, number in (("slice_number", 7), ("slice_number", 0), ("frame", 4)):
        with pytest.raises(UsageError, match=r"expected 1 to \d"):
            ponder(PonderRequest(tmp_path, tmp_path / "b.png", **{option: number}))


def test_the_animation_shows_every_loop_once_and_begins_again(tmp_path):
    write_case(tmp_path, frames=1)
    ponder(PonderRequest(tmp_path, tmp_path / "a.gif"))
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == LOOPS
        assert animation.info["loop"] == 0
        durations, pictures = [], []
        for number in range(LOOPS):
            animation.seek(number)
            durations.append(animation.info["duration"])
            pictures.append(np.asarray(animation.convert("RGB")).astype(int))
    # RV stops after loop 2, MYO after 4, LV after 6; only the tint changes in between.
    assert durations == [STEP_MS] * (LOOPS - 1) + [LAST_MS]
    assert all((np.abs(b - a).max(axis=-1) > 8).any() for a, b in itertools.pairwise(pictures))
    left = [picture[TOP + HEADING :, SIDE : SIDE + PANEL] for picture in pictures]
    assert max(np.abs(picture - left[0]).max() for picture in left) <= 3, (
        "the image beside it stands still"
    )


def test_a_slice_that_stops_at_once_and_one_without_a_heart_are_drawn(tmp_path):
    write_case(tmp_path, frames=1)
    for kind, value in (("halting", 1), ("mask", 0)):
        save_image(
            tmp_path / f"heart_{kind}.nii.gz", np.full(SHAPE, value, np.uint8), spacing=SPACING
        )
        report = ponder(PonderRequest(tmp_path, tmp_path / f"{kind}.png", slice_number=1))
        assert report.data.most_steps == 1
        with Image.open(tmp_path / f"{kind}.png") as picture:
            assert np.ptp(np.asarray(picture)) > 100


def test_other_endings_and_files_that_are_there_are_refused(tmp_path):
    write_case(tmp_path, frames=1)
    with pytest.raises(
        UsageError, match=r"--ponder: found a\.jpg; expected a name ending in \.png or \.gif"
    ):
        ponder(PonderRequest(tmp_path, tmp_path / "a.jpg"))
    ponder(PonderRequest(tmp_path, tmp_path / "a.png"))
    first = (tmp_path / "a.png").read_bytes()
    ponder(PonderRequest(tmp_path, tmp_path / "a.png"))
    with pytest.raises(OutputError):
        ponder(PonderRequest(tmp_path, tmp_path / "a.png", slice_number=1))
    assert (tmp_path / "a.png").read_bytes() == first, "left as it was"
    ponder(PonderRequest(tmp_path, tmp_path / "a.png", slice_number=1, overwrite=True))
    ponder(PonderRequest(tmp_path, tmp_path / "a.png", overwrite=True))
    assert (tmp_path / "a.png").read_bytes() == first
    with Image.open(tmp_path / "a.png") as picture:
        assert set(picture.info) <= {"dpi"}, "no text chunks"


def test_the_command_draws(tmp_path):
    write_case(tmp_path)
    done = cardioseg(
        "view", tmp_path, "--ponder", tmp_path / "a.gif", "--slice", "2", "--json", "--quiet"
    )
    report = json.loads(done.out)
    assert (done.code, report["files"], report["data"]["slice"]) == (
        EXIT_OK,
        [str(tmp_path / "a.gif")],
        2,
    )
    assert not (tmp_path / "heart_view.html").exists()
    both = cardioseg("view", tmp_path, "--ponder", tmp_path / "b.gif", "--whole", "--quiet")
    assert both.code == EXIT_USAGE
    assert both.err.startswith("error: --whole: ")


def test_looking_needs_no_torch(tmp_path):
    write_case(tmp_path, frames=1)
    program = f"""
import sys
from pathlib import Path
from cardioseg.workflows.ponder import PonderRequest, ponder
from cardioseg.workflows.view import ViewRequest, view
ponder(PonderRequest(Path({str(tmp_path)!r}), Path({str(tmp_path / "a.png")!r})))
view(ViewRequest(Path({str(tmp_path)!r})))
print([name for name in ("torch", "monai", "SimpleITK") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
