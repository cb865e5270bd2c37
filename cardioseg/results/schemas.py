"""JSON schemas of the stored records, and the page of the documentation that lists their keys.

``python -m cardioseg.results.schemas docs`` writes ``docs/schemas/*.json`` and
``docs/records.md``; a test compares them.
"""

import json
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue

from cardioseg.clinical.rules import CINE_RULES, MASK_RULES, PAIR_RULES, QualityRule
from cardioseg.clinical.shape import MEASURES, Measure
from cardioseg.core.atomic import write_text
from cardioseg.core.record import StoredRecord, described
from cardioseg.evaluation.summary import Evaluation
from cardioseg.results.records import ClinicalRecord, RunRecord

RECORDS: dict[str, type[StoredRecord]] = {
    "X_run.json": RunRecord,
    "X_clinical.json": ClinicalRecord,
    "metrics.json": Evaluation,
}
RULE_TABLES = {
    "One mask": MASK_RULES,
    "ED and ES together": PAIR_RULES,
    "A cine": CINE_RULES,
}
RULES_HEAD = """\
# Quality rules

Made by `python -m cardioseg.results.schemas docs`; do not edit by hand.

Each case gets a verdict: `fail` means that something is wrong that no expert mask of ACDC shows,
`warn` that a person should look, `pass` that no rule was broken. A note does not change the
verdict. A pass is no promise: the rules see shapes and probabilities, not whether the heart is
where the mask is.

A reason names the rule, the phase, the slices or frames, the value and the limit. A stack that
cannot hold a ventricle (fewer than 6 slices, or shorter than 45 mm) has no EDV, ESV, EF or mass,
and a number that no heart has (a negative EF, an EF above 90 %, a ventricle of litres) is null;
the reason stands under `reasons`. A frame of a cine whose LV volume does not fit the frames before
and after it is never taken as ED or ES.
"""
HEAD = """\
# Keys of the records

Made by `python -m cardioseg.results.schemas docs`; do not edit by hand.

A record names its layout in `schema_version`. cardioseg reads only its own version and names any
other file as unreadable.
"""


def schema_of(kind: type[StoredRecord]) -> str:
    """The JSON schema of a record as a file's content."""
    schema = kind.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def files(records: dict[str, type[StoredRecord]]) -> dict[str, str]:
    """Path below the documentation's folder → content."""
    made = {f"schemas/{_stem(name)}.schema.json": schema_of(kind) for name, kind in records.items()}
    return made | {"records.md": page(records), "quality.md": rules_page()}


def page(records: dict[str, type[StoredRecord]]) -> str:
    """The page with a table for each record."""
    parts = [HEAD]
    for name, kind in records.items():
        schema = f"[JSON schema](schemas/{_stem(name)}.schema.json)"
        rows = [f"| `{key}` | {shape} | {text} |" for key, shape, text, _ in keys(kind)]
        table = "\n".join(("| key | type | meaning |", "|---|---|---|", *rows))
        parts.append(f"## {name}\n\n{sentence(kind)} {schema}\n\n{table}\n")
    return "\n".join(parts)


def rules_page() -> str:
    """The page of the quality rules: what each says and where its limits are."""
    parts = [RULES_HEAD]
    for title, rules in RULE_TABLES.items():
        rows = [
            f"| `{rule.name}` | {rule.text.format(value='…')} | {_limits(rule)} |" for rule in rules
        ]
        table = "\n".join(("| rule | what it says | limits |", "|---|---|---|", *rows))
        parts.append(f"## {title}\n\n{table}\n")
    rows = [f"| `{name}` | {_first_line(measure)} |" for name, (_, measure) in MEASURES.items()]
    table = "\n".join(("| measure | meaning |", "|---|---|", *rows))
    parts.append(f"## Measures of a mask\n\n{table}\n")
    return "\n".join(parts)


def _limits(rule: QualityRule) -> str:
    side = "below" if rule.least else "above"
    limits = {"note": rule.note, "warn": rule.warn, "fail": rule.fail}
    found = [f"{name} {side} {rule.shown(x)}" for name, x in limits.items() if x is not None]
    return ", ".join(found)


def _first_line(measure: Measure) -> str:
    text = (measure.__doc__ or "Volume in ml.").partition("\n")[0]
    return text.replace("``OPEN``", "20 %").replace("|", "\\|")


def sentence(kind: type[BaseModel]) -> str:
    """What a record is, from its docstring: the first line after the name."""
    text = (kind.__doc__ or "").partition("\n")[0].partition(": ")[2]
    return text[:1].upper() + text[1:]


class Key(NamedTuple):
    """A key of a record.

    Attributes:
        name: dotted.
        shape: its type.
        text: its meaning.
        linked: the record that it holds, if that has a list of its own.
    """

    name: str
    shape: str
    text: str
    linked: type[BaseModel] | None = None


def keys(
    kind: type[BaseModel], prefix: str = "", *, linked: tuple[type[BaseModel], ...] = ()
) -> Iterator[Key]:
    """Every key of a record, nested records included.

    Args:
        kind: the record.
        prefix: of the names.
        linked: records whose keys are not listed when they are nested.
    """
    texts = described(kind)
    for name, field in kind.model_fields.items():
        text = _words(texts.get(name, field.description or ""))
        inner = _record_in(field.annotation)
        to = inner if inner in linked else None
        yield Key(f"{prefix}{name}", type_name(field.annotation), text, to)
        if inner is not None and to is None:
            many = "[]." if get_origin(field.annotation) is tuple else "."
            many = ".*." if get_origin(field.annotation) is dict else many
            yield from keys(inner, f"{prefix}{name}{many}", linked=linked)


def type_name(annotation: Any) -> str:
    """A type as the page shows it."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name(inside[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" if value else "empty" for value in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(type_name(part) for part in inside)
    if origin is dict:
        return f"object of {type_name(inside[1])}"
    if origin in (tuple, list):
        return f"list of {type_name(inside[0])}"
    return _plain_name(annotation)


def _plain_name(annotation: Any) -> str:
    """The name of a type without parts."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "object"
    names: dict[Any, str] = {str: "text", float: "number", int: "integer", bool: "true or false"}
    names |= {JsonValue: "any JSON", type(None): "null"}
    return names.get(annotation, str(annotation))


def _words(text: str) -> str:
    """The text of a docstring as JSON's readers understand it."""
    return re.sub(r"\bNone\b", "null", text).replace("|", "\\|").replace("``", "`").rstrip(".")


def _record_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a type is, or holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_record_in(part) for part in get_args(annotation))
    return next((kind for kind in found if kind is not None), None)


def _stem(name: str) -> str:
    return name.removeprefix("X_").removesuffix(".json")


if __name__ == "__main__":
    for path, content in files(RECORDS).items():
        write_text(Path(sys.argv[1]) / path, content)
