"""NRRD and MetaImage files, read by SimpleITK.

ITK's world coordinates are LPS, ours RAS: the first two axes change sign.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cardioseg.core.errors import InputError
from cardioseg.imaging.geometry import settle_geometry, squeezed_shape
from cardioseg.imaging.image import ImageFile


def open_itk(path: Path) -> ImageFile:
    """Open an NRRD or MetaImage file; all frames are read at once.

    Raises:
        InputError: unreadable, or several values per voxel.
        GeometryError: more than four axes.
    """
    image = _read(path)
    shape = squeezed_shape(path, tuple(image.GetSize()))
    array = sitk.GetArrayFromImage(image).T.reshape(shape)  # copied, as a view would dangle
    pixdim = [*image.GetSpacing(), 1.0][:3]
    affine, spacing, notes = settle_geometry(path, pixdim, _ras_affine(image, pixdim), "pixdim")
    frames = shape[3] if len(shape) == 4 else 1

    def load(index: int) -> np.ndarray:
        return np.asarray(array[..., index] if array.ndim == 4 else array)

    return ImageFile(
        path=path,
        shape=shape,
        frames=frames,
        affine=affine,
        spacing=spacing,
        frame_seconds=None,
        notes=notes,
        header=None,
        load=load,
        files=(path,),
    )


def _read(path: Path) -> sitk.Image:
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        reason = " ".join(str(error).split("ITK ERROR:")[-1].split())[:120]
        raise InputError(
            path,
            found=f"unreadable data ({reason})",
            expected="an intact image",
            cure="export or copy it again",
        ) from None
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise InputError(
            path,
            found="several values per voxel",
            expected="one grey value per voxel",
            cure="convert the image to greyscale",
        )
    return image


def _ras_affine(image: sitk.Image, pixdim: list[float]) -> np.ndarray:
    dimensions = image.GetDimension()
    axes = min(dimensions, 3)
    direction = np.eye(3)
    direction[:axes, :axes] = np.array(image.GetDirection()).reshape(dimensions, dimensions)[
        :axes, :axes
    ]
    affine = np.eye(4)
    affine[:3, :3] = direction * np.array(pixdim)
    affine[:axes, 3] = image.GetOrigin()[:axes]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
