"""Which of a study's series is the short-axis cine, and what is said where that is not clear."""

from dataclasses import replace

import dicom_data as made
import numpy as np
import pytest

from cardioseg.core.errors import InputError, UsageError
from cardioseg.imaging.open import open_image

LONG_AXIS = made.cine((24, 20, 1, 9), axes=made.FOUR_CHAMBER, number=3, description="cine_4ch")
SCOUT = made.cine((24, 20, 5, 1), axes=np.eye(3), number=1, description="scout")


def stored(tmp_path, *series):
    for one in series:
        made.save(tmp_path / "study" / f"S{one.number}", made.images(one), seed=one.number)
    return tmp_path / "study"


def test_the_short_axis_cine_is_found_among_other_series(tmp_path):
    series = made.cine()
    study = stored(tmp_path, SCOUT, LONG_AXIS, series, replace(LONG_AXIS, number=4))
    image = open_image(study)
    assert np.array_equal(made.voxels_of(image), series.array)
    assert len(image.notes) == 1
    assert all(part in image.notes[0] for part in ("12 (5 slices × 9 phases)", "4 series"))


def test_slices_in_series_of_their_own_are_put_together(tmp_path):
    series = made.cine()
    parts = [made.one_slice(series, z, number=30 + z) for z in (2, 0, 4, 3, 1)]
    image = open_image(stored(tmp_path, SCOUT, LONG_AXIS, *parts))
    assert np.array_equal(made.voxels_of(image), series.array)
    assert all(part in image.notes[0] for part in ("30-34 (5 slices × 9 phases)", "7 series"))


def test_two_that_fit_are_a_question_that_series_answers(tmp_path):
    first, second = made.cine(), made.cine(seed=9, number=14, description="cine_sax_again")
    study = stored(tmp_path, SCOUT, first, second)
    with pytest.raises(InputError) as refused:
        open_image(study)
    listed = "12 (5 slices × 9 phases, 24 × 20); 14 (5 slices × 9 phases, 24 × 20)"
    assert listed in refused.value.found
    assert "cine_sax" not in str(refused.value)
    assert "--series" in refused.value.cure
    assert made.PATIENT.split("^")[0] not in str(refused.value)
    assert np.array_equal(made.voxels_of(open_image(study, series=(14,))), second.array)


def test_of_two_stacks_the_one_across_the_heart_is_taken(tmp_path):
    series, axial = made.cine(), made.cine(seed=9, number=14, axes=np.eye(3), description="axial")
    assert np.array_equal(made.voxels_of(open_image(stored(tmp_path, axial, series))), series.array)


def test_where_none_fits_all_are_listed(tmp_path):
    study = stored(tmp_path, SCOUT, LONG_AXIS)
    with pytest.raises(InputError, match="does not look like a short-axis cine") as refused:
        open_image(study)
    listed = "1 (5 slices × 1 phase, 24 × 20); 3 (1 slice × 9 phases, 24 × 20)"
    assert listed in refused.value.found
    assert open_image(study, series=(3,)).shape == (24, 20, 1, 9)


def test_images_at_one_time_after_the_r_wave_are_no_cine(tmp_path):
    series = made.cine()
    perfusion = made.images(made.cine(seed=2, number=20, description="perfusion"))
    for data in perfusion:
        data.TriggerTime = 210
    made.save(tmp_path / "study", perfusion)
    assert np.array_equal(made.voxels_of(open_image(stored(tmp_path, series))), series.array)


def test_a_series_that_is_not_there_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match="no series 7") as refused:
        open_image(stored(tmp_path, SCOUT, made.cine()), series=(12, 7))
    assert refused.value.expected == "numbers among 1,12"


def test_two_studies_in_a_folder_are_refused(tmp_path):
    study = stored(tmp_path, made.cine(), made.cine(number=13, study="1.2.3"))
    with pytest.raises(InputError, match="2 studies"):
        open_image(study)
