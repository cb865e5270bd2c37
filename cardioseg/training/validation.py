"""Validation during training: whole held-out volumes, scored on their native grid."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cardioseg.core.labels import IGNORED
from cardioseg.data.manifest import Entry, Manifest
from cardioseg.data.splits import Split
from cardioseg.training.setup import TrainingSetup

if TYPE_CHECKING:
    from cardioseg.networks import Network
    from cardioseg.training.loop import Validate


def validation(config: TrainingSetup, manifest: Manifest, split: Split) -> "Validate | None":
    """A function that scores a network on validation volumes; None without any."""
    held_out = [entry for entry in manifest.entries if entry.patient in split.val]
    count = min(config.training.validate_cases, len(held_out))
    if count == 0:
        return None
    chosen = [held_out[round(i * (len(held_out) - 1) / max(1, count - 1))] for i in range(count)]

    def validate_network(network: "Network") -> dict[str, float]:
        return score_cases(network, manifest, chosen, config)

    return validate_network


def score_cases(
    network: "Network", manifest: Manifest, entries: Sequence[Entry], config: TrainingSetup
) -> dict[str, float]:
    """Mean Dice per structure and overall on the native grid, in one orientation for speed."""
    import numpy as np

    from cardioseg.data.manifest import load_case
    from cardioseg.evaluation.metrics import overlap_dice
    from cardioseg.imaging.preprocess import resize
    from cardioseg.inference.predictor import predict_maps

    device = next(network.parameters()).device
    windows = config.windows.model_copy(update={"views": "none", "overlap": 0.25})
    dice: dict[str, list[float]] = {name: [] for name in manifest.labels.structures}
    steps = []
    for entry in entries:
        arrays = load_case(manifest.folder, entry)
        image = arrays["image"].astype(np.float32)
        maps = predict_maps(
            network, image, neighbours=config.preparation.neighbours, windows=windows, device=device
        )
        reference = arrays["reference"]
        guess = resize(maps.probabilities, reference.shape).argmax(0).astype(np.uint8)
        guess[reference == IGNORED] = IGNORED
        for value, name in enumerate(manifest.labels.structures, start=1):
            score = overlap_dice(guess == value, reference == value)
            dice[name] += [] if score is None else [score]
        steps.append(float(maps.steps.mean()))
    means = {f"dice_{name}": float(np.mean(values)) for name, values in dice.items() if values}
    return means | {"dice": float(np.mean(list(means.values()))), "steps": float(np.mean(steps))}
