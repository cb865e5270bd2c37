"""One reader of JSON from outside: whatever is wrong with the text is a ``ValueError``."""

import json
from pathlib import Path
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: not JSON, nested too deeply, or a number that is not finite.
    """
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("lists or objects nested too deeply") from None


def read_json(path: Path) -> Any:
    """Parse a JSON file in UTF-8.

    Raises:
        OSError: it cannot be read.
        ValueError: as ``parse_json``, or not UTF-8.
    """
    return parse_json(path.read_text(encoding="utf-8-sig"))


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{text[:20]} is not a finite number")
    return number
