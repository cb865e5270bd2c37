"""Opening images of any supported format: NIfTI, NRRD, MetaImage, DICOM file or study.

Every image passes the gate (``imaging.gate``) on its way out.
"""

from pathlib import Path

from cardioseg.core.errors import InputError, UsageError
from cardioseg.core.volume import Volume
from cardioseg.imaging.gate import checked
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.image import ENDINGS, ITK_ENDINGS, PICTURE_ENDINGS, ImageFile
from cardioseg.imaging.nifti import open_nifti


def read(path: Path, *, trust: Trust = "pixdim") -> Volume:
    """Read a 2-D or 3-D file as one volume.

    Raises:
        InputError: not a readable image, or an image with several frames.
    """
    image = open_image(path, trust=trust)
    if image.frames > 1:
        raise InputError(
            path, found=f"{image.frames} frames", expected="one volume", cure="pass a 3-D file here"
        )
    return image.frame(0)


def open_image(
    path: str | Path, *, trust: Trust = "pixdim", series: tuple[int, ...] = ()
) -> ImageFile:
    """Open a NIfTI, NRRD or MetaImage file, or a DICOM study or file, without reading its voxels.

    Args:
        path: a file, or the folder of a DICOM study.
        trust: which spacing to use where pixdim and affine of a NIfTI header disagree.
        series: numbers of the DICOM series to use; () chooses by geometry.

    Raises:
        InputError: missing, empty, truncated, or not an image.
        GeometryError: more than four axes, or an implausible spacing, size or time step.
        UsageError: ``series`` given for an image that is not DICOM.

    Examples:
        >>> import cardioseg
        >>> image = cardioseg.read("patient.nii.gz")  # doctest: +SKIP
        >>> image.shape, image.spacing, image.frames  # doctest: +SKIP
        ((216, 256, 10, 30), (1.5, 1.5, 10.0), 30)
    """
    path = Path(path)
    if _is_folder(path) or (path.is_file() and _is_dicom(path)):
        return _open_dicom(path, series)
    if series:
        raise UsageError(
            "--series",
            found=f"{path}, which is not DICOM",
            expected="a DICOM study",
            cure="leave the option out, or pass the DICOM folder",
        )
    _check_file(path)
    if path.name.lower().endswith(ITK_ENDINGS):
        from cardioseg.imaging.itk import open_itk

        return open_itk(path)
    return open_nifti(path, trust)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError) as error:  # a name that is too long, or holds a zero byte
        raise InputError(
            f"{str(path)[:80]!r}",
            found=f"no usable path ({error.args[-1]})",
            expected="an image file",
            cure="check the path",
        ) from None


def _open_dicom(path: Path, series: tuple[int, ...]) -> ImageFile:
    from cardioseg.imaging.dicom.study import open_dicom
    from cardioseg.imaging.dicom.voxels import check_voxels

    image = open_dicom(path, series=series)

    def whole() -> None:
        for file in image.files:
            check_voxels(file)

    return checked(image, kind="dicom", whole=whole)


def _check_file(path: Path) -> None:
    """Refuse what no reader needs to look at.

    Raises:
        InputError: missing, empty, or a picture.
    """
    if not path.is_file():
        raise InputError(
            path, found="no such file", expected="an image file", cure="check the path"
        )
    if path.name.lower().endswith(PICTURE_ENDINGS):
        raise InputError(
            path,
            found=f"a {path.suffix[1:].upper()} picture, which states no voxel size",
            expected=f"an image ({', '.join(ENDINGS)}) or DICOM",
            cure="stack the slices into one NIfTI file with its spacing in mm",
        )
    if path.stat().st_size == 0:
        raise InputError(
            path,
            found="an empty file",
            expected=f"an image ({', '.join(ENDINGS)})",
            cure="export or copy it again",
        )


def _is_dicom(path: Path) -> bool:
    """Whether a file has DICOM's mark; pydicom is not imported for formats known by ending."""
    if path.name.lower().endswith(ENDINGS):
        return False
    from cardioseg.imaging.dicom.headers import is_dicom

    return is_dicom(path)
