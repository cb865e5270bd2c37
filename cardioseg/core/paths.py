"""Paths that a caller of the Python API passes."""

import os
from pathlib import Path

from cardioseg.core.errors import UsageError


def as_path(
    value: object,
    argument: str,
    *,
    expected: str = "a path",
    cure: str = "pass a str or a pathlib.Path",
) -> Path:
    """``value`` as a path.

    Args:
        value: what the caller passed.
        argument: name of the argument, for the message.
        expected: what the argument may be, for the message.
        cure: what to pass instead, for the message.

    Raises:
        UsageError: neither str nor ``os.PathLike``, or empty.
    """
    if isinstance(value, (str, os.PathLike)):
        text = os.fsdecode(value)
        if text and "\0" not in text:
            return Path(text)
        found = "a null byte in a path" if text else "an empty string"
        raise UsageError(argument, found=found, expected=expected, cure=cure)
    found = f"an object of type {type(value).__name__}"
    raise UsageError(argument, found=found, expected=expected, cure=cure)
