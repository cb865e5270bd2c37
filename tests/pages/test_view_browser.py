"""The page of ``cardioseg view`` in a browser: it draws, its controls work, no requests."""

import base64
import gzip
import re
import shutil
import time

import nibabel as nib
import numpy as np
import pytest
from browser import Page, needs_chromium
from small_case import SPACING, write_case
from tiny import names_in

from cardioseg.core.labels import PALETTE
from cardioseg.workflows.view import ViewRequest, view


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page alone in its folder."""
    folder = tmp_path_factory.mktemp("case")
    write_case(folder)
    (path,) = view(ViewRequest(folder)).files
    alone = tmp_path_factory.mktemp("Müller – 心臓") / path.name
    shutil.copy(path, alone)
    assert names_in(alone.parent) == {path.name}
    return alone


def set_slider(browser, name, value):
    script = (
        "const e = document.getElementById(arguments[0]);"
        "e.value = arguments[1]; e.dispatchEvent(new Event('input'))"
    )
    browser.run(script, name, value)


def click(browser, selector):
    browser.run("document.querySelector(arguments[0]).click()", selector)


def drawing(browser):
    """The pixels where volumes are drawn."""
    picture = browser.picture()
    box = browser.run(
        "const b = document.querySelector('main').getBoundingClientRect();"
        "return [b.top, b.bottom, b.left, b.right]"
    )
    top, bottom, left, right = map(int, box)
    return picture[top:bottom, left:right]


def coloured(pixels):
    return int((np.ptp(pixels, axis=-1) > 30).sum())


@needs_chromium
@pytest.mark.filterwarnings("ignore::ResourceWarning")
class TestInABrowser:
    @pytest.fixture(autouse=True)
    def opened(self, browser, page):
        browser.console(), browser.requests()
        browser.open(page)
        assert browser.run("return document.body.dataset.state") == "ready"
        yield
        assert browser.console() == []

    def test_it_loads_from_a_file_and_asks_nobody(self, browser, page):
        click(browser, "[value=all]")
        click(browser, "#show-experts")
        assert browser.requests() == [page.resolve().as_uri()]
        resources = browser.run(
            "return performance.getEntriesByType('resource').map(entry => entry.name)"
        )
        assert [name for name in resources if not name.startswith(("data:", "blob:"))] == []
        refused = browser.run(
            "return fetch('https://example.org/').then(() => 'sent', () => 'refused')"
        )
        assert refused == "refused"
        assert len(browser.console()) >= 1, "the policy is what refused it"
        assert not [address for address in browser.requests() if address.startswith("http")]

    def test_it_draws_the_heart(self, browser):
        pixels = drawing(browser)
        assert pixels.max() > 200
        assert pixels.std() > 20, "blank"
        assert coloured(pixels) > 5000, "loops and outlines"

    @pytest.mark.parametrize("layer", ["image", "outline", "mask", "halting", "experts"])
    def test_every_layer_comes_and_goes(self, browser, layer):
        before = drawing(browser)
        click(browser, f"#show-{layer}")
        after = drawing(browser)
        click(browser, f"#show-{layer}")
        assert (np.abs(after - before).max(axis=-1) > 20).sum() > 500
        assert np.abs(drawing(browser) - before).max() <= 2, "and back"

    def test_colours_lie_where_the_mask_is(self, browser):
        for layer in ("outline", "halting"):
            click(browser, f"#show-{layer}")
        click(browser, "#show-mask")
        set_slider(browser, "opacity-mask", 100)
        pixels = drawing(browser)
        for name, colour in PALETTE.items():
            rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            assert (np.abs(pixels - rgb).max(axis=-1) < 12).sum() > 500, name

    def test_outlines_lie_on_the_borders_of_the_filled_mask(self, browser):
        for layer in ("image", "halting", "mask"):
            click(browser, f"#show-{layer}")
        set_slider(browser, "opacity-mask", 100)
        click(browser, "#show-outline")
        filled = drawing(browser)
        click(browser, "#show-outline")
        click(browser, "#show-mask")
        lines = drawing(browser).max(axis=-1) > 120
        inside = filled.max(axis=-1) > 120
        rows, columns = np.nonzero(inside)
        at_rows, at_columns = np.nonzero(lines)
        zoom = browser.run("return document.getElementById('volume').clientHeight") / 40
        for found, filled_at in ((at_rows, rows), (at_columns, columns)):
            assert abs(found.min() - filled_at.min()) < zoom
            assert abs(found.max() - filled_at.max()) < zoom
        assert lines.sum() < 0.3 * inside.sum(), "lines, no area"

    def test_sliders_change_slice_frame_and_opacity(self, browser):
        for name, value in (
            ("slice", 5),
            ("frame", 2),
            ("opacity-halting", 90),
            ("opacity-image", 20),
        ):
            before = drawing(browser)
            set_slider(browser, name, value)
            assert (np.abs(drawing(browser) - before).max(axis=-1) > 10).sum() > 500, name
        shown = browser.run(
            "return ['slice-is', 'frame-is'].map(id => document.getElementById(id).textContent)"
        )
        assert shown == ["5 of 6", "2 of 3"]

    def test_keys_and_the_wheel_move_too(self, browser):
        position = "return ['slice', 'frame'].map(id => Number(document.getElementById(id).value))"
        start = browser.run(position)
        press = (
            "document.body.dispatchEvent("
            "new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))"
        )
        browser.run(press, "ArrowUp")
        browser.run(press, "ArrowRight")
        assert browser.run(position) == [start[0] + 1, start[1] + 1]
        browser.run(press, "ArrowLeft")
        browser.run(press, "ArrowLeft")
        assert browser.run(position)[1] == 3, "round to the last frame"

    def test_the_legend_counts_what_the_files_hold(self, browser, page):
        mask = base64.b64decode(Page(page).scripts["file-mask"])
        first = np.asarray(nib.Nifti1Image.from_bytes(gzip.decompress(mask)).dataobj)[..., 0]
        ml = np.prod(SPACING) / 1000
        counts = [(first == value).sum() for value in (1, 2, 3)]
        shown = "return [...document.querySelectorAll(arguments[0])].map(cell => cell.textContent)"
        assert browser.run(shown, "#legend-mask output") == [
            f"{count * ml:.1f} ml" for count in counts
        ]
        shares = [0, counts[0], 0, counts[1], 0, counts[2]]
        assert browser.run(shown, "#legend-halting output") == [
            f"{100 * share / sum(counts):.0f} %" for share in shares
        ]

    def test_the_pointer_names_what_is_under_it(self, browser):
        middle = """
          const box = document.getElementById('volume').getBoundingClientRect();
          const [x, y] = arguments;
          document.getElementById('volume').dispatchEvent(new MouseEvent('mousemove',
            {clientX: box.left + x * box.width, clientY: box.top + y * box.height, bubbles: true}));
          return document.getElementById('pointer').textContent"""
        grid = [
            browser.run(middle, x, y)
            for x in np.linspace(0.2, 0.8, 13)
            for y in np.linspace(0.2, 0.8, 13)
        ]
        assert any(re.fullmatch(r"slice \d · LV · 6 loops · expert 4", words) for words in grid)
        assert any(re.fullmatch(r"slice \d · RV · 2 loops · expert 2", words) for words in grid)
        assert any(
            re.fullmatch(r"slice \d · background · 1 loop · expert 1", words) for words in grid
        )

    @pytest.mark.parametrize("layout", ["all", "planes"])
    def test_other_layouts_draw_too(self, browser, layout):
        before = drawing(browser)
        click(browser, f"[value={layout}]")
        after = drawing(browser)
        assert (np.abs(after - before).max(axis=-1) > 20).sum() > 5000
        assert coloured(after) > 2000
        click(browser, "[value=slice]")
        assert np.abs(drawing(browser) - before).mean() < 1

    def test_it_plays(self, browser):
        click(browser, "#play")
        seen, deadline = set(), time.monotonic() + 30
        while len(seen) < 3 and time.monotonic() < deadline:
            seen.add(browser.run("return document.getElementById('frame').value"))
        click(browser, "#play")
        assert len(seen) == 3
        assert browser.run("return document.getElementById('play').textContent") == "Play"
