"""What ``segment`` writes about function: of a cine, of ED and ES files, of one volume, and of a folder of them.

The network is random, so its masks are replaced by drawn ones: numbers can then be known.
"""

import csv
import json

import nibabel as nib
import numpy as np
import pytest
from test_function import drawn
from test_measure import CYCLE
from tiny import TABLES, cardioseg, cine_results, names_in, results, run_record, save_image, save_tiny_model, voxels

from cardioseg.core.errors import EXIT_INPUT, EXIT_OK, EXIT_RESOURCES, EXIT_USAGE
from cardioseg.core.prediction import Prediction
from cardioseg.inference import native
from cardioseg.workflows import results as maps

SHAPE = (128, 96, 10)
PAIR = {"patient007_clinical.json", "patient007_report.html"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def drawn_masks(monkeypatch):
    """Every image is "segmented" as the heart whose radius its first voxel names."""

    def predict(model, volume, **settings):
        radius = float(volume.array[0, 0, 0])
        mask = volume.with_array(drawn(radius).array if radius else np.zeros(SHAPE, np.uint8))
        steps = volume.with_array(np.ones(SHAPE, np.uint8))
        return native.Predicted(Prediction(mask, steps, steps, 2, 1.0, (0.5, 0.5)), {})

    monkeypatch.setattr(native, "predict_volume", predict)
    monkeypatch.setattr(maps, "draw_preview", lambda path, *given, **named: path.write_bytes(b""))  # a second each


@pytest.fixture
def segment(model, tmp_path, drawn_masks):
    def run(*arguments, code=EXIT_OK):
        done = cardioseg("segment", *arguments, "--output", tmp_path / "out", "--model", model, "--json", "--quiet")
        assert done.code == code, done.err
        return json.loads(done.out)["data"] if code == EXIT_OK else done.err

    return run


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def heart(path, *radii):
    """An image of a heart, or a cine of one; the radius is what ``drawn_masks`` reads."""
    frames = []
    for radius in radii:
        frame = voxels(SHAPE, dtype=np.float32)
        frame[0, 0, 0] = radius
        frames.append(frame)
    header = nib.Nifti1Header()
    array = frames[0] if len(frames) == 1 else np.stack(frames, -1)
    header.set_data_shape(array.shape)
    header.set_zooms((1.25, 1.25, 10.0, 0.07)[: array.ndim])
    header.set_xyzt_units("mm", "sec")
    return save_image(path, array, header=header)


def acdc_patient(folder, number, radii=(25, 16), *, ed=1, es=9):
    name = f"patient{number:03d}"
    for frame, radius in zip((ed, es), radii, strict=True):
        heart(folder / name / f"{name}_frame{frame:02d}.nii.gz", radius)
    (folder / name / "Info.cfg").write_text(f"ED: {ed}\nES: {es}\nGroup: NOR\nHeight: 170.0\nWeight: 65.0\n")
    return folder / name


def clinical(out, name):
    return json.loads((out / f"{name}_clinical.json").read_text())


def study(out):
    return list(csv.DictReader((out / "study.csv").read_text().splitlines()))


# ----------------------------------------------------------------------------------------------------------------------- cine


def test_a_cine_has_its_function(segment, out, tmp_path):
    data = segment(heart(tmp_path / "anna.nii.gz", *CYCLE), "--height-cm", "170", "--weight-kg", "65", "--heart-rate", "60")
    assert names_in(out) == cine_results("anna") | TABLES
    found = clinical(out, "anna")
    assert (found["ed_frame"], found["es_frame"], found["phases"]["confidence"]) == (1, 5, "high")
    assert set(found["lv"]) == {"edv_ml", "esv_ml", "sv_ml", "ef_percent", "mass_g"}
    assert set(found["rv"]) == {"edv_ml", "esv_ml", "sv_ml", "ef_percent"}
    assert found["cardiac_output"]["l_per_min"] == pytest.approx(found["lv"]["sv_ml"] * 0.06, abs=0.01)
    assert found["reasons"] == {"wall_thickness.segments_mm.apex": "no short-axis slice cuts across the apical cap"}
    assert data["hearts"] == [found]
    record = run_record(out, "anna")
    assert {"anna_clinical.json", "anna_curve.csv", "anna_curve.png"} < set(record["files"])
    assert record["clinical"]["lv"] == found["lv"]
    assert record["volumes_ml"]["LV"][4] == pytest.approx(found["lv"]["esv_ml"], abs=0.01)


def test_measure_gives_the_same_numbers_from_the_mask(segment, out, tmp_path):
    segment(heart(tmp_path / "anna.nii.gz", *CYCLE), "--height-cm", "170", "--weight-kg", "65")
    again = json.loads(cardioseg("measure", out / "anna_mask.nii.gz", "--json").out)["data"]
    found = clinical(out, "anna")
    assert found == {key: again[key] for key in found}


def test_frames_can_be_named_and_are_part_of_the_recipe(segment, out, tmp_path):
    path = heart(tmp_path / "anna.nii.gz", *CYCLE)
    segment(path, "--ed", "12", "--es", "6")
    found = clinical(out, "anna")
    assert (found["ed_frame"], found["es_frame"], found["phases"]["source"]) == (12, 6, "given")
    segment(path, code=EXIT_RESOURCES)
    segment(path, "--overwrite")
    assert clinical(out, "anna")["ed_frame"] == 1


def test_a_heart_that_does_not_beat_or_is_not_there_is_told(segment, out, tmp_path):
    still, nothing = heart(tmp_path / "still.nii.gz", *[20.0] * 12), heart(tmp_path / "nothing.nii.gz", *[0.0] * 12)
    segment(still, nothing)
    assert clinical(out, "still")["phases"]["confidence"] == "low"
    assert any(text.startswith("ED and ES are doubtful: ") for text in run_record(out, "still")["warnings"])
    found = clinical(out, "nothing")
    assert (found["ed_frame"], found["lv"]["edv_ml"], found["rv"]["ef_percent"]) == (None, None, None)
    assert found["reasons"]["ed_frame"] == found["reasons"]["lv.edv_ml"] == "no LV in any frame"
    row = next(row for row in study(out) if row["case"] == "nothing")
    assert (row["lv_edv_ml"], row["ed_frame"]) == ("", "")
    assert "lv.edv_ml: no LV in any frame" in row["reasons"]


# ----------------------------------------------------------------------------------------------------------------------- pairs


def test_an_acdc_patients_two_files_become_one_heart(segment, out, tmp_path):
    data = segment(acdc_patient(tmp_path / "in", 7))
    cases = ("patient007_frame01", "patient007_frame09")
    assert names_in(out) == results(cases[0]) | results(cases[1]) | PAIR | {"study.csv"} | TABLES
    found = clinical(out, "patient007")
    assert (found["ed_frame"], found["es_frame"], found["cases"]) == (1, 9, {"ed": cases[0], "es": cases[1]})
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
        (("ben_frame30_0000.nii.gz", "ben_frame02_0000.nii.gz"), "larger and smaller LV volume", "medium"),
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
    assert (found["ed_frame"], found["es_frame"], found["phases"]["source"]) == (2, 30, "--ed, --es")
    assert found["phases"]["reasons"] == ["the LV is not larger at ED than at ES"]


def test_a_pair_is_made_when_its_second_half_comes_and_goes_with_it(segment, out, tmp_path):
    folder = acdc_patient(tmp_path / "in", 7)
    segment(folder / "patient007_frame01.nii.gz")
    assert not names_in(out) & (PAIR | {"study.csv"})
    segment(folder / "patient007_frame09.nii.gz")
    assert clinical(out, "patient007")["lv"]["edv_ml"] > 100
    assert names_in(out) >= PAIR
    broken = np.full(SHAPE, np.nan, np.float32)
    save_image(folder / "patient007_frame09.nii.gz", broken)
    segment(folder / "patient007_frame09.nii.gz", "--overwrite", code=EXIT_INPUT)
    assert names_in(out) == results("patient007_frame01") | TABLES


def test_a_cine_called_after_the_patient_of_a_pair_is_not_segmented_over_it(segment, out, tmp_path):
    segment(acdc_patient(tmp_path / "in", 7))
    before = {name: (out / name).read_bytes() for name in PAIR}
    cine = heart(tmp_path / "patient007.nii.gz", *CYCLE)
    assert "a file that no finished run made" in segment(cine, code=EXIT_RESOURCES)
    assert {name: (out / name).read_bytes() for name in PAIR} == before
    segment(cine, "--overwrite")
    assert "cases" not in clinical(out, "patient007")
    assert "12 frames" in (out / "patient007_report.html").read_text()


def test_what_is_of_the_folder_goes_with_its_last_case(segment, out, tmp_path):
    folder = acdc_patient(tmp_path / "in", 7)
    segment(folder)
    for frame in (1, 9):
        save_image(folder / f"patient007_frame{frame:02d}.nii.gz", np.full(SHAPE, np.nan, np.float32))
    segment(folder, "--overwrite", code=EXIT_INPUT)
    assert names_in(out) == TABLES - {"index.html"}


def test_a_call_that_makes_nothing_takes_nothing_away(segment, out, tmp_path):
    out.mkdir()
    mine = {"study.csv": "mine\n", "index.html": "<html>mine</html>", "anna_clinical.json": '{"cases": {}}'}
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
    assert record["clinical_reason"] == "one volume: EDV and ESV take ED and ES"
    assert f"No ejection fraction: {record['clinical_reason']}." in (out / "lone_report.html").read_text()
    assert record["volumes_ml"]["LV"] == [pytest.approx(75.4, rel=0.01)]
    assert data["hearts"] == []


# ----------------------------------------------------------------------------------------------------------------------- study


def test_the_table_has_a_row_a_heart_kept_ones_too(segment, out, tmp_path):
    segment(heart(tmp_path / "anna.nii.gz", *CYCLE))
    acdc_patient(tmp_path / "in", 7)
    acdc_patient(tmp_path / "in", 8)
    data = segment(tmp_path / "in")
    assert [row["case"] for row in study(out)] == ["anna", "patient007", "patient008"]
    assert [heart["case"] for heart in data["hearts"]] == ["patient007", "patient008"], "the report is of this call"
    row = study(out)[1]
    found = clinical(out, "patient007")
    assert (row["ed_case"], row["es_case"]) == ("patient007_frame01", "patient007_frame09")
    assert float(row["lv_edv_ml"]) == found["lv"]["edv_ml"]
    assert float(row["rv_ef_percent"]) == found["rv"]["ef_percent"]
    assert float(row["lv_mass_g_per_m2"]) == found["indexed"]["lv_mass_g_per_m2"]
    assert float(row["wall_mid_inferior_mm"]) == found["wall_thickness"]["segments_mm"]["mid inferior"]
    assert (row["cardiac_output_l_per_min"], row["model"]) == ("", "tiny")
    before = (out / "study.csv").read_bytes()
    segment(tmp_path / "in")
    assert (out / "study.csv").read_bytes() == before


def test_somebody_elses_files_are_left_alone(segment, out, tmp_path):
    out.mkdir()
    (out / "study.csv").write_text("mine\n")
    folder = acdc_patient(tmp_path / "in", 7)
    assert "a file that no finished run made" in segment(folder, code=EXIT_RESOURCES)
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
    assert [row["case"] for row in study(out)] == ["anna"]
    assert not names_in(out) & PAIR
    again = cardioseg("segment", tmp_path / "anna.nii.gz", "--output", out, "--model", model, "--quiet")
    assert "function of patient007_frame01 and patient007_frame09 was not written" in again.err


def test_a_pair_that_was_measured_into_the_folder_stays(segment, out, tmp_path):
    folder = acdc_patient(tmp_path / "in", 7)
    segment(folder)
    masks = [out / f"patient007_frame{frame:02d}_mask.nii.gz" for frame in (1, 9)]
    corrected = tmp_path / "corrected"
    corrected.mkdir()
    for mask, name in zip(masks, ("ed", "es"), strict=True):
        (corrected / f"{name}_by_hand.nii.gz").write_bytes(mask.read_bytes())
    done = cardioseg("measure", "--ed", corrected / "ed_by_hand.nii.gz", "--es", corrected / "es_by_hand.nii.gz", "--output", out)
    assert done.code == EXIT_OK, done.err
    measured = (out / "ed_by_hand_clinical.json").read_bytes()
    segment(folder)
    assert (out / "ed_by_hand_clinical.json").read_bytes() == measured
    assert [row["case"] for row in study(out)] == ["patient007"]


def test_one_patients_facts_are_not_given_to_several(segment, tmp_path):
    for number in (7, 8):
        acdc_patient(tmp_path / "in", number)
    for option, value in (("--height-cm", "170"), ("--heart-rate", "60"), ("--ed", "1")):
        assert "found 2 patients (patient007, patient008" in segment(tmp_path / "in", option, value, code=EXIT_USAGE)
    assert "--weight-kg: found 0.07" in segment(tmp_path / "in", "--weight-kg", "0.07", code=EXIT_USAGE)
    cine = heart(tmp_path / "anna.nii.gz", *CYCLE)
    assert "--es: found frame 13; expected 1 to 12" in segment(cine, "--es", "13", code=EXIT_USAGE)
