"""Synthetic DICOM studies: oblique cines, one file per image or per cine, in shuffled order."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)
from scipy.spatial.transform import Rotation

from cardioseg.imaging.image import ImageFile

PATIENT = "Ärger^Anneliese"
PATIENT_ID = "MRN-4711-0815"
BIRTH = "19640229"
STUDY = generate_uid(entropy_srcs=["study"])
SHORT_AXIS = Rotation.from_euler(
    "xyz", (-65, -9, 39), degrees=True
).as_matrix()  # columns: row, column, normal (LPS)
FOUR_CHAMBER = SHORT_AXIS[:, [2, 1, 0]] * (1, 1, -1)


@dataclass(frozen=True)
class Cine:
    """What a test wants of a series; lengths in mm, LPS.

    Attributes:
        array: (X, Y, Z, T) stored values.
        spacing: between columns, rows, slices.
        origin: centre of voxel 0, 0, 0.
        axes: (3, 3) row, column and normal as columns.
        rr_ms: the RR interval of each slice grows from here, as hearts do not beat evenly.
    """

    array: np.ndarray
    spacing: tuple[float, float, float] = (1.4, 1.25, 9.6)
    origin: tuple[float, float, float] = (-97.5, -120.25, 83.125)
    axes: np.ndarray = field(default_factory=SHORT_AXIS.copy)
    study: str = STUDY
    number: int = 12
    description: str = "cine_sax"
    rr_ms: float = 800.0
    slope: float | None = None
    intercept: float | None = None

    def position(self, x, y, z) -> np.ndarray:
        """World position of a voxel, LPS."""
        return np.array(self.origin) + self.axes @ (np.array(self.spacing) * (x, y, z))

    def trigger_ms(self, z, t) -> float:
        """The time of a phase after the R wave."""
        return (t + 0.5) * (self.rr_ms + 7 * z) / self.array.shape[3]


def cine(shape=(24, 20, 5, 9), *, seed=0, **changes) -> Cine:
    """Noise with a bright disc that shrinks and grows."""
    random = np.random.default_rng(seed)
    x, y, t = np.meshgrid(
        np.arange(shape[0]), np.arange(shape[1]), np.arange(shape[3]), indexing="ij"
    )
    radius = shape[0] / 5 * (1 + 0.5 * np.cos(2 * np.pi * t / shape[3]))
    disc = 80 * (np.hypot(x - shape[0] / 2, y - shape[1] / 2) < radius)
    return Cine((random.normal(100, 15, shape) + disc[:, :, None]).astype(np.int16), **changes)


def file_of(sop_class: str, series: Cine, *, uid: str | None = None) -> FileDataset:
    """A file with everything but an image; it names its patient, as real ones do."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = uid or generate_uid()
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID, data.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = (
        PATIENT,
        PATIENT_ID,
        BIRTH,
        "F",
    )
    data.StudyInstanceUID = series.study
    data.SeriesInstanceUID = generate_uid(entropy_srcs=[series.study, str(series.number)])
    data.FrameOfReferenceUID = generate_uid(entropy_srcs=[series.study, "frame"])
    data.SeriesNumber, data.SeriesDescription, data.Modality = (
        series.number,
        series.description,
        "MR",
    )
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = (
        "20240102",
        "101112",
        "1",
        "ACC-Q7X",
    )
    data.Manufacturer, data.ReferringPhysicianName, data.PositionReferenceIndicator = (
        "nobody",
        "Who^Doctor",
        "",
    )
    return data


def with_pixels(data: FileDataset, stored: np.ndarray) -> FileDataset:
    """(X, Y) or (X, Y, frames) stored values as pixel data."""
    data.Columns, data.Rows = stored.shape[:2]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, int(stored.dtype.kind == "i")
    data.PixelData = np.ascontiguousarray(stored.T).tobytes()
    return data


def image(series: Cine, z: int, t: int) -> FileDataset:
    """One image of one slice and phase."""
    data = file_of(MRImageStorage, series)
    data.ImagePositionPatient = [f"{value:.6f}" for value in series.position(0, 0, z)]
    data.ImageOrientationPatient = [f"{value:.9f}" for value in series.axes[:, :2].T.ravel()]
    data.PixelSpacing = [series.spacing[1], series.spacing[0]]
    data.SliceThickness = 6  # not the distance between slices
    data.TriggerTime = f"{series.trigger_ms(z, t):.4f}"
    data.PatientSize, data.PatientWeight = "1.75", "70"
    data.HeartRate = round(60_000 / series.rr_ms)
    data.InstanceNumber = 1 + t * series.array.shape[2] + (series.array.shape[2] - z)
    if series.slope is not None:
        data.RescaleSlope, data.RescaleIntercept = series.slope, series.intercept
    return with_pixels(data, series.array[:, :, z, t])


def images(series: Cine) -> list[FileDataset]:
    """All images of a series."""
    return [
        image(series, z, t)
        for t in range(series.array.shape[3])
        for z in range(series.array.shape[2])
    ]


def save(folder: Path, files: list[FileDataset], *, seed=5) -> list[Path]:
    """Write files in the given order, two folders deep, under names that do not sort."""
    order = np.random.default_rng(seed).permutation(len(files))
    paths = [folder / f"{name % 3}" / f"IM{name:05d}" for name in order]
    for path, data in zip(paths, files, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        data.save_as(path, enforce_file_format=True)
    return paths


def enhanced(series: Cine) -> FileDataset:
    """The whole series in one multi-frame file, its frames shuffled."""
    data = file_of(EnhancedMRImageStorage, series)
    slices, phases = series.array.shape[2:]
    where = [(z, t) for t in range(phases) for z in range(slices)]
    where = [where[index] for index in np.random.default_rng(1).permutation(len(where))]
    with_pixels(data, np.stack([series.array[:, :, z, t] for z, t in where], -1))
    data.NumberOfFrames = len(where)
    data.InstanceNumber = 1
    data.SharedFunctionalGroupsSequence = [_shared(series)]
    data.PerFrameFunctionalGroupsSequence = [_frame(series, z, t) for z, t in where]
    return data


def _shared(series: Cine) -> Dataset:
    measures, orientation, values = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [series.spacing[1], series.spacing[0]], 6
    orientation.ImageOrientationPatient = [f"{value:.9f}" for value in series.axes[:, :2].T.ravel()]
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = (
        series.slope or 1,
        series.intercept or 0,
        "US",
    )
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    shared.PixelValueTransformationSequence = [values]
    return shared


def _frame(series: Cine, z: int, t: int) -> Dataset:
    position, beat = Dataset(), Dataset()
    position.ImagePositionPatient = [f"{value:.6f}" for value in series.position(0, 0, z)]
    beat.NominalCardiacTriggerDelayTime, beat.RRIntervalTimeNominal = (
        series.trigger_ms(z, t),
        series.rr_ms,
    )
    frame = Dataset()
    frame.PlanePositionSequence, frame.CardiacSynchronizationSequence = [position], [beat]
    return frame


def compressed(data: FileDataset) -> FileDataset:
    """The same image with run lengths, which pydicom undoes by itself."""
    data.compress(RLELossless, generate_instance_uid=False)
    return data


def marked_as(syntax: str, data: FileDataset) -> FileDataset:
    """An image whose header states a compression."""
    data.file_meta.TransferSyntaxUID = syntax
    data.PixelData = pydicom.encaps.encapsulate([b"\1\2\3\4"])
    return data


def screenshot(series: Cine) -> FileDataset:
    """A colour picture such as PACS stations add to a study."""
    data = file_of(SecondaryCaptureImageStorage, series)
    with_pixels(data, np.zeros((8, 8), np.int16))
    data.SamplesPerPixel, data.PhotometricInterpretation = 3, "RGB"
    return data


def one_slice(series: Cine, z: int, *, number: int) -> Cine:
    """One slice of a cine as a separate series, as some scanners store them."""
    return replace(
        series,
        array=series.array[:, :, z : z + 1],
        origin=tuple(series.position(0, 0, z)),
        number=number,
    )


def voxels_of(image: ImageFile) -> np.ndarray:
    """(X, Y, Z, T) as it is read."""
    return np.stack([image.frame(index).array for index in range(image.frames)], -1)
