"""Everything that can go wrong, with the exit code it ends a command with.

    CardioSegError          1   internal; never shown on purpose
    ├── UsageError          2   the call contradicts itself
    │   └── ConfigError     2   a setting is unknown or out of range
    ├── InputError          4   a file or data set cannot be used as it is
    │   ├── GeometryError   4   spacing, grid or dimensions
    │   └── LabelError      4   label values
    ├── ModelError          5   a model is missing, broken or not the one its card names
    └── OutputError         6   the result cannot be written

A message is one line: file · what was found · what was expected · what to do.
"""

import errno
from functools import partial
from pathlib import Path
from typing import Any

EXIT_OK = 0
EXIT_INTERNAL = 1
EXIT_USAGE = 2
EXIT_SOME_FAILED = 3
EXIT_INPUT = 4
EXIT_MODEL = 5
EXIT_RESOURCES = 6
EXIT_QUALITY = 7
EXIT_INTERRUPTED = 130


class CardioSegError(Exception):
    """An error a person can act on.

    Args:
        file: what it is about: a path, or the name of a setting.
        found: what is there.
        expected: what should be there.
        cure: what the person can do, as a sentence without a full stop.
    """

    exit_code = EXIT_INTERNAL

    def __init__(self, file: Path | str, *, found: str, expected: str, cure: str) -> None:
        self.file, self.found, self.expected, self.cure = str(file), found, expected, cure
        text = f"{file}: found {found}; expected {expected}; {cure}"
        super().__init__(" ".join(text.split()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross from a worker process whole."""
        return partial(
            type(self), self.file, found=self.found, expected=self.expected, cure=self.cure
        ), ()


class UsageError(CardioSegError):
    """The call contradicts itself."""

    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    """A setting is unknown, of the wrong type or out of range."""


class InputError(CardioSegError):
    """A file or a data set cannot be used as it is."""

    exit_code = EXIT_INPUT


class GeometryError(InputError):
    """Spacing, grid or dimensions make no sense, or two grids differ."""


class LabelError(InputError):
    """A mask holds values that its label table does not name."""


class ModelError(CardioSegError):
    """A model is missing, broken or not the one its metadata names."""

    exit_code = EXIT_MODEL


class OutputError(CardioSegError):
    """A result cannot be written: the disk is full, the folder is closed, or the file is already there."""

    exit_code = EXIT_RESOURCES


def exit_code(error: BaseException) -> int:
    """What a command ends with when ``error`` ends it."""
    if isinstance(error, CardioSegError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return EXIT_RESOURCES if _out_of_resources(error) else EXIT_INTERNAL


def explain(error: BaseException) -> str:
    """One line about any error, foreign ones included."""
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


def explain_of(file: Path, error: BaseException) -> str:
    """As ``explain``, led by the file where the line does not name it."""
    text = explain(error)
    return text if " ".join(str(file).split()) in text else f"{file}: {text}"


def _out_of_resources(error: BaseException) -> bool:
    """Disk or memory ran out; torch is recognised by name and text, since importing it here would cost seconds."""
    full_disk = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return full_disk or out_of_memory or "DefaultCPUAllocator: can't allocate memory" in str(error)
