"""``cardioseg segment`` on DICOM studies: results, record, repeated runs, no patient names."""

import json
from dataclasses import replace

import dicom_data as made
import nibabel as nib
import numpy as np
import pytest
from tiny import MAPS, names_in, run_record, save_image, stored

from cardioseg.core.errors import EXIT_INPUT, EXIT_SOME_FAILED, EXIT_USAGE

SERIES = made.cine((40, 36, 3, 4), spacing=(1.5, 1.5, 8.0))
WHO = (*made.PATIENT.split("^"), made.PATIENT_ID, made.BIRTH, "Doctor", "ACC-Q7X", "20240102")


@pytest.fixture
def study(tmp_path):
    made.save(tmp_path / "case7", made.images(SERIES))
    return tmp_path / "case7"


def without_identity(text):
    return not [word for word in WHO if word.casefold() in text.casefold()]


def test_a_study_becomes_a_case_on_its_own_oblique_grid(segment, study, tmp_path):
    done = segment(study)
    out = tmp_path / "out"
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = SERIES.axes * SERIES.spacing, SERIES.origin
    for kind in MAPS:
        result = nib.load(out / f"case7_{kind}.nii.gz")
        assert result.shape == SERIES.array.shape
        assert result.affine == pytest.approx(np.diag([-1, -1, 1, 1]) @ affine, abs=1e-3)
        assert result.header.get_zooms() == pytest.approx((1.5, 1.5, 8, 0.20175), abs=1e-4)
        assert result.header.get_xyzt_units() == ("mm", "sec")
    facts = run_record(out, "case7")
    assert (facts["frames"], facts["spacing_mm"]) == (4, pytest.approx([1.5, 1.5, 8.0], abs=1e-4))
    clinical = json.loads((out / "case7_clinical.json").read_text(encoding="utf-8"))
    assert clinical["body"]["height_cm"] == 175
    assert (clinical["body"]["weight_kg"], clinical["body"]["heart_rate_bpm"]) == (70, 75)
    save_image(tmp_path / "same.nii.gz", SERIES.array)
    segment(tmp_path / "same.nii.gz", output=tmp_path / "nifti")
    assert np.array_equal(
        stored(out / "case7_mask.nii.gz"), stored(tmp_path / "nifti" / "same_mask.nii.gz")
    )
    written = [
        path
        for path in out.rglob("*")
        if path.suffix in (".json", ".csv", ".txt", ".html", ".ctbl")
    ]
    assert all(without_identity(path.read_text(encoding="utf-8")) for path in written)
    assert all(
        without_identity(path.read_bytes().decode("latin1"))
        for path in out.rglob("*")
        if path.is_file()
    )
    assert without_identity(done.out + done.err)


def test_the_same_study_under_other_file_names_is_kept(segment, study, tmp_path):
    segment(study)
    before = run_record(tmp_path / "out", "case7")
    made.save(
        tmp_path / "copy" / "case7",
        [made.pydicom.dcmread(path) for path in sorted(study.rglob("IM*"))],
        seed=99,
    )
    done = segment(tmp_path / "copy" / "case7")
    assert "kept" in done.out
    assert run_record(tmp_path / "out", "case7") == before
    changed = replace(SERIES, array=SERIES.array + np.int16(1))
    made.save(tmp_path / "copy" / "case7", made.images(changed), seed=99)
    assert "another image" in segment(tmp_path / "copy" / "case7", code=6).err


def test_studies_and_files_of_one_folder_are_segmented_together(segment, study, tmp_path):
    made.save(tmp_path / "all" / "p2", [made.enhanced(replace(SERIES, study="1.2.3"))])
    study.rename(tmp_path / "all" / "p1")
    save_image(tmp_path / "all" / "heart.nii.gz")
    (next((tmp_path / "all" / "p1").rglob("IM*"))).unlink()
    done = segment(tmp_path / "all", code=EXIT_SOME_FAILED)
    assert "missing images" in done.err
    assert without_identity(done.err)
    assert {"heart_run.json", "p2_run.json"} <= names_in(tmp_path / "out")
    assert "p1_run.json" not in names_in(tmp_path / "out")


def test_broken_studies_are_named_and_the_others_are_done(segment, study, tmp_path):
    (tmp_path / "all").mkdir()
    study.rename(tmp_path / "all" / "p0")
    for number in (1, 2, 3):
        files = made.images(replace(SERIES, study=f"1.2.3.{number}"))
        for data in files:
            data.Rows = 65535 if number == 3 else data.Rows
            data.BodyPartExamined = "BRAIN" if number == 2 else "HEART"
        made.save(tmp_path / "all" / f"p{number}", files)
    path = sorted((tmp_path / "all" / "p1").rglob("IM*"))[2]
    data = path.read_bytes()
    at = data.index(b"\x08\x00\x05\x00CS") + 4
    path.write_bytes(data[:at] + b"\x00\xff" + data[at + 2 :])
    done = segment(tmp_path / "all", code=EXIT_SOME_FAILED)
    assert path.name in done.err
    assert "does not look like a short-axis cine" in done.err
    assert without_identity(done.err)
    assert {name for name in names_in(tmp_path / "out") if name.endswith("_run.json")} == {
        "p0_run.json"
    }


def test_a_truncated_file_stops_the_case_before_the_network(segment, study, tmp_path):
    path = sorted(study.rglob("IM*"))[5]
    path.write_bytes(path.read_bytes()[:-500])
    done = segment(study, code=EXIT_INPUT)
    assert "bytes of voxels instead of" in done.err
    assert names_in(tmp_path / "out") == set()


def test_a_folder_without_images_says_what_was_looked_for(segment, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "letter.pdf").write_bytes(b"%PDF" + b"\0" * 300)
    assert "DICOM files of MR images" in segment(tmp_path / "in", code=EXIT_INPUT).err


def test_series_chooses_and_stands_in_the_recipe(segment, study, tmp_path):
    other = replace(SERIES, number=30, array=SERIES.array[..., :2], description="again")
    made.save(study / "other", made.images(other))
    assert "30 (3 slices × 2 phases, 40 × 36)" in segment(study, code=EXIT_INPUT).err
    segment(study, "--series", "30")
    facts = run_record(tmp_path / "out", "case7")
    assert (facts["frames"], facts["recipe"]["series"]) == (2, [30])


@pytest.mark.parametrize("text", ["x", "3-", "9-5", "1-99999", "-4", "3,,4"])
def test_series_that_is_no_number_is_a_wrong_call(segment, study, text):
    assert "such as 5-9,11" in segment(study, f"--series={text}", code=EXIT_USAGE).err


def test_series_of_a_file_that_has_none_is_a_wrong_call(segment, tmp_path):
    path = save_image(tmp_path / "a.nii.gz")
    assert str(path) in segment(path, "--series", "3", code=EXIT_USAGE).err


def test_a_folder_called_after_the_patient_leaves_no_trace(segment, tmp_path):
    folder = tmp_path / made.PATIENT.replace("^", " ")
    made.save(folder, made.images(SERIES))
    segment(folder)
    (record,) = (tmp_path / "out").glob("*_run.json")
    assert record.name.startswith("dicom_")
    assert without_identity(record.read_text(encoding="utf-8"))
    assert without_identity(json.dumps(sorted(names_in(tmp_path / "out"))))
