"""Pairs of predicted and reference masks, matched by case name. No image is opened.

A case name is the file name without its ending and without ``_mask`` (cardioseg), ``_gt`` (ACDC)
and ``_0000`` (nnU-Net). Patient and phase come from Info.cfg in an ACDC folder, else from a
trailing ``_ED`` or ``_ES``. Two single files always form a pair, named after the prediction.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cardioseg.core.errors import InputError
from cardioseg.core.labels import LabelTable
from cardioseg.core.walk import files_below
from cardioseg.data.acdc import read_info
from cardioseg.data.labels import labels_beside
from cardioseg.data.names import distinct_names
from cardioseg.data.nnunet import PHASE
from cardioseg.imaging.image import ENDINGS, stem

SUFFIXES = ("_mask", "_gt", "_0000")
MAPS = ("_halting", "_experts", "_probs", "_probabilities", "_routing")


@dataclass(frozen=True)
class Pair:
    """One reference mask and the prediction of the same name.

    Attributes:
        name: the case name.
        patient: patient id, shared by the phases of one heart.
        phase: "ED", "ES" or "".
        group: pathology or centre, "" when unknown.
        reference: the reference mask.
        prediction: the predicted mask, None when there is none.
    """

    name: str
    patient: str
    phase: str
    group: str
    reference: Path
    prediction: Path | None


@dataclass(frozen=True)
class Pairing:
    """All pairs, case names of predictions without a reference, and names of the values."""

    pairs: tuple[Pair, ...]
    unmatched: tuple[str, ...]
    labels: LabelTable


def find_pairs(pred: Path, ref: Path) -> Pairing:
    """Match the masks below ``pred`` with those below ``ref``.

    Args:
        pred: a folder, searched recursively, or a mask. If any file ends in ``_mask``, only those
            count.
        ref: an ACDC folder, an nnU-Net data set or its ``labelsTr``, a folder of masks, or a mask.

    Raises:
        InputError: a folder is missing or holds no mask, two masks have one case name, or no case
            name occurs on both sides.
    """
    if pred.is_file() and ref.is_file():
        return Pairing((_pair_of_files(pred, ref),), (), labels_beside(ref.parent))
    root = ref / "labelsTr" if (ref / "labelsTr").is_dir() else ref
    predictions = find_masks(pred, ("_mask", "_gt", ""))
    references = find_masks(root, ("_gt", "_mask", ""))
    _check_single(predictions, references)
    if not predictions.keys() & references.keys():
        raise InputError(
            pred,
            found=f"case names such as {min(predictions)}",
            expected=f"case names as in {ref}, such as {min(references)}",
            cure="name the masks after their cases",
        )
    pairs = tuple(
        _pair(name, path, predictions.get(name)) for name, path in sorted(references.items())
    )
    unmatched = tuple(sorted(predictions.keys() - references.keys()))
    return Pairing(pairs, unmatched, labels_beside(root))


def _check_single(predictions: Mapping[str, Path], references: Mapping[str, Path]) -> None:
    """Require one mask for each reference whose name has no folder in front.

    Raises:
        InputError: masks of several folders could belong to it.
    """
    for name, path in predictions.items():
        plain = case_name(path)
        if name != plain and name not in references and plain in references:
            raise InputError(
                path,
                found=f"a second mask of {plain}",
                expected=f"one, as in {references[plain]}",
                cure="pass the folder of one run",
            )


def find_masks(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Case name → file, for all files with the first of ``suffixes`` that occurs.

    Raises:
        InputError: the folder is missing or holds no mask, or a case has two masks.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise InputError(
            folder, found=found, expected="a folder of masks", cure="pass two folders, or two files"
        )
    files = list(_images(folder))
    for suffix in suffixes:
        chosen = [path for path in files if stem(path).endswith(suffix)]
        if chosen:
            return _by_name(chosen)
    raise InputError(
        folder,
        found="no mask",
        expected=f"files ending in {', '.join(ENDINGS)}",
        cure="pass the folder with the masks",
    )


def case_name(path: Path) -> str:
    """``a/b_0000_mask.nii.gz`` → ``b``."""
    name = stem(path)
    while any(name.endswith(suffix) and name != suffix for suffix in SUFFIXES):
        name = name[: name.rindex("_")]
    return name


def _images(folder: Path) -> Iterator[Path]:
    """Image files at any depth, also through links; hidden files and maps are skipped."""
    for path in files_below(folder):
        image = path.name.lower().endswith(ENDINGS)
        if image and not stem(path).endswith(MAPS) and path.is_file():
            yield path


def _by_name(paths: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    paths = sorted(paths)
    names = distinct_names(paths, [case_name(path) for path in paths])
    for path, name in zip(paths, names, strict=True):
        if name in found:
            raise InputError(
                path,
                found=f"a second mask of {name}",
                expected=f"one ({found[name]})",
                cure="pass the folder of one run",
            )
        found[name] = path
    return found


def _pair_of_files(prediction: Path, reference: Path) -> Pair:
    """A pair named after the prediction; patient and phase from its name, else the reference's."""
    own, other = (_pair(case_name(path), reference, prediction) for path in (prediction, reference))
    return own if own.phase or not other.phase else replace(other, name=own.name)


def _pair(name: str, reference: Path, prediction: Path | None) -> Pair:
    match = PHASE.match(name)
    patient, phase = (match["patient"], match["phase"].upper()) if match else (name, "")
    if not phase.startswith("FRAME"):
        return Pair(name, patient, phase, "", reference, prediction)
    folder = reference.parent
    acdc = folder.name == patient and stem(reference).endswith("_gt")
    if not (acdc or (folder.name == patient and (folder / "Info.cfg").is_file())):
        return Pair(name, patient, "", "", reference, prediction)
    info = read_info(folder)
    phases = {int(info["ED"]): "ED", int(info["ES"]): "ES"}
    phase = phases.get(int(phase.removeprefix("FRAME")), "")
    return Pair(name, patient, phase, info.get("Group", ""), reference, prediction)
