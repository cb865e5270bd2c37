"""Table: what each part of RD-ViT contributes. One change at a time, all training patients, seed 0.

The unchanged network is two rows of data_table.py. ``paper`` is the published form: plain patches,
rdt injection, ACT, a loop index, a fixed number of loops, one coda block.

    python benchmarks/ablation.py PREPARED --split split.json --only stem-patch --max-minutes 20
"""

from rows import Row, fill

TABLE = "ablation"
UNCHANGED = ("rdvit-100-0", "rdvit-100-1")  # rows of data_table.py
CHANGES: dict[str, tuple[str, ...]] = {
    "stem-patch": ("network.stem=patch",),
    "lora-scale": ("network.lora_rank=8",),
    "lora-full": ("network.lora_rank=8", "network.lora=full"),
    "injection-rdt": ("network.injection=rdt",),
    "no-experts": ("network.experts=0",),
    "no-prelude": ("network.prelude_blocks=0",),
    "coda": ("network.coda_blocks=1",),
    "width-128": ("network.width=128", "network.heads=2"),
    "width-192": ("network.width=192", "network.heads=3"),
    "width-384": ("network.width=384", "network.heads=6"),
    "fixed-loops": ("network.random_depth=false", "network.loops=4"),
    "act": ("network.halting=act",),
    "act-light": ("network.halting=act", "training.penalties.ponder=0.001"),
    "paper": ("network.preset=paper",),
    "adamw": ("training.optimizer=adamw",),
}


def rows() -> tuple[Row, ...]:
    """All runs of the table."""
    return tuple(Row(name, changes) for name, changes in CHANGES.items())


if __name__ == "__main__":
    fill(TABLE, rows(), __doc__)
