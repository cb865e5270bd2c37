"""The reference page of the command line, as Markdown, from the verbs themselves.

    python -m cardioseg.cli.reference > docs/cli.md

A test compares the page with what this module makes.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo, ParameterInfo

from cardioseg.cli.render import SCHEMA
from cardioseg.core import errors
from cardioseg.core.exits import RULES, RuleSpec

NONE = "–"
ARGUMENTS = "Arguments"
KINDS = {bool: "", int: "integer", float: "number", str: "text", Path: "path"}
EXIT_CODES = {
    errors.EXIT_OK: "Done.",
    errors.EXIT_INTERNAL: "A bug in cardioseg, or an unexpected error of the system.",
    errors.EXIT_USAGE: "The command, an option or a setting is wrong.",
    errors.EXIT_SOME_FAILED: "Some cases failed. The others are done.",
    errors.EXIT_INPUT: "An input file or data set cannot be used.",
    errors.EXIT_MODEL: "A model is missing, damaged or not the one its metadata describes.",
    errors.EXIT_RESOURCES: "The output cannot be written: it exists, or disk or memory is full.",
    errors.EXIT_QUALITY: "Done, but a quality check failed. Only with `--strict`.",
    errors.EXIT_INTERRUPTED: "Interrupted, for example with Ctrl-C.",
}
JSON_KEYS = {
    "schema": f"Version of this object's layout, now {SCHEMA}.",
    "version": "Version of cardioseg.",
    "verb": "The command, such as `segment`.",
    "exit_code": "The exit code of the process.",
    "data": "The results. Their keys depend on the command. Empty after an error.",
    "warnings": "All warnings, one text each.",
    "files": "Paths of the files to open first.",
    "error": "The error message. Only after an error.",
}
INTRODUCTION = """\
# Command line

<!-- Made by `python -m cardioseg.cli.reference > docs/cli.md`; do not edit by hand. -->

`cardioseg --help` lists the commands, and `cardioseg COMMAND --help` the options of one. Results go
to standard output; progress, warnings and errors go to standard error. More than three warnings are
shortened to one line per kind, and `--json` prints all of them.
"""
EXIT_RULES = """\
## Exit rules

`--exit RULE` or `--exit RULE:THRESHOLD` decides when a token stops looping. Not every model can
follow every rule; the error message names those it can.
"""
CODES = """\
## Exit codes

After an error, one line on standard error names the file, what was found, what was expected and
what to do. Set `CARDIOSEG_DEBUG=1` to see the traceback as well. `cardioseg segment` and `cardioseg
prepare` can be run again with the same options: finished cases are kept, and the rest is done.
"""
JSON = """\
## JSON output

With `--json`, every command prints one object with these keys:
"""


@dataclass(frozen=True)
class Entry:
    """One argument or option in a table."""

    panel: str
    name: str
    value: str
    meaning: str
    default: str


def page() -> str:
    """The whole page."""
    from cardioseg.cli.app import app

    verbs = list(_verbs(app, "cardioseg"))
    parts = [INTRODUCTION, _contents(verbs)]
    parts += [_verb(name, command) for name, command in verbs]
    parts += [EXIT_RULES, _rules()]
    parts += [
        CODES,
        _table(("code", "meaning"), [(str(n), text) for n, text in EXIT_CODES.items()]),
    ]
    parts += [JSON, _table(("key", "meaning"), [(f"`{k}`", text) for k, text in JSON_KEYS.items()])]
    return "\n".join(parts).rstrip() + "\n"


def _contents(verbs: list[tuple[str, Any]]) -> str:
    rows = [
        (f"[`{name}`](#{name.replace(' ', '-')})", _summary(command.callback))
        for name, command in verbs
    ]
    return _table(("command", "what it does"), rows)


def _rules() -> str:
    rows = [
        (f"`{rule.name}`", rule.summary.replace("THRESHOLD", "the threshold"), _threshold(rule))
        for rule in RULES.values()
    ]
    return _table(("rule", "a token stops when", "default threshold"), rows)


def _threshold(rule: RuleSpec) -> str:
    if not rule.exits_early:
        return NONE
    return "the model's" if rule.threshold is None else f"{rule.threshold:g}"


def _verbs(app: typer.Typer, prefix: str) -> Iterator[tuple[str, Any]]:
    """Full name and Typer's record of each verb."""
    for command in app.registered_commands:
        yield f"{prefix} {command.name}", command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from _verbs(group.typer_instance, f"{prefix} {group.name}")


def _verb(name: str, command: Any) -> str:
    entries = [_entry(parameter, hint) for parameter, hint in _parameters(command.callback)]
    panels = list(dict.fromkeys(entry.panel for entry in entries))
    arguments = [entry.name.strip("`") for entry in entries if entry.panel == ARGUMENTS]
    example = command.epilog.removeprefix("Example: ").strip("`")
    parts = [
        f"## {name}\n",
        inspect.getdoc(command.callback) or "",
        "",
        f"Usage: `{' '.join([name, *arguments, '[OPTIONS]'])}`\n",
        f"```console\n$ {example}\n```\n",
    ]
    for panel in panels:
        rows = [
            (entry.name, entry.value, entry.meaning, entry.default)
            for entry in entries
            if entry.panel == panel
        ]
        first = "argument" if panel == ARGUMENTS else "option"
        parts += [f"**{panel}**\n", _table((first, "value", "meaning", "default"), rows)]
    return "\n".join(parts)


def _parameters(callback: Callable[..., None]) -> Iterator[tuple[inspect.Parameter, Any]]:
    """Each parameter with its annotation."""
    hints = get_type_hints(callback, include_extras=True)
    for parameter in inspect.signature(callback).parameters.values():
        yield parameter, hints[parameter.name]


def _entry(parameter: inspect.Parameter, hint: Any) -> Entry:
    kind, info = get_args(hint)[0], _info(hint)
    if isinstance(info, ArgumentInfo):
        shown, text = _argument(parameter, kind, info), info.help or ""
        return Entry(ARGUMENTS, shown, _value(kind), text, _default(parameter, info))
    names = ", ".join(f"`{text}`" for text in (info.default, *(info.param_decls or ())))
    value = f"`{info.metavar}`" if info.metavar else _value(kind)
    if isinstance(info, OptionInfo) and info.min is not None:
        value += f" ≥ {info.min:g}"
    panel = info.rich_help_panel or "Options"
    return Entry(panel, names, value, info.help or "", _default(parameter, info))


def _argument(parameter: inspect.Parameter, kind: Any, info: ArgumentInfo) -> str:
    """An argument as the usage line shows it."""
    name = info.metavar or parameter.name.upper()
    bare = f"{name}..." if get_origin(_without_none(kind)) is list else name
    return f"`{bare}`" if parameter.default is parameter.empty else f"`[{bare}]`"


def _info(hint: Any) -> ParameterInfo:
    return next(part for part in get_args(hint) if isinstance(part, ParameterInfo))


def _without_none(kind: Any) -> Any:
    """``X`` of ``X | None``."""
    if get_origin(kind) in (Union, UnionType):
        return next(part for part in get_args(kind) if part is not type(None))
    return kind


def _value(kind: Any) -> str:
    """What a person writes after the option; "" for a switch."""
    bare = _without_none(kind)
    if get_origin(bare) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(bare))
    return KINDS[get_args(bare)[0] if get_origin(bare) is list else bare]


def _default(parameter: inspect.Parameter, info: ParameterInfo) -> str:
    if parameter.default is parameter.empty:
        return "required"
    if isinstance(info.show_default, str):
        return info.show_default
    return NONE if parameter.default in (None, False, "") else f"`{parameter.default}`"


def _summary(callback: Callable[..., None]) -> str:
    return (inspect.getdoc(callback) or "").split("\n\n")[0].replace("\n", " ")


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table and an empty line."""
    cells = [columns, ("---",) * len(columns), *rows]
    lines = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)
    return "\n".join((*lines, ""))


if __name__ == "__main__":
    sys.stdout.write(page())
