"""Output after a folder of cases: the table, the index, and one line per case in a log."""

import json

import pytest
from tiny import cardioseg, save_image, voxels


@pytest.fixture
def scans(tmp_path):
    for seed, name in enumerate(("a", "b", "c")):
        save_image(tmp_path / "scans" / f"{name}.nii.gz", voxels(seed=seed))
    return tmp_path / "scans"


def test_after_a_folder_the_index_is_the_file_to_open(model, scans, out):
    shown = cardioseg("segment", scans, "-o", out, "-m", model, "--quiet")
    assert shown.out.splitlines()[-1] == str(out / "index.html")
    again = cardioseg("segment", scans, "-o", out, "-m", model, "--quiet", "--json")
    assert json.loads(again.out)["files"] == [str(out / "index.html")]


def test_after_one_case_its_picture_is_the_file_to_open(model, scans, out):
    shown = cardioseg("segment", scans / "a.nii.gz", "-o", out, "-m", model, "--quiet")
    assert shown.out.splitlines()[-1] == str(out / "a_preview.png")


def test_a_log_has_one_line_a_case(model, scans, out):
    log = cardioseg("segment", scans, "-o", out, "-m", model, "--json").err
    assert log.splitlines() == ["segment: 1/3 a", "segment: 2/3 b", "segment: 3/3 c"]
