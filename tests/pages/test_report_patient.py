"""``PATIENT_report.html``: the page of a patient whose ED and ES are separate files."""

import base64
import os
from urllib.parse import unquote_to_bytes

import pytest
from browser import Page
from small_case import (
    FAIL,
    PASS,
    WALL_MASS,
    read_heart,
    read_run,
    with_recipe,
    write_case,
    write_pair,
)

from cardioseg.clinical.quality import Quality
from cardioseg.pages.html import NOTICE, POLICY, is_page
from cardioseg.pages.index import index_rows, write_index
from cardioseg.pages.patient import MARK, patient_page, said_by, write_patient_reports
from cardioseg.pages.report import write_report
from cardioseg.results.hearts import make_hearts

ROUGH = WALL_MASS.model_copy(update={"rule": "roughness", "where": "mask"})


def finish(folder, records, *, overwrite=False):
    """Hearts and warnings of a folder whose patient reports have been written."""
    hearts = make_hearts(folder, records, overwrite=overwrite)
    warnings = write_patient_reports(folder, hearts.pairs, records, overwrite=overwrite)
    return hearts, [*hearts.warnings, *warnings]


@pytest.fixture
def pair(tmp_path):
    """Run records of a pair whose folder is finished."""
    records = write_pair(tmp_path)
    _, warnings = finish(tmp_path, records)
    assert warnings == []
    return records


def text_of(path):
    return " ".join(" ".join(Page(path).text).split())


def page_of(folder, records, **changes):
    """The facts of the pair's page; ``changes`` replace fields of its clinical record."""
    frames = {name.split("_")[1]: record for name, record in records.items()}
    return patient_page(folder, read_heart(folder, "p").model_copy(update=changes), frames)


def test_it_says_what_the_files_say(tmp_path, pair):
    heart, text = read_heart(tmp_path, "p"), text_of(tmp_path / "p_report.html")
    assert heart.lv.ef_percent > 20
    expected = [
        *(f"{value:.1f}" for value in heart.lv.model_dump().values()),
        *(f"{value:.1f}" for value in heart.rv.model_dump().values()),
        f"{heart.indexed.rv_esv_ml_per_m2:.1f}",
        "1.84 m² (175 cm, 70 kg",
        "from the file names; confidence high",
        f"ed frame, es frame: {heart.reasons['ed_frame']}",
        heart.reasons["cardiac_output.l_per_min"],
        f"1 basal anterior: {heart.wall_thickness.segments_mm['basal anterior']:.1f} mm",
        "Anterior (assumed)",
        *(f"{record.volumes_ml['LV'][0]:.1f} ml" for record in pair.values()),
        *(reason.text for reason in heart.quality.reasons),
        *pair,
        "rdvit-2d",
        "3 × 3 × 15 mm",
        "at most 6, 2.40 used",
        NOTICE,
    ]
    assert [words for words in expected if words not in text] == []
    assert "None" not in text


def test_both_pictures_are_in_it_and_both_reports_a_click_away(tmp_path, pair):
    path = tmp_path / "p_report.html"
    addresses = Page(path).addresses
    preview = base64.b64encode((tmp_path / "p_ED_preview.png").read_bytes()).decode("ascii")
    assert addresses.count(f"data:image/png;base64,{preview}") == 2
    assert [address for address in addresses if not address.startswith("data:")] == [
        "p_ED_report.html",
        "p_ES_report.html",
    ]
    content = path.read_text(encoding="utf-8")
    assert POLICY in content.replace("&#39;", "'")
    assert "<script" not in content
    assert str(tmp_path) not in content


def test_the_gravest_of_three_verdicts_is_on_top_and_each_frame_has_its_own(tmp_path, pair):
    records = {name: record.model_copy(update={"quality": PASS}) for name, record in pair.items()}
    for quality in (PASS, FAIL):
        assert page_of(tmp_path, records, quality=quality).quality.verdict == quality.verdict
    rough = Quality(verdict="warn", reasons=(ROUGH,))
    records["p_ES"] = records["p_ES"].model_copy(update={"quality": rough})
    for judged in (PASS, None):
        page = page_of(tmp_path, records, quality=judged)
        assert page.quality.verdict == "warn"
        assert [frame.quality.verdict for frame in page.frames] == ["pass", "warn"]


def test_what_both_files_say_is_said_once():
    assert said_by({"ED": ["a", "b"], "ES": ["b", "c"]}) == ["ED: a", "ED and ES: b", "ES: c"]


def test_provenance_tells_what_differs(tmp_path, pair):
    digests = dict(zip(pair, ("a" * 64, "b" * 64), strict=True))
    records = {
        name: with_recipe(record, input_sha256=digests[name]) for name, record in pair.items()
    }
    told = dict(page_of(tmp_path, records).provenance)
    assert told["Model"].startswith("rdvit-2d, SHA-256 000")
    assert told["Image"] == f"ED: SHA-256 {'a' * 16}…; ES: SHA-256 {'b' * 16}…"
    assert told["Time"] == "1.5 s on cpu", "what both share stands once"


def test_the_index_leads_to_it_and_from_it_to_the_cases(tmp_path, pair):
    hearts, _ = finish(tmp_path, pair)
    (row,) = index_rows(tmp_path, hearts, pair)
    assert (row.name, row.address) == ("p", "p_report.html")
    assert row.links == [("p_ED", "p_ED_report.html"), ("p_ES", "p_ES_report.html")]
    assert row.quality.verdict == page_of(tmp_path, pair).quality.verdict
    write_index(tmp_path, hearts, pair)
    assert "p_report.html" in Page(tmp_path / "index.html").addresses


def test_it_is_made_again_and_goes_with_the_pair(tmp_path, pair):
    path = tmp_path / "p_report.html"
    first = path.read_bytes()
    path.unlink()
    finish(tmp_path, pair)
    assert path.read_bytes() == first
    finish(tmp_path, {"p_ED": pair["p_ED"]})
    assert sorted(name.name for name in tmp_path.glob("p_[cr]*")) == []
    assert (tmp_path / "p_ES_report.html").exists(), "a case's report is not the pair's to remove"


def test_it_goes_when_the_numbers_are_somebody_elses(tmp_path, pair):
    """``measure`` replaced the pair's record with one from corrected masks."""
    measured = read_heart(tmp_path, "p").model_copy(update={"made_by": "cardioseg measure"})
    measured.write(tmp_path / "p_clinical.json")
    _, (warning,) = finish(tmp_path, pair)
    assert "p_clinical.json" in warning
    assert not (tmp_path / "p_report.html").exists()


@pytest.mark.parametrize("whose", ["somebody's", "a case's"])
def test_another_page_of_its_name_stays_unless_told_otherwise(tmp_path, whose):
    records, path = write_pair(tmp_path), tmp_path / "p_report.html"
    if whose == "a case's":
        write_case(tmp_path, "p", frames=1)
        write_report(tmp_path, "p", read_run(tmp_path, "p"))
    else:
        path.write_text("<html>mine</html>", encoding="utf-8")
    before = path.read_bytes()
    hearts, (warning,) = finish(tmp_path, records)
    assert "p_report.html" in warning
    assert "--overwrite" in warning
    assert list(hearts.pairs) == ["p"]
    assert path.read_bytes() == before
    assert finish(tmp_path, records, overwrite=True)[1] == []
    assert is_page(path, mark=MARK)


def test_a_case_of_the_patients_name_keeps_its_report(tmp_path):
    records = write_pair(tmp_path)
    write_case(tmp_path, "p", frames=1)
    records["p"] = read_run(tmp_path, "p")
    before = write_report(tmp_path, "p", records["p"]).read_bytes()
    hearts, _ = finish(tmp_path, records, overwrite=True)
    assert hearts.all == []
    assert (tmp_path / "p_report.html").read_bytes() == before


def test_everything_is_escaped_and_links_hold_any_name(tmp_path):
    name, bad = 'a<b>&"x %#', "</li><script>alert(2)</script><img src=http://x.org/y>"
    records = write_pair(tmp_path, name, warnings=(bad,), model=bad)
    finish(tmp_path, records)
    page = Page(tmp_path / f"{name}_report.html")
    links = [
        os.fsdecode(unquote_to_bytes(address))
        for address in page.addresses
        if not address.startswith("data:")
    ]
    assert links == [f"{name}_{phase}_report.html" for phase in ("ED", "ES")]
    assert "<img src=http" not in (tmp_path / f"{name}_report.html").read_text(encoding="utf-8")
    assert page.scripts.keys() == {"style"}


def test_a_pair_without_a_heart_says_so(tmp_path, pair):
    heart = read_heart(tmp_path, "p")
    parts = ("lv", "rv", "indexed", "cardiac_output", "wall_thickness")
    page = page_of(tmp_path, pair, **{part: type(getattr(heart, part))() for part in parts})
    assert page.wall.svg is None
    assert {cell for row in page.numbers.rows for cell in row.cells} == {"–", ""}
