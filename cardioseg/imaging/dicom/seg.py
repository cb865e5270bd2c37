"""Masks as DICOM-SEG: one object per phase, with its segments, algorithm and source images.

Source: DICOM PS3.3 A.51 (Segmentation), written by highdicom. A SEG object has no time axis
(highdicom issue 369), hence one per phase. It is the only output that carries the identity of
patient and study, as every object of a study must.
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

from cardioseg.core.atomic import replacing
from cardioseg.core.errors import UsageError
from cardioseg.core.labels import LabelTable
from cardioseg.core.version import __version__
from cardioseg.imaging.dicom.headers import unwarned
from cardioseg.imaging.plane import Plane

STRUCTURES = {
    "RV": codes.SCT.RightVentricle,
    "MYO": codes.SCT.LeftVentricleMyocardium,
    "LV": codes.SCT.LeftVentricle,
}
SERIES_OFFSET = 9000  # the segmentation of series 12 is series 9012
# Attributes that every object of a study must have, possibly empty, with the type that parses them.
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
    """The algorithm that made a mask.

    Attributes:
        model: the model's name.
        weights_sha256: SHA-256 of the model's weights.
        labels: names of the mask's values.
        series_uid: UID of the series that the segmentations of one case share.
    """

    model: str
    weights_sha256: str
    labels: LabelTable
    series_uid: str


def new_series(model: str, weights_sha256: str, labels: LabelTable) -> Maker:
    """A maker with a new series UID."""
    return Maker(model, weights_sha256, labels, generate_uid())


def write_seg(
    path: Path, planes: Sequence[Plane], mask: np.ndarray, maker: Maker, *, number: int, about: str
) -> None:
    """Write one phase's mask.

    Args:
        path: ends in .dcm.
        planes: the source image of each slice, in order; accepted by ``check_referable``.
        mask: (X, Y, Z) uint8 label values.
        maker: the algorithm that made it.
        number: instance number in the series, from 1.
        about: which phase it is, at most 64 characters.

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
    """Check that a segmentation can refer to the images: single ones, or frames of one file.

    Raises:
        UsageError: the image is not DICOM, or spans several multi-frame files.
    """
    used = [plane for phase in planes for plane in phase]
    paths = {plane.path for plane in used}
    if not used:
        found = f"{source}, which is not DICOM"
    elif len(paths) > 1 and any(plane.frame is not None for plane in used):
        found = f"{source}, which spans {len(paths)} multi-frame files"
    else:
        return
    raise UsageError(
        "--save dicom-seg",
        found=found,
        expected="DICOM images, single-frame or in one multi-frame file",
        cure="leave the option out for this input",
    )


def _sources(planes: Sequence[Plane]) -> list[Dataset]:
    """Headers of the slices' images; a multi-frame header is reduced to the frames used."""
    paths = list(dict.fromkeys(plane.path for plane in planes))
    headers: list[Dataset] = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    for header in headers:
        _state(header)
        _set_thickness(header, planes)
        # highdicom requires one series and one frame of reference. The slices may come from several
        # series, and some anonymisers give every image its own frame of reference.
        for keyword in ("SeriesInstanceUID", "FrameOfReferenceUID"):
            setattr(header, keyword, headers[0].get(keyword))
    frames = [plane.frame for plane in planes if plane.frame is not None]
    if frames:
        groups = headers[0].PerFrameFunctionalGroupsSequence
        headers[0].PerFrameFunctionalGroupsSequence = [groups[frame] for frame in frames]
        headers[0].NumberOfFrames = len(frames)
    return headers


def _state(header: Dataset) -> None:
    """Empty the attributes that are missing or invalid, such as an anonymiser's date 20120000."""
    for keyword, meaning in STATED.items():
        value = header.get(keyword) or ""
        try:
            meaning(str(value))
        except ValueError:
            value = ""
        setattr(header, keyword, value)


def _set_thickness(header: Dataset, planes: Sequence[Plane]) -> None:
    """Fill in a missing slice thickness with the slice distance, or 1 mm for a single slice."""
    if header.get("SliceThickness") is None:
        apart = np.subtract(planes[-1].position, planes[0].position) / max(1, len(planes) - 1)
        header.SliceThickness = round(float(np.linalg.norm(apart)), 4) or 1.0


def _refer_to_frames(segmentation: Dataset, planes: Sequence[Plane]) -> None:
    """Replace positions in ``planes`` by frame numbers of the multi-frame file."""
    if planes[0].frame is None:
        return
    derivations = [
        one
        for group in segmentation.PerFrameFunctionalGroupsSequence
        for one in group.DerivationImageSequence
    ]
    # Segments share these objects, so each is changed once.
    images = {id(image): image for one in derivations for image in one.SourceImageSequence}
    for image in images.values():
        image.ReferencedFrameNumber = (planes[int(image.ReferencedFrameNumber) - 1].frame or 0) + 1


def _refer_to_series(segmentation: Dataset, planes: Sequence[Plane]) -> None:
    """List every image under its own series, as scanners may store one series per slice."""
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
    """The SNOMED code of a structure, or a private code for an unknown name."""
    known = STRUCTURES.get(name.upper())
    return known if known is not None else Code(name[:16], "99CARDIOSEG", name[:64])


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return red, green, blue
