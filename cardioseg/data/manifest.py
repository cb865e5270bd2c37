"""A prepared folder: manifest.json and one safetensors file per case.

A case file holds ``image`` (U, V, W) float16 and ``label`` (U, V, W) uint8 on the working grid, and
``reference`` (X, Y, Z) uint8, slices last, on the file's own grid, for validation.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from cardioseg.core.atomic import write_text
from cardioseg.core.config import PreparationConfig
from cardioseg.core.errors import InputError
from cardioseg.core.labels import LabelTable
from cardioseg.core.record import Record


class Entry(Record):
    """One prepared case.

    Attributes:
        name: case name, unique.
        patient: patient id; splits keep all cases of a patient together.
        phase: "ED", "ES" or the source's own name.
        group: pathology or centre.
        file: safetensors file, relative to the folder.
        source_sha256: SHA-256 of the image and mask files.
        file_sha256: SHA-256 of ``file``.
        spacing_mm: voxel size of the image file, slices last.
        voxels: number of voxels of each structure in the mask file; () if not counted.
    """

    name: str
    patient: str
    phase: str
    group: str
    file: str
    source_sha256: str
    file_sha256: str
    spacing_mm: tuple[float, float, float]
    voxels: tuple[int, ...] = ()


class ManifestFile(Record):
    """``manifest.json``: the cases of a prepared folder.

    Attributes:
        format: the layout of this file.
        source: layout of the raw data set: "acdc", "nnunet" or "csv".
        labels: names of the masks' values.
        preparation: the preparation settings.
        trust: which spacing was used where a header states two.
        two_spacings: number of images whose header states two spacings.
        cases: the prepared cases.
    """

    format: Literal[1] = 1
    source: str
    labels: tuple[str, ...]
    preparation: PreparationConfig
    trust: str
    two_spacings: int
    cases: tuple[Entry, ...]


@dataclass(frozen=True)
class Manifest:
    """A prepared data set: its cases, class names and preparation settings.

    Attributes:
        folder: the prepared folder.
        entries: its cases.
        labels: names of the masks' values.
        preparation: the preparation settings.
        source: layout of the raw data set: "acdc", "nnunet" or "csv".
        trust: which spacing was used where pixdim and affine of a header disagree.
        two_spacings: number of images whose header states two spacings.
    """

    folder: Path
    entries: tuple[Entry, ...]
    labels: LabelTable
    preparation: PreparationConfig
    source: str
    trust: str
    two_spacings: int

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a folder.

        Raises:
            InputError: it is missing (preparation did not finish) or unreadable.
        """
        path = folder / "manifest.json"
        if not path.is_file():
            found = "no manifest.json" if folder.exists() else "no such folder"
            raise InputError(
                folder,
                found=found,
                expected="a folder made by cardioseg prepare",
                cure="run cardioseg prepare first",
            )
        try:
            file = ManifestFile.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            reason = " ".join(str(error).split())[:160]
            raise InputError(
                path,
                found=f"an unreadable manifest ({reason})",
                expected="cardioseg's manifest",
                cure="run cardioseg prepare again",
            ) from None
        _check_cases(path, file)
        labels = LabelTable(file.labels)
        settings, trust = file.preparation, file.trust
        return cls(folder, file.cases, labels, settings, file.source, trust, file.two_spacings)

    def write(self) -> None:
        """Write manifest.json; done last, so that a folder with a manifest is complete."""
        data = ManifestFile(
            source=self.source,
            labels=self.labels.names,
            preparation=self.preparation,
            trust=self.trust,
            two_spacings=self.two_spacings,
            cases=self.entries,
        )
        write_text(self.folder / "manifest.json", data.model_dump_json(indent=1) + "\n")


def _check_cases(path: Path, file: ManifestFile) -> None:
    """Refuse a manifest that cardioseg cannot have written."""
    names = {case.name for case in file.cases}
    outside = [case for case in file.cases if not _inside(case.file)]
    if outside:
        found = f"the file {outside[0].file[:80]!r}, outside of the folder"
    elif len(set(file.labels)) < max(2, len(file.labels)):
        found = f"labels {', '.join(file.labels)[:80] or 'none'}"
    elif not file.cases or len(names) < len(file.cases):
        found = f"{len(file.cases)} cases with {len(names)} names"
    else:
        return
    cure, expected = "run cardioseg prepare again", "cardioseg's manifest"
    raise InputError(path, found=found, expected=expected, cure=cure)


def _inside(file: str) -> bool:
    """Whether a file named in the manifest lies in the prepared folder."""
    path = PurePath(file)
    return "\0" not in file and not path.is_absolute() and ".." not in path.parts


def masks_with(labels: LabelTable, entries: Sequence[Entry]) -> dict[str, int]:
    """Structure → number of masks that show it, of the cases whose voxels were counted."""
    counted = [entry.voxels for entry in entries if len(entry.voxels) == len(labels.structures)]
    return {
        name: sum(voxels[index] > 0 for voxels in counted)
        for index, name in enumerate(labels.structures)
    }


def load_case(folder: Path, entry: Entry) -> dict[str, np.ndarray]:
    """Load ``image``, ``label`` and ``reference`` of a prepared case.

    Raises:
        InputError: the file is missing, damaged, or differs from the manifest's hash.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = folder / entry.file
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != entry.file_sha256:
            raise InputError(
                path,
                found="a file whose SHA-256 differs from the manifest's",
                expected="the prepared case",
                cure="run cardioseg prepare again",
            )
        arrays: dict[str, Any] = load(content)
        return {key: arrays[key] for key in ("image", "label", "reference")}
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise InputError(
            path,
            found=f"unreadable data ({error})",
            expected="a prepared case",
            cure="run cardioseg prepare again",
        ) from None
