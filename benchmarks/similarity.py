"""Analysis after bViT: similarity of token states from loop to loop.

Linear CKA, cosine and relative change. Every token runs every loop; tokens are sampled at random
from all windows.

    python benchmarks/similarity.py PREPARED --split split.json --every 7
"""

from analysis.loops import (
    between_loops,
    linear_cka,
    mean_cosine,
    recorded_states,
    relative_change,
)
from held_out import arguments, keep, model_of, predict, volumes

from cardioseg.core.exits import ExitRule


def main() -> None:
    """Run the analysis."""
    parser = arguments(__doc__)
    parser.add_argument("--loops", type=int, default=8)
    parser.add_argument(
        "--tokens", type=int, default=256, help="tokens sampled from each batch of windows"
    )
    options = parser.parse_args()
    model = model_of(options)
    with recorded_states(model.network, per_pass=options.tokens) as states:
        for volume in volumes(options):
            predict(
                model,
                volume.image,
                loops=options.loops,
                views=options.views,
                exits=ExitRule("fixed"),
            )
    result = {"loops": states.loops, "tokens": len(states.of(0))}
    for name, measure in (
        ("cka", linear_cka),
        ("cosine", mean_cosine),
        ("relative_change", relative_change),
    ):
        result[name] = [
            [round(value, 4) for value in row] for row in between_loops(states, measure)
        ]
    keep("similarity", options, model, result)


if __name__ == "__main__":
    main()
