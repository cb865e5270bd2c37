"""How far tokens may loop: a budget, and the rule by which a token leaves before it is spent.

Knows the names and the limits; what a rule looks at is the business of ``layers.exits``.
"""

import math
from dataclasses import dataclass

from cardioseg.core.errors import UsageError

EXITS = ("fixed", "act", "learned", "ranker", "argmax", "accel", "entropy")
MOST_LOOPS = 255  # halting maps are uint8
FIRST_ANSWER = {
    "accel": 2,
    "argmax": 2,
}  # loop after which a rule can tell tokens apart, where that is not the first


@dataclass(frozen=True)
class ExitRule:
    """When a token stops.

    Attributes:
        name: one of ``EXITS``; None takes the network's own.
        threshold: of the rule, in its own unit; None takes the network's or the rule's.
        compute: mean share of the loops that tokens may use, 0 to 1: the least settled go on, however settled they are. None
            leaves it to the threshold.
    """

    name: str | None = None
    threshold: float | None = None
    compute: float | None = None


OWN = ExitRule()


@dataclass(frozen=True)
class Depth:
    """Loop budget (None: the network's own) and exit rule of a prediction."""

    loops: int | None = None
    rule: ExitRule = OWN


OWN_DEPTH = Depth()


def parse_exit(text: str | None, compute: float | None = None) -> ExitRule:
    """``NAME`` or ``NAME:THRESHOLD``, as on the command line.

    Raises:
        UsageError: an unknown name, a threshold that is no number, or a share that is none.
    """
    if compute is not None and not 0 < compute <= 1:
        raise UsageError(
            "--compute",
            found=f"{compute:g}",
            expected="a share above 0, at most 1",
            cure="choose one",
        )
    if text is None:
        return ExitRule(compute=compute)
    name, colon, number = text.partition(":")
    if name not in EXITS:
        raise UsageError(
            "--exit",
            found=repr(name),
            expected=f"one of {', '.join(EXITS)}",
            cure="correct the name",
        )
    if colon and compute is not None:
        raise UsageError(
            "--exit",
            found=f"a threshold beside --compute {compute:g}",
            expected="one of them",
            cure="drop one",
        )
    if name == "fixed" and (colon or compute is not None):
        found = "a threshold or --compute with fixed, which lets no token leave"
        raise UsageError(
            "--exit",
            found=found,
            expected="fixed alone",
            cure="use --loops for fewer loops everywhere",
        )
    return ExitRule(name, _threshold(text, number) if colon else None, compute)


def _threshold(text: str, number: str) -> float:
    try:
        threshold = float(number)
    except ValueError:
        threshold = math.nan
    if not math.isfinite(threshold):
        expected = "a number after the colon, such as entropy:0.1"
        raise UsageError("--exit", found=repr(text), expected=expected, cure="correct it")
    return threshold


def check_depth(depth: Depth, *, loops: int, known: tuple[str, ...], model: str) -> None:
    """Whether a model can do what is asked.

    Args:
        depth: what is asked.
        loops: the budget that results.
        known: exits of the model's network.
        model: its name, for the error.

    Raises:
        UsageError: it cannot.
    """
    if not 1 <= loops <= MOST_LOOPS:
        raise UsageError(
            "--loops",
            found=str(loops),
            expected=f"1 to {MOST_LOOPS}",
            cure="choose a number in that range",
        )
    rule = depth.rule
    if rule.name is not None and rule.name not in known:
        cure = "choose one of them, or another --model"
        raise UsageError(
            "--exit",
            found=f"{rule.name} with {model}",
            expected=f"one of {', '.join(known)}",
            cure=cure,
        )
    if rule.compute is None:
        return
    if (rule.name or known[0]) == "fixed":
        others = ", ".join(known[1:])
        cure = f"add --exit, one of {others}" if others else "use --loops, or another --model"
        raise UsageError(
            "--compute",
            found=f"{model}, whose tokens never leave",
            expected="a rule by which they do",
            cure=cure,
        )
    first = FIRST_ANSWER.get(rule.name or known[0], 1)
    if rule.compute * loops < first:
        expected = f"at least {first / loops:.3g}: every token runs {first} of {loops} loops"
        raise UsageError(
            "--compute", found=f"{rule.compute:g}", expected=expected, cure="raise it, or --loops"
        )
