"""All errors, with the exit code that each gives a command.

    CardioSegError          1   base class; never raised itself
    ├── UsageError          2   invalid options or arguments
    │   └── ConfigError     2   an unknown setting, or a value out of range
    ├── InputError          4   an unusable file or data set
    │   ├── GeometryError   4   invalid spacing, grid or dimensions
    │   └── LabelError      4   unknown label values
    ├── ModelError          5   a missing or damaged model, or one that differs from its metadata
    └── OutputError         6   the result cannot be written

A message is one line: file, what was found, what was expected, what to do.
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
    """An error that the user can fix.

    Args:
        file: the path or the name of the option or setting at fault.
        found: what was found.
        expected: what was expected.
        cure: what the user can do, without a full stop.
    """

    exit_code = EXIT_INTERNAL

    def __init__(self, file: Path | str, *, found: str, expected: str, cure: str) -> None:
        self.file, self.found, self.expected, self.cure = str(file), found, expected, cure
        text = f"{file}: found {found}; expected {expected}; {cure}"
        super().__init__(" ".join(text.split()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with all arguments, so that the error survives a worker process."""
        return partial(
            type(self), self.file, found=self.found, expected=self.expected, cure=self.cure
        ), ()


class UsageError(CardioSegError):
    """Options or arguments are invalid or contradict each other."""

    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    """A setting is unknown, of the wrong type or out of range."""


class InputError(CardioSegError):
    """A file or data set cannot be used."""

    exit_code = EXIT_INPUT


class GeometryError(InputError):
    """Spacing, grid or dimensions are invalid, or two grids differ."""


class LabelError(InputError):
    """A mask holds values that are not in its label table."""


class ModelError(CardioSegError):
    """A model is missing, damaged, or differs from its metadata."""

    exit_code = EXIT_MODEL


class OutputError(CardioSegError):
    """A result cannot be written: full disk, no permission, or the file exists already."""

    exit_code = EXIT_RESOURCES


def exit_code(error: BaseException) -> int:
    """The exit code of a command that ``error`` stopped."""
    if isinstance(error, CardioSegError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return EXIT_RESOURCES if _out_of_resources(error) else EXIT_INTERNAL


def explain(error: BaseException) -> str:
    """Describe any error, also those of other libraries, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, CardioSegError):
        return text
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"out of memory ({text}); use a smaller --window or another --device"
    if _loader_killed(error):
        return f"out of resources ({text}); run again with --set training.workers=0"
    if _out_of_resources(error):
        return f"out of resources ({text}); free space or memory and run the same command again"
    return (
        f"{type(error).__name__}: {text}; this is a bug in cardioseg; "
        "set CARDIOSEG_DEBUG=1 for the traceback"
    )


def explain_of(file: Path, error: BaseException) -> str:
    """As ``explain``, with the file in front where the text does not name it."""
    text = explain(error)
    return text if " ".join(str(file).split()) in text else f"{file}: {text}"


def _out_of_resources(error: BaseException) -> bool:
    """Whether disk or memory ran out; torch's errors are matched by text, to avoid importing it."""
    full_disk = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    torch_says = "DefaultCPUAllocator: can't allocate memory" in str(error)
    return full_disk or out_of_memory or torch_says or _loader_killed(error)


def _loader_killed(error: BaseException) -> bool:
    """Whether a process that loads training data died, or found too little shared memory."""
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "DataLoader worker" in text or "unable to allocate shared memory" in text
    )
