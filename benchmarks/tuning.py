"""Table: effect of tuning a model on a few patients of one group, on that group and on the others.

The patients for tuning come from the training side, so a model that trained on them gains little. A
second test inverts the contrast (the prepared image times -1), which the model has never seen: a
stress test, not another scanner.

    python benchmarks/tuning.py PREPARED --split split.json --every 3
"""

import argparse
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from held_out import arguments, held_out, keep, model_of, on_side, score, thinned
from safetensors.numpy import save

from cardioseg.bundle import Model, load_model
from cardioseg.core.atomic import write_bytes, write_json
from cardioseg.core.errors import UsageError
from cardioseg.data.manifest import Entry, Manifest, load_case
from cardioseg.workflows.train import SplitChoice, TrainingRequest, train

TUNES = ("lora", "head", "all")
OPTIMIZERS = ("adamw", "muon")
RECIPE = ("training.warmup=10", "training.batch=8", "training.validate_cases=0")


@dataclass(frozen=True)
class Parts:
    """Cases of the table.

    Attributes:
        tuned: cases of the group to tune on.
        group: held-out cases of the same group.
        others: held-out cases of the other groups.
    """

    tuned: tuple[Entry, ...]
    group: tuple[Entry, ...]
    others: tuple[Entry, ...]


def parts(manifest: Manifest, options: argparse.Namespace) -> Parts:
    """The first training patients of the group, and the held-out cases."""
    training, held = (on_side(manifest.entries, options.split, side) for side in ("train", "val"))
    inside, _ = _by_group(training, options.group)
    group, others = _by_group(held, options.group)
    few = sorted({entry.patient for entry in inside})[: options.patients]
    found = Parts(
        tuned=tuple(entry for entry in inside if entry.patient in few),
        group=tuple(group),
        others=tuple(thinned(others, options.every)),
    )
    _check_group(found, manifest, options.group)
    return found


def _by_group(entries: Sequence[Entry], group: str) -> tuple[list[Entry], list[Entry]]:
    """Cases of a group, and all other cases."""
    return (
        [entry for entry in entries if entry.group == group],
        [entry for entry in entries if entry.group != group],
    )


def _check_group(found: Parts, manifest: Manifest, group: str) -> None:
    """Raise UsageError unless the group has patients on both sides of the split."""
    if not found.tuned or not found.group:
        known = ", ".join(sorted({entry.group for entry in manifest.entries}))
        raise UsageError(
            "--group",
            found=group,
            expected=f"a group on both sides ({known})",
            cure="choose another",
        )


def turned_round(manifest: Manifest, entries: Iterable[Entry], folder: Path) -> Manifest:
    """The same cases with inverted contrast."""
    written = []
    for entry in entries:
        arrays = load_case(manifest.folder, entry)
        content = save({**arrays, "image": np.ascontiguousarray(-arrays["image"])})
        write_bytes(folder / entry.file, content)
        digest = hashlib.sha256(content).hexdigest()
        written.append(entry.model_copy(update={"file_sha256": digest}))
    copy = replace(manifest, folder=folder, entries=tuple(written))
    copy.write()
    return copy


def tuned(
    manifest: Manifest,
    chosen: Parts,
    tune: str,
    optimizer: str,
    run: Path,
    options: argparse.Namespace,
) -> Model:
    """The model after a short run on the chosen patients."""
    sides = {
        "train": sorted({entry.patient for entry in chosen.tuned}),
        "val": sorted({entry.patient for entry in chosen.group}),
    }
    split = run.with_name(f"{run.name}_split.json")
    write_json(split, sides)
    rate = "3e-4" if tune == "all" else "1e-3"
    settings = (
        *RECIPE,
        f"training.steps={options.steps}",
        f"training.optimizer={optimizer}",
        f"training.learning_rate={rate}",
    )
    train(
        TrainingRequest(
            manifest.folder,
            run,
            overrides=settings,
            split=SplitChoice(split),
            init_from=options.model,
            tune=tune,
            resume=True,
        )
    )
    return load_model(run / "model")


def column(
    model: Model, manifest: Manifest, entries: Sequence[Entry], options: argparse.Namespace
) -> dict[str, Any]:
    """Dice and loops on some cases of a manifest."""
    names = {entry.name for entry in entries}
    chosen = (entry for entry in manifest.entries if entry.name in names)
    return score(
        model, (held_out(manifest, entry) for entry in chosen), views=options.views
    ).summary()


def columns(
    model: Model, manifest: Manifest, chosen: Parts, options: argparse.Namespace
) -> dict[str, Any]:
    """Dice and loops on the group, and on the others if there are any."""
    sets = {"group": chosen.group, "others": chosen.others}
    return {
        name: column(model, manifest, entries, options) for name, entries in sets.items() if entries
    }


def main() -> None:
    """Measure the table."""
    parser = arguments(__doc__)
    parser.add_argument("--group", default="HCM", help="group to tune on")
    parser.add_argument("--patients", type=int, default=4, help="number of patients to tune on")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--runs", type=Path, default=Path("runs/tuning"))
    options = parser.parse_args()
    if options.side != "val":
        parser.error("--side: only val; scores are of held-out patients")
    model, manifest = model_of(options), Manifest.read(options.prepared)
    chosen = parts(manifest, options)
    turned = turned_round(manifest, (*chosen.tuned, *chosen.group), options.runs / "turned")
    whole = columns(model, manifest, chosen, options)
    table = {"as it is": whole | {"turned": column(model, turned, chosen.group, options)}}
    for optimizer in OPTIMIZERS:
        for tune in TUNES:
            run = options.runs / f"{tune}-{optimizer}-{options.steps}"
            mirror = run.with_name(f"{run.name}-turned")
            plain = tuned(manifest, chosen, tune, optimizer, run, options)
            other = tuned(turned, chosen, tune, optimizer, mirror, options)
            row = columns(plain, manifest, chosen, options)
            row["turned"] = column(other, turned, chosen.group, options)
            table[f"{tune}, {optimizer}"] = row
            means = {name: found["dice"]["mean"] for name, found in row.items()}
            print(tune, optimizer, means, flush=True)
    volumes = {"group": len(chosen.group), "others": len(chosen.others)}
    about = {
        "group": options.group,
        "patients": options.patients,
        "steps": options.steps,
        "volumes": volumes,
    }
    keep("tuning", options, model, {"about": about, "rows": table})


if __name__ == "__main__":
    main()
