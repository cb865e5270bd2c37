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
SECONDS_IN_A_CASE = 60.0


@contextmanager
def progress_bar(
    description: str, *, cases: bool = False, quiet: bool = False
) -> Iterator[OnProgress]:
    """Yield the callback that a workflow reports to.

    Args:
        description: the verb, in front of the bar.
        cases: the workflow counts cases; without a terminal each gets a line when it ends.
        quiet: show nothing.
    """
    if quiet:
        yield unwatched
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield _drawn(bar, description)
    else:
        yield _CaseLines(description) if cases else _Lines(description)


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
    """A line for the first state, for the last, and every ``SECONDS_BETWEEN_LINES`` between."""

    def __init__(self, description: str) -> None:
        self.description = description
        self.next_line = 0.0

    def __call__(self, progress: Progress) -> None:
        finished = 0 < progress.total <= progress.done
        if time.monotonic() < self.next_line and not finished:
            return
        self.next_line = time.monotonic() + SECONDS_BETWEEN_LINES
        of = f"/{progress.total:g}" if progress.total else ""
        text = f"{self.description}: {progress.done:g}{of} {_beside(progress)}"
        typer.echo(text.rstrip(), err=True)


class _CaseLines:
    """A line for every case that ends, and one a minute during a long case."""

    def __init__(self, description: str) -> None:
        self.description = description
        self.ended = 0
        self.next_line = time.monotonic() + SECONDS_IN_A_CASE

    def __call__(self, progress: Progress) -> None:
        ended = int(progress.done)
        if ended > self.ended:
            self._print(f"{ended}/{progress.total:g} {_beside(progress)}")
        elif time.monotonic() >= self.next_line:
            share = f"{progress.done - ended:.0%} of {_beside(progress)}"
            self._print(f"{ended}/{progress.total:g} done, {share}")
        self.ended = max(self.ended, ended)

    def _print(self, text: str) -> None:
        self.next_line = time.monotonic() + SECONDS_IN_A_CASE
        typer.echo(f"{self.description}: {text}", err=True)


def _beside(progress: Progress) -> str:
    figures = (f"{name} {value}" for name, value in progress.fields.items())
    return printable("  ".join(part for part in (*figures, progress.message) if part))
