"""``cardioseg evaluate`` of one mask beside one mask: a pair whatever the two are called."""

import json

import pytest
from test_evaluate import heart, table, write_mask
from tiny import cardioseg

from cardioseg.core.errors import EXIT_INPUT, EXIT_OK

NAMES = {
    "the prediction's": ("anna_ED_mask.nii.gz", "mine.nii.gz", ("anna_ED", "anna", "ED", "")),
    "the reference's": ("mine.nii.gz", "anna_es_gt.nii.gz", ("mine", "anna", "ES", "")),
    "Info.cfg": (
        "mine.nii.gz",
        "patient001/patient001_frame10_gt.nii.gz",
        ("mine", "patient001", "ES", "DCM"),
    ),
    "a frame and Info.cfg": (
        "patient001_frame01_mask.nii.gz",
        "patient001/patient001_frame01_gt.nii.gz",
        ("patient001_frame01", "patient001", "ED", "DCM"),
    ),
    "nobody's": ("a.nii.gz", "b.nii.gz", ("a", "a", "", "")),
}


@pytest.mark.parametrize(("prediction", "reference", "told"), NAMES.values(), ids=NAMES)
def test_two_files_are_a_pair_and_the_names_tell_patient_and_phase(
    tmp_path, prediction, reference, told
):
    write_mask(tmp_path / "pred" / prediction, heart(5, shift=1))
    write_mask(tmp_path / "pred" / "another.nii.gz", heart(5))
    write_mask(tmp_path / "ref" / reference, heart(5))
    if "/" in reference:
        (tmp_path / "ref/patient001/Info.cfg").write_text("ED: 1\nES: 10\nGroup: DCM\n")
    done = cardioseg(
        "evaluate",
        tmp_path / "pred" / prediction,
        tmp_path / "ref" / reference,
        "-o",
        tmp_path / "out",
        "--json",
        "-q",
    )
    assert done.code == EXIT_OK, done.err
    data = json.loads(done.out)["data"]
    assert (data["volumes"], data["patients"], data["unmatched"], data["missing"]) == (1, 0, [], [])
    assert 0.5 < data["mean_dice"] < 1
    rows = table(tmp_path / "out" / "cases.csv")
    assert {tuple(row[key] for key in ("case", "patient", "phase", "group")) for row in rows} == {
        told
    }


def test_the_labels_are_those_beside_the_reference(tmp_path):
    pair = [tmp_path / "pred/a_ED.nii.gz", tmp_path / "ref/a_ED.nii.gz"]
    for path in pair:
        write_mask(path, heart(5))
    (tmp_path / "ref/dataset.json").write_text(
        '{"labels": {"background": 0, "LV": 1, "MYO": 2, "RV": 3}}'
    )
    assert (
        cardioseg(
            "evaluate",
            tmp_path / "pred/a_ED.nii.gz",
            tmp_path / "ref/a_ED.nii.gz",
            "-o",
            tmp_path / "out",
            "-q",
        ).code
        == 0
    )
    assert {row["structure"] for row in table(tmp_path / "out" / "cases.csv")} == {
        "LV",
        "MYO",
        "RV",
    }
    assert json.loads((tmp_path / "out/metrics.json").read_text())["labels"][1] == "LV"


def test_a_file_beside_a_folder_is_told(tmp_path):
    write_mask(tmp_path / "pred" / "a.nii.gz", heart(5))
    write_mask(tmp_path / "ref" / "a.nii.gz", heart(5))
    for pair, word in (
        (
            ("pred/a.nii.gz", "ref"),
            "pred/a.nii.gz: found a file; expected a folder of masks",
        ),
        (("pred", "ref/a.nii.gz"), "ref/a.nii.gz: found a file; expected a folder of masks"),
        (("pred/none.nii.gz", "ref/a.nii.gz"), "pred/none.nii.gz: found no such folder"),
    ):
        done = cardioseg(
            "evaluate", *(tmp_path / part for part in pair), "-o", tmp_path / "out", "-q"
        )
        assert (done.code, word in done.err) == (EXIT_INPUT, True), done.err
    assert not (tmp_path / "out").exists()
