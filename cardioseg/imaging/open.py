"""Opening an image of any supported format: NIfTI, NRRD, MetaImage, a DICOM file or a DICOM study."""

import gzip
import zlib
from pathlib import Path

from cardioseg.core.errors import InputError, UsageError
from cardioseg.core.volume import Volume
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.image import ENDINGS, ITK_ENDINGS, ImageFile, broken
from cardioseg.imaging.nifti import open_nifti


def check_whole(path: Path) -> None:
    """Read a .gz file to its end, where its checksum stands: whoever stops at the last voxel misses flipped bits before it.

    Of a DICOM file, all voxels must be there.

    Raises:
        InputError: the file was damaged or cut off.
    """
    if _is_dicom(path):
        from cardioseg.imaging.dicom.study import check_voxels

        check_voxels(path)
    if not path.name.lower().endswith(".gz"):
        return
    try:
        with gzip.open(path) as file:
            while file.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise broken(path, error) from None


def read(path: Path, *, trust: Trust = "pixdim") -> Volume:
    """The one volume of a 2-D or 3-D file.

    Raises:
        InputError: not a readable image, or a cine with several frames.
    """
    image = open_image(path, trust=trust)
    if image.frames > 1:
        raise InputError(
            path, found=f"{image.frames} frames", expected="one volume", cure="pass a 3-D file here"
        )
    return image.frame(0)


def open_image(path: Path, *, trust: Trust = "pixdim", series: tuple[int, ...] = ()) -> ImageFile:
    """Open a NIfTI, NRRD or MetaImage file, or a DICOM study or file, without reading its voxels.

    Args:
        path: file, or folder of a DICOM study.
        trust: which of two spacings in a NIfTI header to believe.
        series: numbers of the DICOM series to use; () lets the geometry decide.

    Raises:
        InputError: missing, empty, truncated, or not an image.
        GeometryError: five axes, or a spacing that is zero or not a number.
        UsageError: a series asked for in a file that has none.
    """
    if path.is_dir() or (path.is_file() and _is_dicom(path)):
        from cardioseg.imaging.dicom.study import open_dicom

        return open_dicom(path, series=series)
    if series:
        cure = "leave the option out, or pass the DICOM folder"
        raise UsageError(
            "--series", found=f"{path}, which is no DICOM", expected="a DICOM study", cure=cure
        )
    if not path.is_file():
        raise InputError(
            path, found="no such file", expected="an image file", cure="check the path"
        )
    if path.stat().st_size == 0:
        raise InputError(
            path,
            found="an empty file",
            expected=f"an image ({', '.join(ENDINGS)})",
            cure="export or copy it again",
        )
    if path.name.lower().endswith(ITK_ENDINGS):
        from cardioseg.imaging.itk import open_itk

        return open_itk(path)
    return open_nifti(path, trust)


def _is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by its mark; pydicom stays unimported for the formats that have endings."""
    if path.name.lower().endswith(ENDINGS):
        return False
    from cardioseg.imaging.dicom.headers import is_dicom

    return is_dicom(path)
