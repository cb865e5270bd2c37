"""How sure a network is of one volume, and how long it thought, in a few numbers: probabilities themselves are not kept.

Predictive entropy H = -Σ p log p / log K, 0 (sure) to 1 (every class alike), is averaged where it can say something: on what
was predicted and RIM voxels around it in-plane. Over a whole image it would measure how much background there is. Shape legend:
U, V, W working grid, K classes. What it does not know: which values are too large (``clinical.quality``).
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
        "entropy", and "entropy_<structure>" in lower case; a reason instead of a number where nothing was predicted.
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
    """Mean loops used inside and outside the heart, and between the places of least and most.

    Args:
        steps: (U, V, W) loops used.
        heart: (U, V, W) bool.
        why_constant: why every place must use the same number, if that is so.

    Returns:
        "steps_heart", "steps_background", "halting_spread"; a reason instead of a number where there is none.
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
