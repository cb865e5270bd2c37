"""DICOM studies below a folder, and their case names.

A case is named after its folder, never after patient data in a header. Where the folder is named
after the patient or the birth date, a hash of the study UID replaces the name. A file that cannot
be read does not end the search: it belongs to the study of its folder, or is a case of its own,
and opening that case names what is wrong.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.errors import InputError
from cardioseg.imaging.dicom.headers import (
    MR_IMAGES,
    candidate_files,
    is_cut,
    mark_of,
    read_header,
    sop_class,
    unwarned,
)
from cardioseg.imaging.dicom.identity import IDENTITY, Identity, identity_of
from cardioseg.imaging.dicom.values import words

KEYWORDS = ("SOPClassUID", "StudyInstanceUID", "Modality", *IDENTITY)
OTHER_MODALITIES = ("CT", "PT", "NM", "US", "XA", "RF", "CR", "DX", "MG", "OCT")
DICOM_ENDINGS = (".dcm", ".dicom", ".ima")
# Study instance UID, little endian, explicit or implicit: found in headers that do not parse.
STUDY_UID = re.compile(rb"\x20\x00\x0d\x00(?:UI..|....)([0-9.]{5,64})", re.DOTALL)
LONGEST_HEADER = 1 << 16
# Study UID, identity and modality of a file, as ``_study_of`` returns them.
FileStudy = tuple[str, Identity | None, str]
LOST: FileStudy = ("", None, "MR")
NO_IMAGE: FileStudy = ("", None, "")


@dataclass(frozen=True)
class StudyFiles:
    """The files of one study of MR images.

    Attributes:
        uid: study instance UID.
        identity: what identifies the patient.
        paths: its files.
    """

    uid: str
    identity: Identity
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class _Found:
    """Studies, and the files that belong to none.

    Attributes:
        studies: studies of MR images.
        lost: DICOM files that cannot be read and do not tell their study.
        foreign: images of other modalities, with the number of their patient.
    """

    studies: tuple[StudyFiles, ...]
    lost: tuple[Path, ...]
    foreign: tuple[tuple[Path, str], ...]


def find_studies(folder: Path) -> dict[Path, str]:
    """Folder → case name, for each study of MR images below ``folder``.

    A study's folder is the topmost one without files of another study or patient. Two studies in
    one folder, or one within the other, are one case, which cannot be opened; so are unreadable
    files, and images of other modalities, that lie outside the folders of all studies.
    """
    found = _studies(candidate_files(folder))
    lost = _outside(found.lost, found.studies)
    cases = _cases_of_studies(found, lost, folder)
    foreign = [path for path, _ in found.foreign if not any(map(path.is_relative_to, cases))]
    cases = _cases_outside([*lost, *foreign], found.studies, folder) | cases
    return {home: cases[home] for home in sorted(cases) if not cases.keys() & set(home.parents)}


def _cases_of_studies(found: _Found, lost: Iterable[Path], top: Path) -> dict[Path, str]:
    """Folder → case name, for each study; two studies in one folder are one case."""
    cases: dict[Path, str] = {}
    for study in found.studies:
        home = _home(study.paths, [*lost, *_of_others(study, found)], top)
        cases.setdefault(home, case_name(home, study))
    return cases


def _cases_outside(
    paths: Iterable[Path], studies: Iterable[StudyFiles], top: Path
) -> dict[Path, str]:
    """Folder or file → case name, for files outside the folders of all studies."""
    images = [path for study in studies for path in study.paths]
    cases: dict[Path, str] = {}
    for path in paths:
        home = _home_without(path, images, top)
        cases[home] = home.stem if home == path else _folder_name(home)
    return cases


def _home_without(path: Path, images: list[Path], top: Path) -> Path:
    """The topmost folder of a file without images, or the file itself where there is none."""
    home = _home([path], images, top)
    return path if any(image.is_relative_to(home) for image in images) else home


def _of_others(study: StudyFiles, found: _Found) -> list[Path]:
    """The images of other studies, and those of other patients and modalities."""
    others = [path for other in found.studies if other is not study for path in other.paths]
    number = study.identity.number
    strangers = [path for path, whose in found.foreign if whose != number]
    return others + _outside(strangers, [study])


def file_case_name(path: Path) -> str:
    """The case name of a single DICOM file: its stem, or a hash where that names the patient."""
    studies = _studies([path]).studies
    return case_name(path.with_suffix(""), studies[0]) if studies else path.stem


def case_name(home: Path, study: StudyFiles) -> str:
    """The folder's or file's name, or a hash of the study UID where it names the patient."""
    name = _folder_name(home)
    if name and not study.identity.is_in(name):
        return name
    return f"dicom_{hashlib.sha256(study.uid.encode()).hexdigest()[:8]}"


def _folder_name(home: Path) -> str:
    return home.name if home.name not in ("", "..") else home.resolve().name


def names_patient(path: str, file: Path) -> bool:
    """Whether any part of a path names the patient of a DICOM file.

    Raises:
        InputError: the file cannot be read.
    """
    with unwarned():
        identity = identity_of(read_header(file, IDENTITY))
    return any(identity.is_in(name) for name in Path(path).parts)


def _studies(files: Iterable[Path]) -> _Found:
    paths: dict[str, list[Path]] = {}
    identities: dict[str, Identity] = {}
    lost: list[Path] = []
    foreign: list[tuple[Path, str]] = []
    for path in files:
        with unwarned():
            uid, identity, modality = _study_of(path)
        if modality == "MR" and (uid or identity):
            paths.setdefault(uid, []).append(path)
            identities[uid] = identities.get(uid, Identity()) | (identity or Identity())
        elif modality == "MR":
            lost.append(path)
        elif modality in OTHER_MODALITIES:
            foreign.append((path, identity.number if identity else ""))
    studies = (StudyFiles(uid, identities[uid], tuple(of)) for uid, of in paths.items())
    return _Found(tuple(studies), tuple(lost), tuple(foreign))


def _study_of(path: Path) -> FileStudy:
    """Study UID, identity and modality of a file.

    The identity is None for an unreadable DICOM file, and the modality "" for files that are not
    images. An unreadable file counts as MR, as it may be an image of the cine.
    """
    try:
        mark = mark_of(path)
        if mark not in ("dicom", "bare"):
            return LOST if _is_damaged_dicom(path, mark) else NO_IMAGE
        header = read_header(path, KEYWORDS)
        uid = str(header.get("StudyInstanceUID", ""))
        kind, modality = sop_class(header), "".join(words(header, "Modality"))
        identity = identity_of(header)
    except InputError:
        return _uid_in_bytes(path), None, "MR"
    except Exception:  # noqa: BLE001 - pydicom raises a dozen unrelated types on bad values
        return LOST
    if kind in MR_IMAGES:
        return uid, identity, "MR"
    if is_cut(kind):
        return uid, identity if uid else None, "MR" if mark == "dicom" else ""
    return uid, identity, modality if modality in OTHER_MODALITIES else ""


def _is_damaged_dicom(path: Path, mark: str) -> bool:
    """Whether an empty or cut file was a DICOM file, judged by its ending."""
    return mark in ("empty", "cut") and path.suffix.lower() in DICOM_ENDINGS


def _uid_in_bytes(path: Path) -> str:
    """The study instance UID of a header that does not parse, "" where it is not found."""
    try:
        with path.open("rb") as file:
            found = STUDY_UID.search(file.read(LONGEST_HEADER))
    except OSError:
        return ""
    return found.group(1).decode("ascii") if found else ""


def _outside(paths: Iterable[Path], studies: Iterable[StudyFiles]) -> list[Path]:
    """The paths outside the common folder of every study's files."""
    homes = [_common(study.paths) for study in studies]
    return [path for path in paths if not any(path.is_relative_to(home) for home in homes)]


def _common(paths: Iterable[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in paths]))


def _home(paths: Iterable[Path], foreign: Iterable[Path], top: Path) -> Path:
    """The common folder of files, or the topmost above it, up to ``top``, without foreign files."""
    home, foreign = _common(paths), list(foreign)
    while home != top and not any(path.is_relative_to(home.parent) for path in foreign):
        home = home.parent
    return home
