"""DICOM-SEG objects: read back to the mask, refer to their images, and name their algorithm."""

from dataclasses import replace

import dicom_data as made
import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.uid import SegmentationStorage
from tiny import names_in, run_record, save_image, stored

from cardioseg.core.errors import EXIT_USAGE, UsageError
from cardioseg.core.labels import ACDC_LABELS, LabelTable
from cardioseg.imaging.dicom.headers import unwarned
from cardioseg.imaging.dicom.seg import check_referable, new_series, structure_code, write_seg
from cardioseg.imaging.open import open_image
from cardioseg.results import dicom_seg as dicom_out

SERIES = made.cine((40, 36, 3, 4), spacing=(1.5, 1.5, 8.0))


def random_mask(shape, *, seed=0):
    mask = np.zeros(shape, np.uint8)
    mask[5:20, 4:9, 1:] = np.random.default_rng(seed).integers(0, 4, mask[5:20, 4:9, 1:].shape)
    return mask


def read_back(path, planes):
    """The mask (X, Y, Z) on the images of the slices."""
    segmentation = hd.seg.segread(path)
    options = {"combine_segments": True, "assert_missing_frames_are_empty": True}
    if planes[0].frame is None:
        frames = segmentation.get_pixels_by_source_instance(
            [plane.uid for plane in planes], **options
        )
    else:
        numbers = [plane.frame + 1 for plane in planes]
        frames = segmentation.get_pixels_by_source_frame(planes[0].uid, numbers, **options)
    return frames.T


def separate(series):
    return [
        data for z in range(3) for data in made.images(made.one_slice(series, z, number=30 + z))
    ]


def anonymised(series):
    """Broken dates, and a frame of reference for every image."""
    files = made.images(series)
    for index, data in enumerate(files):
        data.FrameOfReferenceUID = f"1.2.3.{index}"
        with unwarned():
            data.StudyDate, data.PatientBirthDate = "20120000", "00000000"
    return files


def stripped(series):
    """What need not be known is not there, and what is there breaks the rules."""
    files = made.images(series)
    for data in files:
        for keyword in (
            "PatientName",
            "PatientID",
            "PatientBirthDate",
            "StudyID",
            "AccessionNumber",
            "SliceThickness",
        ):
            delattr(data, keyword)
        with unwarned():
            data.StudyTime, data.PatientSex = "10:11:12", "W"
    return files


SOURCES = {
    "a file an image": made.images,
    "a file a cine": lambda series: [made.enhanced(series)],
    "a series a slice": separate,
    "anonymised": anonymised,
    "stripped": stripped,
}


@pytest.mark.parametrize("files", SOURCES.values(), ids=SOURCES)
def test_a_segmentation_reads_back_to_the_mask(tmp_path, files):
    made.save(tmp_path / "study", files(SERIES))
    image = open_image(tmp_path / "study", series=(30, 31, 32) if files is separate else ())
    mask, maker = random_mask(image.shape[:3]), new_series("tiny", "ab" * 32, ACDC_LABELS)
    for number, frame in enumerate((2, 0), start=1):
        path = tmp_path / f"{frame}.dcm"
        write_seg(path, image.planes[frame], mask, maker, number=number, about="ES, frame 3 of 4")
        assert np.array_equal(read_back(path, image.planes[frame]), mask)
        read = pydicom.dcmread(path)
        under = {
            one.ReferencedSOPInstanceUID: series.SeriesInstanceUID
            for series in read.ReferencedSeriesSequence
            for one in series.ReferencedInstanceSequence
        }
        assert under == {plane.uid: plane.series for plane in image.planes[frame]}
        assert (read.SeriesInstanceUID, read.InstanceNumber) == (maker.series_uid, number)


def seg_of_frame(folder, images, model):
    """The DICOM-SEG of a study's first frame."""
    made.save(folder / "study", images)
    image = open_image(folder / "study")
    write_seg(
        folder / "seg.dcm",
        image.planes[0],
        random_mask((40, 36, 3)),
        new_series(model, "ab" * 32, ACDC_LABELS),
        number=1,
        about="ED, frame 1 of 4",
    )
    return folder / "seg.dcm"


def test_a_segmentation_names_structures_maker_study_and_patient(tmp_path):
    path = seg_of_frame(tmp_path, made.images(SERIES), "rdvit-2d")
    read = hd.seg.segread(path)
    described = [read.get_segment_description(number) for number in (1, 2, 3)]
    assert [one.segment_label for one in described] == ["RV", "MYO", "LV"]
    codes = [
        (one.segmented_property_type.value, one.segmented_property_type.scheme_designator)
        for one in described
    ]
    assert codes == [("53085002", "SCT"), ("49848007", "SCT"), ("87878005", "SCT")]
    assert {one.algorithm_identification.name for one in described} == {"cardioseg rdvit-2d"}
    assert {one.algorithm_identification.version.split(", ")[1] for one in described} == {
        "weights abababababababab"
    }
    assert len({tuple(one.RecommendedDisplayCIELabValue) for one in described}) == 3
    assert (read.PatientID, read.StudyInstanceUID) == (made.PATIENT_ID, made.STUDY), (
        "DICOM keeps who it is"
    )
    assert (read.SeriesNumber, read.ContentDescription) == (9012, "ED, frame 1 of 4")


def test_what_a_study_does_not_state_is_empty_and_the_slice_distance_stands_for_a_thickness(
    tmp_path,
):
    path = seg_of_frame(tmp_path, stripped(SERIES), "tiny")
    read = pydicom.dcmread(path)
    keywords = (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyTime",
        "StudyID",
        "AccessionNumber",
    )
    assert [str(read[keyword].value or "") for keyword in keywords] == [""] * len(keywords)
    assert read.StudyDate == "20240102", "what makes sense is carried on"
    measures = read.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SliceThickness == pytest.approx(8.0)


def test_a_structure_of_another_model_gets_a_private_code():
    assert structure_code("lv").scheme_designator == "SCT"
    assert (structure_code("scar").scheme_designator, structure_code("scar").meaning) == (
        "99CARDIOSEG",
        "scar",
    )
    assert LabelTable(("background", "scar")).colours["scar"]


def test_a_cine_in_several_multi_frame_files_has_nothing_to_refer_to(tmp_path):
    made.save(
        tmp_path / "study",
        [made.enhanced(made.one_slice(SERIES, z, number=30 + z)) for z in range(3)],
    )
    image = open_image(tmp_path / "study", series=(30, 31, 32))
    with pytest.raises(UsageError, match="3 multi-frame files"):
        check_referable(image.planes, image.path)


# ------------------------------------------------------------------------------------------ segment


@pytest.fixture
def study(tmp_path):
    made.save(tmp_path / "case7", made.images(SERIES))
    return tmp_path / "case7"


def segmentations(folder):
    return sorted(name for name in names_in(folder) if name.endswith(".dcm"))


def test_ed_and_es_become_segmentations(segment, study, tmp_path):
    out = tmp_path / "out"
    segment(study, "--save", "dicom-seg", "--ed", "4", "--es", "2")
    assert segmentations(out) == ["case7_seg_frame02.dcm", "case7_seg_frame04.dcm"]
    facts = run_record(out, "case7")
    assert facts["dicom_seg_frames"] == [2, 4]
    assert set(segmentations(out)) < set(facts["files"])
    mask, image = stored(out / "case7_mask.nii.gz"), open_image(study)
    described = {}
    for frame in (2, 4):
        path = out / f"case7_seg_frame{frame:02d}.dcm"
        assert np.array_equal(read_back(path, image.planes[frame - 1]), mask[..., frame - 1])
        described[frame] = pydicom.dcmread(path)
        assert described[frame].SOPClassUID == SegmentationStorage
    assert described[2].ContentDescription.startswith("ES, frame 2 of 4")
    assert described[4].ContentDescription.startswith("ED, frame 4 of 4")
    assert described[2].SeriesInstanceUID == described[4].SeriesInstanceUID
    assert "kept" in segment(study, "--save", "dicom-seg", "--ed", "4", "--es", "2").out


def test_every_phase_becomes_one_on_request_and_none_unasked(segment, study, tmp_path):
    segment(study, "--save", "dicom-seg-all")
    assert segmentations(tmp_path / "out") == [
        f"case7_seg_frame0{frame}.dcm" for frame in (1, 2, 3, 4)
    ]
    segment(study, "--overwrite")
    assert segmentations(tmp_path / "out") == []
    assert run_record(tmp_path / "out", "case7").get("dicom_seg_frames") is None


def test_a_single_phase_becomes_one_without_a_number(segment, tmp_path):
    made.save(tmp_path / "one", made.images(replace(SERIES, array=SERIES.array[..., :1])))
    segment(tmp_path / "one", "--save", "dicom-seg")
    assert segmentations(tmp_path / "out") == ["one_seg.dcm"]


def test_segmentations_among_the_images_are_not_taken_for_images(segment, study):
    segment(study, "--save", "dicom-seg-all", output=study)
    assert "kept" in segment(study, "--save", "dicom-seg-all", output=study).out


def test_without_ed_and_es_the_lack_is_told(segment, study, tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_out, "_phases", lambda segmented: {})
    done = segment(study, "--save", "dicom-seg")
    assert "no DICOM-SEG was written" in done.err
    assert segmentations(tmp_path / "out") == []


def test_input_that_is_no_dicom_is_a_wrong_call_before_any_work(segment, tmp_path):
    done = segment(save_image(tmp_path / "heart.nii.gz"), "--save", "dicom-seg", code=EXIT_USAGE)
    assert "heart.nii.gz" in done.err
    assert names_in(tmp_path / "out") == set()


def test_without_highdicom_the_extra_is_named(segment, study, monkeypatch):
    monkeypatch.setattr(dicom_out, "find_spec", lambda name: None)
    assert (
        "pip install 'cardioseg[dicom]'"
        in segment(study, "--save", "dicom-seg", code=EXIT_USAGE).err
    )
