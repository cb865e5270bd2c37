"""A finished case, read back: its record, its maps, and the image that they were made from.

The run record holds no path by design. The image is one that the caller names, one of the case's
name beside the results, or the one at the place where it was segmented; its hash must be the one
in the record.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.errors import GeometryError, InputError, LabelError
from cardioseg.core.labels import LabelTable
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.imaging.image import ENDINGS, ImageFile
from cardioseg.imaging.memory import image_digest
from cardioseg.imaging.open import open_image
from cardioseg.results.folder import RECORD, map_of, record_of, recorded_names
from cardioseg.results.records import RunRecord
from cardioseg.results.source import remembered_source


@dataclass(frozen=True)
class FinishedCase:
    """A finished case on disk.

    Attributes:
        name: case name.
        folder: the folder with its files.
        record: the run record.
        labels: names of the mask's values.
        image: the image it was made from, opened.
        maps: "mask", "halting" and, if the network has experts, "experts", opened.
    """

    name: str
    folder: Path
    record: RunRecord
    labels: LabelTable
    image: ImageFile
    maps: dict[str, ImageFile]

    @property
    def loops(self) -> int:
        """The loop budget."""
        return self.record.recipe.loops

    def frame(self, index: int) -> tuple[Volume, Prediction]:
        """Image and maps of a frame, counted from 0.

        Raises:
            InputError: a file cannot be read.
            LabelError: the mask holds a value that has no name.
        """
        volume = self.image.frame(index)
        found = {
            kind: volume.with_array(file.frame(index).array) for kind, file in self.maps.items()
        }
        check_values(found["mask"].array, self.labels, self.maps["mask"].path)
        return volume, Prediction(
            mask=found["mask"],
            halting=found["halting"],
            experts=found.get("experts"),
            loops=self.loops,
            mean_steps=self.record.mean_steps,
            expert_shares=self.record.expert_shares,
        )


def check_values(mask: np.ndarray, labels: LabelTable, path: Path) -> None:
    """Check that every value of a mask has a name.

    Raises:
        LabelError: one has none.
    """
    largest = int(mask.max(initial=0))
    if largest >= len(labels):
        expected = f"0 to {len(labels) - 1} ({', '.join(labels.names)})"
        raise LabelError(path, found=f"label {largest}", expected=expected, cure="correct the mask")


def open_finished(case: Path, *, image: Path | None = None) -> FinishedCase:
    """Open a finished case.

    Args:
        case: its run record, any other of its files, FOLDER/NAME, or a folder that holds one case.
        image: the image it was made from; None looks beside the results, then where it was.

    Raises:
        InputError: no such case, a file is missing or broken, or the image is another one.
        GeometryError: a map does not lie on the image's grid.
    """
    path = find_record(case)
    name, folder = path.name.removesuffix(RECORD), path.parent
    record = RunRecord.read(path)
    opened = _opened_image(image or _found_image(folder, name), record)
    maps = open_maps(folder, name, record)
    for file in maps.values():
        if file.shape != opened.shape:
            expected = f"{opened.shape}, as {opened.path.name} has"
            cure = "segment the image again"
            raise GeometryError(
                file.path, found=f"shape {file.shape}", expected=expected, cure=cure
            )
    return FinishedCase(name, folder, record, record.label_table(), opened, maps)


def open_maps(folder: Path, name: str, record: RunRecord) -> dict[str, ImageFile]:
    """The integer maps of a case, opened.

    Raises:
        InputError: one is missing or broken.
    """
    kinds = ("mask", "halting", *(("experts",) if record.expert_shares else ()))
    trust = record.recipe.trust
    return {kind: open_image(map_of(folder, name, kind), trust=trust) for kind in kinds}


def find_record(case: Path) -> Path:
    """The run record that ``case`` means.

    Raises:
        InputError: there is none, or a folder holds several cases.
    """
    # A folder of the case's name, such as one with its DICOM files, does not hide the case.
    beside = case.parent / f"{case.name}{RECORD}"
    if case.is_dir() and (recorded_names(case) or not beside.is_file()):
        return _only(case)
    if case.name.endswith(RECORD) and case.is_file():
        return case
    # The longest name first: "a_b_mask.nii.gz" is of the case "a_b", even if there is a case "a".
    names = sorted(recorded_names(case.parent), key=len, reverse=True)
    for name in names:
        if case.name == name or case.name.startswith((f"{name}_", f"{name}.")):
            return record_of(case.parent, name)
    raise _no_case(case, names)


def _only(folder: Path) -> Path:
    names = recorded_names(folder)
    if len(names) != 1:
        raise _no_case(folder, names)
    return record_of(folder, names[0])


def _no_case(case: Path, names: list[str]) -> InputError:
    names = sorted(names)
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    where = case if case.is_dir() else case.parent
    found = f"the cases {shown}" if names else "no finished case"
    cure = (
        f"name one, such as {where / names[0]}"
        if names
        else "pass the folder that cardioseg segment wrote"
    )
    expected = f"one case with a run record (*{RECORD})"
    return InputError(case, found=found, expected=expected, cure=cure)


def _found_image(folder: Path, name: str) -> Path:
    for ending in ENDINGS:
        if (folder / f"{name}{ending}").is_file():
            return folder / f"{name}{ending}"
    source = remembered_source(folder, name)
    if source is not None and _exists(source):
        return source
    place = f", and none where it was segmented ({source})" if source else ""
    found = f"no image {name} beside the results{place}"
    expected = f"{name}{ENDINGS[0]} or another format"
    cure = "pass the image or the DICOM folder with --image"
    raise InputError(folder, found=found, expected=expected, cure=cure)


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 — Path.exists raises on very long names


def _opened_image(path: Path, record: RunRecord) -> ImageFile:
    recipe = record.recipe
    image = open_image(path, trust=recipe.trust, series=recipe.series)
    found = image_digest(image)
    if found != recipe.input_sha256:
        raise InputError(
            path,
            found=f"SHA-256 {found[:12]}…",
            expected=f"{recipe.input_sha256[:12]}…, as recorded",
            cure="pass the image that was segmented with --image, or segment this one",
        )
    return image
