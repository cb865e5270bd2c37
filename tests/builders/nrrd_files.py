"""NRRD files written by hand, so that their headers hold what a test needs."""

import numpy as np


def write(path, array, grid, more=""):
    """A raw NRRD of a mask on the grid of a volume; ``more`` is further lines of its header."""
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.affine
    directions = " ".join(f"({','.join(map(str, column))})" for column in to_lps[:3, :3].T)
    header = (
        "NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, array.shape))}\nspace directions: {directions}\n"
        "kinds: domain domain domain\nencoding: raw\n"
        f"space origin: ({','.join(map(str, to_lps[:3, 3]))})\n{more}\n"
    )
    path.write_bytes(header.encode() + array.astype(np.uint8).tobytes(order="F"))
    return path
