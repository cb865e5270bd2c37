"""Enhanced multi-frame files as Siemens, Philips and converters write them."""

import dicom_data as made
import dicom_makers as makers
import numpy as np
import pytest
from highdicom.legacy import LegacyConvertedEnhancedMRImage
from pydicom.uid import generate_uid

from cardioseg.core.errors import InputError
from cardioseg.imaging.open import open_image

SERIES = made.cine((16, 14, 5, 8))


def stored(tmp_path, *files):
    made.save(tmp_path / "study", list(files))
    return tmp_path / "study"


@pytest.mark.parametrize("maker", [makers.siemens, makers.philips])
def test_a_cine_is_read_with_the_values_of_the_standard_attributes(tmp_path, maker):
    image = open_image(stored(tmp_path, maker(SERIES)))
    assert np.array_equal(made.voxels_of(image), SERIES.array)
    assert image.spacing == pytest.approx(SERIES.spacing, abs=1e-4)
    assert image.frame_seconds == pytest.approx(0.1, rel=0.03)
    assert {plane.uid for phase in image.planes for plane in phase} != {"1.2.3.4.5"}


@pytest.mark.parametrize("numbers", [(12,) * 5, (30, 31, 32, 33, 34)])
def test_a_file_a_slice_is_put_together(tmp_path, numbers):
    parts = [
        makers.siemens(made.one_slice(SERIES, z, number=number)) for z, number in enumerate(numbers)
    ]
    image = open_image(stored(tmp_path, *parts))
    assert np.array_equal(made.voxels_of(image), SERIES.array)


def test_phase_frames_beside_magnitude_frames_are_not_used(tmp_path):
    data = makers.philips(SERIES, types=(("M_FFE", "M"), ("PHASE MAP", "P")))
    image = open_image(stored(tmp_path, data))
    assert np.array_equal(made.voxels_of(image), SERIES.array)
    assert any("40 images" in note for note in image.notes)


REFUSED = {
    "Siemens fMRI": makers.siemens(SERIES, third="FMRI", part="BRAIN"),
    "Siemens fMRI, body part unknown": makers.siemens(SERIES, third="FMRI"),
    "Siemens velocity": makers.siemens(SERIES, text=("P", "ND", "RETRO")),
    "Siemens brain": makers.siemens(SERIES, part="BRAIN"),
    "Philips B0 map": makers.philips(SERIES, types=(("B0 MAP", "B0"),), part="BRAIN"),
    "Philips B0 map, release 11": makers.philips(SERIES, types=(("B0", "B0"),), part=""),
    "Philips velocity": makers.philips(SERIES, types=(("VELOCITY MAP", "P"),)),
    "Philips T1 map": makers.philips(SERIES, types=(("T1 MAP", "T1"),)),
    "Philips real": makers.philips(SERIES, types=(("R_FFE", "R"),)),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_not_a_cine_of_the_heart_is_refused(tmp_path, data):
    with pytest.raises(InputError, match="does not look like a short-axis cine"):
        open_image(stored(tmp_path, data))


def test_the_anatomic_region_of_the_frames_is_looked_at(tmp_path):
    data = made.enhanced(SERIES)
    region, anatomy = made.Dataset(), made.Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "12738006", "SCT", "Brain"
    anatomy.AnatomicRegionSequence, anatomy.FrameLaterality = [region], "U"
    data.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]
    with pytest.raises(InputError, match="BRAIN"):
        open_image(stored(tmp_path, data))


def test_a_converted_cine_is_read(tmp_path):
    series = made.cine((16, 14, 3, 8))
    classic = made.images(series)
    for data in classic:
        data.ImageType, data.PatientSex = ["ORIGINAL", "PRIMARY", "M", "ND"], "F"
        data.BurnedInAnnotation = "NO"
    converted = LegacyConvertedEnhancedMRImage(
        classic,
        series_instance_uid=generate_uid(),
        series_number=40,
        sop_instance_uid=generate_uid(),
        instance_number=1,
    )
    image = open_image(stored(tmp_path, converted))
    assert np.array_equal(made.voxels_of(image), series.array)


def test_frames_and_frame_headers_must_be_as_many(tmp_path):
    data = made.enhanced(SERIES)
    data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:-1]
    with pytest.raises(InputError, match="40 frames, but 39 frame headers"):
        open_image(stored(tmp_path, data))
