"""Loop budgets and exit rules: how long a token may loop, and when it may stop earlier.

``RULES`` holds the facts about each rule that need no torch. ``layers.exits`` holds the code: one
class per rule.
"""

import math
from dataclasses import dataclass
from typing import Literal

from cardioseg.core.errors import UsageError

MOST_LOOPS = 255  # halting maps are uint8

Part = Literal["none", "halting", "oracle", "ranker"]


@dataclass(frozen=True)
class RuleSpec:
    """Facts about an exit rule.

    Attributes:
        name: as on the command line.
        summary: when a token exits, for help texts.
        needs: trained part of the network that the rule reads: a "halting" head, a halting head
            taught by the "oracle", a "ranker", or "none".
        threshold: default, in the rule's own unit; None takes the network's halting threshold.
        first_loop: first loop after which the rule can tell tokens apart.
        exits_early: whether a token can exit before the budget is spent.
        decodes: whether it decodes the whole image after every loop.
    """

    name: str
    summary: str
    needs: Part = "none"
    threshold: float | None = 0.0
    first_loop: int = 1
    exits_early: bool = True
    decodes: bool = False


_SPECS = (
    RuleSpec("fixed", "never: every token uses the whole loop budget", exits_early=False),
    RuleSpec("act", "its summed halting probability reaches THRESHOLD", "halting", threshold=None),
    RuleSpec("learned", "its halting probability reaches THRESHOLD", "oracle", threshold=None),
    RuleSpec("ranker", "it has used the loops that the ranker gave it", "ranker"),
    RuleSpec("argmax", "its classes stay the same from loop to loop", first_loop=2, decodes=True),
    RuleSpec("accel", "its state's change settles below THRESHOLD", threshold=0.1, first_loop=2),
    RuleSpec("entropy", "its class entropy falls below THRESHOLD", threshold=0.05, decodes=True),
)
RULES = {spec.name: spec for spec in _SPECS}


def rules_for(*parts: Part) -> tuple[str, ...]:
    """Names of the rules that a network can follow, its default first.

    Args:
        parts: what the network trained for its rules, in order of preference.
    """
    return tuple(
        name for part in (*parts, "none") for name, spec in RULES.items() if spec.needs == part
    )


@dataclass(frozen=True)
class ExitRule:
    """The exit rule that a caller asks for.

    Attributes:
        name: one of ``RULES``; None takes the network's default.
        threshold: in the rule's own unit; None takes the default.
        compute: mean share of the loop budget that tokens may use, in (0, 1]. The least settled
            tokens continue, whatever the threshold. None leaves it to the threshold.
    """

    name: str | None = None
    threshold: float | None = None
    compute: float | None = None

    def among(self, known: tuple[str, ...]) -> RuleSpec:
        """The rule of this name, or the first of ``known`` without a name.

        Raises:
            ValueError: the name is not in ``known``.
        """
        name = known[0] if self.name is None else self.name
        if name not in known:
            raise ValueError(f"exit {name!r} is none of {', '.join(known)}")
        return RULES[name]


OWN = ExitRule()


@dataclass(frozen=True)
class Depth:
    """Loop budget (None: the network's own) and exit rule of a prediction."""

    loops: int | None = None
    rule: ExitRule = OWN


OWN_DEPTH = Depth()


def parse_exit(text: str | None, compute: float | None = None) -> ExitRule:
    """Read ``NAME`` or ``NAME:THRESHOLD``, as given on the command line.

    Raises:
        UsageError: unknown name, threshold that is not a number, or share outside (0, 1].
    """
    if compute is not None and not 0 < compute <= 1:
        raise UsageError(
            "--compute",
            found=f"{compute:g}",
            expected="a share above 0, at most 1",
            cure="choose a value in that range",
        )
    if text is None:
        return ExitRule(compute=compute)
    name, colon, number = text.partition(":")
    if name not in RULES:
        raise UsageError(
            "--exit",
            found=repr(name),
            expected=f"one of {', '.join(RULES)}",
            cure="correct the name",
        )
    threshold = _threshold(text, number) if colon else None
    _check_combination(name, threshold, compute)
    return ExitRule(name, threshold, compute)


def _check_combination(name: str, threshold: float | None, compute: float | None) -> None:
    if threshold is not None and compute is not None:
        raise UsageError(
            "--exit",
            found=f"a threshold and --compute {compute:g}",
            expected="one of the two",
            cure="drop one",
        )
    if not RULES[name].exits_early and (threshold is not None or compute is not None):
        raise UsageError(
            "--exit",
            found=f"{name} with a threshold or --compute",
            expected=f"{name} alone: under it no token exits early",
            cure="use --loops to run fewer loops everywhere",
        )


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
    """Check that a model can run a loop budget and follow an exit rule.

    Args:
        depth: what the caller asks for.
        loops: the resulting budget.
        known: exit rules that the model's network can follow, its default first.
        model: name of the model, for the error.

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
        raise UsageError(
            "--exit",
            found=f"{rule.name} with {model}",
            expected=f"one of {', '.join(known)}",
            cure="choose one of them, or another --model",
        )
    if rule.compute is not None:
        _check_compute(rule.compute, rule.among(known), loops=loops, known=known, model=model)


def _check_compute(
    compute: float, spec: RuleSpec, *, loops: int, known: tuple[str, ...], model: str
) -> None:
    if not spec.exits_early:
        others = ", ".join(name for name in known if RULES[name].exits_early)
        raise UsageError(
            "--compute",
            found=f"{model}, which runs every loop for every token under {spec.name}",
            expected="a rule under which tokens exit early",
            cure=f"add --exit, one of {others}" if others else "use --loops, or another --model",
        )
    if compute * loops < spec.first_loop:
        least = spec.first_loop / loops
        raise UsageError(
            "--compute",
            found=f"{compute:g}",
            expected=f"at least {least:.3g}: every token runs {spec.first_loop} of {loops} loops",
            cure="raise --compute or --loops",
        )
