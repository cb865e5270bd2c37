"""``cardioseg models``: options and help texts of the workflows of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli import options
from cardioseg.cli.render import finish
from cardioseg.cli.verb import add_verb

models_app = typer.Typer(help="List, show, verify and export models.", no_args_is_help=True)


def list_command(*, json_output: options.Json = False) -> None:
    """List the models that ship with the package, with their size and Dice."""
    from cardioseg.workflows.models import list_models

    finish(list_models(), json_output=json_output)


def show_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a shipped model, or a model folder.")
    ] = "rdvit-2d",
    *,
    json_output: options.Json = False,
) -> None:
    """Show the metadata of a model and where its card is."""
    from cardioseg.workflows.models import show_model

    finish(show_model(name), json_output=json_output)


def verify_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            show_default="all shipped models",
            help="Names of shipped models, or model folders.",
        ),
    ] = None,
    *,
    json_output: options.Json = False,
) -> None:
    """Load models and check their weights against the hash in their metadata."""
    from cardioseg.workflows.models import verify_models

    finish(verify_models(names or []), json_output=json_output)


def export_command(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", show_default=False, help="Run folder made by cardioseg train."
        ),
    ],
    *,
    output: Annotated[Path, options.output("New model folder.")],
    set_: Annotated[
        list[str] | None,
        options.setting("Change a setting of the model, such as network.halting_threshold=0.9."),
    ] = None,
    description: options.Description = "",
    json_output: options.Json = False,
) -> None:
    """Export a model from the last checkpoint of a run, even while the run continues."""
    from cardioseg.workflows.models import export_run

    report = export_run(run, output=output, overrides=set_ or (), description=description)
    finish(report, json_output=json_output)


add_verb(models_app, list_command, name="list", example="cardioseg models list")
add_verb(models_app, show_command, name="show", example="cardioseg models show rdvit-2d")
add_verb(
    models_app, verify_command, name="verify", example="cardioseg models verify rdvit-2d run/model"
)
add_verb(
    models_app,
    export_command,
    name="export",
    example="cardioseg models export run --output my-model",
)
