"""``cardioseg train``: words for the workflow of the same name."""

from pathlib import Path
from typing import Annotated, Literal

import typer

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
    output: Annotated[Path, typer.Option("--output", "-o", show_default=False, help="Run folder.")],
    config: Annotated[
        Path | None, typer.Option("--config", show_default=False, help="Settings as TOML.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            show_default=False,
            help="A setting, such as training.steps=2000.",
        ),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option("--split", show_default=False, help="JSON with train and val patients."),
    ] = None,
    fraction: Annotated[
        str | None,
        typer.Option(
            "--fraction",
            show_default=False,
            help="Train on this part of the split's patients: 10, 10% or 0.1.",
        ),
    ] = None,
    draw: Annotated[int, typer.Option("--draw", min=0, help="Which draw of the fraction.")] = 0,
    fold: Annotated[
        int | None,
        typer.Option(
            "--fold",
            show_default=False,
            help="Fold 0 to 4 by patient; without it and --split, all train.",
        ),
    ] = None,
    extra: Annotated[
        list[Path] | None,
        typer.Option(
            "--extra", show_default=False, help="Another prepared folder to mix in; repeatable."
        ),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            "--init-from",
            show_default=False,
            help="Start from this model's weights and settings (name or folder).",
        ),
    ] = None,
    tune: Annotated[
        Literal["all", "head", "lora"],
        typer.Option(
            "--tune",
            help="With --init-from, what trains: all, the decoder, or adapters with the norms.",
        ),
    ] = "all",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the run's checkpoint.")
    ] = False,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            "--max-minutes",
            min=0,
            show_default=False,
            help="Stop after that long; --resume goes on.",
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train a network on prepared volumes; the run folder holds checkpoint, log and, whenever it stops, a model."""
    from cardioseg.core.errors import UsageError
    from cardioseg.workflows.train import SplitChoice, TrainingRequest, train

    if split is not None and fold is not None:
        raise UsageError("--split, --fold", found="both", expected="one of them", cure="drop one")
    if fraction is not None and split is None:
        raise UsageError(
            "--fraction",
            found="no --split",
            expected="a split file with fractions",
            cure="pass --split FILE",
        )
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
