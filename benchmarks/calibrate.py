"""Table: Dice and mean loops used at halting thresholds, on training patients; the shipped threshold is chosen from it.

python benchmarks/calibrate.py PREPARED --split split.json --side train --every 16 --model RUN/model
"""

from held_out import arguments, keep, mean_and_spread, model_of, native_dice, predict, volumes

THRESHOLDS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def main() -> None:
    """Run the table."""
    parser = arguments(__doc__)
    parser.add_argument("--thresholds", type=float, nargs="+", default=list(THRESHOLDS))
    options = parser.parse_args()
    model = model_of(options)
    config = model.network.config
    settings = [("off", {"halting": "none"}), *((f"{value}", {"halting_threshold": value}) for value in options.thresholds)]
    table = {}
    for name, change in settings:
        model.network.config = config.model_copy(update=change)
        rows, steps = [], []
        for volume in volumes(options):
            maps = predict(model, volume.image, loops=None, views=options.views)
            rows.append(native_dice(maps, volume, model))
            steps.append(float(maps.steps.mean()))
        table[name] = {"dice": mean_and_spread(rows), "mean_steps": round(sum(steps) / len(steps), 3)}
        print(name, table[name], flush=True)
    keep("calibrate", options, model, table)


if __name__ == "__main__":
    main()
