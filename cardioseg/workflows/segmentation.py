"""``Segmentation``: what ``cardioseg.segment`` returns and what ``cardioseg segment`` writes.

Shape legend: X, Y in-plane, Z slices, T frames; a volume is (X, Y, Z), a cine (X, Y, Z, T).
"""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cardioseg.clinical.beat import VolumeCurve
from cardioseg.clinical.quality import Quality
from cardioseg.core.digest import sha256
from cardioseg.core.errors import OutputError, UsageError
from cardioseg.core.labels import LabelTable
from cardioseg.core.paths import as_path
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.figures.contact_sheet import contact_sheet_png, write_contact_sheet
from cardioseg.figures.volume_curve import write_curve_picture
from cardioseg.imaging.image import ImageFile
from cardioseg.pages.notebook import notebook_html
from cardioseg.pages.report import write_report
from cardioseg.results.curve import write_curve
from cardioseg.results.dicom_seg import write_segmentations
from cardioseg.results.finished import check_values, find_record, open_maps
from cardioseg.results.folder import (
    CLINICAL,
    CURVE_PICTURE,
    CURVE_TABLE,
    PREVIEW,
    RECORD,
    case_files,
    claimed,
    record_of,
    refuse_foreign,
)
from cardioseg.results.hearts import read_clinical
from cardioseg.results.lock import case_lock, folder_lock
from cardioseg.results.maps import write_float_maps, write_maps
from cardioseg.results.recording import volume_record
from cardioseg.results.records import ClinicalRecord, RunRecord
from cardioseg.results.source import remember_source
from cardioseg.results.summary import headline
from cardioseg.results.viewer_tables import write_viewer_tables


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Segmentation:
    """A segmented heart: mask, maps and numbers.

    Attributes:
        name: name of the case.
        mask: (X, Y, Z) or (X, Y, Z, T) uint8 label values on the image's own grid.
        halting: loops used, of the same shape, uint8.
        experts: strongest expert from 1, of the same shape, uint8; None without experts.
        affine: (4, 4) voxel index → world in mm.
        spacing_mm: voxel size along X, Y, Z.
        labels: names of the mask's values.
        function: volumes, EF, mass, wall thickness; a number that was not computed is None.
        quality: the quality verdict with its reasons.
        record: how it was made.
        curve: volumes over the beat of a cine; None for a volume, and for a case read from disk.
        image: the opened image; None for a case read from disk.
        shown: frame of the contact sheet: its image and prediction; None for a case read from disk.
        probabilities: of each frame (X, Y, Z, classes) float32, if they were kept.
        routing: of each frame (X, Y, Z, experts) float32, if it was kept.
        preview: contact sheet as PNG; None until it is asked for, except for a case read from disk.

    Examples:
        >>> import cardioseg
        >>> heart = cardioseg.Segmentation.open("out", "patient")  # doctest: +SKIP
        >>> lv = heart.mask == heart.labels.value("LV")  # doctest: +SKIP
    """

    name: str
    mask: np.ndarray = field(repr=False)
    halting: np.ndarray = field(repr=False)
    experts: np.ndarray | None = field(repr=False)
    affine: np.ndarray = field(repr=False)
    spacing_mm: tuple[float, float, float]
    labels: LabelTable
    function: ClinicalRecord = field(repr=False)
    quality: Quality = field(repr=False)
    record: RunRecord = field(repr=False)
    curve: VolumeCurve | None = field(default=None, repr=False)
    image: ImageFile | None = field(default=None, repr=False)
    shown: tuple[Volume, Prediction] | None = field(default=None, repr=False)
    probabilities: tuple[np.ndarray, ...] = field(default=(), repr=False)
    routing: tuple[np.ndarray, ...] = field(default=(), repr=False)
    preview: bytes | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Name, shape, main numbers and verdict in one line."""
        volumes = ", ".join(f"{n} {v[0]:.1f} ml" for n, v in self.function.volumes_ml.items())
        numbers = headline(self.function) if self.function.kind == "cine" else volumes
        voxels = " × ".join(map(str, self.mask.shape))
        return f"{self.name}: {voxels} voxels · {numbers} · quality: {self.quality.verdict}"

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """The integer maps by kind: "mask", "halting" and, if there are any, "experts"."""
        found = {"mask": self.mask, "halting": self.halting}
        return found if self.experts is None else found | {"experts": self.experts}

    def contact_sheet(self) -> bytes:
        """Every slice of one frame with contours, loops used and experts, as PNG."""
        if self.preview is not None or self.shown is None:
            return self.preview or b""
        return contact_sheet_png(*self.shown, self.labels, title=self.name)

    def save(
        self, folder: str | Path, *, overwrite: bool = False, started: float | None = None
    ) -> RunRecord:
        """Write the files that ``cardioseg segment`` writes; the run record is the last one.

        Args:
            folder: made if it is not there.
            overwrite: replace a finished case, and files that cardioseg did not make.
            started: ``time.perf_counter()`` when work on the case began; goes into the record.

        Returns:
            The run record in the folder, with the hashes of the case's files.

        Raises:
            OutputError: other files have the case's names, another run is at work on the case, or
                the folder cannot be written.
            UsageError: the case was read from disk, without its image; or ``folder`` is no path.
        """
        folder = as_path(folder, "folder")
        with case_lock(folder, self.name):
            if not overwrite:
                refuse_foreign(folder, self.name)
                _refuse_finished(folder, self.name)
            return self.write(folder, started=started)

    def write(self, folder: Path, *, started: float | None = None) -> RunRecord:
        """Write as ``save`` does, over earlier files; the caller holds the case's lock.

        Raises:
            OutputError: the folder cannot be written.
            UsageError: the case was read from disk, without its image.
        """
        if self.image is None or self.shown is None:
            cure = "copy the case's files instead"
            expected = "a segmentation with its image"
            raise UsageError(self.name, found="a case read from disk", expected=expected, cure=cure)
        with claimed(folder, self.name):
            self._write_maps(folder, self.shown[0], self.shown[1])
            self._write_function(folder)
            write_segmentations(folder, self.image, self.mask, self.record)
            remember_source(folder, self.name, self.image)
            write_report(folder, self.name, self.record)
            record = _completed(self.record, folder, started)
            record.write(record_of(folder, self.name))
            # After the record: until then, nothing says that tables of these names are ours.
            with folder_lock(folder):
                write_viewer_tables(folder, self.labels)
        return record

    def _write_maps(self, folder: Path, volume: Volume, prediction: Prediction) -> None:
        name = self.name
        write_maps(folder, name, self.maps, volume)
        write_float_maps(folder, name, "probs", self.probabilities, volume)
        write_float_maps(folder, name, "routing", self.routing, volume)
        write_contact_sheet(
            folder / f"{name}{PREVIEW}", volume, prediction, self.labels, title=name
        )

    def _write_function(self, folder: Path) -> None:
        if self.curve is None:
            return
        name, facts = self.name, headline(self.function)
        self.function.write(folder / f"{name}{CLINICAL}")
        write_curve(folder / f"{name}{CURVE_TABLE}", self.curve)
        write_curve_picture(folder / f"{name}{CURVE_PICTURE}", self.curve, title=name, facts=facts)

    @classmethod
    def open(cls, folder: str | Path, name: str | None = None) -> "Segmentation":
        """Read a finished case back, without its image.

        Args:
            folder: the folder that it was written to, or any file of the case.
            name: of the case; needed if the folder holds several.

        Raises:
            InputError: no such case, or a file of it is missing or broken.
            LabelError: the mask holds a value that has no name.
            UsageError: ``folder`` is no path.
        """
        place = as_path(folder, "folder")
        path = find_record(place if name is None else place / name)
        record, place = RunRecord.read(path), path.parent
        case, labels = path.name.removesuffix(RECORD), record.label_table()
        files = open_maps(place, case, record)
        maps = {kind: _all_frames(file) for kind, file in files.items()}
        first = files["mask"].frame(0)
        check_values(maps["mask"], labels, files["mask"].path)
        recorded = read_clinical(place / f"{case}{CLINICAL}") if record.frames > 1 else None
        preview = place / f"{case}{PREVIEW}"
        return cls(
            name=case,
            mask=maps["mask"],
            halting=maps["halting"],
            experts=maps.get("experts"),
            affine=first.affine,
            spacing_mm=first.spacing,
            labels=labels,
            function=recorded
            or volume_record(case, first, labels, record.patient, record.recipe.beat),
            quality=record.quality,
            record=record,
            preview=preview.read_bytes() if preview.is_file() else None,
        )

    def _repr_html_(self) -> str:
        return notebook_html(self.contact_sheet(), self.function, self.quality)


def _refuse_finished(folder: Path, name: str) -> None:
    path = record_of(folder, name)
    if path.exists():
        cure = "pass overwrite=True, or choose another folder"
        raise OutputError(path, found="a finished case", expected="none of this name", cure=cure)


def _completed(record: RunRecord, folder: Path, started: float | None) -> RunRecord:
    """The record with the hashes of the case's files and, given ``started``, the total time."""
    files = {path.name: sha256(path) for path in case_files(folder, record.case)}
    seconds = None if started is None else round(time.perf_counter() - started, 2)
    times = record.times.model_copy(update={"total_seconds": seconds})
    return record.model_copy(update={"files": files, "times": times})


def _all_frames(file: ImageFile) -> np.ndarray:
    """(X, Y, Z) of a volume, (X, Y, Z, T) of a cine, uint8."""
    frames = [file.frame(index).array.astype(np.uint8) for index in range(file.frames)]
    return frames[0] if len(frames) == 1 else np.stack(frames, axis=-1)
