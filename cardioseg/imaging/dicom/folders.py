"""Which DICOM studies lie below a folder, and what to call them.

A case is called after its folder, never after what a header says of the patient; where the folder's name is the patient's, a
number made from the study's identifier stands in for it. Names and numbers of patients are compared here and go nowhere else.
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
from cardioseg.imaging.dicom.planes import MR_IMAGES, dicom_files, read_header, sop_class, unwarned

WHO = ("SOPClassUID", "StudyInstanceUID", "PatientName", "PatientID", "PatientIdentityRemoved")


@dataclass(frozen=True)
class Study:
    """One study of MR images on the disk.

    Attributes:
        uid: study instance UID.
        names: words by which files name the patient, in small letters without accents.
        paths: its files.
    """

    uid: str
    names: frozenset[str]
    paths: tuple[Path, ...]


def find_studies(folder: Path) -> dict[Path, str]:
    """For each study of MR images below a folder, the topmost folder that holds no other, and the case's name.

    Raises:
        InputError: a file cannot be read, or files of two studies lie in one folder.
    """
    studies = _studies(dicom_files(folder))
    homes = {
        _home(study, [other for other in studies if other is not study], folder): study
        for study in studies
    }
    return {home: case_name(home, homes[home]) for home in sorted(homes)}


def file_case_name(path: Path) -> str:
    """The case's name for a single DICOM file: the file's, with the same care."""
    studies = _studies([path])
    return case_name(path.with_suffix(""), studies[0]) if studies else path.stem


def case_name(home: Path, study: Study) -> str:
    """The name of folder or file, unless it says who the patient is."""
    name = home.name if home.name not in ("", "..") else home.resolve().name
    if name and not any(_names(name, part) for part in study.names):
        return name
    return f"dicom_{hashlib.sha256(study.uid.encode()).hexdigest()[:8]}"


def names_patient(path: str, file: Path) -> bool:
    """Whether a path says who the patient of a DICOM file is.

    Raises:
        InputError: the file cannot be read.
    """
    words = _identity(read_header(file, WHO))
    return any(_names(name, word) for name in Path(path).parts for word in words)


def _names(name: str, part: str) -> bool:
    """Whether a folder's name holds a word: as one of its own or, where the word is long or not of Latin letters, within."""
    within = len(part) > 3 or not part.isascii()
    return part in _words(name) or (within and part in "".join(_words(name)))


def _words(text: str) -> list[str]:
    """Runs of letters and digits, in small letters without accents: file systems and scanners write "Ä" in different ways."""
    bare = (
        letter
        for letter in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(letter)
    )
    return re.findall(r"[^\W_]+", "".join(bare))


def _studies(files: Iterable[Path]) -> list[Study]:
    paths: dict[str, list[Path]] = {}
    names: dict[str, set[str]] = {}
    for path in files:
        header = read_header(path, WHO)
        if sop_class(header) in MR_IMAGES:
            uid = str(header.get("StudyInstanceUID", ""))
            paths.setdefault(uid, []).append(path)
            names.setdefault(uid, set()).update(_identity(header))
    return [Study(uid, frozenset(names[uid]), tuple(found)) for uid, found in paths.items()]


def _identity(header: FileDataset) -> set[str]:
    """Words that tell who the patient is. What carries digits is no name; a number that is also the name is a pseudonym."""
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


def _home(study: Study, others: list[Study], top: Path) -> Path:
    """The topmost folder, not above ``top``, that holds this study and no other."""
    home = Path(os.path.commonpath([path.parent for path in study.paths]))
    foreign = [path for other in others for path in other.paths]
    if any(path.is_relative_to(home) for path in foreign):
        raise InputError(
            home,
            found="files of several studies",
            expected="one study in a folder",
            cure="sort them into a folder each",
        )
    while home != top and not any(path.is_relative_to(home.parent) for path in foreign):
        home = home.parent
    return home
