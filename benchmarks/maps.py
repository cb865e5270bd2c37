"""Table: loops used on boundary, inside and background patches, and experts by class.

A patch is the voxels of one token on the working grid: "boundary" holds more than one label,
"inside" one structure only, "background" none.

    python benchmarks/maps.py PREPARED --split split.json
"""

from typing import Any

import numpy as np
from held_out import HeldOut, arguments, keep, model_of, patches, predict, volumes

from cardioseg.bundle import Model
from cardioseg.inference.predictor import Maps


def patch_kinds(label: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Kind of each patch: 0 background, 1 inside, 2 boundary."""
    cut = patches(label, size)
    mixed = cut.min(1) != cut.max(1)
    return np.where(mixed, 2, np.where(cut[:, 0] > 0, 1, 0))


def measure(maps: Maps, volume: HeldOut, model: Model) -> dict[str, np.ndarray]:
    """Sums over one volume: patches and steps by kind, routing by class."""
    size = tuple(model.network.config.patch_size)
    kinds = patch_kinds(volume.label, size)
    steps = patches(maps.steps, size).mean(1)
    sums = {
        "count": np.bincount(kinds, minlength=3),
        "steps": np.bincount(kinds, weights=steps, minlength=3),
        "squares": np.bincount(kinds, weights=steps**2, minlength=3),
    }
    if maps.routing is not None:
        one_hot = np.eye(len(model.labels))[volume.label]
        sums["experts"] = np.einsum("euvw,uvwk->ke", maps.routing, one_hot)
    return sums


def main() -> None:
    """Measure the table."""
    options = arguments(__doc__).parse_args()
    model = model_of(options)
    totals: dict[str, Any] = {}
    for volume in volumes(options):
        for name, value in measure(
            predict(model, volume.image, loops=None, views=options.views), volume, model
        ).items():
            totals[name] = totals.get(name, 0) + value
    count = np.maximum(totals["count"], 1)
    mean = totals["steps"] / count
    spread = np.sqrt(np.maximum(totals["squares"] / count - mean**2, 0))
    result: dict[str, Any] = {
        "steps": {
            kind: {
                "mean": round(float(mean[i]), 3),
                "sd": round(float(spread[i]), 3),
                "patches": int(totals["count"][i]),
            }
            if totals["count"][i]
            else {"mean": None, "sd": None, "patches": 0}
            for i, kind in enumerate(("background", "inside", "boundary"))
        }
    }
    if "experts" in totals:
        shares = totals["experts"] / totals["experts"].sum(1, keepdims=True)
        result["expert_share_by_class"] = {
            name: [round(float(share), 4) for share in shares[value]]
            for value, name in enumerate(model.labels.names)
        }
    keep("maps", options, model, result)


if __name__ == "__main__":
    main()
