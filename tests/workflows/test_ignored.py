"""Voxels that an nnU-Net data set labels ``ignore``: prepared, trained and scored without them."""

import json

import numpy as np
import pytest
from tiny import SETS, cardioseg, save_image, voxels

from cardioseg.core.errors import EXIT_OK
from cardioseg.core.labels import IGNORED
from cardioseg.data.manifest import Manifest, load_case

SHAPE = (40, 36, 3)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Four cases whose first columns are ignored."""
    root = tmp_path_factory.mktemp("data") / "raw"
    for number in range(4):
        label = np.random.default_rng(number).integers(0, 4, SHAPE).astype(np.int16) * 100
        label[:8] = 400
        save_image(root / "imagesTr" / f"p{number}_0000.nii.gz", voxels(seed=number))
        save_image(root / "labelsTr" / f"p{number}.nii.gz", label)
    labels = {"background": 0, "RV": 100, "MYO": 200, "LV": 300, "ignore": 400}
    facts = {"labels": labels, "channel_names": {"0": "cine"}, "file_ending": ".nii.gz"}
    (root / "dataset.json").write_text(json.dumps(facts))
    return root


def test_ignored_voxels_are_no_class(raw, tmp_path):
    done = cardioseg("prepare", raw, "-o", tmp_path / "prepared", "-q", "--workers", 1)
    assert done.code == EXIT_OK, done.err
    manifest = Manifest.read(tmp_path / "prepared")
    assert manifest.labels.structures == ("RV", "MYO", "LV")
    for entry in manifest.entries:
        arrays = load_case(manifest.folder, entry)
        for name in ("label", "reference"):
            assert set(np.unique(arrays[name])) == {0, 1, 2, 3, IGNORED}
        assert (arrays["reference"][:8] == IGNORED).all()
    run = tmp_path / "run"
    done = cardioseg("train", manifest.folder, "-o", run, "-q", "--fold", 0, *SETS)
    assert done.code == EXIT_OK, done.err
    metadata = json.loads((run / "model" / "metadata.json").read_text())
    assert metadata["labels"] == ["background", "RV", "MYO", "LV"]


def test_ignored_voxels_are_not_scored(raw, tmp_path):
    for number in range(4):
        label = np.random.default_rng(number).integers(0, 4, SHAPE).astype(np.uint8)
        label[:8] = number % 4
        save_image(tmp_path / "pred" / f"p{number}_mask.nii.gz", label)
    done = cardioseg("evaluate", tmp_path / "pred", raw, "-o", tmp_path / "out", "--json", "-q")
    assert done.code == EXIT_OK, done.err
    assert json.loads(done.out)["data"]["mean_dice"] == 1.0
