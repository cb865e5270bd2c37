"""The maps of a case as files on the image's own grid."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cardioseg.core.volume import Volume
from cardioseg.imaging.nifti import write
from cardioseg.results.folder import map_of


def write_maps(output: Path, name: str, maps: Mapping[str, np.ndarray], grid: Volume) -> None:
    """Write integer maps.

    Args:
        output: the folder.
        name: of the case.
        maps: "mask", "halting", … → (X, Y, Z) or (X, Y, Z, T) uint8.
        grid: a volume on the grid of one frame, with the header that results carry.

    Raises:
        OutputError: the folder cannot be written.
    """
    for kind, array in maps.items():
        frames = array.shape[3] if array.ndim == 4 else None
        write(map_of(output, name, kind), replace(grid, array=array), frames=frames)


def write_float_maps(
    output: Path, name: str, kind: str, frames: Sequence[np.ndarray], grid: Volume
) -> None:
    """Write the 4-D float maps, classes or experts last; a file for each frame of a cine.

    Raises:
        OutputError: the folder cannot be written.
    """
    for number, array in enumerate(frames, start=1):
        ending = f"_frame{number:02d}" if len(frames) > 1 else ""
        write(map_of(output, name, f"{kind}{ending}"), replace(grid, array=array))
