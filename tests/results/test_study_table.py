"""``study.csv``: a row per heart and per unpaired volume; other people's files are kept."""

import pytest
from analytic_hearts import CYCLE
from drawn_hearts import PAIR, acdc_patient, clinical, draw_masks, heart, segment_into, study
from tiny import cardioseg, names_in, run_record

from cardioseg.core.errors import EXIT_OK, EXIT_RESOURCES


@pytest.fixture
def segment(model, out, monkeypatch):
    draw_masks(monkeypatch)
    return segment_into(out, model)


def test_a_volume_of_no_pair_has_a_row_beside_hearts(segment, out, tmp_path):
    segment(heart(tmp_path / "anna.nii.gz", *CYCLE))
    acdc_patient(tmp_path / "in", 7)
    third = heart(tmp_path / "in" / "patient008" / "patient008_frame05.nii.gz", 20)
    (third.parent / "Info.cfg").write_text(
        "ED: 1\nES: 9\nGroup: NOR\nHeight: 170.0\nWeight: 65.0\n"
    )
    data = segment(tmp_path / "in", heart(tmp_path / "zoe.nii.gz", 0))
    rows = {row["case"]: row for row in study(out)}
    assert list(rows) == ["anna", "patient007", "patient008_frame05", "zoe"]
    assert [found["case"] for found in data["hearts"]] == ["patient007"]
    assert list(rows["zoe"])[:3] == ["case", "ed_case", "es_case"]
    row, record = rows["patient008_frame05"], run_record(out, "patient008_frame05")
    for column, structure in {"lv_ml": "LV", "myo_ml": "MYO", "rv_ml": "RV"}.items():
        assert float(row[column]) == pytest.approx(record["volumes_ml"][structure][0], abs=0.0051)
        assert rows["anna"][column] == rows["patient007"][column] == rows["zoe"][column] == ""
    known = {
        "quality": record["quality"]["verdict"],
        "model": "tiny",
        "loops": "2",
        "height_cm": "170.0",
        "bsa_m2": "1.75",
    }
    assert {column: row[column] for column in known} == known
    assert row["cardioseg"] == record["versions"]["cardioseg"]
    assert row["reasons"] == record["clinical_reason"]
    assert row["phases_confidence"] == "none"
    empty = [
        name for name in row if name.startswith(("lv_e", "rv_e", "ed_", "es_", "wall_", "cardiac_"))
    ]
    assert {row[name] for name in empty} == {""}
    nothing = (
        f"{column}: the mask shows no {structure}"
        for column, structure in (("lv_ml", "LV"), ("myo_ml", "MYO"))
    )
    assert rows["zoe"]["reasons"] == "; ".join(
        (row["reasons"], *nothing, "rv_ml: the mask shows no RV")
    )


def test_the_table_has_a_row_a_heart_kept_ones_too(segment, out, tmp_path):
    segment(heart(tmp_path / "anna.nii.gz", *CYCLE))
    acdc_patient(tmp_path / "in", 7)
    acdc_patient(tmp_path / "in", 8)
    data = segment(tmp_path / "in")
    assert [row["case"] for row in study(out)] == ["anna", "patient007", "patient008"]
    assert [heart["case"] for heart in data["hearts"]] == ["patient007", "patient008"], (
        "the report is of this call"
    )
    row = study(out)[1]
    found = clinical(out, "patient007")
    assert (row["ed_case"], row["es_case"]) == ("patient007_frame01", "patient007_frame09")
    assert float(row["lv_edv_ml"]) == found["lv"]["edv_ml"]
    assert float(row["rv_ef_percent"]) == found["rv"]["ef_percent"]
    assert float(row["lv_mass_g_per_m2"]) == found["indexed"]["lv_mass_g_per_m2"]
    assert (
        float(row["wall_mid_inferior_mm"]) == found["wall_thickness"]["segments_mm"]["mid inferior"]
    )
    assert (row["cardiac_output_l_per_min"], row["model"]) == ("", "tiny")
    before = (out / "study.csv").read_bytes()
    segment(tmp_path / "in")
    assert (out / "study.csv").read_bytes() == before


def test_somebody_elses_files_are_left_alone(segment, out, tmp_path):
    out.mkdir()
    (out / "study.csv").write_text("mine\n")
    folder = acdc_patient(tmp_path / "in", 7)
    assert str(out / "study.csv") in segment(folder, code=EXIT_RESOURCES)
    assert (out / "study.csv").read_text() == "mine\n"
    (out / "study.csv").unlink()
    (out / "patient007_clinical.json").write_text('{"mine": true}')
    segment(folder)
    assert (out / "patient007_clinical.json").read_text() == '{"mine": true}'
    (out / "study.csv").write_text("id,age\n")
    segment(folder)
    assert (out / "study.csv").read_text() == "id,age\n"
    segment(folder, "--overwrite")
    assert clinical(out, "patient007")["ed_frame"] == 1
    assert [row["case"] for row in study(out)] == ["patient007"]


def test_a_mask_that_was_damaged_since_costs_its_own_heart_only(segment, model, out, tmp_path):
    segment(acdc_patient(tmp_path / "in", 7))
    mask = out / "patient007_frame09_mask.nii.gz"
    mask.write_bytes(mask.read_bytes()[:200])
    data = segment(heart(tmp_path / "anna.nii.gz", *CYCLE))
    assert [found["case"] for found in data["hearts"]] == ["anna"]
    rows = {row["case"]: row for row in study(out)}
    assert list(rows) == ["anna", "patient007_frame01"]
    assert rows["patient007_frame01"]["reasons"] == "one volume: EDV and ESV need ED and ES"
    assert not names_in(out) & PAIR
    again = cardioseg(
        "segment", tmp_path / "anna.nii.gz", "--output", out, "--model", model, "--quiet"
    )
    assert "patient007_frame09: not in the tables: " in again.err
    assert "has changed since it was written" in again.err


def test_a_pair_that_was_measured_into_the_folder_stays(segment, out, tmp_path):
    folder = acdc_patient(tmp_path / "in", 7)
    segment(folder)
    masks = [out / f"patient007_frame{frame:02d}_mask.nii.gz" for frame in (1, 9)]
    corrected = tmp_path / "corrected"
    corrected.mkdir()
    for mask, name in zip(masks, ("ed", "es"), strict=True):
        (corrected / f"{name}_by_hand.nii.gz").write_bytes(mask.read_bytes())
    done = cardioseg(
        "measure",
        "--ed",
        corrected / "ed_by_hand.nii.gz",
        "--es",
        corrected / "es_by_hand.nii.gz",
        "--output",
        out,
    )
    assert done.code == EXIT_OK, done.err
    measured = (out / "ed_by_hand_clinical.json").read_bytes()
    segment(folder)
    assert (out / "ed_by_hand_clinical.json").read_bytes() == measured
    assert [row["case"] for row in study(out)] == ["patient007"]
