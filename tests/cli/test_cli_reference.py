"""``docs/cli.md`` matches the help texts of the verbs, and its tables are complete."""

from pathlib import Path

import typer.main

from cardioseg.cli import app as cli
from cardioseg.cli.reference import EXIT_CODES, JSON_KEYS, page
from cardioseg.cli.render import envelope
from cardioseg.core import errors
from cardioseg.core.report import Report

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run: python -m cardioseg.cli.reference > docs/cli.md"
    )


def test_every_option_of_every_verb_is_in_the_page():
    def verbs(group, prefix):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from verbs(command, f"{prefix} {name}")
            else:
                yield f"{prefix} {name}", command

    for name, command in verbs(typer.main.get_command(cli.app), "cardioseg"):
        section = page().split(f"## {name}\n")[1].split("\n## ")[0]
        options = [entry for entry in command.params if entry.param_type_name == "option"]
        assert all(f"`{option}`" in section for entry in options for option in entry.opts), name
        assert all(entry.help.split("|")[0] in section for entry in command.params), name


def test_every_exit_code_is_explained():
    known = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert set(EXIT_CODES) == known


def test_every_key_of_the_json_object_is_explained():
    assert set(JSON_KEYS) == {*envelope(Report("train")), "error"}
