"""Association of two maps: AUROC, rank correlation, mutual information with a permutation null.

Sources: Hanley and McNeil 1982 (AUROC as the Mann-Whitney statistic); Strehl and Ghosh 2002 (mutual
information over the geometric mean of the entropies).
"""

import numpy as np
from scipy.stats import rankdata


def auroc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Probability that a positive scores above a negative, ties counting half; None without both.

    Args:
        score: (n,) numbers.
        positive: (n,) bool.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    ranks = rankdata(score)[positive].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's correlation of (n,) and (n,); None where one of them is constant."""
    ranks = [rankdata(values) for values in (a, b)]
    if any(rank.std() == 0 for rank in ranks):
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def same_values(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Reassign the values so that they rank as ``order`` does: another map with the same total.

    Args:
        values: (n,), such as loops used.
        order: (n,), such as edge strength; its largest entry gets the largest value.
    """
    dealt = np.empty_like(values)
    dealt[np.argsort(order, kind="stable")] = np.sort(values)
    return dealt


def normalised_mutual_information(table: np.ndarray) -> float | None:
    """Mutual information over the geometric mean of the entropies, 0 to 1.

    Args:
        table: (a, b) counts of value a with value b.

    Returns:
        None where one side has a single value.
    """
    joint = table / table.sum()
    rows, columns = joint.sum(1), joint.sum(0)
    entropies = [-float((p[p > 0] * np.log(p[p > 0])).sum()) for p in (rows, columns)]
    if min(entropies) <= 0:
        return None
    present = joint > 0
    information = float(
        (joint[present] * np.log(joint[present] / np.outer(rows, columns)[present])).sum()
    )
    return max(information, 0.0) / float(np.sqrt(entropies[0] * entropies[1]))


def counted(a: np.ndarray, b: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Count each pair of values of a (n,) and b (n,) in a table of ``shape``."""
    return np.bincount(a * shape[1] + b, minlength=shape[0] * shape[1]).reshape(shape)


def permutation_null(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray, *, rounds: int, random: np.random.Generator
) -> list[float]:
    """Null distribution: normalised mutual information with b shuffled within each group.

    Args:
        a: (n,) non-negative integers.
        b: (n,) non-negative integers.
        groups: (n,), such as the image that each entry comes from.
        rounds: number of shuffles.
        random: generator of the shuffles.
    """
    shape = int(a.max()) + 1, int(b.max()) + 1
    by_group = np.argsort(groups, kind="stable")
    sides, of = a[by_group], groups[by_group]
    values = []
    for _ in range(rounds):
        shuffled = b[by_group][np.lexsort((random.random(len(b)), of))]
        values.append(normalised_mutual_information(counted(sides, shuffled, shape)) or 0.0)
    return values
