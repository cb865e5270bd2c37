"""Table: do tokens loop longer at true boundaries? AUROC of loops, edges and chance, per class.

A patch is the voxels of one token. It is near a structure's boundary when one of its voxels lies
within 3 mm of it. Two sets of patches are compared on the slices that show the structure: all, and
those within 30 mm of the boundary, where edges are everywhere. The equal-budget maps reassign the
same loop counts, either by edge strength (the most to the strongest edge) or at random. Values are
averaged per patient, then over patients.

    python benchmarks/halting.py PREPARED --split split.json
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from analysis.association import auroc, rank_correlation, same_values
from held_out import HeldOut, arguments, keep, model_of, patches, predict, volumes
from scipy.ndimage import distance_transform_edt
from skimage.filters import sobel

from cardioseg.bundle import Model
from cardioseg.inference.predictor import Maps

NEAR_MM, AROUND_MM = 3.0, 30.0


def boundary_distance(mask: np.ndarray, spacing_mm: float) -> np.ndarray:
    """In-plane distance (U, V, W) to the edge of a mask in mm; infinite on slices without it."""
    distance = np.full(mask.shape, np.inf)
    for index in np.flatnonzero(mask.any((0, 1)) & ~mask.all((0, 1))):
        plane = mask[:, :, index]
        inside, outside = (
            distance_transform_edt(side, sampling=spacing_mm) for side in (plane, ~plane)
        )
        distance[:, :, index] = np.maximum(inside, outside) - spacing_mm / 2
    return distance


def candidates(
    maps: Maps, volume: HeldOut, size: tuple[int, ...], random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Maps to compare, per patch (n,): loops used, edges, and the loops reassigned by each."""
    steps = patches(maps.steps, size).mean(1)
    edges = np.stack(
        [sobel(volume.image[:, :, index]) for index in range(volume.image.shape[2])], axis=-1
    )
    strength = patches(edges, size).mean(1)
    return {
        "loops used": steps,
        "Sobel, equal budget": same_values(steps, strength),
        "Sobel": strength,
        "random, equal budget": random.permutation(steps),
    }


def measure(
    maps: Maps, volume: HeldOut, model: Model, random: np.random.Generator
) -> dict[tuple[str, str, str], float | None]:
    """AUROC of near patches and rank correlation with distance, by (class, where, map)."""
    size = tuple(model.network.config.patch_size)
    found = candidates(maps, volume, size, random)
    answers: dict[tuple[str, str, str], float | None] = {}
    for value, name in enumerate(model.labels.structures, start=1):
        distance = patches(
            boundary_distance(volume.label == value, model.preparation.spacing_mm), size
        ).min(1)
        for where, reach in (("slices with it", np.inf), ("within 30 mm", AROUND_MM)):
            chosen = np.isfinite(distance) & (distance <= reach)
            for kind, scores in found.items():
                answers[name, where, kind] = auroc(scores[chosen], distance[chosen] <= NEAR_MM)
        close = np.isfinite(distance)
        answers[name, "rank correlation with distance", "loops used"] = rank_correlation(
            found["loops used"][close], distance[close]
        )
    return answers


def cell(patients: Iterable[list[float]]) -> dict[str, float] | None:
    """Mean and standard deviation over patients; None where no patient has a value."""
    means = [
        float(np.mean(known))
        for values in patients
        if (known := [value for value in values if np.isfinite(value)])
    ]
    return (
        {"mean": round(float(np.mean(means)), 3), "sd": round(float(np.std(means)), 3)}
        if means
        else None
    )


def main() -> None:
    """Measure the table."""
    options = arguments(__doc__).parse_args()
    model, random = model_of(options), np.random.default_rng(0)
    by_patient: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for volume in volumes(options):
        maps = predict(model, volume.image, loops=None, views=options.views)
        for key, value in measure(maps, volume, model, random).items():
            by_patient[key][volume.entry.patient].append(float("nan") if value is None else value)
    result: dict[str, Any] = {
        "near_mm": NEAR_MM,
        "patients": max(len(groups) for groups in by_patient.values()),
    }
    for (name, where, kind), groups in by_patient.items():
        result.setdefault(where, {}).setdefault(kind, {})[name] = cell(groups.values())
    keep("halting", options, model, result)


if __name__ == "__main__":
    main()
