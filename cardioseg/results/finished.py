"""A case that ``segment`` finished, read back: its record, its maps, and the image they were made from.

The run record holds no path by design, so the image is one that the caller names, one of the case's name beside the results, or
the one that lies where it was segmented; its hash must be the one on record. Knows nothing of what the case is read for.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardioseg.core.errors import GeometryError, InputError, LabelError
from cardioseg.core.labels import LabelTable
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.imaging.image import ENDINGS, ImageFile
from cardioseg.imaging.open import open_image
from cardioseg.results.folder import RECORD
from cardioseg.results.source import remembered_source


@dataclass(frozen=True)
class Finished:
    """A finished case on disk.

    Attributes:
        name: case name.
        folder: where its files lie.
        facts: the run record.
        labels: names of the mask's values.
        image: the image it was made from, opened.
        maps: "mask", "halting" and, if the network routes, "experts", opened; each on the image's grid.
    """

    name: str
    folder: Path
    facts: dict[str, Any]
    labels: LabelTable
    image: ImageFile
    maps: dict[str, ImageFile]

    @property
    def loops(self) -> int:
        """The budget the core was given."""
        return int(self.facts["loops"])

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
        largest = int(found["mask"].array.max(initial=0))
        if largest >= len(self.labels):
            expected = f"0 to {len(self.labels) - 1} ({', '.join(self.labels.names)})"
            raise LabelError(
                self.maps["mask"].path,
                found=f"label {largest}",
                expected=expected,
                cure="correct the mask",
            )
        mean = float(self.facts["mean_steps"])
        shares = tuple(self.facts["expert_shares"])
        return volume, Prediction(
            mask=found["mask"],
            halting=found["halting"],
            experts=found.get("experts"),
            loops=self.loops,
            mean_steps=mean,
            expert_shares=shares,
        )


def open_finished(case: Path, *, image: Path | None = None) -> Finished:
    """Open a finished case.

    Args:
        case: its run record, any other of its files, FOLDER/NAME, or a folder that holds one case.
        image: the image it was made from; None looks for one of the case's name beside the results, then where it was.

    Raises:
        InputError: no such case, a file of it is missing or broken, or the image is not the one on record.
        GeometryError: a map does not lie on the image's grid.
    """
    record = find_record(case)
    name, folder = record.name.removesuffix(RECORD), record.parent
    facts = read_record(record)
    opened = _opened_image(image or _found_image(folder, name), facts)
    maps = {kind: folder / f"{name}_{kind}.nii.gz" for kind in ("mask", "halting", "experts")}
    if not facts["expert_shares"]:
        del maps["experts"]
    files = {kind: open_image(path, trust=facts["recipe"]["trust"]) for kind, path in maps.items()}
    for file in files.values():
        if file.shape != opened.shape:
            expected = f"{opened.shape}, as {opened.path.name} has"
            raise GeometryError(
                file.path,
                found=f"shape {file.shape}",
                expected=expected,
                cure="segment the image again",
            )
    return Finished(name, folder, facts, LabelTable.from_mapping(facts["labels"]), opened, files)


def find_record(case: Path) -> Path:
    """The run record that ``case`` means.

    Raises:
        InputError: there is none, or a folder holds several cases.
    """
    beside = (
        case.parent / f"{case.name}{RECORD}"
    )  # a folder of the case's name, such as its DICOM files, does not hide it
    if case.is_dir() and (_records(case) or not beside.is_file()):
        return _only(case)
    if case.name.endswith(RECORD) and case.is_file():
        return case
    # The longest name first: "a_b_mask.nii.gz" is of the case "a_b", also where there is a case "a".
    records = sorted(_records(case.parent), key=lambda path: len(path.name), reverse=True)
    for record in records:
        name = record.name.removesuffix(RECORD)
        if case.name == name or case.name.startswith((f"{name}_", f"{name}.")):
            return record
    raise _no_case(case, records)


def _only(folder: Path) -> Path:
    records = _records(folder)
    if len(records) != 1:
        raise _no_case(folder, records)
    return records[0]


def _records(folder: Path) -> list[Path]:
    found = folder.glob(f"*{RECORD}") if folder.is_dir() else ()
    return sorted(
        path for path in found if not path.name.startswith(".")
    )  # macOS keeps ._X_run.json beside X_run.json


def _no_case(case: Path, records: list[Path]) -> InputError:
    names = sorted(record.name.removesuffix(RECORD) for record in records)
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    where = case if case.is_dir() else case.parent
    found = f"the cases {shown}" if names else "no finished case"
    cure = (
        f"name one, such as {where / names[0]}"
        if names
        else "pass the folder that cardioseg segment wrote"
    )
    return InputError(
        case, found=found, expected=f"one case with a run record (*{RECORD})", cure=cure
    )


def read_record(path: Path) -> dict[str, Any]:
    """A run record with the keys that readers need.

    Raises:
        InputError: it is not one.
    """
    needed = {"recipe", "labels", "loops", "mean_steps", "expert_shares", "frames", "model"}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        missing = needed - set(facts)
    except (OSError, ValueError, TypeError) as error:
        raise _no_record(path, f"unreadable data ({error})") from None
    if missing:
        raise _no_record(path, f"no {min(missing)!r}")
    return dict(facts)


def _no_record(path: Path, found: str) -> InputError:
    return InputError(path, found=found, expected="a run record", cure="segment the image again")


def _found_image(folder: Path, name: str) -> Path:
    for ending in ENDINGS:
        if (folder / f"{name}{ending}").is_file():
            return folder / f"{name}{ending}"
    source = remembered_source(folder, name)
    if source is not None and os.path.exists(source):  # noqa: PTH110 — Path.exists raises where no name can be that long
        return source
    found = f"no image {name} beside the results" + (
        f", nor where it lay ({source})" if source else ""
    )
    cure = "pass the image or the DICOM folder with --image"
    raise InputError(
        folder, found=found, expected=f"{name}{ENDINGS[0]} or another format", cure=cure
    )


def _opened_image(path: Path, facts: dict[str, Any]) -> ImageFile:
    from cardioseg.core.digest import sha256

    recipe = facts["recipe"]
    image = open_image(path, trust=recipe["trust"], series=tuple(recipe.get("series", ())))
    found, expected = sha256(*image.files), recipe["input_sha256"]
    if found != expected:
        cure = "pass the image that was segmented with --image, or segment this one"
        raise InputError(
            path,
            found=f"SHA-256 {found[:12]}…",
            expected=f"{expected[:12]}…, as on record",
            cure=cure,
        )
    return image
