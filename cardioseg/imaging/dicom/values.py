"""Numbers and words of DICOM attributes, which may be missing, empty or malformed."""

import math
from collections.abc import Mapping
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

Facts = Mapping[str, Any] | Dataset


def listed(value: Any) -> list[Any]:
    """The values of an attribute that holds one, several or none."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple, MultiValue, Sequence)) else [value]


def vector(facts: Facts, keyword: str, length: int) -> tuple[float, ...] | None:
    """``length`` finite numbers; None where the attribute is missing or anything else."""
    try:
        numbers = tuple(float(part) for part in listed(facts.get(keyword)))
    except (TypeError, ValueError, OverflowError):
        return None
    usable = len(numbers) == length and all(math.isfinite(part) for part in numbers)
    return numbers if usable else None


def number(facts: Facts, keyword: str) -> float | None:
    """One finite number, or None."""
    values = vector(facts, keyword, 1)
    return None if values is None else values[0]


def first_number(facts: Facts, *keywords: str) -> float | None:
    """The first of several attributes that holds a number."""
    values = (number(facts, keyword) for keyword in keywords)
    return next((value for value in values if value is not None), None)


def within(value: float | None, low: float, high: float) -> float | None:
    """``value`` where it is plausible: scanners write 0 for unknown, and heights in cm for m."""
    return value if value is not None and low <= value <= high else None


def words(facts: Facts, keyword: str) -> list[str]:
    """The values of an attribute as upper-case text."""
    return [str(part).strip().upper() for part in listed(facts.get(keyword))]
