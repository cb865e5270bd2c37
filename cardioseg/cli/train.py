"""``cardioseg train``: options and help text of the workflow of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli import options
from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish


def train_command(
    prepared: Annotated[
        Path,
        typer.Argument(
            metavar="PREPARED", show_default=False, help="Folder made by cardioseg prepare."
        ),
    ],
    *,
    output: Annotated[Path, options.output("Run folder.")],
    config: options.Config = None,
    set_: Annotated[
        list[str] | None, options.setting("Change a setting, such as training.steps=2000.")
    ] = None,
    split: Annotated[
        Path | None,
        options.split(
            options.PATIENTS,
            "JSON file that lists the train and the val patients, or nnU-Net's splits_final.json.",
        ),
    ] = None,
    fraction: options.Fraction = None,
    draw: options.Draw = 0,
    fold: options.Fold = None,
    extra: options.Extra = None,
    init_from: options.InitFrom = None,
    tune: options.Tune = "all",
    resume: options.Resume = False,
    max_minutes: options.MaxMinutes = None,
    device: options.Device = "auto",
    json_output: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a network on prepared cases.

    The run folder holds the checkpoint, the log and, whenever training stops, a model for
    `cardioseg segment --model`.
    """
    from cardioseg.workflows.train import SplitChoice, TrainingRequest, train

    _check(split=split, fraction=fraction)
    request = TrainingRequest(
        prepared=prepared,
        output=output,
        settings=config,
        overrides=tuple(set_ or ()),
        split=SplitChoice(split, fraction, draw, fold),
        extra=tuple(extra or ()),
        init_from=init_from,
        tune=tune,
        resume=resume,
        max_minutes=max_minutes,
        device=device,
    )
    with progress_bar("train", quiet=quiet) as on_progress:
        report = train(request, on_progress=on_progress)
    finish(report, json_output=json_output)


def _check(*, split: Path | None, fraction: str | None) -> None:
    """UsageError if the options about patients contradict each other."""
    from cardioseg.core.errors import UsageError

    if fraction is not None and split is None:
        raise UsageError(
            "--fraction",
            found="no --split",
            expected="a split file with fractions",
            cure="pass --split FILE",
        )
