"""Masks on disk, and the report of ``cardioseg measure`` for them."""

import json

import nibabel as nib
import numpy as np
from analytic_hearts import CYCLE, drawn
from tiny import cardioseg, save_image

from cardioseg.core.errors import EXIT_OK


def measured(*arguments, code=EXIT_OK):
    done = cardioseg("measure", *arguments, "--json")
    assert done.code == code, done.err
    return json.loads(done.out)["data"] if code == EXIT_OK else done.err


def save_mask(path, volume, *, header=None):
    return save_image(path, volume.array, spacing=volume.spacing, header=header)


def save_cine(path, *, start=0, distance=10.0):
    """Twelve frames; ``start`` is the frame at which the beat begins."""
    frames = np.roll(
        np.stack([drawn(radius, distance=distance).array for radius in CYCLE], -1), start, axis=-1
    )
    header = nib.Nifti1Header()
    header.set_data_shape(frames.shape)
    header.set_zooms((1.25, 1.25, distance, 0.07))
    header.set_xyzt_units("mm", "sec")
    return save_image(path, frames, header=header)
