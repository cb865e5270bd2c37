"""DICOM studies below a folder, and their case names.

A case is named after its folder, never after patient data in a header. Where the folder is named
after the patient, a hash of the study UID replaces the name. Patient names and IDs are compared
here and never passed on.
"""

import hashlib
import itertools
import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileDataset

from cardioseg.core.errors import InputError
from cardioseg.imaging.dicom.headers import (
    MR_IMAGES,
    dicom_files,
    read_header,
    sop_class,
    unwarned,
)

IDENTITY = ("SOPClassUID", "StudyInstanceUID", "PatientName", "PatientID", "PatientIdentityRemoved")


@dataclass(frozen=True)
class StudyFiles:
    """The files of one study of MR images.

    Attributes:
        uid: study instance UID.
        names: words that identify the patient, lower case without accents.
        paths: its files.
    """

    uid: str
    names: frozenset[str]
    paths: tuple[Path, ...]


def find_studies(folder: Path) -> dict[Path, str]:
    """Folder → case name, for each study of MR images below ``folder``.

    A study's folder is the topmost one that holds no other study.

    Raises:
        InputError: a file cannot be read, or two studies share a folder.
    """
    studies = _studies(dicom_files(folder))
    homes = {
        _home(study, [other for other in studies if other is not study], folder): study
        for study in studies
    }
    return {home: case_name(home, homes[home]) for home in sorted(homes)}


def file_case_name(path: Path) -> str:
    """The case name of a single DICOM file: its stem, or a hash where that names the patient."""
    studies = _studies([path])
    return case_name(path.with_suffix(""), studies[0]) if studies else path.stem


def case_name(home: Path, study: StudyFiles) -> str:
    """The folder's or file's name, or a hash of the study UID where it names the patient."""
    name = home.name if home.name not in ("", "..") else home.resolve().name
    if name and not any(_names(name, part) for part in study.names):
        return name
    return f"dicom_{hashlib.sha256(study.uid.encode()).hexdigest()[:8]}"


def names_patient(path: str, file: Path) -> bool:
    """Whether any part of a path names the patient of a DICOM file.

    Raises:
        InputError: the file cannot be read.
    """
    words = _identity(read_header(file, IDENTITY))
    return any(_names(name, word) for name in Path(path).parts for word in words)


def _names(name: str, part: str) -> bool:
    """Whether a name contains ``part`` as a word, or anywhere if it is long or not ASCII."""
    within = len(part) > 3 or not part.isascii()
    return part in _words(name) or (within and part in "".join(_words(name)))


def _words(text: str) -> list[str]:
    """Runs of letters and digits, lower case without accents, as "Ä" has several encodings."""
    bare = (
        letter
        for letter in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(letter)
    )
    return re.findall(r"[^\W_]+", "".join(bare))


def _studies(files: Iterable[Path]) -> list[StudyFiles]:
    paths: dict[str, list[Path]] = {}
    names: dict[str, set[str]] = {}
    for path in files:
        header = read_header(path, IDENTITY)
        if sop_class(header) in MR_IMAGES:
            uid = str(header.get("StudyInstanceUID", ""))
            paths.setdefault(uid, []).append(path)
            names.setdefault(uid, set()).update(_identity(header))
    return [StudyFiles(uid, frozenset(names[uid]), tuple(found)) for uid, found in paths.items()]


def _identity(header: FileDataset) -> set[str]:
    """Words that identify the patient, from name and ID.

    Words with digits are not names, and an ID that equals the name is a pseudonym.
    """
    with unwarned():
        name, number = (_words(str(header.get(key) or "")) for key in ("PatientName", "PatientID"))
        removed = str(header.get("PatientIdentityRemoved") or "").upper() == "YES"
    if removed or (name == number and any(character.isdigit() for character in "".join(name))):
        return set()
    words = {word for word in name if word.isalpha() and len(word) > 1}
    whole = {
        "".join(two) for two in itertools.permutations([word for word in name if word.isalpha()], 2)
    }
    return words | whole | {"".join(number), "".join(number).lstrip("0")} - {""}


def _home(study: StudyFiles, others: list[StudyFiles], top: Path) -> Path:
    """The topmost folder, at or below ``top``, that holds this study and no other."""
    home = Path(os.path.commonpath([path.parent for path in study.paths]))
    foreign = [path for other in others for path in other.paths]
    if any(path.is_relative_to(home) for path in foreign):
        raise InputError(
            home,
            found="files of several studies",
            expected="one study in a folder",
            cure="give each study its own folder",
        )
    while home != top and not any(path.is_relative_to(home.parent) for path in foreign):
        home = home.parent
    return home
