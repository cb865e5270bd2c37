"""Plausible ranges of a short-axis image, stated once; every image is opened through them.

The ranges are wider than any clinical cine: in-plane voxels of 0.7 to 3 mm, slices every 5 to
12 mm, frames every 15 to 100 ms. A value outside them is a wrong unit or a damaged header.
"""

import os

from cardioseg.core.errors import UsageError

IN_PLANE_MM = (0.1, 10.0)
SLICE_MM = (0.1, 30.0)
FIELD_MM = 2000.0  # the height of a person
FRAME_SECONDS = (0.001, 10.0)  # converters write 1 s where they do not know the step
MOST_FRAMES = 2000
MOST_VOXELS = 2**26  # of one frame: 512 × 512 × 256
FRAMES_AT_MOST_VOXELS = 16  # all frames together hold at most this many times ``MOST_VOXELS``
MAX_VOXELS = "CARDIOSEG_MAX_VOXELS"  # environment, so that worker processes inherit it


def most_voxels() -> int:
    """The largest number of voxels in one frame: ``--max-voxels``, else ``MOST_VOXELS``.

    Raises:
        UsageError: the environment variable is not a positive whole number.
    """
    text = os.environ.get(MAX_VOXELS, "")
    if not text:
        return MOST_VOXELS
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        expected = "a positive whole number"
        raise UsageError(
            MAX_VOXELS, found=repr(text), expected=expected, cure="correct or unset it"
        )
    return int(text)
