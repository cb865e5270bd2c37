"""``cardioseg models``: words for the workflows of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.render import finish

models_app = typer.Typer(help="List, show, verify and export models.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]


@models_app.command("list")
def list_command(*, json_output: Json = False) -> None:
    """Every model that ships with the package."""
    from cardioseg.workflows.models import list_models

    finish(list_models(), json_output=json_output)


@models_app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="Name or folder.")] = "rdvit-2d",
    *,
    json_output: Json = False,
) -> None:
    """What a model says of itself."""
    from cardioseg.workflows.models import show_model

    finish(show_model(name), json_output=json_output)


@models_app.command("verify")
def verify_command(
    names: Annotated[
        list[str] | None, typer.Argument(show_default="all that ship", help="Names or folders.")
    ] = None,
    *,
    json_output: Json = False,
) -> None:
    """Load models, their weights checked against the hash in their metadata."""
    from cardioseg.workflows.models import verify_models

    finish(verify_models(names or []), json_output=json_output)


@models_app.command("export")
def export_command(
    run: Annotated[Path, typer.Argument(help="Run folder of cardioseg train.")],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", show_default=False, help="New model folder.")
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            show_default=False,
            help="Such as network.halting_threshold=0.9.",
        ),
    ] = None,
    description: Annotated[
        str, typer.Option("--description", show_default=False, help="One line for list and card.")
    ] = "",
    json_output: Json = False,
) -> None:
    """A model from a run's last checkpoint, also while it still trains."""
    from cardioseg.workflows.models import export_run

    finish(
        export_run(run, output=output, overrides=set_ or (), description=description),
        json_output=json_output,
    )
