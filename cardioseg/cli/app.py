"""The command ``cardioseg``: its verbs, and what a failure looks like from outside.

A verb is one file beside this one and one line below. Verbs raise; ``main`` alone turns an error into a line on stderr
and an exit code (the table stands in ``core/errors.py``).
"""

import io
import os
import sys
import traceback
from typing import Annotated

import typer

from cardioseg import __version__
from cardioseg.cli.demo import demo_command
from cardioseg.cli.evaluate import evaluate_command
from cardioseg.cli.measure import measure_command
from cardioseg.cli.models import models_app
from cardioseg.cli.prepare import prepare_command
from cardioseg.cli.render import print_failure, printable
from cardioseg.cli.segment import segment_command
from cardioseg.cli.train import train_command
from cardioseg.cli.view import view_command
from cardioseg.core.errors import EXIT_INTERRUPTED, exit_code, explain

app = typer.Typer(
    name="cardioseg",
    help="Segment short-axis cardiac MRI with recurrent-depth transformers. Research software, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # docstrings are wrapped in the source and reflowed here
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cardioseg {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """What stands before the verb."""


app.command("demo")(demo_command)
app.command("prepare")(prepare_command)
app.command("train")(train_command)
app.command("segment")(segment_command)
app.command("view")(view_command)
app.command("measure")(measure_command)
app.command("evaluate")(evaluate_command)
app.add_typer(models_app, name="models")


def main() -> None:
    """Run the command line and end the process with the verb's exit code."""
    _print_any_name()
    try:
        app()
    except SystemExit as end:
        if (
            end.code == EXIT_INTERRUPTED
        ):  # Typer ends an interrupted verb itself, with the code and an empty line
            typer.echo("error: interrupted", err=True)
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 — nothing may end in a traceback unasked
        if os.environ.get("CARDIOSEG_DEBUG"):
            traceback.print_exc()
        text, code = printable(explain(error)), exit_code(error)
        typer.echo(f"error: {text}", err=True)
        if "--json" in sys.argv[1:]:
            print_failure(
                next((verb for verb in sys.argv[1:] if not verb.startswith("-")), ""), text, code
            )
        sys.exit(code)


def _print_any_name() -> None:
    """File names that are no valid text are shown escaped; they must not end a run in a UnicodeEncodeError."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
