r"""Table: Dice and mean loops used by halting threshold, on training patients.

The shipped threshold is chosen from it.

    python benchmarks/calibrate.py PREPARED --split split.json --side train --every 15 \
        --model RUN/model
"""

from held_out import arguments, keep, model_of, score, volumes

from cardioseg.core.exits import ExitRule

THRESHOLDS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def main() -> None:
    """Measure the table."""
    parser = arguments(__doc__)
    parser.add_argument("--thresholds", type=float, nargs="+", default=list(THRESHOLDS))
    options = parser.parse_args()
    model = model_of(options)
    rules = {
        "off": ExitRule("fixed"),
        **{f"{value}": ExitRule(threshold=value) for value in options.thresholds},
    }
    table = {}
    for name, rule in rules.items():
        table[name] = score(model, volumes(options), views=options.views, exits=rule).summary()
        print(name, table[name], flush=True)
    keep("calibrate", options, model, table)


if __name__ == "__main__":
    main()
