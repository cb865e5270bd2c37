"""Masks as DICOM-SEG: one segmentation object per phase that names its segments, its maker and the very images it was drawn on.

Source: DICOM PS3.3 A.51 (Segmentation), written by highdicom. A SEG object has no axis for time (highdicom issue 369), hence one
per phase. It carries the patient's and study's identity on, as every object of a study must: the one output that does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
from highdicom.color import CIELabColor
from highdicom.enum import PatientSexValues
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid
from pydicom.valuerep import DA, TM

from cardioseg import __version__
from cardioseg.core.atomic import replacing
from cardioseg.core.errors import UsageError
from cardioseg.core.labels import LabelTable
from cardioseg.imaging.dicom.planes import Plane, unwarned

STRUCTURES = {
    "RV": codes.SCT.RightVentricle,
    "MYO": codes.SCT.LeftVentricleMyocardium,
    "LV": codes.SCT.LeftVentricle,
}
SERIES_OFFSET = 9000  # the segmentation of series 12 is series 9012
# What every object of a study states, if only as empty, and what must make sense of it where it is not.
STATED: dict[str, Callable[[str], Any]] = {
    "PatientName": str,
    "PatientID": str,
    "PatientBirthDate": DA,
    "PatientSex": PatientSexValues,
    "StudyDate": DA,
    "StudyTime": TM,
    "StudyID": str,
    "AccessionNumber": str,
}


@dataclass(frozen=True)
class Maker:
    """Who made a mask.

    Attributes:
        model: its name.
        weights_sha256: of its weights: the model's exact version.
        labels: names of the mask's values.
        series_uid: of the series that the segmentations of a case share.
    """

    model: str
    weights_sha256: str
    labels: LabelTable
    series_uid: str


def new_series(model: str, weights_sha256: str, labels: LabelTable) -> Maker:
    """A maker whose segmentations form a series of their own."""
    return Maker(model, weights_sha256, labels, generate_uid())


def write_seg(
    path: Path, planes: Sequence[Plane], mask: np.ndarray, maker: Maker, *, number: int, about: str
) -> None:
    """Write one phase's mask.

    Args:
        path: ends in .dcm.
        planes: the images of the slices, in order, as ``check_referable`` lets pass.
        mask: (X, Y, Z) uint8 label values.
        maker: who made it.
        number: instance number in the series, from 1.
        about: says which phase it is; at most 64 characters.

    Raises:
        OutputError: the folder cannot be written.
    """
    with unwarned():
        segmentation = hd.seg.Segmentation(
            source_images=_sources(planes),
            pixel_array=np.ascontiguousarray(mask.T),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=_descriptions(maker),
            series_instance_uid=maker.series_uid,
            series_number=SERIES_OFFSET + (planes[0].number or 0),
            sop_instance_uid=generate_uid(),
            instance_number=number,
            manufacturer="cardioseg",
            manufacturer_model_name="cardioseg",
            software_versions=__version__,
            device_serial_number="none",
            content_label="HEART",
            content_description=about,
            series_description="cardioseg: research use only",
        )
        _refer_to_frames(segmentation, planes)
        _refer_to_series(segmentation, planes)
        with replacing(path, suffix=".dcm") as temporary:
            segmentation.save_as(temporary)


def check_referable(planes: Sequence[Sequence[Plane]], source: Path) -> None:
    """A segmentation refers to single images or to the frames of one file.

    Raises:
        UsageError: the image is no DICOM, or lies in several multi-frame files.
    """
    used = [plane for phase in planes for plane in phase]
    paths = {plane.path for plane in used}
    if not used:
        found = f"{source}, which is no DICOM"
    elif len(paths) > 1 and any(plane.frame is not None for plane in used):
        found = (
            f"{source} in {len(paths)} multi-frame files, of which a segmentation can refer to one"
        )
    else:
        return
    expected = "a DICOM study, as a segmentation refers to its images"
    raise UsageError(
        "--save dicom-seg", found=found, expected=expected, cure="leave it out for this input"
    )


def _sources(planes: Sequence[Plane]) -> list[Dataset]:
    """Headers of the slices' images; of a multi-frame file, as if it held these frames and no others."""
    paths = list(dict.fromkeys(plane.path for plane in planes))
    headers: list[Dataset] = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    for header in headers:
        _state(header)
        _set_thickness(header, planes)
        # highdicom takes images of one series in one frame of reference; the reader has put them into one stack by position,
        # and anonymisers have been seen to give every image a frame of reference of its own.
        for keyword in ("SeriesInstanceUID", "FrameOfReferenceUID"):
            setattr(header, keyword, headers[0].get(keyword))
    frames = [plane.frame for plane in planes if plane.frame is not None]
    if frames:
        groups = headers[0].PerFrameFunctionalGroupsSequence
        headers[0].PerFrameFunctionalGroupsSequence = [groups[frame] for frame in frames]
        headers[0].NumberOfFrames = len(frames)
    return headers


def _state(header: Dataset) -> None:
    """Anonymisers leave attributes out, or write dates such as 20120000, which no valid object can carry on: empty, then."""
    for keyword, meaning in STATED.items():
        value = header.get(keyword) or ""
        try:
            meaning(str(value))
        except ValueError:
            value = ""
        setattr(header, keyword, value)


def _set_thickness(header: Dataset, planes: Sequence[Plane]) -> None:
    """Where an image does not state its thickness, the distance between slices, or 1 mm of one, as the reader took it."""
    if header.get("SliceThickness") is None:
        apart = np.subtract(planes[-1].position, planes[0].position) / max(1, len(planes) - 1)
        header.SliceThickness = round(float(np.linalg.norm(apart)), 4) or 1.0


def _refer_to_frames(segmentation: Dataset, planes: Sequence[Plane]) -> None:
    """Frame numbers as the multi-frame file counts them, in place of their order here."""
    if planes[0].frame is None:
        return
    derivations = [
        one
        for group in segmentation.PerFrameFunctionalGroupsSequence
        for one in group.DerivationImageSequence
    ]
    images = {
        id(image): image for one in derivations for image in one.SourceImageSequence
    }  # segments share them
    for image in images.values():
        image.ReferencedFrameNumber = (planes[int(image.ReferencedFrameNumber) - 1].frame or 0) + 1


def _refer_to_series(segmentation: Dataset, planes: Sequence[Plane]) -> None:
    """Images under the series that each belongs to: scanners may store one per slice."""
    references = {
        one.ReferencedSOPInstanceUID: one
        for one in segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    segmentation.ReferencedSeriesSequence = []
    for uid in dict.fromkeys(plane.series for plane in planes):
        series = Dataset()
        series.SeriesInstanceUID = uid
        series.ReferencedInstanceSequence = [
            references[one] for one in dict.fromkeys(p.uid for p in planes if p.series == uid)
        ]
        segmentation.ReferencedSeriesSequence.append(series)


def _descriptions(maker: Maker) -> list[SegmentDescription]:
    algorithm = hd.AlgorithmIdentificationSequence(
        name=f"cardioseg {maker.model}"[:64],
        family=codes.DCM.ArtificialIntelligence,
        version=f"{__version__}, weights {maker.weights_sha256[:16]}",
        source="cardioseg",
    )
    return [
        SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=structure_code(name),
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            display_color=CIELabColor.from_rgb(*_rgb(maker.labels.colours[name])),
        )
        for number, name in enumerate(maker.labels.structures, start=1)
    ]


def structure_code(name: str) -> Code:
    """SNOMED's code of a structure; a private one where the model's name for it is not one of ours."""
    known = STRUCTURES.get(name.upper())
    return known if known is not None else Code(name[:16], "99CARDIOSEG", name[:64])


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return red, green, blue
