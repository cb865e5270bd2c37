"""``X_report.html`` and ``index.html`` say what the files say, escape it, ask nobody; ``test_report_browser.py`` opens them."""

import base64
import io
import json
import os
from urllib.parse import unquote_to_bytes

import pytest
from browser import Page
from cardioseg.results.function import Body
from PIL import Image
from small_case import LOOPS, QUALITY, write_case
from small_case import write_reported_case as case

from cardioseg.core.errors import OutputError
from cardioseg.pages.html import NOTICE, POLICY
from cardioseg.pages.index import index_facts, write_index
from cardioseg.pages.report import (
    missing,
    numbers,
    provenance,
    quality_facts,
    report_facts,
    write_report,
)
from cardioseg.results.finished import read_record


def read(folder, name="heart"):
    return json.loads((folder / f"{name}_clinical.json").read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------------------------- one case


def test_the_report_says_what_the_files_say(tmp_path):
    record = case(tmp_path, quality=QUALITY, warnings=["3 slices are missing"])
    path = write_report(tmp_path, "heart", record)
    page = Page(path)
    text = " ".join(" ".join(page.text).split())
    clinical = read(tmp_path)
    expected = [
        f"{clinical['lv'][key]:.1f}"
        for key in ("edv_ml", "esv_ml", "sv_ml", "ef_percent", "mass_g")
    ]
    expected += [
        f"{clinical['rv'][key]:.1f}" for key in ("edv_ml", "esv_ml", "sv_ml", "ef_percent")
    ]
    expected += [
        f"{clinical['indexed']['lv_edv_ml_per_m2']:.1f}",
        f"{clinical['cardiac_output']['l_per_min']:.2f} l/min",
    ]
    expected += [
        f"60 beats per minute, {clinical['cardiac_output']['l_per_min_per_m2']:.2f} l/min per m²"
    ]
    expected += [
        f"ED frame {clinical['ed_frame']}, ES frame {clinical['es_frame']}",
        "quality checks warn",
        "1.612",
        "1.5",
    ]
    expected += [
        "wall mass ratio",
        "ED and ES",
        "the wall's mass at ES is 1.61 times",
        "3 slices are missing",
        NOTICE,
        "rdvit-2d",
    ]
    expected += [
        f"at most {LOOPS}, 2.40 used",
        "from the pixdim",
        "RV 12",
        "SHA-256 0000",
        "1.5 s on cpu",
        "torch 2.13.0",
    ]
    expected += ["2026-01-02 03:04:05 UTC"]
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
    clinical = read(tmp_path)
    clinical["rv"] = dict.fromkeys(clinical["rv"])
    clinical["reasons"] |= {f"rv.{key}": "the mask shows no RV" for key in clinical["rv"]}
    (tmp_path / "heart_clinical.json").write_text(json.dumps(clinical), encoding="utf-8")
    facts = report_facts(tmp_path, "heart", record)
    assert [row["cells"][1] for row in facts["numbers"]["rows"]] == ["–"] * 4 + [""], (
        "the RV has no mass"
    )
    assert ("the mask shows no RV", "rv edv, rv esv, rv sv, rv ef") in facts["numbers"]["missing"]
    text = " ".join(Page(write_report(tmp_path, "heart", record)).text)
    assert "the mask shows no RV" in text
    assert "0.0" not in text


def test_every_number_may_be_missing(tmp_path):
    """What has no value is a dash or is left out, whichever it is."""
    record = case(tmp_path)
    clinical = read(tmp_path)
    for part in ("lv", "rv", "indexed", "cardiac_output", "body", "wall_thickness"):
        emptied = clinical | {
            part: {
                key: {} if isinstance(value, dict) else None
                for key, value in clinical[part].items()
            }
        }
        if part == "body":
            emptied["cardiac_output"] = dict.fromkeys(clinical["cardiac_output"])
        (tmp_path / "heart_clinical.json").write_text(json.dumps(emptied), encoding="utf-8")
        write_report(tmp_path, "heart", record)
        assert "None" not in " ".join(Page(tmp_path / "heart_report.html").text), part


def test_without_a_body_there_are_no_columns_per_area(tmp_path):
    case(tmp_path, body=Body())
    assert numbers(read(tmp_path))["columns"] == ["LV", "RV"]
    case(tmp_path)
    assert numbers(read(tmp_path))["columns"] == ["LV", "LV per m²", "RV", "RV per m²"]


def test_one_volume_has_its_volumes_and_no_function(tmp_path):
    why = {"clinical_reason": "one volume: EDV and ESV take ED and ES"}
    record = case(
        tmp_path, frames=1, volumes_ml={"RV": [80.04], "MYO": [90.0], "LV": [100.0]}, **why
    )
    text = " ".join(Page(write_report(tmp_path, "heart", record)).text)
    assert [
        words
        for words in ("80.0 ml", "one volume: EDV and ESV take ED and ES", "the volume")
        if words not in text
    ] == []
    assert "<svg" not in (tmp_path / "heart_report.html").read_text(encoding="utf-8")


def test_a_record_with_little_in_it_and_no_files_beside_it_still_has_a_report(tmp_path):
    write_case(tmp_path, frames=3)
    record = read_record(tmp_path / "heart_run.json")
    text = " ".join(Page(write_report(tmp_path, "heart", record)).text)
    assert "Quality was not checked" in text
    assert "not computed" in text


@pytest.mark.parametrize("verdict", ["pass", "warn", "fail"])
def test_a_verdict_is_a_sign_and_words_and_not_a_colour_alone(verdict):
    facts = quality_facts({"verdict": verdict, "reasons": []})
    assert facts["verdict"] == verdict
    assert facts["sign"]
    assert {"pass": "passed", "warn": "warn", "fail": "failed"}[verdict] in facts["words"]
    assert (
        quality_facts(None)["verdict"]
        == quality_facts({"verdict": "fine"})["verdict"]
        == "unchecked"
    )


def test_everything_is_escaped(tmp_path):
    name, bad = 'a<b>&"x', "</li><script>alert(2)</script><img src=http://x.org/y>"
    reason = {"rule": bad, "value": bad, "limit": None, "text": bad}
    record = case(
        tmp_path, name, warnings=[bad], model=bad, quality={"verdict": "fail", "reasons": [reason]}
    )
    path = write_report(tmp_path, name, record)
    write_index(tmp_path, {name: record})
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
    record = case(tmp_path, extrapolated=True)
    record["recipe"]["exit"] = {"rule": "halting", "threshold": 0.9, "compute": None}
    record["recipe"]["windows"] = {"size": [128, 128], "overlap": 0.25, "views": "all"}
    told = dict(provenance(record))
    assert told["Loops"].endswith("(more than in training)")
    assert told["Exits"] == "rule halting, threshold 0.9"
    assert told["Windows"] == "128 × 128, 25 % overlap, all views"


def test_the_same_case_gives_the_same_page(tmp_path):
    record = case(tmp_path)
    first = write_report(tmp_path, "heart", record).read_bytes()
    assert write_report(tmp_path, "heart", record).read_bytes() == first


def test_a_closed_folder_is_an_output_error(tmp_path):
    record = case(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_report(tmp_path / "file", "heart", record)


# ---------------------------------------------------------------------------------------------------------------- index


def study(folder):
    """A cine with a report, a pair of volumes of one patient, and a lone volume."""
    records = {"cine": case(folder, "cine", quality={"verdict": "pass", "reasons": []})}
    write_report(folder, "cine", records["cine"])
    for name, verdict in (("p_ed", "warn"), ("p_es", "fail")):
        records[name] = case(folder, name, frames=1, quality={"verdict": verdict, "reasons": []})
        write_report(folder, name, records[name])
    pair = read(folder, "cine") | {
        "case": "p",
        "cases": {"ed": "p_ed", "es": "p_es"},
        "ed_frame": None,
    }
    (folder / "p_clinical.json").write_text(json.dumps(pair), encoding="utf-8")
    records["zone"] = case(folder, "zone", frames=1)
    return records


def test_the_index_has_a_row_a_heart(tmp_path):
    facts = index_facts(tmp_path, study(tmp_path))
    cine, pair, lone = facts["rows"]
    assert [row["name"] for row in facts["rows"]] == ["cine", "p", "zone"]
    assert (cine["address"], cine["links"]) == ("cine_report.html", [])
    assert (pair["address"], pair["links"]) == (
        None,
        [("p_ed", "p_ed_report.html"), ("p_es", "p_es_report.html")],
    )
    assert (lone["address"], lone["links"]) == (None, []), "it has no report"
    assert [row["verdict"] for row in facts["rows"]] == ["pass", "fail", "unchecked"], (
        "the graver of two"
    )
    assert facts["facts"] == "3 hearts, 4 images · quality: 1 pass, 1 fail, 1 unchecked"
    clinical = read(tmp_path, "cine")
    assert [cell["value"] for cell in cine["cells"]][:4] == [
        clinical["ed_frame"],
        clinical["es_frame"],
        clinical["lv"]["edv_ml"],
        clinical["lv"]["esv_ml"],
    ]
    assert [cell["text"] for cell in lone["cells"]][:3] == ["–"] * 3


def test_links_hold_any_name(tmp_path):
    for name in ("a b#c%&?", "Müller – 心臓", "b\udcff"):
        record = case(tmp_path, name, frames=1)
        write_report(tmp_path, name, record)
        address = index_facts(tmp_path, {name: record})["rows"][0]["address"]
        assert os.fsdecode(unquote_to_bytes(address)) == f"{name}_report.html"
        write_index(tmp_path, {name: record})


def test_a_pair_that_fails_as_a_pair_fails(tmp_path):
    records = study(tmp_path)
    for name in ("p_ed", "p_es"):
        records[name]["quality"] = {"verdict": "pass", "reasons": []}
    pair = read(tmp_path, "p")
    assert index_facts(tmp_path, records)["rows"][1]["verdict"] == "pass"
    (tmp_path / "p_clinical.json").write_text(
        json.dumps(pair | {"quality": {"verdict": "fail", "reasons": []}}), encoding="utf-8"
    )
    assert index_facts(tmp_path, records)["rows"][1]["verdict"] == "fail"


def test_numbers_of_cases_that_are_gone_are_left_out(tmp_path):
    records = study(tmp_path)
    del records["p_es"]
    (tmp_path / "other_clinical.json").write_text("{}")
    assert [row["name"] for row in index_facts(tmp_path, records)["rows"]] == [
        "cine",
        "p_ed",
        "zone",
    ]
