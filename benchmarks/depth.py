"""Table: Dice and mean loops used at loop budgets 1 to 24, with the model's exit rule and without.

python benchmarks/depth.py PREPARED --split split.json
"""

from held_out import arguments, keep, model_of, score, volumes

from cardioseg.core.exits import OWN, ExitRule

LOOPS = (1, 2, 4, 6, 8, 12, 16, 24)


def main() -> None:
    """Measure the table."""
    parser = arguments(__doc__)
    parser.add_argument("--loops", type=int, nargs="+", default=list(LOOPS))
    parser.add_argument(
        "--exits", nargs="+", choices=("learned", "off"), default=["learned", "off"]
    )
    options = parser.parse_args()
    model = model_of(options)
    table: dict[str, object] = {}
    for exits in options.exits:
        rule = OWN if exits == "learned" else ExitRule("fixed")
        for loops in options.loops:
            row = score(
                model, volumes(options), views=options.views, loops=loops, exits=rule
            ).summary()
            table[f"exit {exits}, {loops} loops"] = row
            print(exits, loops, row, flush=True)
    keep("depth", options, model, table)


if __name__ == "__main__":
    main()
