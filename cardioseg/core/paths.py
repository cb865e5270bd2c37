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
        if os.fspath(value):
            return Path(value)
        raise UsageError(argument, found="an empty string", expected=expected, cure=cure)
    found = f"an object of type {type(value).__name__}"
    raise UsageError(argument, found=found, expected=expected, cure=cure)
