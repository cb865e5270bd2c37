"""The command ``cardioseg``: its verbs, and what a failure looks like from outside.

A verb is one file beside this one and one line below. Verbs raise; ``main`` alone turns an error into a line on stderr
and an exit code (the table stands in ``core/errors.py``).
"""

import errno
import io
import os
import sys
import traceback
from typing import Annotated

import typer

from cardioseg import __version__
from cardioseg.cli.demo import demo_command
from cardioseg.cli.evaluate import evaluate_command
from cardioseg.cli.models import models_app
from cardioseg.cli.prepare import prepare_command
from cardioseg.cli.segment import segment_command
from cardioseg.cli.train import train_command
from cardioseg.core.errors import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_RESOURCES, CardioSegError

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
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What stands before the verb."""


app.command("demo")(demo_command)
app.command("prepare")(prepare_command)
app.command("train")(train_command)
app.command("segment")(segment_command)
app.command("evaluate")(evaluate_command)
app.add_typer(models_app, name="models")


def main() -> None:
    """Run the command line and end the process with the verb's exit code."""
    _print_any_name()
    try:
        app()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 — nothing may end in a traceback unasked
        if os.environ.get("CARDIOSEG_DEBUG"):
            traceback.print_exc()
        typer.echo(f"error: {_message(error)}", err=True)
        sys.exit(_exit_code(error))


def _print_any_name() -> None:
    """File names that are no valid text are shown escaped; they must not end a run in a UnicodeEncodeError."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _exit_code(error: BaseException) -> int:
    if isinstance(error, CardioSegError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return EXIT_RESOURCES if _out_of_resources(error) else EXIT_INTERNAL


def _out_of_resources(error: BaseException) -> bool:
    """Disk or memory ran out; torch is recognised by name and text, since importing it here would cost seconds."""
    full_disk = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return full_disk or out_of_memory or "DefaultCPUAllocator: can't allocate memory" in str(error)


def _message(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, CardioSegError):
        return text
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"out of memory ({text}); use a smaller --window or another --device"
    if _out_of_resources(error):
        return f"out of resources ({text}); free space or memory and run the same command again"
    return f"{type(error).__name__}: {text}; this is a fault of cardioseg: set CARDIOSEG_DEBUG=1 for the traceback"


if __name__ == "__main__":
    main()
