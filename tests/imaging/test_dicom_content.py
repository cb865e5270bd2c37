"""What shows that a series is no short-axis cine: kind of image, body part, and view."""

from dataclasses import replace

import dicom_data as made
import numpy as np
import pytest

from cardioseg.core.errors import InputError
from cardioseg.imaging.dicom.content import body_part, kind_of
from cardioseg.imaging.open import open_image

SERIES = made.cine((16, 14, 4, 8))
UNLIKE = "does not look like a short-axis cine"


def stored(tmp_path, series=SERIES, **attributes):
    files = made.images(series)
    for data in files:
        for keyword, value in attributes.items():
            setattr(data, keyword, value)
    made.save(tmp_path / "study" / f"S{series.number}", files, seed=series.number)
    return tmp_path / "study"


@pytest.mark.parametrize(
    "image_type",
    [
        r"ORIGINAL\PRIMARY\M\ND\NORM",
        r"ORIGINAL\PRIMARY\M_FFE\M\FFE",
        r"ORIGINAL\PRIMARY\M\RETRO\NORM\DIS2D",
        r"ORIGINAL\PRIMARY\CARDIAC\NONE",
        r"ORIGINAL\PRIMARY\OTHER",
        r"DERIVED\SECONDARY\MPR\CSA",
        r"ORIGINAL\PRIMARY\M_PCA\M\PCA",
        "",
    ],
)
def test_magnitude_images_have_no_other_kind(image_type):
    assert kind_of({"ImageType": image_type.split("\\")}) == ""


@pytest.mark.parametrize(
    "image_type",
    [
        r"ORIGINAL\PRIMARY\P\ND",
        r"DERIVED\PRIMARY\P\RETRO\DIS2D",
        r"ORIGINAL\PRIMARY\VELOCITY MAP\P\PCA",
        r"ORIGINAL\PRIMARY\PHASE CONTRAST M\P\PCA",
        r"ORIGINAL\PRIMARY\PHASE MAP\P\FFE",
        r"ORIGINAL\PRIMARY\B0 MAP\B0\UNSPECIFIED",
        r"ORIGINAL\PRIMARY\R\ND",
        r"ORIGINAL\PRIMARY\I_FFE\I\FFE",
        r"DERIVED\PRIMARY\T2_STAR MAP\T2",
        r"DERIVED\PRIMARY\DIFFUSION\ADC\ND",
        r"ORIGINAL\PRIMARY\EPI\NONE",
        r"ORIGINAL\PRIMARY\M\ND\MOSAIC",
        r"ORIGINAL\PRIMARY\FMRI\NONE",
    ],
)
def test_other_images_have_a_kind(image_type):
    assert kind_of({"ImageType": image_type.split("\\")})


@pytest.mark.parametrize(
    "facts",
    [
        {"ComplexImageComponent": "PHASE"},
        {"GERawType": 1},
        {"ScanningSequence": ["EP", "GR"]},
        {"DiffusionBValue": 1000},
    ],
)
def test_other_attributes_tell_the_kind_too(facts):
    assert kind_of({"ImageType": ["ORIGINAL", "PRIMARY", "OTHER"], **facts})


@pytest.mark.parametrize("part", ["HEART", "CHEST", "Thorax", "", None, "CARDIAC", "ABDOMEN"])
def test_parts_that_may_hold_the_heart_are_accepted(part):
    assert body_part({"BodyPartExamined": part}) == ""


@pytest.mark.parametrize(
    ("part", "shown"), [("BRAIN", "BRAIN"), ("head", "HEAD"), ("KNEE^LEFT Doe", "KNEE")]
)
def test_other_parts_are_named_in_the_terms_of_the_standard(part, shown):
    assert body_part({"BodyPartExamined": part}) == shown


@pytest.mark.parametrize(
    "attributes",
    [
        {"BodyPartExamined": "BRAIN"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "B0 MAP", "B0"]},
        {"ScanningSequence": "EP", "TriggerTime": None},
    ],
)
def test_a_study_of_something_else_is_refused_in_those_words(tmp_path, attributes):
    with pytest.raises(InputError, match=UNLIKE):
        open_image(stored(tmp_path, **attributes))


def test_gantry_numbers_of_phase_images_are_known(tmp_path):
    files = made.images(SERIES)
    for data in files:
        data.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", 1)
    made.save(tmp_path / "study", files)
    with pytest.raises(InputError, match="phase"):
        open_image(tmp_path / "study")


@pytest.mark.parametrize("axes", [made.FOUR_CHAMBER, np.eye(3)], ids=["long axis", "axial"])
@pytest.mark.parametrize("slices", [1, 4])
def test_another_view_is_refused_unless_it_is_requested(tmp_path, axes, slices):
    study = stored(tmp_path, made.cine((16, 14, slices, 8), axes=axes))
    with pytest.raises(InputError, match=UNLIKE):
        open_image(study)
    image = open_image(study, series=(12,))
    assert any(UNLIKE in note for note in image.notes)


def test_a_requested_series_of_another_body_part_is_read_with_a_note(tmp_path):
    study = stored(tmp_path, BodyPartExamined="HEAD")
    image = open_image(study, series=(12,))
    assert np.array_equal(made.voxels_of(image), SERIES.array)
    assert any("HEAD" in note for note in image.notes)


def test_a_requested_series_of_phase_images_is_refused(tmp_path):
    study = stored(tmp_path, ImageType=["ORIGINAL", "PRIMARY", "P", "ND"])
    with pytest.raises(InputError, match=UNLIKE):
        open_image(study, series=(12,))


def test_the_cine_is_found_beside_phase_images_and_a_brain(tmp_path):
    stored(tmp_path, replace(SERIES, number=13), ImageType=["ORIGINAL", "PRIMARY", "P", "ND"])
    stored(tmp_path, made.cine((16, 14, 4, 8), number=14, seed=2), BodyPartExamined="BRAIN")
    image = open_image(stored(tmp_path))
    assert np.array_equal(made.voxels_of(image), SERIES.array)
    assert any("64 images" in note for note in image.notes)


def test_phase_images_within_the_series_are_not_used(tmp_path):
    files = made.images(SERIES) + made.images(SERIES)
    for index, data in enumerate(files):
        data.ImageType = ["ORIGINAL", "PRIMARY", "M" if index < 32 else "P", "ND"]
        data.InstanceNumber = index + 1
    made.save(tmp_path / "study", files)
    image = open_image(tmp_path / "study")
    assert image.shape == SERIES.array.shape
    assert not any("instance numbers" in note for note in image.notes)
