"""How certain a prediction is and how many loops it used, in a few numbers.

Predictive entropy H = -Σ p log p / log K runs from 0 (certain) to 1 (all classes equally likely).
It is averaged over the predicted structures and RIM voxels around them in-plane; over the whole
image it would measure the share of background. ``clinical.quality`` decides which values are too
large.

Shape legend: U, V, W working grid, K classes.
"""

import numpy as np
from scipy.ndimage import binary_dilation, generate_binary_structure

RIM = 3  # voxels
IN_PLANE = generate_binary_structure(2, 1)[:, :, None]


def entropy_measures(probabilities: np.ndarray, names: tuple[str, ...]) -> dict[str, float | str]:
    """Mean entropy on and around the heart, and on and around each structure.

    Args:
        probabilities: (K, U, V, W) summing to 1 over K, background first.
        names: of the K classes.

    Returns:
        "entropy", and "entropy_<structure>" in lower case; text with the reason where a structure
        was not predicted.
    """
    winners = probabilities.argmax(0)
    around = _around(winners > 0)
    entropy = np.zeros(winners.shape, np.float32)
    inside = probabilities[:, around]
    entropy[around] = -(inside * np.log(np.maximum(inside, 1e-12))).sum(0) / np.log(
        len(probabilities)
    )
    found: dict[str, float | str] = {"entropy": _mean(entropy, around, "the mask is empty")}
    for value, name in enumerate(names[1:], start=1):
        found[f"entropy_{name.casefold()}"] = _mean(
            entropy, _around(winners == value), f"the mask has no {name}"
        )
    return found


def halting_measures(
    steps: np.ndarray, heart: np.ndarray, *, why_constant: str = ""
) -> dict[str, float | str]:
    """Mean loops used inside and outside the heart, and the range over the image.

    Args:
        steps: (U, V, W) loops used.
        heart: (U, V, W) bool.
        why_constant: why all tokens use the same number of loops, where they must.

    Returns:
        "steps_heart", "steps_background", "halting_spread"; text with the reason where there is no
        number.
    """
    return {
        "steps_heart": _mean(steps, heart, "the mask is empty"),
        "steps_background": _mean(steps, ~heart, "the mask has no background"),
        "halting_spread": why_constant or float(steps.max() - steps.min()),
    }


def _around(part: np.ndarray) -> np.ndarray:
    return np.asarray(binary_dilation(part, IN_PLANE, iterations=RIM))


def _mean(values: np.ndarray, where: np.ndarray, otherwise: str) -> float | str:
    return float(values[where].mean()) if where.any() else otherwise
