"""Case names that look like several phases of one patient, whom a split would separate."""

import re
from collections.abc import Iterable

# A part with a digit, then one more: heart_001_01, heart_001_12, p7_dia.
LAST_PART = re.compile(r"(?P<stem>.*\d.*)[_-][^_-]+", re.DOTALL)
FEWEST = 5  # with fewer patients a common beginning may name a patient, not the data set


def look_alikes(patients: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of patients whose names differ only in their last part.

    A beginning that all of five or more patients share names the data set and is not reported.
    """
    names = sorted(set(patients))
    groups: dict[str, list[str]] = {}
    for name in names:
        match = LAST_PART.fullmatch(name)
        if match:
            groups.setdefault(match["stem"], []).append(name)
    return [
        tuple(group)
        for group in groups.values()
        if len(group) > 1 and not (len(group) == len(names) >= FEWEST)
    ]


def look_alike_warnings(patients: Iterable[str]) -> tuple[str, ...]:
    """A warning about patients who look like one; () without any."""
    groups = look_alikes(patients)
    if not groups:
        return ()
    text = (
        f"{len(groups)} groups of names look like phases of one patient "
        f"({', '.join(groups[0][:3])} …) but count as different patients; "
        "if they are one, name the patients in a CSV table"
    )
    return (text,)
