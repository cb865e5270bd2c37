"""Table: 3-D patches. RD-ViT with and without experts, and ViT, on all training patients.

python benchmarks/volume_table.py PREPARED --split split.json --only rdvit-3d-moe --max-minutes 60
"""

from rows import Row, fill

TABLE = "volume"
PATCHES = ("network.patch_size=[8,8,1]", "sampling.window=[128,128,8]", "training.batch=2")


def rows() -> tuple[Row, ...]:
    """Every run of the table."""
    return (
        Row("rdvit-3d-moe", PATCHES),
        Row("rdvit-3d", (*PATCHES, "network.experts=0")),
        Row("vit-3d", (*PATCHES, "network.name=vit")),
    )


if __name__ == "__main__":
    fill(TABLE, rows(), __doc__)
