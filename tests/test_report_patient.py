"""``PATIENT_report.html``: one page for a patient whose ED and ES are files of their own, made and removed with the pair."""

import base64
import json
import os
from urllib.parse import unquote_to_bytes

import pytest
from browser import Page
from small_case import study_of, write_case, write_pair

from cardioseg.pages.html import NOTICE, POLICY, is_page
from cardioseg.pages.index import index_facts, make_index
from cardioseg.pages.patient import MARK, patient_facts, said_by
from cardioseg.pages.report import write_report
from cardioseg.results.finished import read_record
from cardioseg.results.hearts import make_hearts


@pytest.fixture
def pair(tmp_path):
    """Run records of a pair whose folder is finished."""
    records = write_pair(tmp_path)
    assert make_hearts(study_of(tmp_path, records))["warnings"] == []
    return records


def clinical_of(folder, name="p"):
    return json.loads((folder / f"{name}_clinical.json").read_text(encoding="utf-8"))


def text_of(path):
    return " ".join(" ".join(Page(path).text).split())


def facts_of(folder, records, clinical=None):
    frames = {name.split("_")[1]: record for name, record in records.items()}
    return patient_facts(folder, clinical or clinical_of(folder), frames)


def test_it_says_what_the_files_say(tmp_path, pair):
    clinical, text = clinical_of(tmp_path), text_of(tmp_path / "p_report.html")
    assert clinical["lv"]["ef_percent"] > 20
    expected = [
        f"{clinical[side][key]:.1f}"
        for side in ("lv", "rv")
        for key in ("edv_ml", "esv_ml", "sv_ml", "ef_percent")
    ]
    expected += [
        f"{clinical['lv']['mass_g']:.1f}",
        f"{clinical['indexed']['rv_esv_ml_per_m2']:.1f}",
        "1.84 m² (175 cm, 70 kg",
    ]
    expected += [
        "from the file names; confidence high",
        "ed frame, es frame: the files' names state no frame",
        "the heart rate is not known",
    ]
    expected += [
        f"1 basal anterior: {clinical['wall_thickness']['segments_mm']['basal anterior']:.1f} mm",
        "Anterior (assumed)",
    ]
    expected += [f"{record['volumes_ml']['LV'][0]:.1f} ml" for record in pair.values()]
    expected += [reason["text"] for reason in clinical["quality"]["reasons"]]
    expected += ["p_ED", "p_ES", "rdvit-2d", "3 × 3 × 18 mm", "at most 6, 2.40 used", NOTICE]
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
    passed = {"quality": {"verdict": "pass", "reasons": []}}
    records = {name: record | passed for name, record in pair.items()}
    clinical = clinical_of(tmp_path)
    assert facts_of(tmp_path, records, clinical | passed)["quality"]["verdict"] == "pass"
    assert (
        facts_of(tmp_path, records, clinical | {"quality": {"verdict": "fail", "reasons": []}})[
            "quality"
        ]["verdict"]
        == "fail"
    )
    records["p_ES"] = records["p_ES"] | {
        "quality": {"verdict": "warn", "reasons": [{"rule": "roughness", "where": "mask"}]}
    }
    for judged in (
        clinical | passed,
        {key: value for key, value in clinical.items() if key != "quality"},
    ):
        facts = facts_of(tmp_path, records, judged)
        assert facts["quality"]["verdict"] == "warn"
        assert [frame["quality"]["verdict"] for frame in facts["frames"]] == ["pass", "warn"]


def test_what_both_files_say_is_said_once():
    assert said_by({"ED": ["a", "b"], "ES": ["b", "c"]}) == ["ED: a", "ED and ES: b", "ES: c"]


def test_provenance_tells_what_differs(tmp_path, pair):
    told = dict(
        facts_of(
            tmp_path,
            {name: record | {"seconds": float(len(name))} for name, record in pair.items()},
        )["provenance"]
    )
    assert told["Model"].startswith("rdvit-2d, SHA-256 000")
    digests = [record["recipe"]["input_sha256"][:16] for record in pair.values()]
    assert told["Image"] == f"ED: SHA-256 {digests[0]}…; ES: SHA-256 {digests[1]}…"
    assert told["Time"] == "4.0 s on cpu"


def test_the_index_leads_to_it_and_from_it_to_the_cases(tmp_path, pair):
    (row,) = index_facts(tmp_path, pair)["rows"]
    assert (row["name"], row["address"]) == ("p", "p_report.html")
    assert row["links"] == [("p_ED", "p_ED_report.html"), ("p_ES", "p_ES_report.html")]
    assert row["verdict"] == facts_of(tmp_path, pair)["quality"]["verdict"]
    make_index(study_of(tmp_path, pair))
    assert "p_report.html" in Page(tmp_path / "index.html").addresses


def test_it_is_made_again_and_goes_with_the_pair(tmp_path, pair):
    path = tmp_path / "p_report.html"
    first = path.read_bytes()
    path.unlink()
    make_hearts(study_of(tmp_path, pair))
    assert path.read_bytes() == first
    make_hearts(study_of(tmp_path, {"p_ED": pair["p_ED"]}))
    assert sorted(name.name for name in tmp_path.glob("p_[cr]*")) == []
    assert (tmp_path / "p_ES_report.html").exists(), "a case's report is not the pair's to remove"


def test_it_goes_when_the_numbers_are_somebody_elses(tmp_path, pair):
    """``measure`` wrote the pair anew from masks corrected by hand: the page would tell of others."""
    measured = {key: value for key, value in clinical_of(tmp_path).items() if key != "made_by"}
    (tmp_path / "p_clinical.json").write_text(json.dumps(measured), encoding="utf-8")
    (warning,) = make_hearts(study_of(tmp_path, pair))["warnings"]
    assert "p_clinical.json is not of these masks" in warning
    assert not (tmp_path / "p_report.html").exists()


@pytest.mark.parametrize("whose", ["somebody's", "a case's"])
def test_another_page_of_its_name_stays_unless_told_otherwise(tmp_path, whose):
    records, path = write_pair(tmp_path), tmp_path / "p_report.html"
    if whose == "a case's":
        write_case(tmp_path, "p", frames=1)
        write_report(tmp_path, "p", read_record(tmp_path / "p_run.json"))
    else:
        path.write_text("<html>mine</html>", encoding="utf-8")
    before = path.read_bytes()
    found = make_hearts(study_of(tmp_path, records))
    assert found["warnings"] == [
        "p_report.html is no report of this patient; --overwrite replaces it: none was written"
    ]
    assert [heart["case"] for heart in found["hearts"]] == ["p"]
    assert path.read_bytes() == before
    assert make_hearts(study_of(tmp_path, records, overwrite=True))["warnings"] == []
    assert is_page(path, mark=MARK)


def test_a_case_of_the_patients_name_keeps_its_report(tmp_path):
    records = write_pair(tmp_path)
    write_case(tmp_path, "p", frames=1)
    records["p"] = read_record(tmp_path / "p_run.json")
    before = write_report(tmp_path, "p", records["p"]).read_bytes()
    assert make_hearts(study_of(tmp_path, records, overwrite=True))["hearts"] == []
    assert (tmp_path / "p_report.html").read_bytes() == before


def test_everything_is_escaped_and_links_hold_any_name(tmp_path):
    name, bad = 'a<b>&"x %#', "</li><script>alert(2)</script><img src=http://x.org/y>"
    records = write_pair(tmp_path, name, warnings=[bad], model=bad)
    make_hearts(study_of(tmp_path, records))
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
    clinical = clinical_of(tmp_path)
    for part in ("lv", "rv", "indexed", "cardiac_output", "wall_thickness"):
        clinical[part] = {
            key: {} if isinstance(value, dict) else None for key, value in clinical[part].items()
        }
    facts = facts_of(tmp_path, pair, clinical)
    assert facts["wall"]["svg"] is None
    assert {cell for row in facts["numbers"]["rows"] for cell in row["cells"]} == {"–", ""}
