"""What a run warns about: structures that no mask shows, and patients who look like one."""

import json

import numpy as np
import pytest
from tiny import SETS, SHAPE, cardioseg, save_image, voxels

from cardioseg.core.errors import EXIT_OK

NAMES = ("heart_001_01", "heart_001_12", "heart_002_01", "heart_002_12")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Four cases in nnU-Net's layout without any RV."""
    root = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(NAMES):
        label = np.random.default_rng(seed).integers(2, 4, SHAPE).astype(np.uint8)
        save_image(root / "raw" / "imagesTr" / f"{name}_0000.nii.gz", voxels(seed=seed))
        save_image(root / "raw" / "labelsTr" / f"{name}.nii.gz", label)
    facts = {"labels": {"background": 0, "RV": 1, "MYO": 2, "LV": 3}}
    (root / "raw" / "dataset.json").write_text(json.dumps(facts))
    done = cardioseg("prepare", root / "raw", "-o", root / "prepared", "--workers", 1, "--json")
    assert done.code == EXIT_OK, done.err
    data = json.loads(done.out)
    assert data["data"]["masks_with"] == {"RV": 0, "MYO": 4, "LV": 4}
    assert any("heart_001_01" in line for line in data["warnings"])
    return root / "prepared"


def trained(prepared, run, *options):
    done = cardioseg("train", prepared, "-o", run, "--json", *SETS, *options)
    assert done.code == EXIT_OK, done.err
    return json.loads(done.out)["warnings"]


def test_absent_structures_and_separated_phases_are_said(prepared, tmp_path):
    lines = trained(prepared, tmp_path / "run", "--fold", 0)
    assert any("RV" in line for line in lines)
    assert not any(name in line for line in lines for name in ("MYO", "LV"))
    assert any("heart_00" in line for line in lines)


def test_patients_on_one_side_are_not_warned_about(prepared, tmp_path):
    split = tmp_path / "splits_final.json"
    split.write_text(json.dumps([{"train": NAMES[:2], "val": NAMES[2:]}]))
    lines = trained(prepared, tmp_path / "run", "--split", split, "--fold", 0)
    assert not any("heart_00" in line for line in lines)
