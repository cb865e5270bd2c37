r"""Table: 3-D patches. RD-ViT with and without experts, and ViT, on all training patients.

Each run starts from the 2-D row of the same network (tables 1 and 6), whose kernels become the
middle slices of 3-D ones. A window of eight slices costs as much as eight 2-D windows, so a run
from random weights with the same budget would be far from converged.

    python benchmarks/volume_table.py PREPARED --split split.json --only rdvit-3d-moe \
        --max-minutes 60
"""

from rows import Row, fill

TABLE = "volume"
STEPS = 500
PATCHES = (
    "network.patch_size=[8,8,1]",
    "sampling.window=[96,96,8]",
    "training.batch=2",
    "training.learning_rate=1e-3",
)


def rows() -> tuple[Row, ...]:
    """All runs of the table."""
    return (
        Row("rdvit-3d-moe", PATCHES, start="rdvit-100-0"),
        Row("rdvit-3d", (*PATCHES, "network.experts=0"), start="no-experts"),
        Row("vit-3d", (*PATCHES, "network.name=vit"), start="vit-100-0"),
    )


if __name__ == "__main__":
    fill(TABLE, rows(), __doc__, steps=STEPS)
