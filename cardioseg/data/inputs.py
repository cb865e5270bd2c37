"""Finding input images: files, DICOM studies, folders of both, and text files that list them."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from cardioseg.core.errors import InputError, UsageError
from cardioseg.imaging.image import ENDINGS, stem

NO_IMAGE = re.compile(
    r".*_(gt|mask(_changed(_\d+)?)?|halting|experts|(probs|routing)(_frame\d+)?)", re.DOTALL
)


def find_images(inputs: Iterable[Path]) -> dict[str, Path]:
    """Case name → image file or DICOM folder, in order.

    Folders are searched recursively for image files and DICOM studies; masks (``_gt``) and results
    of cardioseg are skipped. A ``.txt`` file lists images or folders, one per line, relative to
    itself.

    Raises:
        InputError: a path does not exist or holds no image.
        UsageError: two images with one name, whose results would overwrite each other.
    """
    found: dict[str, Path] = {}
    for path, name in _expand(inputs):
        if name in found and os.path.realpath(found[name]) != os.path.realpath(path):
            raise UsageError(
                path,
                found=f"a second image named {name}",
                expected="one image per name",
                cure="segment them into two output folders",
            )
        found.setdefault(name, path)
    return found


def _expand(inputs: Iterable[Path], lists: tuple[str, ...] = ()) -> Iterator[tuple[Path, str]]:
    """Images with their names from files, folders and lists; ``lists`` are the enclosing lists."""
    for path in inputs:
        if _is_folder(path):
            yield from _in_folder(path)
        elif path.suffix.lower() != ".txt":
            yield path, _file_name(path)
        elif os.path.realpath(path) in lists:
            raise InputError(
                path,
                found="a list that contains itself",
                expected="images and folders",
                cure="remove it from the list",
            )
        else:
            yield from _expand(_listed(path), (*lists, os.path.realpath(path)))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # such as a name that is too long
        raise InputError(
            path, found=str(error.strerror), expected="a file or folder", cure="check the path"
        ) from None


def _file_name(path: Path) -> str:
    """The case name of a file."""
    if path.name.lower().endswith(ENDINGS) or not path.is_file():
        return stem(path)
    from cardioseg.imaging.dicom.folders import file_case_name
    from cardioseg.imaging.dicom.headers import is_dicom

    return file_case_name(path) if is_dicom(path) else stem(path)


def _in_folder(folder: Path) -> list[tuple[Path, str]]:
    """Image files, then DICOM studies, each by path."""
    from cardioseg.imaging.dicom.folders import find_studies

    images = sorted(
        path
        for path in folder.rglob("*")
        if path.name.lower().endswith(ENDINGS)
        and not NO_IMAGE.fullmatch(stem(path))
        and not path.name.startswith(".")
        and not path.is_dir()
    )
    found = [(path, stem(path)) for path in images] + list(find_studies(folder).items())
    if not found:
        expected = f"files ending in {', '.join(ENDINGS)}, or DICOM files of MR images"
        raise InputError(folder, found="no image", expected=expected, cure="check the path")
    return found


def _listed(path: Path) -> list[Path]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            path,
            found=str(error),
            expected="a text file with one path per line",
            cure="check the path",
        ) from None
    listed = [
        path.parent / line.strip() for line in lines if line.strip() and not line.startswith("#")
    ]
    if not listed:
        raise InputError(
            path, found="an empty list", expected="one path per line", cure="add the paths"
        )
    return listed
