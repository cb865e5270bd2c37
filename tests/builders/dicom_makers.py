"""Enhanced multi-frame cines as Siemens (software XA) and Philips write them.

Sources: their conformance statements and public files described in dcm2niix's issues 170, 345, 455
and 675. The image types, private sequences and creators are theirs; the voxels are made up.
"""

import dicom_data as made
from pydicom.dataset import Dataset, FileDataset

SIEMENS_SDI = "SIEMENS MR SDI 02"
PHILIPS_005 = "Philips MR Imaging DD 005"


def siemens(
    series: made.Cine, *, third="CARDIAC", text=("M", "ND", "NORM"), part=""
) -> FileDataset:
    """A file of software XA: image type in the frame type and in (0021,1175) of each frame."""
    data = made.enhanced(series)
    data.Manufacturer, data.SoftwareVersions = "Siemens Healthineers", "syngo MR XA30"
    data.ImageType = ["ORIGINAL", "PRIMARY", third, "NONE"]
    data.BodyPartExamined = part
    for frame in data.PerFrameFunctionalGroupsSequence:
        frame.MRImageFrameTypeSequence = [_frame_type(data.ImageType)]
        inner = Dataset()
        # Two blocks before it, so that the element is (0021,1175) as in real files.
        inner.add_new(0x00210011, "LO", SIEMENS_SDI)
        inner.add_new(0x00211175, "CS", list(text))
        frame.add_new(0x00210011, "LO", SIEMENS_SDI)
        frame.add_new(0x002111FE, "SQ", [inner])
    return data


def philips(series: made.Cine, *, types=(("M_FFE", "M"),), part="HEART", whole="T1") -> FileDataset:
    """A file with one set of frames for each image type; "MIXED" at the top if there are several.

    Each frame repeats attributes of the classic image in (2005,140F), with other values.
    """
    data = made.enhanced(series)
    data.Manufacturer, data.BodyPartExamined = "Philips Medical Systems", part
    data.ImageType = ["ORIGINAL", "PRIMARY", whole, "MIXED" if len(types) > 1 else "NONE"]
    frames, pixels = list(data.PerFrameFunctionalGroupsSequence), data.PixelData
    per_frame = []
    for third, fourth in types:
        for frame in frames:
            again = Dataset()
            again.update({key: frame[key] for key in frame.keys()})  # noqa: SIM118 - no iterator
            again.add_new(0x20050014, "LO", PHILIPS_005)
            again.add_new(0x2005140F, "SQ", [_classic(third, fourth)])
            per_frame.append(again)
    data.PerFrameFunctionalGroupsSequence = per_frame
    data.NumberOfFrames, data.PixelData = len(per_frame), pixels * len(types)
    return data


def _classic(third: str, fourth: str) -> Dataset:
    item = Dataset()
    item.ImageType = ["ORIGINAL", "PRIMARY", third, fourth, "FFE"]
    item.SOPInstanceUID, item.RescaleSlope, item.RescaleIntercept = "1.2.3.4.5", 17, -3
    item.SliceThickness, item.PixelSpacing = 99, [7, 7]
    return item


def _frame_type(values: list[str]) -> Dataset:
    item = Dataset()
    item.FrameType, item.ComplexImageComponent = values, "MAGNITUDE"
    return item
