"""Training rows: one run of ``cardioseg train`` each, scored on validation patients.

A row with a result file is done. An interrupted row resumes from its checkpoint, so a table can be
filled over days:

    python benchmarks/data_table.py PREPARED --split split.json --only rdvit-10-0 --max-minutes 20
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from held_out import data_arguments, score, volumes

from cardioseg.bundle import load_model
from cardioseg.core.atomic import write_json
from cardioseg.core.config import read_toml
from cardioseg.core.errors import OutputError, UsageError
from cardioseg.core.progress import Progress
from cardioseg.training.checkpoint import read_facts
from cardioseg.training.facts import RunFacts
from cardioseg.workflows.train import SplitChoice, TrainData, TrainingRequest, train

STEPS = 1000
# A row sees far fewer windows than the shipped model did, so augmentation is moderate. The full one
# would spend them on orientations and contrasts that no table measures; without any, a network
# overfits eight patients (lab log, 2026-11-21). Slices keep the orientation of their files.
RECIPE = (
    "sampling.window=[96,96]",
    "augment.storage=false",
    "augment.rotation=45",
    "augment.zoom=[0.8,1.25]",
    "augment.elastic=0.2",
    "augment.tissue=0.1",
    "augment.histogram=0.1",
    "augment.low_resolution=0",
    "augment.blur=0.1",
    "augment.noise=0.15",
    "augment.bias_field=0.2",
    "augment.gamma=0.3",
    "augment.narrow_view=0.05",
    "augment.brightness=0.3",
    "training.batch=8",
    "training.learning_rate=2e-3",
    "training.warmup=50",
    "training.average=0.99",
    "training.validate_every=250",
    "training.validate_cases=4",
    "windows.overlap=0.25",
)


@dataclass(frozen=True)
class Row:
    """One run.

    Attributes:
        name: of its run folder and result file.
        settings: changes to the recipe, ``section.key=value``.
        fraction: part of the training patients; None for all.
        draw: number of the draw of that part.
        seed: of weights and windows.
        start: row whose model the run starts from (``--init-from``), in the same runs folder.
    """

    name: str
    settings: tuple[str, ...] = ()
    fraction: str | None = None
    draw: int = 0
    seed: int = 0
    start: str | None = None


def fill(table: str, rows: Sequence[Row], description: str | None, *, steps: int = STEPS) -> None:
    """Train and score the chosen rows that have no result yet, until the time is up."""
    options = _options(rows, description, steps)
    torch.set_num_threads(options.threads)
    started = time.monotonic()
    for row in _chosen(rows, options.only):
        path = options.results / table / f"{row.name}.json"
        if path.is_file():
            _same_budget(path, options.steps)
            print(f"{row.name}: done")
            continue
        left = (
            None
            if options.max_minutes is None
            else max(0.0, options.max_minutes - (time.monotonic() - started) / 60)
        )
        report = _trained(row, options, left)
        if not report.finished:
            step = f"step {report.step} of {options.steps}"
            print(f"{row.name}: stopped at {step}; run the same command to continue")
            return
        write_json(path, _measured(row, options, report))
        print(f"{row.name}: written to {path}")


def _options(rows: Sequence[Row], description: str | None, steps: int) -> argparse.Namespace:
    parser = data_arguments(description)
    parser.add_argument(
        "--only", nargs="+", metavar="ROW", help=f"some of {', '.join(row.name for row in rows)}"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run folders")
    parser.add_argument("--steps", type=int, default=steps, help="optimiser steps of every row")
    parser.add_argument(
        "--max-minutes", type=float, help="stop after this time; the same command continues"
    )
    parser.add_argument(
        "--extra-set",
        nargs="+",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="settings for all rows; recorded in the results",
    )
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


def _chosen(rows: Sequence[Row], names: Sequence[str] | None) -> Iterator[Row]:
    unknown = set(names or ()) - {row.name for row in rows}
    if unknown:
        known = ", ".join(row.name for row in rows)
        raise UsageError(
            "--only", found=min(unknown), expected=f"some of {known}", cure="correct the name"
        )
    return (row for row in rows if names is None or row.name in names)


def _same_budget(path: Path, steps: int) -> None:
    """Raise OutputError where a result has another number of steps."""
    found = json.loads(path.read_text(encoding="utf-8"))["training"]["steps"]
    if found != steps:
        raise OutputError(
            path,
            found=f"a row of {found} steps",
            expected=f"{steps}",
            cure="pass --steps, or move the file away",
        )


def _trained(row: Row, options: argparse.Namespace, minutes: float | None) -> TrainData:
    """Train or resume a row; returns the data of the report."""
    request = TrainingRequest(
        options.prepared,
        options.runs / row.name,
        overrides=_settings(row, options),
        split=SplitChoice(options.split, row.fraction, row.draw),
        init_from=_start(row, options),
        resume=True,
        max_minutes=minutes,
        device=options.device,
    )
    data = train(request, on_progress=_lines(row.name)).data
    assert isinstance(data, TrainData)
    return data


def _start(row: Row, options: argparse.Namespace) -> str | None:
    """Folder of the model that a row starts from."""
    if row.start is None:
        return None
    folder = options.runs / row.start
    facts = read_facts(folder)
    if facts is None or facts.step < read_toml(folder / "config.toml")["training"]["steps"]:
        raise UsageError(
            folder,
            found="no run" if facts is None else f"a run at step {facts.step}",
            expected=f"a finished run, which row {row.name} starts from",
            cure=f"fill row {row.start} first",
        )
    return str(folder / "model")


def _settings(row: Row, options: argparse.Namespace) -> tuple[str, ...]:
    return (
        *RECIPE,
        f"training.steps={options.steps}",
        f"training.seed={row.seed}",
        *row.settings,
        *options.extra_set,
    )


def _lines(name: str) -> Callable[[Progress], None]:
    def line(progress: Progress) -> None:
        if progress.done % 100 == 0:
            print(name, progress.done, "of", progress.total, progress.fields, flush=True)

    return line


def _measured(row: Row, options: argparse.Namespace, report: TrainData) -> dict[str, Any]:
    """The result file of a finished row."""
    folder = options.runs / row.name
    model = load_model(folder / "model")
    result = score(model, volumes(options), views=options.views)
    facts = RunFacts.read(folder).training
    training = {
        "steps": report.step,
        "minutes": round(report.minutes, 1),
        "recipe": list(_settings(row, options)),
    }
    return {
        "row": row.name,
        "fraction": row.fraction,
        "draw": row.draw,
        "seed": row.seed,
        "start": row.start,
        "training": training | {"split": facts.split, "patients": facts.patients},
        "parameters": report.parameters,
        "model_sha256": model.sha256,
        "views": options.views,
        "every": options.every,
        "patients": result.patients,
        "volumes": result.volumes,
        "dice": result.dice,
        "mean_steps": round(result.steps, 3),
        "gflop_per_volume": round(result.gflop, 2),
        "cpu_seconds_per_volume": round(result.cpu_seconds, 2),
        "history": history(folder / "log.jsonl"),
    }


def history(log: Path) -> list[dict[str, float]]:
    """Step, Dice and loops used of each validation, and the loops used in training then."""
    validations: dict[int, dict[str, float]] = {}
    training: dict[int, float] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "val_dice" in row:
            validations[row["step"]] = {
                "step": row["step"],
                "dice": round(row["val_dice"], 4),
                "steps": round(row["val_steps"], 3),
            }
        elif "steps" in row:
            training[row["step"]] = row["steps"]
    for step, entry in validations.items():
        near = [value for at, value in training.items() if step - 100 < at <= step]
        if near:
            entry["training_steps"] = round(sum(near) / len(near), 3)
    return [validations[step] for step in sorted(validations)]
