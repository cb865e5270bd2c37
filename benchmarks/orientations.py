"""Table: Dice of volumes stored in each of the eight in-plane orientations, and how far they are apart.

python benchmarks/orientations.py PREPARED --split split.json --views all
"""

from dataclasses import replace

import numpy as np
from held_out import arguments, keep, mean_and_spread, model_of, native_dice, predict, volumes


def stored(array: np.ndarray, flip: bool, quarter_turns: int) -> np.ndarray:
    """A volume (U, V, W) stored in another in-plane orientation."""
    return np.ascontiguousarray(np.rot90(array[:, ::-1] if flip else array, quarter_turns, (0, 1)))


def main() -> None:
    """Run the table."""
    options = arguments(__doc__).parse_args()
    model = model_of(options)
    table: dict[str, object] = {}
    means = []
    for flip in (False, True):
        for turns in range(4):
            rows = []
            for volume in volumes(options):
                seen = replace(volume, image=stored(volume.image, flip, turns), reference=stored(volume.reference, flip, turns))
                rows.append(native_dice(predict(model, seen.image, loops=None, views=options.views), seen, model))
            name = f"{'mirrored, ' if flip else ''}{90 * turns} degrees"
            summary = mean_and_spread(rows)
            means.append(summary["mean"])
            table[name] = summary
            print(name, summary, flush=True)
    table["largest difference"] = round(max(means) - min(means), 4)
    keep("orientations", options, model, table)


if __name__ == "__main__":
    main()
