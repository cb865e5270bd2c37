"""``.X_source``: where the image of a case was when it was segmented.

``view`` finds it again with this hidden file beside the results, apart from the run record, which
holds no path. The path is relative to the results, so that both can be moved together; absolute
if they are on different drives. A path that contains a DICOM patient's identity is not kept.
"""

import os
from pathlib import Path

from cardioseg.core.atomic import remove, write_bytes
from cardioseg.imaging.image import ImageFile
from cardioseg.results.folder import SOURCE


def source_file(folder: Path, name: str) -> Path:
    """The file that says it."""
    return folder / f".{name}{SOURCE}"


def remember_source(folder: Path, name: str, image: ImageFile) -> None:
    """Keep the image's place beside the results.

    Raises:
        OutputError: the folder cannot be written.
    """
    place, path = _place(image.path, folder), source_file(folder, name)
    if not image.files or _names_patient(place, image):  # an array lies nowhere
        remove(path)
    elif remembered_source(folder, name) != _absolute(place, folder):
        write_bytes(path, os.fsencode(place))


def remembered_source(folder: Path, name: str) -> Path | None:
    """Where the image was; None if that was not recorded."""
    try:
        place = os.fsdecode(source_file(folder, name).read_bytes())
    except OSError:
        return None
    return _absolute(place, folder) if place else None


def _place(path: Path, folder: Path) -> str:
    """The path as seen from the folder; a link to an image is not followed."""
    real = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    try:
        return Path(os.path.relpath(real, folder.resolve())).as_posix()
    except ValueError:  # another drive
        return real.as_posix()


def _absolute(place: str, folder: Path) -> Path:
    return Path(os.path.normpath(folder.resolve() / place))


def _names_patient(place: str, image: ImageFile) -> bool:
    """Whether the path says who the patient is; only DICOM knows."""
    if not image.planes:
        return False
    from cardioseg.imaging.dicom.folders import names_patient

    return names_patient(place, image.files[0])
