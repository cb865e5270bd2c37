"""Finding input images: files, DICOM studies, folders of both, and text files that list them."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.errors import InputError, UsageError
from cardioseg.core.walk import files_below
from cardioseg.data.names import distinct_names
from cardioseg.imaging.image import ENDINGS, stem
from cardioseg.imaging.open import open_image

RESULT = re.compile(
    r".*_(mask_changed(_\d+)?|halting|experts|(probs|routing)(_frame\d+)?)", re.DOTALL
)
LABEL_MAP = re.compile(
    r"(.*[_-])?(gt|mask|seg|segmentation|label|labels)", re.DOTALL | re.IGNORECASE
)
LABEL_FOLDERS = ("labelstr", "labelsts", "labels", "masks", "segmentations")
IMAGE_FOLDERS = ("imagesTr", "imagesTs")  # of an nnU-Net data set
PART = re.compile(r"(.+?)[_-](?:t|trigger|slice|sl|z)_?\d+", re.IGNORECASE)
NAMES_SHOWN = 3
MOST_LABELS = 32  # distinct values; a label map has a handful, an image hundreds


@dataclass(frozen=True)
class Inputs:
    """The images of a call by case name, and what the person should know about the choice."""

    images: dict[str, Path]
    notes: tuple[str, ...]


def find_inputs(inputs: Iterable[Path]) -> Inputs:
    """Case name → image file or DICOM folder, in order.

    Folders are searched recursively for image files and DICOM studies. Results of cardioseg and
    label maps (known by name and content) are left out; of an nnU-Net data set only ``imagesTr``
    and ``imagesTs`` are searched. A ``.txt`` file lists images or folders, one per line, relative
    to itself. Files of one name get the names of their folders.

    Raises:
        InputError: a path does not exist or holds no image.
        UsageError: two images with one name, whose results would overwrite each other.
    """
    found: dict[str, Path] = {}
    left_out: list[Path] = []
    for path, name in _distinct(list(_expand(inputs, left_out))):
        if name in found and os.path.realpath(found[name]) != os.path.realpath(path):
            raise UsageError(
                path,
                found=f"a second image named {name}",
                expected="one image per name",
                cure="segment them into two output folders",
            )
        found.setdefault(name, path)
    return Inputs(found, (*_left_out(left_out), *_parts(found)))


def _distinct(found: list[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """Names of folders in front where files share a name; never of a DICOM study's folders."""
    files = [(path, name) for path, name in found if path.name.lower().endswith(ENDINGS)]
    named = iter(distinct_names([path for path, _ in files], [name for _, name in files]))
    return [
        (path, next(named) if path.name.lower().endswith(ENDINGS) else name) for path, name in found
    ]


def _left_out(paths: list[Path]) -> Iterator[str]:
    if paths:
        names = ", ".join(path.name for path in paths[:NAMES_SHOWN])
        more = f" and {len(paths) - NAMES_SHOWN} more" if len(paths) > NAMES_SHOWN else ""
        yield f"{len(paths)} label maps were not segmented: {names}{more}"


def _parts(images: dict[str, Path]) -> Iterator[str]:
    """Notes on files that look like the phases or slices of one cine."""
    groups: dict[tuple[Path, str], list[str]] = {}
    for name, path in images.items():
        match = PART.fullmatch(stem(path))
        if match:
            groups.setdefault((path.parent, match[1]), []).append(name)
    for (_, whole), names in groups.items():
        if len(names) > 1:
            yield (
                f"{whole}: {len(names)} files that look like phases or slices of one cine "
                f"({', '.join(names[:NAMES_SHOWN])}) were segmented as separate cases; join them "
                "into one 4-D file to get volumes and EF"
            )


def _expand(
    inputs: Iterable[Path], left_out: list[Path], lists: tuple[str, ...] = ()
) -> Iterator[tuple[Path, str]]:
    """Images with their names from files, folders and lists.

    Args:
        inputs: files, folders, lists.
        left_out: label maps are added to it.
        lists: the enclosing lists.
    """
    for path in inputs:
        if _is_folder(path):
            yield from _in_folder(path, left_out)
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
            yield from _expand(_listed(path), left_out, (*lists, os.path.realpath(path)))


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


def _in_folder(folder: Path, left_out: list[Path]) -> list[tuple[Path, str]]:
    """Image files, then DICOM studies, each by path."""
    from cardioseg.imaging.dicom.folders import find_studies

    roots = _nnunet_roots(folder)
    if roots:
        images = sorted(path for root in roots for path in _images(root, left_out))
        found = [(path, stem(path).removesuffix("_0000")) for path in images]
    else:
        found = [(path, stem(path)) for path in sorted(_images(folder, left_out))]
        found += list(find_studies(folder).items())
    if not found:
        expected = f"files ending in {', '.join(ENDINGS)}, or DICOM files of MR images"
        raise InputError(folder, found="no image", expected=expected, cure="check the path")
    return found


def _nnunet_roots(folder: Path) -> list[Path]:
    """Image folders of an nnU-Net data set; none if ``folder`` is another one."""
    if not (folder / "dataset.json").is_file():
        return []
    return [folder / name for name in IMAGE_FOLDERS if (folder / name).is_dir()]


def _images(folder: Path, left_out: list[Path]) -> Iterator[Path]:
    """Image files below a folder; label maps are added to ``left_out`` instead."""
    for path in files_below(folder):
        name = stem(path)
        if not path.name.lower().endswith(ENDINGS) or RESULT.fullmatch(name):
            continue
        named = LABEL_MAP.fullmatch(name) or path.parent.name.lower() in LABEL_FOLDERS
        if named and not _is_grey(path):
            left_out.append(path)
        else:
            yield path


def _is_grey(path: Path) -> bool:
    """Whether a file named like a label map is an image; a file that cannot be read is not."""
    try:
        values = np.unique(open_image(path).frame(0).array)
    except InputError:
        return False
    return len(values) > MOST_LABELS or bool((values != np.rint(values)).any())


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
