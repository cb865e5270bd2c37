"""Table: Dice of volumes stored in each of the eight in-plane orientations.

python benchmarks/orientations.py PREPARED --split split.json --views all
"""

from dataclasses import replace

import numpy as np
from held_out import HeldOut, arguments, keep, model_of, score, volumes


def stored(array: np.ndarray, flip: bool, quarter_turns: int) -> np.ndarray:
    """A volume (U, V, W) stored in another in-plane orientation."""
    return np.ascontiguousarray(np.rot90(array[:, ::-1] if flip else array, quarter_turns, (0, 1)))


def turned(volume: HeldOut, flip: bool, quarter_turns: int) -> HeldOut:
    """A validation volume stored in another orientation."""
    image, reference = (
        stored(array, flip, quarter_turns) for array in (volume.image, volume.reference)
    )
    return replace(volume, image=image, reference=reference)


def main() -> None:
    """Measure the table."""
    options = arguments(__doc__).parse_args()
    model = model_of(options)
    table: dict[str, object] = {}
    means, each = [], []
    for flip in (False, True):
        for turns in range(4):
            seen = (turned(volume, flip, turns) for volume in volumes(options))
            name = f"{'mirrored, ' if flip else ''}{90 * turns} degrees"
            found = score(model, seen, views=options.views)
            summary = found.dice
            means.append(summary["mean"])
            each.append(found.each)
            table[name] = summary
            print(name, summary, flush=True)
    table["largest difference"] = round(max(means) - min(means), 4)
    table["largest difference of a volume"] = round(float(np.ptp(each, axis=0).max()), 4)
    keep("orientations", options, model, table)


if __name__ == "__main__":
    main()
