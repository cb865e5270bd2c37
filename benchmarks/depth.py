"""Table: Dice and mean loops used at loop budgets 1 to 24, with the learned exit and with every token running on.

python benchmarks/depth.py PREPARED --split split.json
"""

from held_out import arguments, keep, mean_and_spread, model_of, native_dice, predict, volumes

LOOPS = (1, 2, 4, 6, 8, 12, 16, 24)


def main() -> None:
    """Run the table."""
    parser = arguments(__doc__)
    parser.add_argument("--loops", type=int, nargs="+", default=list(LOOPS))
    options = parser.parse_args()
    model = model_of(options)
    learned = model.network.config
    table: dict[str, dict[str, object]] = {}
    for exits in ("learned", "off"):
        model.network.config = learned if exits == "learned" else learned.model_copy(update={"halting": "none"})
        for loops in options.loops:
            rows, steps = [], []
            for volume in volumes(options):
                maps = predict(model, volume.image, loops=loops, views=options.views)
                rows.append(native_dice(maps, volume, model))
                steps.append(float(maps.steps.mean()))
            table[f"exit {exits}, {loops} loops"] = {
                "dice": mean_and_spread(rows),
                "mean_steps": round(sum(steps) / len(steps), 3),
            }
            print(exits, loops, table[f"exit {exits}, {loops} loops"], flush=True)
    keep("depth", options, model, table)


if __name__ == "__main__":
    main()
