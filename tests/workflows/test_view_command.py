"""``cardioseg view`` after ``cardioseg segment``: where the image is looked for."""

import json
import os

import pytest
from browser import Page
from small_case import write_case
from tiny import cardioseg, names_in, results, run_record, save_image, voxels

from cardioseg.core.errors import EXIT_INPUT, EXIT_OK, EXIT_RESOURCES

SOURCE = ".heart_source"


@pytest.fixture
def image(tmp_path):
    return save_image(tmp_path / "scans" / "heart.nii.gz")


def view(*arguments, code=EXIT_OK):
    done = cardioseg("view", *arguments, "--quiet", "--json")
    assert done.code == code, done.err
    return done.err if code else json.loads(done.out)


def test_a_case_is_viewed_right_after_it_was_segmented(segment, out, image):
    segment(image)
    assert (out / SOURCE).read_text() == "../scans/heart.nii.gz"
    assert view(out / "heart")["files"] == [str(out / "heart_view.html")]
    assert view(out / "heart", "--ponder", out / "heart.gif")["files"] == [str(out / "heart.gif")]
    assert view(out)["data"]["case"] == "heart", "a hidden file is no case"


def test_names_of_any_script_are_found_again(segment, tmp_path):
    segment(
        save_image(tmp_path / "scans" / "Müller – 心臓.nii.gz"), output=tmp_path / "ergebnisse ü"
    )
    view(tmp_path / "ergebnisse ü", "Müller – 心臓")
    assert "Müller – 心臓" in Page(tmp_path / "ergebnisse ü" / "Müller – 心臓_view.html").text


def test_only_the_hidden_file_says_where_the_image_lay(segment, out, image):
    segment(image)
    says = [name for name in names_in(out) if b"scans" in (out / name).read_bytes()]
    assert says == [SOURCE]
    assert SOURCE not in run_record(out, "heart")["files"]


def test_results_that_moved_alone_ask_for_the_image(segment, out, image, tmp_path):
    segment(image)
    moved = tmp_path / "elsewhere" / "deeper" / "out"
    moved.parent.mkdir(parents=True)
    out.rename(moved)
    error = view(moved / "heart", code=EXIT_INPUT)
    lost = tmp_path / "elsewhere" / "deeper" / "scans" / "heart.nii.gz"
    assert str(lost) in error
    assert "--image" in error
    view(moved / "heart", "--image", image)
    (moved / SOURCE).unlink()
    assert "no image heart" in view(moved / "heart", code=EXIT_INPUT)


def test_results_and_images_that_moved_together_are_found(segment, image, tmp_path):
    study = image.parent.parent / "study"
    study.mkdir()
    image.parent.rename(study / "scans")
    segment(study / "scans" / "heart.nii.gz", output=study / "out")
    study.rename(tmp_path / "archive")
    view(tmp_path / "archive" / "out" / "heart")


def test_an_image_that_changed_since_is_refused(segment, out, image):
    segment(image)
    save_image(image, voxels(seed=5))
    assert "SHA-256" in view(out / "heart", code=EXIT_INPUT)


def test_an_image_beside_the_results_comes_first(segment, out, image):
    segment(image)
    save_image(out / "heart.nii.gz", voxels(seed=5))
    assert f"{out / 'heart.nii.gz'}: found SHA-256" in view(out / "heart", code=EXIT_INPUT)


def test_a_kept_case_learns_where_its_image_lies_now(segment, out, image, tmp_path):
    segment(image)
    moved = image.rename(tmp_path / "heart.nii.gz")
    assert "kept" in segment(moved).out
    view(out / "heart")


def test_links_lead_to_the_same_place(segment, out, image, tmp_path):
    real = tmp_path / "far" / "away"
    real.mkdir(parents=True)
    for link, target in ((out, real), (tmp_path / "link", image.parent)):
        link.symlink_to(target)
    segment(tmp_path / "link" / image.name)
    view(out / "heart")
    view(real / "heart")


def test_the_hidden_file_comes_and_goes_with_its_case_and_is_never_foreign(segment, out, image):
    def hidden():
        return {name for name in names_in(out) if "source" in name}

    segment(image, save_image(image.with_name("heart_2.nii.gz")))
    (out / f".{SOURCE}.a1b2c3d4.part").touch()  # of a run that was killed
    for name in results("heart") - {SOURCE}:
        (out / name).unlink()
    segment(image)
    assert hidden() == {SOURCE, ".heart_2_source"}
    save_image(image, voxels() * 0)
    segment(image, "--overwrite", code=EXIT_INPUT)
    assert hidden() == {SOURCE, ".heart_2_source"}, "a failure leaves earlier results as they are"


def test_a_dicom_study_is_viewed_too(segment, out, tmp_path):
    pytest.importorskip("pydicom")
    import dicom_data

    study = tmp_path / "scans" / "case7"
    dicom_data.save(study, dicom_data.images(dicom_data.cine()))
    segment(study)
    assert view(out)["data"]["shape"][2:] == [5, 9]
    view(out / "case7", "--ponder", out / "case7.gif")
    study.rename(tmp_path / "case7")
    assert str(study) in view(out, code=EXIT_INPUT)
    view(out, "--image", tmp_path / "case7")


def test_a_path_that_names_the_patient_is_not_kept(segment, out, tmp_path):
    pytest.importorskip("pydicom")
    import dicom_data

    study = tmp_path / dicom_data.PATIENT.replace("^", " ") / "case7"
    dicom_data.save(study, dicom_data.images(dicom_data.cine()))
    segment(study)
    assert ".case7_source" not in names_in(out)
    assert "found no image case7 beside the results; " in view(out, code=EXIT_INPUT)
    view(out, "--image", study)


def test_the_command_says_what_is_missing(tmp_path):
    assert view(tmp_path / "out", code=EXIT_INPUT).startswith("error: ")
    write_case(tmp_path, frames=1)
    (tmp_path / "heart_view.html").write_text("mine")
    view(tmp_path, code=EXIT_RESOURCES)


def test_a_place_that_cannot_be_is_no_place(tmp_path):
    write_case(tmp_path, frames=1)
    (tmp_path / "heart.nii.gz").unlink()
    for place in (b"", b"\xff\xfe", b"x" * 5000, os.fsencode(tmp_path / "nowhere")):
        (tmp_path / SOURCE).write_bytes(place)
        assert "--image" in view(tmp_path, code=EXIT_INPUT)
