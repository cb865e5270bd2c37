"""Table: Dice, loops and time of each exit rule.

Dice, mean loops and FLOPs are of whole volumes. CPU time is of the core alone, on whole slices as
one window each, relative to the core with every token in every loop: process time, the smallest of
interleaved rounds.

    python benchmarks/exits.py PREPARED --split split.json --every 7
"""

import argparse
import time
from typing import Any
from unittest.mock import patch

import torch
from held_out import arguments, keep, model_of, score, volumes

from cardioseg.bundle import Model
from cardioseg.core.exits import RULES, ExitRule, parse_exit
from cardioseg.imaging.preprocess import neighbouring_slices
from cardioseg.layers.devices import fast_bf16
from cardioseg.layers.looping import Core

CPU = torch.device("cpu")
CHOICES = (
    "fixed", "learned", "learned:0.9", "learned:0.99", "act",
    "accel:0.2", "accel:0.1", "accel:0.05", "entropy:0.2", "entropy:0.05", "argmax",
)  # fmt: skip
SHARES = (0.15, 0.2, 0.4)


def rules(model: Model) -> dict[str, ExitRule]:
    """Rules that the model can follow, and its default (else accel) with compute shares."""
    known = {text: parse_exit(text) for text in CHOICES if text.partition(":")[0] in model.exits}
    shared = model.exits[0] if RULES[model.exits[0]].exits_early else "accel"
    shares = [share for share in SHARES if share * model.loops >= RULES[shared].first_loop]
    return known | {
        f"{shared}, compute {share}": ExitRule(shared, compute=share) for share in shares
    }


def dice_table(model: Model, options: argparse.Namespace) -> dict[str, Any]:
    """Dice, loops and GFLOP of each rule."""
    table = {}
    for name, rule in rules(model).items():
        found = score(model, volumes(options), views=options.views, exits=rule)
        table[name] = found.summary() | {"gflop": round(found.gflop, 1)}
        print(name, table[name], flush=True)
    return table


def slices(model: Model, options: argparse.Namespace, count: int) -> list[torch.Tensor]:
    """The whole middle slice of the first volumes with its neighbours, each a batch of one."""
    chosen = []
    for volume in volumes(options):
        middle = neighbouring_slices(
            volume.image, volume.image.shape[2] // 2, model.preparation.neighbours
        )
        chosen.append(torch.from_numpy(middle.copy()).float()[None])
        if len(chosen) == count:
            break
    return chosen


def core_times(model: Model, images: list[torch.Tensor], rounds: int) -> dict[str, Any]:
    """CPU time and FLOPs of the core by rule, relative to the core without early exits."""
    chosen = {
        name: rule
        for name, rule in rules(model).items()
        if not RULES[rule.name or model.exits[0]].decodes
    }
    seconds = {name: float("inf") for name in chosen}
    flops = dict.fromkeys(chosen, 0)
    run, spent = Core.run, 0.0

    def timed(*arguments: Any, **options: Any) -> Any:
        nonlocal spent
        started = time.process_time()
        looped = run(*arguments, **options)
        spent += time.process_time() - started
        return looped

    with patch.object(Core, "run", timed):
        for _ in range(rounds):
            for name, rule in chosen.items():
                spent = 0.0
                with (
                    torch.inference_mode(),
                    torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16(CPU)),
                ):
                    flops[name] = sum(
                        model.network(image, exits=rule).core_flops for image in images
                    )
                seconds[name] = min(seconds[name], spent)
    return {
        name: {
            "flops_share": round(flops[name] / flops["fixed"], 3),
            "cpu_share": round(seconds[name] / seconds["fixed"], 3),
            "cpu_ms_per_slice": round(1000 * seconds[name] / len(images), 1),
        }
        for name in chosen
    }


def main() -> None:
    """Measure both tables."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--slices", type=int, default=8)
    options = parser.parse_args()
    model = model_of(options)
    images = slices(model, options, options.slices)
    times = core_times(model, images, options.rounds)
    print(times, flush=True)
    keep("exits", options, model, {"rules": dice_table(model, options), "core": times})


if __name__ == "__main__":
    main()
