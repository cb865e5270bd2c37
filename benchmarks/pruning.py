"""Analysis after bViT: step-specific pruning. What is left when each loop loses its own least important units, or all the same?

Importance is measured on training patients, Dice on the others. Every token runs every loop.

    python benchmarks/pruning.py PREPARED --split split.json --every 8
"""

import argparse
import copy

import torch
from held_out import arguments, keep, model_of, predict, score, volumes

from cardioseg.analysis.pruning import Kind, kept_units, overlap, pruned, recorded_importance
from cardioseg.bundle import Model
from cardioseg.core.exits import ExitRule

ALL = ExitRule("fixed")


def importance(model: Model, kind: Kind, options: argparse.Namespace) -> torch.Tensor:
    """(T, U) on a few training volumes."""
    training = copy.copy(options)
    training.side, training.every = "train", options.learn_every
    with recorded_importance(model.network, kind) as sums:
        for volume in volumes(training):
            predict(model, volume.image, loops=options.loops, views="none", exits=ALL)
    return torch.stack(sums).float()


def main() -> None:
    """Run the analysis."""
    parser = arguments(__doc__)
    parser.add_argument("--loops", type=int, default=4)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.25, 0.5, 0.75], help="parts of the units that go")
    parser.add_argument("--learn-every", type=int, default=40, help="training volumes that importance is measured on")
    options = parser.parse_args()
    model = model_of(options)
    result: dict[str, object] = {"loops": options.loops}
    result["whole"] = score(model, volumes(options), views=options.views, loops=options.loops, exits=ALL).dice["mean"]
    for kind in ("heads", "hidden"):
        table = importance(model, kind, options)
        rows: dict[str, object] = {"units": table.shape[1]}
        for share in options.shares:
            for how in ("per step", "shared", "random"):
                kept = kept_units(table, share, how)
                with pruned(model.network, kind, kept):
                    row = score(model, volumes(options), views=options.views, loops=options.loops, exits=ALL).dice["mean"]
                rows[f"{share:.0%} {how}"] = row
                print(kind, share, how, row, flush=True)
            gone = overlap(kept_units(table, share, "per step"))
            rows[f"{share:.0%} overlap"] = [[round(value, 3) for value in line] for line in gone]
        result[kind] = rows
    keep("pruning", options, model, result)


if __name__ == "__main__":
    main()
