"""Analysis after bViT: step-specific pruning of heads and hidden units.

What is left when each loop loses its own least important units, or all loops lose the same?
Importance is measured on windows of training patients, drawn and augmented as in training; Dice on
validation patients. Every token runs every loop. Heads are also silenced one at a time, in one
loop.

    python benchmarks/pruning.py PREPARED --split split.json --every 13
"""

import argparse
from collections.abc import Iterator
from statistics import mean
from typing import get_args

import torch
from analysis.pruning import How, Kind, kept_units, overlap, pruned, unit_importance
from held_out import arguments, entries, keep, model_of, score, thinned, volumes
from torch.utils.data import DataLoader

from cardioseg.bundle import Model, find_model
from cardioseg.core.config import read_toml, validate
from cardioseg.core.exits import ExitRule
from cardioseg.data.augment import AugmentConfig
from cardioseg.data.loading import SamplingConfig, WindowDataset, load_voxels
from cardioseg.training.losses import SegmentationLoss

ALL = ExitRule("fixed")
DRAWS = 3  # of random units


def windows(
    model: Model, options: argparse.Namespace
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Images and labels of training patients, one window per batch, as in training."""
    manifest, chosen = entries(options, "train")
    recipe = find_model(options.model) / "config.toml"
    settings = read_toml(recipe)
    drawn = WindowDataset(
        [load_voxels(manifest, thinned(chosen, options.learn_every))],
        neighbours=model.preparation.neighbours,
        sampling=validate(SamplingConfig, settings.get("sampling", {}), source=recipe),
        augment=validate(AugmentConfig, settings.get("augment", {}), source=recipe),
        seed=0,
        length=options.learn_windows,
    )
    for batch in DataLoader(drawn, 1):
        yield batch["image"], batch["label"]


def task_loss(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Dice and cross-entropy, as in training."""
    return SegmentationLoss(early_weight=0, penalties={}).task(logits, label)


def single_heads(
    model: Model, options: argparse.Namespace, heads: int, whole: float
) -> list[list[float]]:
    """Dice lost with one head silent in one loop, (T, H)."""
    lost = torch.zeros(options.loops, heads)
    for loop, head in torch.cartesian_prod(
        torch.arange(options.loops), torch.arange(heads)
    ).tolist():
        kept = torch.ones_like(lost)
        kept[loop, head] = 0
        lost[loop, head] = whole - dice_without(model, options, "heads", kept)
    return [[round(value, 4) for value in row] for row in lost.tolist()]


def dice_without(
    model: Model, options: argparse.Namespace, kind: Kind, kept: torch.Tensor
) -> float:
    """Mean Dice with units silenced."""
    with pruned(model.network, kind, kept):
        return score(
            model, volumes(options), views=options.views, loops=options.loops, exits=ALL
        ).dice["mean"]


def pruned_rows(
    model: Model, options: argparse.Namespace, kind: Kind, table: torch.Tensor
) -> dict[str, object]:
    """Dice and overlap for every share of pruned units, and how they are chosen."""
    rows: dict[str, object] = {}
    for share in options.shares:
        for how in get_args(How):
            draws = range(DRAWS if how == "random" else 1)
            tables = [kept_units(table, share, how, seed=draw) for draw in draws]
            dice = mean(dice_without(model, options, kind, kept) for kept in tables)
            rows[f"{share:.0%} {how}"] = round(dice, 4)
            print(kind, share, how, dice, flush=True)
        gone = overlap(kept_units(table, share, "per step"))
        rows[f"{share:.0%} overlap"] = [[round(value, 3) for value in line] for line in gone]
    return rows


def main() -> None:
    """Run the analysis."""
    options = _options()
    model = model_of(options)
    whole = score(
        model, volumes(options), views=options.views, loops=options.loops, exits=ALL
    ).dice["mean"]
    result: dict[str, object] = {"loops": options.loops, "whole": whole}
    for kind in get_args(Kind):
        table = unit_importance(
            model.network, kind, windows(model, options), loops=options.loops, loss=task_loss
        )
        rows: dict[str, object] = {"units": table.shape[1]}
        if kind == "heads":
            rows["importance"] = [
                [float(f"{value:.3g}") for value in row] for row in table.tolist()
            ]
            rows["single"] = single_heads(model, options, table.shape[1], whole)
            print(rows["single"], flush=True)
        result[kind] = rows | pruned_rows(model, options, kind, table)
    keep("pruning", options, model, result)


def _options() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("--loops", type=int, default=4)
    parser.add_argument(
        "--shares",
        type=float,
        nargs="+",
        default=[0.25, 0.5, 0.75],
        help="shares of the units to prune",
    )
    parser.add_argument(
        "--learn-every", type=int, default=5, help="use every n-th training volume for importance"
    )
    parser.add_argument("--learn-windows", type=int, default=128, help="windows drawn from them")
    return parser.parse_args()


if __name__ == "__main__":
    main()
