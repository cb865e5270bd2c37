"""``cardioseg.read``, and every kind of image that ``cardioseg.segment`` takes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nibabel.spatialimages import SpatialImage

from cardioseg.core.config import validate
from cardioseg.core.errors import UsageError
from cardioseg.core.paths import as_path
from cardioseg.imaging.geometry import Trust
from cardioseg.imaging.image import ImageFile
from cardioseg.imaging.memory import image_from_array, image_from_nibabel
from cardioseg.imaging.open import open_image
from cardioseg.workflows.arguments import ReadArguments


def read(path: str | Path, *, trust: Trust = "pixdim", series: tuple[int, ...] = ()) -> ImageFile:
    """Open an image without loading its voxels.

    Args:
        path: NIfTI, NRRD, MetaImage or DICOM file, or the folder of a DICOM study.
        trust: which spacing to use where a NIfTI header states two.
        series: numbers of the DICOM series that form the cine; () chooses by geometry.

    Returns:
        The image, for ``cardioseg.segment``. ``frame(0).array`` is its first frame (X, Y, Z).

    Raises:
        InputError: missing, empty, truncated, or not an image.
        GeometryError: more than four axes, or a spacing that is not positive.
        UsageError: not a path, or ``series`` for an image that is not DICOM.

    Examples:
        >>> import cardioseg
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from cardioseg.phantom.config import PhantomConfig
        >>> from cardioseg.phantom.draw import draw
        >>> from cardioseg.phantom.files import write_cine
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "heart.nii.gz"
        ...     write_cine(path, draw(PhantomConfig(shape=(96, 96, 3), frames=2)))
        ...     image = cardioseg.read(path)
        >>> image.shape, image.frames
        ((96, 96, 3, 2), 2)
    """
    checked = validate(ReadArguments, {"trust": trust, "series": series}, source="read")
    return open_image(as_path(path, "read"), trust=checked.trust, series=checked.series)


def opened_image(
    image: object,
    *,
    spacing_mm: Sequence[float] | None = None,
    affine: np.ndarray | None = None,
    trust: Trust = "pixdim",
    series: tuple[int, ...] = (),
) -> ImageFile:
    """Any kind of image as an ``ImageFile``; files are read to their checksums.

    Raises:
        InputError: it cannot be read.
        UsageError: not an image, an array without spacing, or another image with one.
    """
    if isinstance(image, np.ndarray):
        return _opened_array(image, spacing_mm, affine)
    in_memory = isinstance(image, (ImageFile, SpatialImage))
    path = None if in_memory else _path_of(image)
    if spacing_mm is not None or affine is not None:
        found = "spacing_mm or affine with an image that states its own"
        raise UsageError("segment", found=found, expected="a NumPy array", cure="leave both out")
    if isinstance(image, ImageFile):
        return image
    if path is None:
        return image_from_nibabel(image, trust=trust)
    opened = open_image(path, trust=trust, series=series)
    opened.check_whole()
    return opened


def _opened_array(
    array: np.ndarray, spacing_mm: Sequence[float] | None, affine: np.ndarray | None
) -> ImageFile:
    if spacing_mm is None:
        cure, found = "pass spacing_mm=(x, y, z) in mm", "an array without spacing_mm"
        raise UsageError("segment", found=found, expected="its voxel size", cure=cure)
    return image_from_array(array, spacing_mm=spacing_mm, affine=affine)


def _path_of(image: object) -> Path:
    cure = "pass a path, a nibabel image, a NumPy array, or what cardioseg.read returned"
    return as_path(image, "image", expected="an image", cure=cure)
