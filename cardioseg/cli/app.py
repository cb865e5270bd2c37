"""The command ``cardioseg``: its verbs, and how it ends when one of them fails.

A verb is one file in this package and one line below. Verbs raise; only ``main`` turns an error
into a line on stderr and an exit code (listed in ``core/errors.py``).
"""

import io
import os
import sys
import traceback
from functools import partial
from typing import Annotated

import typer

from cardioseg.cli.check import check_command
from cardioseg.cli.demo import demo_command
from cardioseg.cli.doctor import doctor_command
from cardioseg.cli.evaluate import evaluate_command
from cardioseg.cli.measure import measure_command
from cardioseg.cli.models import models_app
from cardioseg.cli.prepare import prepare_command
from cardioseg.cli.render import print_failure, printable
from cardioseg.cli.segment import segment_command
from cardioseg.cli.train import train_command
from cardioseg.cli.verb import add_verb
from cardioseg.cli.view import view_command
from cardioseg.core.errors import EXIT_INTERRUPTED, exit_code, explain
from cardioseg.core.version import __version__

app = typer.Typer(
    name="cardioseg",
    help="Segment short-axis cardiac MRI with recurrent-depth transformers. "
    "Research use only; not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # reflows the docstrings
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
    """Options of ``cardioseg`` itself."""


INSTALLATION = "Models and installation"

_segmenting = partial(add_verb, app, panel="Segment and measure")
_segmenting(demo_command, name="demo", example="cardioseg demo --output out/demo")
_segmenting(segment_command, name="segment", example="cardioseg segment scans --output out")
_segmenting(view_command, name="view", example="cardioseg view out/patient001 --open")
_segmenting(measure_command, name="measure", example="cardioseg measure out/patient001_mask.nii.gz")
_segmenting(
    evaluate_command, name="evaluate", example="cardioseg evaluate out reference --output scores"
)
_segmenting(check_command, name="check", example="cardioseg check out")

_training = partial(add_verb, app, panel="Train")
_training(prepare_command, name="prepare", example="cardioseg prepare ACDC --output prepared")
_training(train_command, name="train", example="cardioseg train prepared --output run --fold 0")

add_verb(app, doctor_command, name="doctor", example="cardioseg doctor", panel=INSTALLATION)
app.add_typer(models_app, name="models", rich_help_panel=INSTALLATION)


def main() -> None:
    """Run the command line and end the process with the verb's exit code."""
    _print_any_name()
    try:
        app()
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # Typer ends an interrupted verb without a message
            typer.echo("error: interrupted", err=True)
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 — every error becomes one line
        if os.environ.get("CARDIOSEG_DEBUG"):
            traceback.print_exc()
        sys.exit(_fail(error))


def _fail(error: BaseException) -> int:
    """Print one line on stderr, with ``--json`` also an object on stdout; return the exit code."""
    text, code = printable(explain(error)), exit_code(error)
    typer.echo(f"error: {text}", err=True)
    arguments = sys.argv[1:]
    if "--json" in arguments:
        verb = next((word for word in arguments if not word.startswith("-")), "")
        print_failure(verb, text, code)
    return code


def _print_any_name() -> None:
    """Escape characters that the terminal cannot encode, instead of raising UnicodeEncodeError."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
