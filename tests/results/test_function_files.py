"""What ``segment`` writes about the function of a cine, of ED and ES files, and of one volume.

The network is random, so its masks are replaced by drawn ones: numbers can then be known.
"""

import json

import pytest
from analytic_hearts import CYCLE
from drawn_hearts import PAIR, acdc_patient, clinical, draw_masks, heart, segment_into, study
from tiny import TABLES, cardioseg, cine_results, names_in, results, run_record

from cardioseg.core.errors import EXIT_INPUT, EXIT_RESOURCES, EXIT_USAGE
from cardioseg.results.hearts import ONE_VOLUME


@pytest.fixture
def segment(model, out, monkeypatch):
    draw_masks(monkeypatch)
    return segment_into(out, model)


# --------------------------------------------------------------------------------------------- cine


def test_a_cine_has_its_function(segment, out, tmp_path):
    data = segment(
        heart(tmp_path / "anna.nii.gz", *CYCLE),
        "--height-cm",
        "170",
        "--weight-kg",
        "65",
        "--heart-rate",
        "60",
    )
    assert names_in(out) == cine_results("anna") | TABLES
    found = clinical(out, "anna")
    assert (found["ed_frame"], found["es_frame"], found["phases"]["confidence"]) == (1, 5, "high")
    assert set(found["lv"]) == {"edv_ml", "esv_ml", "sv_ml", "ef_percent", "mass_g"}
    assert set(found["rv"]) == {"edv_ml", "esv_ml", "sv_ml", "ef_percent"}
    assert found["cardiac_output"]["l_per_min"] == pytest.approx(
        found["lv"]["sv_ml"] * 0.06, abs=0.01
    )
    assert found["reasons"] == {
        "wall_thickness.segments_mm.apex": "no short-axis slice cuts across the apical cap"
    }
    assert data["hearts"] == [found]
    record = run_record(out, "anna")
    assert {"anna_clinical.json", "anna_curve.csv", "anna_curve.png"} < set(record["files"])
    assert record["clinical"]["lv"] == found["lv"]
    assert record["volumes_ml"]["LV"][4] == pytest.approx(found["lv"]["esv_ml"], abs=0.01)


def test_measure_gives_the_same_numbers_from_the_mask(segment, out, tmp_path):
    segment(heart(tmp_path / "anna.nii.gz", *CYCLE), "--height-cm", "170", "--weight-kg", "65")
    again = json.loads(cardioseg("measure", out / "anna_mask.nii.gz", "--json").out)["data"]
    found = clinical(out, "anna")
    assert again["quality"]["verdict"] == run_record(out, "anna")["quality"]["verdict"]
    same = set(found) - {"made_by", "quality"}
    assert {key: found[key] for key in same} == {key: again[key] for key in same}


def test_frames_can_be_named_and_are_part_of_the_recipe(segment, out, tmp_path):
    path = heart(tmp_path / "anna.nii.gz", *CYCLE)
    segment(path, "--ed", "12", "--es", "6")
    found = clinical(out, "anna")
    assert (found["ed_frame"], found["es_frame"], found["phases"]["source"]) == (12, 6, "given")
    segment(path, code=EXIT_RESOURCES)
    segment(path, "--overwrite")
    assert clinical(out, "anna")["ed_frame"] == 1


def test_a_heart_that_does_not_beat_or_is_not_there_is_told(segment, out, tmp_path):
    still, nothing = (
        heart(tmp_path / "still.nii.gz", *[20.0] * 12),
        heart(tmp_path / "nothing.nii.gz", *[0.0] * 12),
    )
    segment(still, nothing)
    assert clinical(out, "still")["phases"]["confidence"] == "low"
    assert len(run_record(out, "still")["warnings"]) == 1
    found = clinical(out, "nothing")
    assert (found["ed_frame"], found["lv"]["edv_ml"], found["rv"]["ef_percent"]) == (
        None,
        None,
        None,
    )
    assert found["reasons"]["ed_frame"] == found["reasons"]["lv.edv_ml"]
    row = next(row for row in study(out) if row["case"] == "nothing")
    assert (row["lv_edv_ml"], row["ed_frame"]) == ("", "")
    assert f"lv.edv_ml: {found['reasons']['lv.edv_ml']}" in row["reasons"]


# -------------------------------------------------------------------------------------------- pairs


def test_an_acdc_patients_two_files_become_one_heart(segment, out, tmp_path):
    data = segment(acdc_patient(tmp_path / "in", 7))
    cases = ("patient007_frame01", "patient007_frame09")
    assert names_in(out) == results(cases[0]) | results(cases[1]) | PAIR | TABLES
    found = clinical(out, "patient007")
    assert (found["ed_frame"], found["es_frame"], found["cases"]) == (
        1,
        9,
        {"ed": cases[0], "es": cases[1]},
    )
    assert found["phases"] == {"source": "Info.cfg", "confidence": "high", "reasons": []}
    assert found["body"]["height_cm"] == 170
    assert found["lv"]["ef_percent"] == pytest.approx(59, abs=0.5)
    assert data["hearts"] == [found]
    assert run_record(out, cases[0])["clinical"] is None


@pytest.mark.parametrize(
    ("names", "source", "confidence"),
    [
        (("ben_ED.nii.gz", "ben_ES.nii.gz"), "file names", "high"),
        (("ben_ed_0000.nii.gz", "ben_es_0000.nii.gz"), "file names", "high"),
        (
            ("ben_frame30_0000.nii.gz", "ben_frame02_0000.nii.gz"),
            "larger and smaller LV volume",
            "medium",
        ),
    ],
)
def test_other_names_of_pairs(segment, out, tmp_path, names, source, confidence):
    for name, radius in zip(names, (25, 16), strict=True):
        heart(tmp_path / "imagesTs" / name, radius)
    segment(tmp_path / "imagesTs")
    found = clinical(out, "ben")
    assert (found["phases"]["source"], found["phases"]["confidence"]) == (source, confidence)
    assert found["cases"]["ed"] == names[0].removesuffix(".nii.gz")
    assert found["lv"]["ef_percent"] == pytest.approx(59, abs=0.5)


def test_a_pairs_frames_can_be_named(segment, out, tmp_path):
    for frame, radius in ((2, 16), (30, 25)):
        heart(tmp_path / "in" / f"ben_frame{frame:02d}.nii.gz", radius)
    segment(tmp_path / "in", "--ed", "2", "--es", "30")
    found = clinical(out, "ben")
    assert (found["ed_frame"], found["es_frame"], found["phases"]["source"]) == (
        2,
        30,
        "--ed, --es",
    )
    assert (found["phases"]["confidence"], len(found["phases"]["reasons"])) == ("low", 1)


def test_a_pair_is_made_when_its_second_half_comes_and_goes_with_it(segment, out, tmp_path):
    folder = acdc_patient(tmp_path / "in", 7)
    segment(folder / "patient007_frame01.nii.gz")
    assert not names_in(out) & PAIR
    assert [row["case"] for row in study(out)] == ["patient007_frame01"]
    segment(folder / "patient007_frame09.nii.gz")
    assert clinical(out, "patient007")["lv"]["edv_ml"] > 100
    assert names_in(out) >= PAIR
    assert [row["case"] for row in study(out)] == ["patient007"]
    for name in results("patient007_frame09"):
        (out / name).unlink()
    segment(folder / "patient007_frame01.nii.gz")
    assert names_in(out) == results("patient007_frame01") | TABLES
    assert [row["case"] for row in study(out)] == ["patient007_frame01"]


def test_a_cine_called_after_the_patient_of_a_pair_is_not_segmented_over_it(segment, out, tmp_path):
    segment(acdc_patient(tmp_path / "in", 7))
    before = {name: (out / name).read_bytes() for name in PAIR}
    cine = heart(tmp_path / "patient007.nii.gz", *CYCLE)
    assert str(out / "patient007_") in segment(cine, code=EXIT_RESOURCES)
    assert {name: (out / name).read_bytes() for name in PAIR} == before
    segment(cine, "--overwrite")
    found = clinical(out, "patient007")
    assert (found["kind"], found["cases"]) == ("cine", {})
    assert "12 frames" in (out / "patient007_report.html").read_text()


def test_what_is_of_the_folder_goes_with_its_last_case(segment, out, tmp_path):
    folder = acdc_patient(tmp_path / "in", 7)
    segment(folder)
    for frame in (1, 9):
        (out / f"patient007_frame{frame:02d}_run.json").unlink()
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    segment(tmp_path / "broken.nii.gz", "--overwrite", code=EXIT_INPUT)
    assert not names_in(out) & (PAIR | {"index.html", "study.csv"})


def test_a_call_that_makes_nothing_takes_nothing_away(segment, out, tmp_path):
    out.mkdir()
    mine = {
        "study.csv": "mine\n",
        "index.html": "<html>mine</html>",
        "anna_clinical.json": '{"cases": {}}',
    }
    for name, text in mine.items():
        (out / name).write_text(text)
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    segment(tmp_path / "broken.nii.gz", "--overwrite", code=EXIT_INPUT)
    assert {name: (out / name).read_text() for name in names_in(out)} == mine


def test_one_volume_has_volumes_and_no_function(segment, out, tmp_path):
    data = segment(heart(tmp_path / "lone.nii.gz", 20))
    assert names_in(out) == results("lone") | TABLES
    record = run_record(out, "lone")
    assert record["clinical"] is None
    assert record["clinical_reason"] == ONE_VOLUME
    assert ONE_VOLUME in (out / "lone_report.html").read_text()
    assert record["volumes_ml"]["LV"] == [pytest.approx(75.4, rel=0.01)]
    assert data["hearts"] == []


def test_one_patients_facts_are_not_given_to_several(segment, tmp_path):
    for number in (7, 8):
        acdc_patient(tmp_path / "in", number)
    for option, value in (("--height-cm", "170"), ("--heart-rate", "60"), ("--ed", "1")):
        assert "found 2 patients (patient007, patient008" in segment(
            tmp_path / "in", option, value, code=EXIT_USAGE
        )
    assert "--weight-kg: found 0.07" in segment(
        tmp_path / "in", "--weight-kg", "0.07", code=EXIT_USAGE
    )
    cine = heart(tmp_path / "anna.nii.gz", *CYCLE)
    assert "--es: found frame 13; expected 1 to 12" in segment(cine, "--es", "13", code=EXIT_USAGE)
