"""Table: which expert works on which class, is it more than chance, and what is lost without each.

A patch is the voxels of one token. Its class is the majority class, its expert the one with the
largest share. The null shuffles the classes among the patches of each slice. An expert is switched
off in two ways: its tokens go to the router's next choice ("rerouted"), or its output is zero
("silenced").

    python benchmarks/experts.py PREPARED --split split.json
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from analysis.association import counted, normalised_mutual_information, permutation_null
from analysis.pruning import expert_off
from held_out import HeldOut, arguments, keep, model_of, patches, predict, score, volumes

from cardioseg.bundle import Model
from cardioseg.core.errors import UsageError
from cardioseg.inference.predictor import Maps

ROUNDS = 200


def patch_table(maps: Maps, volume: HeldOut, model: Model) -> np.ndarray:
    """Majority class, slice, and share of each expert, per patch: (n, 2 + E)."""
    size = tuple(model.network.config.patch_size)
    one_hot = np.stack(
        [patches(volume.label == value, size).mean(1) for value in range(len(model.labels))], axis=1
    )
    planes = np.broadcast_to(np.arange(volume.label.shape[2], dtype=float), volume.label.shape)
    assert maps.routing is not None
    shares = [patches(share, size).mean(1) for share in maps.routing]
    return np.column_stack([one_hot.argmax(1), patches(planes, size).mean(1), *shares])


def association(table: np.ndarray, slices: np.ndarray) -> dict[str, Any]:
    """Normalised mutual information of expert and class, and its null distribution."""
    classes, experts = table[:, 0].astype(int), table[:, 2:].argmax(1)
    shape = int(experts.max()) + 1, int(classes.max()) + 1
    found = normalised_mutual_information(counted(experts, classes, shape))
    null = permutation_null(
        experts, classes, slices, rounds=ROUNDS, random=np.random.default_rng(0)
    )
    beaten = sum(value >= (found or 0.0) for value in null)
    return {
        "nmi": None if found is None else round(found, 4),
        "null_mean": round(float(np.mean(null)), 4),
        "null_largest": round(max(null), 4),
        "p": round((1 + beaten) / (1 + ROUNDS), 4),
        "patches": len(table),
    }


def shares(table: np.ndarray, names: Sequence[str]) -> dict[str, list[float]]:
    """Mean routing of the patches of each class."""
    classes = table[:, 0].astype(int)
    return {
        name: [round(float(share), 4) for share in table[classes == value, 2:].mean(0)]
        for value, name in enumerate(names)
        if (classes == value).any()
    }


def knocked_out(model: Model, options: Any) -> dict[str, Any]:
    """Dice lost per structure without each expert, and without all."""
    whole = score(model, volumes(options), views=options.views).dice
    lost: dict[str, Any] = {"dice": whole}
    every = range(model.network.config.experts)
    calls = {
        f"expert {number + 1} {how}": ([number], how)
        for how in ("rerouted", "silenced")
        for number in every
    }
    for name, (numbers, how) in {
        **calls,
        "all experts silenced": (list(every), "silenced"),
    }.items():
        with ExitStack() as stack:
            for number in numbers:
                stack.enter_context(expert_off(model.network, number, rerouted=how == "rerouted"))
            without = score(model, volumes(options), views=options.views).dice
        lost[name] = {
            part: round(whole[part]["mean"] - without[part]["mean"], 4)
            for part in model.labels.structures
        }
        print(name, lost[name], flush=True)
    return lost


def main() -> None:
    """Measure the table."""
    options = arguments(__doc__).parse_args()
    model = model_of(options)
    if not getattr(model.network.config, "experts", 0):
        raise UsageError(
            "--model",
            found=f"{model.name}, which has no experts",
            expected="a model with experts",
            cure="choose another",
        )
    tables = [
        patch_table(predict(model, v.image, loops=None, views=options.views), v, model)
        for v in volumes(options)
    ]
    table = np.concatenate(tables)
    slices = np.concatenate(
        [number * 1000 + part[:, 1] for number, part in enumerate(tables)]
    ).astype(int)
    heart = table[:, 0] > 0
    result = {
        "share_by_class": shares(table, model.labels.names),
        "association": {
            "all patches": association(table, slices),
            "structures only": association(table[heart], slices[heart]),
        },
        "dice_lost": knocked_out(model, options),
    }
    keep("experts", options, model, result)


if __name__ == "__main__":
    main()
