"""Summaries of a series of measurements, and the agreement between two series.

Source: Bland and Altman (1986) for agreement. Does not know what was measured.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from cardioseg.core.record import Record

LIMITS_OF_AGREEMENT_SD = 1.96
DECIMALS = 6  # far below any tolerance here, and the same text on every machine


class Spread(Record):
    """Distribution of one measurement; None where there are too few values.

    Attributes:
        n: number of values.
        mean: mean.
        sd: sample standard deviation.
        median: median.
        p5: 5th percentile.
        p95: 95th percentile.
    """

    n: int = 0
    mean: float | None = None
    sd: float | None = None
    median: float | None = None
    p5: float | None = None
    p95: float | None = None


class Agreement(Record):
    """Agreement of predicted and reference values, in their unit; None if there are too few.

    Attributes:
        bias: mean of predicted - reference.
        sd: sample standard deviation of that difference.
        lower: lower limit of agreement, bias - 1.96 sd.
        upper: upper limit of agreement, bias + 1.96 sd.
        r: Pearson's correlation; None for fewer than three pairs, or without variance.
        mae: mean absolute error.
        n: number of pairs.
        failed: number of patients without a pair.
        reasons: patient → why there is no pair.
    """

    bias: float | None = None
    sd: float | None = None
    lower: float | None = None
    upper: float | None = None
    r: float | None = None
    mae: float | None = None
    n: int = 0
    failed: int = 0
    reasons: dict[str, str]


def summarise(values: Iterable[float | None]) -> Spread:
    """Distribution of the values that are not None."""
    known = np.array([value for value in values if value is not None], dtype=float)
    if not len(known):
        return Spread()
    p5, median, p95 = (rounded(value) for value in np.percentile(known, (5, 50, 95)))
    sd = rounded(known.std(ddof=1)) if len(known) > 1 else None
    return Spread(n=len(known), mean=rounded(known.mean()), sd=sd, median=median, p5=p5, p95=p95)


def agreement(
    predicted: Sequence[float | None],
    reference: Sequence[float | None],
    *,
    reasons: dict[str, str] | None = None,
) -> Agreement:
    """Agreement of two series of one measurement.

    Args:
        predicted: one value per patient; None where it could not be computed.
        reference: of the same patients.
        reasons: patient → why there is no pair.
    """
    both = zip(predicted, reference, strict=True)
    pairs = np.array([pair for pair in both if None not in pair], dtype=float).reshape(-1, 2)
    counts = Agreement(n=len(pairs), failed=len(predicted) - len(pairs), reasons=reasons or {})
    if not len(pairs):
        return counts
    a, b = pairs.T
    found = {"bias": rounded((a - b).mean()), "mae": rounded(np.abs(a - b).mean())}
    return counts.model_copy(update={**found, "r": _pearson(a, b), **_limits(a - b)})


def rounded(value: float) -> float:
    """``value`` with ``DECIMALS`` decimals."""
    return round(float(value), DECIMALS)


def _limits(difference: np.ndarray) -> dict[str, float]:
    """Standard deviation and limits of agreement; empty for fewer than two pairs."""
    if len(difference) < 2:
        return {}
    bias, sd = difference.mean(), difference.std(ddof=1)
    half = LIMITS_OF_AGREEMENT_SD * sd
    return {"sd": rounded(sd), "lower": rounded(bias - half), "upper": rounded(bias + half)}


def _pearson(a: np.ndarray, b: np.ndarray) -> float | None:
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return rounded(np.corrcoef(a, b)[0, 1])
