"""Small NIfTI files, and copies with other voxel sizes in the header."""

import gzip
import struct

import nibabel as nib
import numpy as np

ZOOM_OFFSETS = {"x": 80, "y": 84, "z": 88}  # of pixdim[1..3] in a NIfTI-1 header


def voxels(shape, seed=0, dtype=np.int16):
    return np.random.default_rng(seed).integers(0, 300, shape).astype(dtype)


def save(path, array, affine=None, kind=nib.Nifti1Image):
    nib.save(kind(array, np.diag([1.4, 1.5, 8.0, 1.0]) if affine is None else affine), path)
    return path


def with_zooms(path, **zooms):
    """The bytes of a NIfTI-1 file with other pixdims, whatever nibabel thinks of them."""
    raw = path.read_bytes()
    content = bytearray(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    for axis, value in zooms.items():
        struct.pack_into("<f", content, ZOOM_OFFSETS[axis], value)
    return bytes(content)
