"""The bull's-eye on a report's page, with its text for screen readers and its reasons."""

from browser import Page
from small_case import read_heart
from small_case import write_reported_case as case

from cardioseg.clinical.wall import SEGMENTS
from cardioseg.pages.report import case_page, write_report

APEX = "no short-axis slice cuts across the apical cap"


def test_the_page_has_the_figure_with_words_for_those_who_do_not_see_it(tmp_path):
    record = case(tmp_path)
    heart = read_heart(tmp_path)
    path = write_report(tmp_path, "heart", record)
    content, text = path.read_text(encoding="utf-8"), " ".join(" ".join(Page(path).text).split())
    for number, (name, mm) in enumerate(heart.wall_thickness.segments_mm.items(), start=1):
        assert f"{number} {name}: {'not computed' if mm is None else f'{mm:.1f} mm'}" in text
    assert 'aria-labelledby="bullseye-title bullseye-desc"' in content
    assert f"17 apex ({APEX})" in text
    assert "Anterior (assumed)" in text, "the case lies on a grid without an orientation"
    listed = case_page(tmp_path, "heart", record).numbers.missing
    assert listed == [], "the figure tells its reasons itself"


def test_a_heart_without_a_wall_says_why_there_is_no_figure(tmp_path):
    record = case(tmp_path)
    heart = read_heart(tmp_path)
    names = [f"wall_thickness.segments_mm.{name}" for name in SEGMENTS]
    wall = heart.wall_thickness.model_copy(update={"segments_mm": dict.fromkeys(SEGMENTS)})
    reasons = heart.reasons | dict.fromkeys(names, "the RV touches the LV's wall in no slice")
    heart.model_copy(update={"wall_thickness": wall, "reasons": reasons}).write(
        tmp_path / "heart_clinical.json"
    )
    page = write_report(tmp_path, "heart", record)
    assert "the RV touches the LV's wall in no slice" in " ".join(" ".join(Page(page).text).split())
    assert 'id="bullseye' not in page.read_text(encoding="utf-8")
