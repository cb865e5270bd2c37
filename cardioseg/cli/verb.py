"""How a verb enters the command line: its name, its function and one example for ``--help``."""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from cardioseg.cli.options import REPORTING
from cardioseg.cli.voxels import limit_of_one_call


class Verb(TyperCommand):
    """A command that lists ``--help`` with the reporting options and leaves no limit behind."""

    def invoke(self, *arguments: Any, **named: Any) -> Any:
        """Run the command."""
        with limit_of_one_call():
            return super().invoke(*arguments, **named)

    def get_help_option(self, *arguments: Any, **named: Any) -> Any:
        """The option ``--help``."""
        option = super().get_help_option(*arguments, **named)
        if option is not None:
            option.rich_help_panel = REPORTING
        return option


def add_verb(
    app: typer.Typer,
    command: Callable[..., None],
    *,
    name: str,
    example: str,
    panel: str | None = None,
) -> None:
    """Add a verb to ``app``.

    Args:
        app: the command line, or a group of verbs in it.
        command: its parameters are the options, its docstring is the help text.
        name: the word that calls it.
        example: a typical call, as typed.
        panel: heading in the list of verbs; None takes "Commands".
    """
    epilog = f"Example: `{example}`"
    app.command(name, cls=Verb, epilog=epilog, rich_help_panel=panel)(command)
