"""Reports and index in a browser: no requests, enough contrast, a table that sorts."""

import itertools
import re

import numpy as np
import pytest
from browser import needs_chromium
from small_case import FAIL, PASS, WARN, write_pair
from small_case import write_reported_case as case

from cardioseg.pages.patient import write_patient_reports
from cardioseg.pages.report import write_report
from cardioseg.results.hearts import make_hearts
from cardioseg.workflows.folder import update_folder

# Every text with its contrast against the background (WCAG 2).
CONTRASTS = """
const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const ground = (e) => {
  const shape = e instanceof SVGElement && e.parentElement.querySelector(':scope > path');
  if (shape) return parse(getComputedStyle(shape).fill);
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
  return [255, 255, 255];
};
const contrast = (e) => {
  const style = getComputedStyle(e);
  const colour = light(parse(e instanceof SVGElement ? style.fill : style.color));
  const [a, b] = [colour, light(ground(e))].sort((x, y) => y - x);
  return [e.textContent.trim().slice(0, 40), (a + 0.05) / (b + 0.05)];
};
const says = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
const seen = (e) => !['SCRIPT', 'STYLE', 'style', 'title', 'desc'].includes(e.tagName);
return [...document.querySelectorAll('body *')].filter((e) => seen(e) && says(e)).map(contrast);
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    report = write_report(folder, "heart", case(folder, quality=WARN, warnings=("a warning",)))
    for number, quality in ((2, PASS), (10, FAIL)):
        name = f"heart{number}"
        write_report(folder, name, case(folder, name, frames=number, quality=quality))
    case(folder, "volume", frames=1)
    update_folder(folder)
    records = write_pair(folder, "pair")
    write_patient_reports(folder, make_hearts(folder, records).pairs, records)
    return report, folder / "index.html", folder / "pair_report.html"


@needs_chromium
@pytest.mark.filterwarnings("ignore::ResourceWarning")
class TestInABrowser:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_pages_ask_nobody_and_every_word_stands_out(self, browser, pages, scheme):
        for page in pages:
            browser.console(), browser.requests()
            browser.open(page, scheme=scheme)
            assert browser.requests() == [page.resolve().as_uri()]
            found = browser.run(CONTRASTS)
            assert len(found) > 20
            assert [(text, ratio) for text, ratio in found if ratio < 4.5] == []
            assert browser.console() == []

    def test_light_is_light_and_dark_is_dark(self, browser, pages):
        for scheme, dark in (("light", False), ("dark", True)):
            browser.open(pages[0], scheme=scheme)
            assert (np.median(browser.picture()) < 60) == dark

    def test_print_is_light_whatever_the_screen(self, browser, pages):
        browser.open(pages[0], scheme="dark")
        browser.command(
            "Emulation.setEmulatedMedia",
            media="print",
            features=[{"name": "prefers-color-scheme", "value": "dark"}],
        )
        assert np.median(browser.picture()) > 240
        assert [text for text, ratio in browser.run(CONTRASTS) if ratio < 4.5] == []
        browser.command("Emulation.setEmulatedMedia", media="", features=[])

    def test_the_picture_and_the_curve_are_drawn(self, browser, pages):
        browser.open(pages[0])
        assert browser.run("return document.querySelector('figure img').naturalWidth") == 80
        box = browser.run(
            "const line = '.volume-curve polyline[stroke-linejoin][opacity]';"
            "const b = document.querySelector(line).getBBox(); return [b.width, b.height]"
        )
        assert box[0] > 400
        assert box[1] > 5

    def test_headings_and_tables_are_in_order(self, browser, pages):
        for page in pages:
            browser.open(page)
            levels = browser.run(
                "return [...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))"
            )
            assert levels[0] == 1
            assert levels.count(1) == 1
            assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
            assert browser.run("return [...document.querySelectorAll('th')].every(th => th.scope)")
            named = "e.alt || e.ariaLabel || e.ariaLabelledByElements?.length"
            assert browser.run(
                f"return [...document.querySelectorAll('img, svg')].every(e => {named})"
            )

    @pytest.mark.parametrize(("scheme", "brighter"), [("light", -1), ("dark", 1)])
    def test_the_bulls_eye_is_drawn_and_what_is_thicker_stands_out_more(
        self, browser, pages, scheme, brighter
    ):
        for page in (pages[0], pages[2]):
            browser.open(page, scheme=scheme)
            found = browser.run(
                """return [...document.querySelectorAll('svg.bullseye g')].map(g => [
                     Number(g.querySelectorAll('text')[1].textContent),
                     getComputedStyle(g.querySelector('path')).fill,
                     g.querySelector('path').getBBox().width])"""
            )
            assert len(found) == 17
            assert all(width > 50 for *_, width in found)
            light = {
                mm: sum(map(int, re.findall(r"\d+", fill)))
                for mm, fill, _ in found
                if mm is not None
            }
            assert brighter * (light[max(light)] - light[min(light)]) > 0
            assert found[16][1] not in [fill for _, fill, _ in found[:16]], "the apex is grey"

    def test_the_patients_page_shows_both_frames_and_leads_to_them(self, browser, pages):
        browser.open(pages[2])
        assert browser.run(
            "return [...document.querySelectorAll('figure img')].map(i => i.naturalWidth)"
        ) == [80, 80]
        browser.run("document.querySelectorAll('main a')[1].click()")
        assert browser.run("return document.querySelector('h1').textContent") == "pair_ES"

    def test_the_table_sorts_both_ways_and_keeps_the_uncomputed_last(self, browser, pages):
        browser.open(pages[1])
        click = "document.querySelectorAll('#hearts thead button')[arguments[0]].click()"
        names = (
            "return [...document.querySelectorAll('#hearts tbody th')].map(th => th.dataset.value)"
        )
        browser.run(click, 0)
        assert browser.run(names) == ["heart", "heart2", "heart10", "volume"], (
            "numbers in names count"
        )
        browser.run(click, 1)
        assert browser.run(names)[:2] == ["heart10", "heart"], "fail, then warn"
        columns = browser.run(
            "return [...document.querySelectorAll('#hearts thead th')].map(th => th.textContent)"
        )
        values = (
            "return [...document.querySelectorAll('#hearts tbody tr')]"
            ".map(tr => tr.children[arguments[0]].dataset.value)"
        )
        for direction in (1, -1):
            browser.run(click, columns.index("LV EF (%)"))
            *computed, last = browser.run(values, columns.index("LV EF (%)"))
            assert last == ""
            assert [float(value) for value in computed] == sorted(
                map(float, computed), reverse=direction < 0
            )
        assert browser.run("return document.querySelectorAll('[aria-sort]').length") == 1

    def test_the_links_lead_to_the_reports(self, browser, pages):
        browser.open(pages[1])
        browser.run("document.querySelector('#hearts tbody a').click()")
        assert browser.run("return document.querySelector('h1').textContent") == "heart"
