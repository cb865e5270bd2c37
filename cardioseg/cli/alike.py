"""Warnings of many cases, shortened to one line per kind."""

import re
from collections.abc import Sequence

FEW = 3  # this many warnings are shown as they are
FAILURE = re.compile(r": found .+; expected .+; ")  # the form of every CardioSegError
BRACKETS = re.compile(r"\([^)]*\)")
DIGITS = re.compile(r"\d+(?:[.,]\d+)?")


def shortened(warnings: Sequence[str]) -> list[str]:
    """One line per kind of warning, if there are more than ``FEW``.

    The line quotes the first warning of its kind and gives their number. A case that failed keeps
    its own line, because its cure depends on its file.
    """
    if len(warnings) <= FEW:
        return list(warnings)
    kinds: dict[str, list[str]] = {}
    for text in warnings:
        kinds.setdefault(_kind(text), []).append(text)
    return [
        same[0] if len(same) == 1 else f"{len(same)} like this: {same[0]}"
        for same in kinds.values()
    ]


def _kind(text: str) -> str:
    """What warnings of one kind have in common: the words after the case, without numbers."""
    if FAILURE.search(text):
        return text
    case, colon, words = text.partition(": ")
    return DIGITS.sub("#", BRACKETS.sub("", words if colon else case)).split(": ")[0].strip()
