"""Progress on stderr: a bar on a terminal, plain lines in a log, nothing with ``--quiet``."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from cardioseg.cli.render import printable
from cardioseg.core.progress import OnProgress, Progress, unwatched

SECONDS_BETWEEN_LINES = 20.0


@contextmanager
def progress_bar(description: str, *, quiet: bool = False) -> Iterator[OnProgress]:
    """Yield the callback that a workflow reports to.

    Args:
        description: the verb, in front of the bar.
        quiet: show nothing.
    """
    if quiet:
        yield unwatched
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield _drawn(bar, description)
    else:
        yield _Lines(description)


def _bar() -> RichProgress:
    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[beside]}"),
        console=Console(stderr=True),
        redirect_stdout=False,  # Rich would send results from stdout to stderr during the bar
    )


def _drawn(bar: RichProgress, description: str) -> OnProgress:
    task = bar.add_task(escape(description), total=None, beside="")

    def draw(progress: Progress) -> None:
        bar.update(
            task,
            completed=progress.done,
            total=progress.total or None,
            beside=escape(_beside(progress)),
        )

    return draw


class _Lines:
    """The first state, the last, and one every so many seconds: a log that stays readable."""

    def __init__(self, description: str) -> None:
        self.description = description
        self.next_line = 0.0

    def __call__(self, progress: Progress) -> None:
        finished = 0 < progress.total <= progress.done
        if time.monotonic() < self.next_line and not finished:
            return
        self.next_line = time.monotonic() + SECONDS_BETWEEN_LINES
        of = f"/{progress.total:g}" if progress.total else ""
        typer.echo(
            f"{self.description}: {progress.done:g}{of} {_beside(progress)}".rstrip(), err=True
        )


def _beside(progress: Progress) -> str:
    figures = (f"{name} {value}" for name, value in progress.fields.items())
    return printable("  ".join(part for part in (*figures, progress.message) if part))
