"""The base of everything that is stored as JSON and read again: frozen, and checked on reading.

A record is the only definition of its keys. Whoever writes it calls ``write``, whoever reads it
calls ``read``.
"""

import json
import re
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from cardioseg.core.atomic import write_text
from cardioseg.core.errors import InputError

ATTRIBUTE = re.compile(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", re.MULTILINE)
RESEARCH_USE = "Research use only. Not a medical device."


def described(kind: type[BaseModel]) -> dict[str, str]:
    """Field → its text in the Attributes section of the docstrings of a class and its bases."""
    found: dict[str, str] = {}
    for parent in reversed(kind.__mro__):
        section = (parent.__doc__ or "").partition("Attributes:")[2]
        found |= {name: " ".join(text.split()) for name, text in ATTRIBUTE.findall(section)}
    return {name: text for name, text in found.items() if name in kind.model_fields}


def _describe(schema: dict[str, Any], kind: type[BaseModel]) -> None:
    """Put the docstring's words into a JSON schema: for the class and for each field."""
    schema["description"] = (kind.__doc__ or "").partition("\n")[0].replace("``", "")
    for name, text in described(kind).items():
        schema["properties"][name]["description"] = text


class Record(BaseModel):
    """A frozen part of a record; unknown keys, NaN and infinity are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, json_schema_extra=_describe
    )


class StoredRecord(Record):
    """A record that is a file of its own; ``schema_version`` says how it is laid out.

    Attributes:
        KIND: what the file is, for messages.
        VERSION: the layout that this version of cardioseg writes and reads.
        schema_version: the layout of this file.
    """

    KIND: ClassVar[str] = "record"
    VERSION: ClassVar[int] = 1

    schema_version: int

    def as_json(self) -> str:
        """The file's content."""
        return json.dumps(self.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"

    def write(self, path: Path) -> None:
        """Write the record atomically.

        Raises:
            OutputError: the folder cannot be written.
        """
        write_text(path, self.as_json())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the record of a file.

        Raises:
            InputError: missing, unreadable, of another version, or not such a record.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise cls._unusable(path, f"unreadable data ({_first_line(error)})") from None
        version = found.get("schema_version") if isinstance(found, dict) else None
        if version != cls.VERSION:
            raise cls._unusable(path, _version_text(found, version))
        return cls.from_json(found, path=path)

    @classmethod
    def from_json(cls, found: Any, *, path: Path) -> Self:
        """The record in parsed JSON; ``path`` is for messages.

        Raises:
            InputError: a key is unknown or missing, or a value is of another type.
        """
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise cls._unusable(path, f"{key or 'the record'}: {first['msg'].lower()}") from None

    @classmethod
    def _unusable(cls, path: Path, found: str) -> InputError:
        expected = f"a {cls.KIND} of version {cls.VERSION}"
        cure = "run the command that wrote it again with this version of cardioseg"
        return InputError(path, found=found, expected=expected, cure=cure)


def _version_text(found: Any, version: Any) -> str:
    if not isinstance(found, dict):
        return f"JSON that is no object ({type(found).__name__})"
    if version is None:
        return "no schema_version: the file was not written by this version of cardioseg"
    return f"schema_version {version!r}"


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
