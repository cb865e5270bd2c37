"""``X_report.html`` and ``index.html``: they state what the files state, escaped, offline."""

import base64
import io
import os
from dataclasses import replace
from urllib.parse import unquote_to_bytes

import pytest
from browser import Page
from PIL import Image
from small_case import (
    FAIL,
    LOOPS,
    PASS,
    WALL_MASS,
    WARN,
    read_heart,
    read_run,
    with_recipe,
    write_case,
    write_pair,
)
from small_case import write_reported_case as case

from cardioseg.clinical.body import Body
from cardioseg.clinical.quality import Quality
from cardioseg.clinical.volumes import Chamber
from cardioseg.core.config import WindowConfig
from cardioseg.core.errors import OutputError
from cardioseg.pages.html import NOTICE, POLICY
from cardioseg.pages.index import index_rows, write_index
from cardioseg.pages.numbers import missing, numbers
from cardioseg.pages.provenance import provenance
from cardioseg.pages.report import case_page, verdict_facts, write_report
from cardioseg.results.hearts import ONE_VOLUME, make_hearts
from cardioseg.results.records import ExitChoice


def words_of(path):
    """A page's text, spaces as one."""
    return " ".join(" ".join(Page(path).text).split())


# ----------------------------------------------------------------------------------------- one case


def test_the_report_says_what_the_files_say(tmp_path):
    record = case(tmp_path, quality=WARN, warnings=("3 slices are missing",))
    path = write_report(tmp_path, "heart", record)
    heart, text = read_heart(tmp_path), words_of(path)
    output = heart.cardiac_output
    expected = [
        *(f"{value:.1f}" for value in heart.lv.model_dump().values()),
        *(f"{value:.1f}" for value in heart.rv.model_dump().values()),
        f"{heart.indexed.lv_edv_ml_per_m2:.1f}",
        f"{output.l_per_min:.2f} l/min at 60 beats per minute",
        f"{output.l_per_min_per_m2:.2f} l/min per m²",
        f"ED frame {heart.ed_frame}, ES frame {heart.es_frame}",
        "1.612",
        "1.5",
        "wall mass ratio",
        WALL_MASS.where,
        WALL_MASS.text,
        "3 slices are missing",
        NOTICE,
        "rdvit-2d",
        f"at most {LOOPS}, 2.40 used",
        "from the pixdim",
        "RV 12",
        "SHA-256 0000",
        "1.5 s on cpu",
        "torch 2.13.0",
        "2026-01-02 03:04:05 UTC",
    ]
    assert [words for words in expected if words not in text] == []
    assert path.name == "heart_report.html"


def test_it_holds_its_picture_and_mentions_no_address(tmp_path):
    path = write_report(tmp_path, "heart", case(tmp_path))
    page = Page(path)
    icon, picture = sorted(page.addresses, key=len)
    assert icon == "data:,"
    with Image.open(
        io.BytesIO(base64.b64decode(picture.removeprefix("data:image/png;base64,")))
    ) as image:
        assert image.size == (80, 40)
    content = path.read_text(encoding="utf-8")
    assert POLICY in content.replace("&#39;", "'")
    assert "<script" not in content
    assert str(tmp_path) not in content


def test_what_was_not_computed_is_a_dash_with_its_reason(tmp_path):
    record = case(tmp_path, body=Body())
    heart = read_heart(tmp_path)
    reasons = heart.reasons | {f"rv.{key}": "the mask shows no RV" for key in Chamber.model_fields}
    heart.model_copy(update={"rv": Chamber(), "reasons": reasons}).write(
        tmp_path / "heart_clinical.json"
    )
    shown = case_page(tmp_path, "heart", record).numbers
    assert [row.cells[1] for row in shown.rows] == ["–"] * 4 + [""], "the RV has no mass"
    assert ("the mask shows no RV", "rv edv, rv esv, rv sv, rv ef") in shown.missing
    text = words_of(write_report(tmp_path, "heart", record))
    assert "the mask shows no RV" in text
    assert "0.0" not in text


def emptied(part):
    """A part of a record without its numbers."""
    return type(part)(**{key: {} for key, value in part if isinstance(value, dict)})


def test_every_number_may_be_missing(tmp_path):
    record = case(tmp_path)
    heart = read_heart(tmp_path)
    for name in ("lv", "rv", "indexed", "cardiac_output", "body", "wall_thickness"):
        changes = {name: emptied(getattr(heart, name))}
        if name == "body":
            changes["cardiac_output"] = emptied(heart.cardiac_output)
        heart.model_copy(update=changes).write(tmp_path / "heart_clinical.json")
        assert "None" not in words_of(write_report(tmp_path, "heart", record)), name


def test_without_a_body_there_are_no_columns_per_area(tmp_path):
    case(tmp_path, body=Body())
    assert numbers(read_heart(tmp_path)).columns == ("LV", "RV")
    case(tmp_path)
    columns = numbers(read_heart(tmp_path)).columns
    assert columns == ("LV", "LV per m²", "RV", "RV per m²")


def test_one_volume_has_its_volumes_and_no_function(tmp_path):
    volumes = {"RV": [80.04], "MYO": [90.0], "LV": [100.0]}
    record = case(tmp_path, frames=1, volumes_ml=volumes, clinical_reason=ONE_VOLUME)
    path = write_report(tmp_path, "heart", record)
    assert [words for words in ("80.0 ml", ONE_VOLUME) if words not in words_of(path)] == []
    assert "<svg" not in path.read_text(encoding="utf-8")


def test_a_cine_without_files_beside_its_record_still_has_a_report(tmp_path):
    write_case(tmp_path, frames=3)
    page = case_page(tmp_path, "heart", read_run(tmp_path))
    assert (page.numbers, page.wall, page.curve, page.pictures) == (None, None, None, [])
    assert page.why_none
    assert page.why_none in words_of(write_report(tmp_path, "heart", read_run(tmp_path)))


def test_a_verdict_is_a_sign_and_words_and_not_a_colour_alone():
    shown = [verdict_facts(Quality(verdict=verdict)) for verdict in ("pass", "warn", "fail")]
    assert [facts.verdict for facts in shown] == ["pass", "warn", "fail"]
    assert len({facts.sign for facts in shown}) == len({facts.words for facts in shown}) == 3


def test_everything_is_escaped(tmp_path):
    name, bad = 'a<b>&"x', "</li><script>alert(2)</script><img src=http://x.org/y>"
    reason = WALL_MASS.model_copy(update={"rule": bad, "where": bad, "text": bad})
    quality = Quality(verdict="fail", reasons=(reason,))
    record = case(tmp_path, name, warnings=(bad,), model=bad, quality=quality)
    path = write_report(tmp_path, name, record)
    write_index(tmp_path, make_hearts(tmp_path, {name: record}), {name: record})
    for page in (path, tmp_path / "index.html"):
        assert "<img src=http" not in page.read_text(encoding="utf-8")
        assert "alert(2)" not in "".join(Page(page).scripts.values())
    assert " ".join(Page(path).text).count(bad) == 6


def test_reasons_are_told_once():
    found = missing(
        {
            "lv.edv_ml": "no LV",
            "lv.ef_percent": "no LV",
            "wall_thickness.segments_mm.apex": "no apical slice",
        }
    )
    assert found == [("no LV", "lv edv, lv ef"), ("no apical slice", "wall thickness apex")]
    assert missing(
        {f"cardiac_output.l_per_min{per}": "no heart rate" for per in ("", "_per_m2")}
    ) == [("no heart rate", "cardiac output, cardiac index")]


def test_extrapolation_and_exits_are_told(tmp_path):
    record = with_recipe(
        case(tmp_path, extrapolated=True),
        exit=ExitChoice(rule="entropy", threshold=0.9),
        windows=WindowConfig(size=(128, 128), overlap=0.25, views="all"),
    )
    told = dict(provenance(record))
    assert (
        told["Loops"]
        != dict(provenance(record.model_copy(update={"extrapolated": False})))["Loops"]
    )
    assert told["Exits"] == "rule entropy, threshold 0.9"
    assert told["Windows"].startswith("128 × 128, 25 % overlap, all")


def test_the_same_case_gives_the_same_page(tmp_path):
    record = case(tmp_path)
    first = write_report(tmp_path, "heart", record).read_bytes()
    assert write_report(tmp_path, "heart", record).read_bytes() == first


def test_a_closed_folder_is_an_output_error(tmp_path):
    record = case(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_report(tmp_path / "file", "heart", record)


# -------------------------------------------------------------------------------------------- index


def study(folder):
    """Hearts and records of a cine with a report, a pair of volumes, and a lone volume."""
    records = {"cine": case(folder, "cine", quality=PASS)}
    write_report(folder, "cine", records["cine"])
    verdicts = {"p_ED": WARN, "p_ES": FAIL}
    for name, record in write_pair(folder).items():
        records[name] = record.model_copy(update={"quality": verdicts[name]})
    records["zone"] = case(folder, "zone", frames=1)
    hearts = make_hearts(folder, records | write_pair(folder))
    pair = hearts.pairs["p"].model_copy(update={"quality": PASS})
    return replace(hearts, pairs={"p": pair}), records


def test_the_index_has_a_row_a_heart(tmp_path):
    hearts, records = study(tmp_path)
    cine, pair, lone = index_rows(tmp_path, hearts, records)
    assert [row.name for row in (cine, pair, lone)] == ["cine", "p", "zone"]
    assert (cine.address, cine.links) == ("cine_report.html", [])
    assert (pair.address, pair.links) == (
        None,
        [("p_ED", "p_ED_report.html"), ("p_ES", "p_ES_report.html")],
    )
    assert (lone.address, lone.links) == (None, []), "it has no report"
    verdicts = [row.quality.verdict for row in (cine, pair, lone)]
    assert verdicts == ["pass", "fail", "pass"], "the graver of two"
    heart = read_heart(tmp_path, "cine")
    assert [cell.value for cell in cine.cells][:4] == [
        heart.ed_frame,
        heart.es_frame,
        heart.lv.edv_ml,
        heart.lv.esv_ml,
    ]
    assert [cell.text for cell in lone.cells][:3] == ["–"] * 3


def test_links_hold_any_name(tmp_path):
    for name in ("a b#c%&?", "Müller – 心臓", "b\udcff"):
        records = {name: case(tmp_path, name, frames=1)}
        write_report(tmp_path, name, records[name])
        hearts = make_hearts(tmp_path, records)
        (row,) = index_rows(tmp_path, hearts, records)
        assert os.fsdecode(unquote_to_bytes(row.address)) == f"{name}_report.html"
        write_index(tmp_path, hearts, records)


@pytest.mark.parametrize("quality", [PASS, WARN, FAIL])
def test_a_pair_that_fails_as_a_pair_fails(tmp_path, quality):
    hearts, records = study(tmp_path)
    records |= {
        name: records[name].model_copy(update={"quality": PASS}) for name in ("p_ED", "p_ES")
    }
    pair = hearts.pairs["p"].model_copy(update={"quality": quality})
    rows = index_rows(tmp_path, replace(hearts, pairs={"p": pair}), records)
    assert rows[1].quality.verdict == quality.verdict


def test_numbers_of_cases_that_are_gone_are_left_out(tmp_path):
    _, records = study(tmp_path)
    del records["p_ES"]
    (tmp_path / "other_clinical.json").write_text("{}")
    hearts = make_hearts(tmp_path, records)
    names = [row.name for row in index_rows(tmp_path, hearts, records)]
    assert names == ["cine", "p_ED", "zone"]
