"""JSON schemas of the stored records, and the page of the documentation that lists their keys.

``python -m cardioseg.results.schemas docs`` writes ``docs/schemas/*.json`` and ``docs/records.md``; a test compares them.
"""

import json
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from cardioseg.core.atomic import write_text
from cardioseg.core.record import StoredRecord, described
from cardioseg.evaluation.summary import Evaluation
from cardioseg.results.records import ClinicalRecord, RunRecord

RECORDS: dict[str, type[StoredRecord]] = {
    "X_run.json": RunRecord,
    "X_clinical.json": ClinicalRecord,
    "metrics.json": Evaluation,
}
HEAD = """\
# Keys of the records

Made by `python -m cardioseg.results.schemas docs`; do not edit by hand.

A record names its layout in `schema_version`. cardioseg reads only its own version and names any other file as unreadable.
"""


def schema_of(kind: type[StoredRecord]) -> str:
    """The JSON schema of a record as a file's content."""
    schema = kind.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def files(records: dict[str, type[StoredRecord]]) -> dict[str, str]:
    """Path below the documentation's folder → content."""
    made = {f"schemas/{_stem(name)}.schema.json": schema_of(kind) for name, kind in records.items()}
    return made | {"records.md": page(records)}


def page(records: dict[str, type[StoredRecord]]) -> str:
    """The page with a table for each record."""
    parts = [HEAD]
    for name, kind in records.items():
        sentence = (kind.__doc__ or "").partition("\n")[0].partition(": ")[2]
        sentence = sentence[:1].upper() + sentence[1:]
        schema = f"[JSON schema](schemas/{_stem(name)}.schema.json)"
        rows = [f"| `{key}` | {shape} | {text} |" for key, shape, text in keys(kind)]
        table = "\n".join(("| key | type | meaning |", "|---|---|---|", *rows))
        parts.append(f"## {name}\n\n{sentence} {schema}\n\n{table}\n")
    return "\n".join(parts)


def keys(kind: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Dotted key, type and meaning of every field, nested records included."""
    texts = described(kind)
    for name, field in kind.model_fields.items():
        text = _words(texts.get(name, field.description or ""))
        inner = _record_in(field.annotation)
        yield f"{prefix}{name}", type_name(field.annotation), text
        if inner is not None:
            many = "[]." if get_origin(field.annotation) is tuple else "."
            many = ".*." if get_origin(field.annotation) is dict else many
            yield from keys(inner, f"{prefix}{name}{many}")


def type_name(annotation: Any) -> str:
    """A type as the page shows it."""
    if get_origin(annotation) is Annotated:
        return type_name(get_args(annotation)[0])
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" if value else "empty" for value in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(type_name(part) for part in inside)
    if origin is dict:
        return f"object of {type_name(inside[1])}"
    if origin in (tuple, list):
        return f"list of {type_name(inside[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "object"
    names = {str: "text", float: "number", int: "integer", bool: "true or false"}
    return names.get(annotation, "null" if annotation is type(None) else str(annotation))


def _words(text: str) -> str:
    """The text of a docstring as JSON's readers understand it."""
    return re.sub(r"\bNone\b", "null", text).replace("|", "\\|").rstrip(".")


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
