"""Training patients: further data sets, and patients of a split that the data lack."""

import json

import pytest
from tiny import SETS, cardioseg, write_patients

from cardioseg.core.errors import EXIT_INPUT, EXIT_OK, EXIT_USAGE


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Patients 1 and 2, and patients 1 to 3 with other settings beside them."""
    folder = tmp_path_factory.mktemp("data")
    for name, count, settings in (
        ("prepared", 2, ()),
        ("more", 3, ()),
        ("coarse", 2, ("--set", "spacing_mm=3")),
    ):
        write_patients(folder / f"raw {name}", count)
        made = cardioseg(
            "prepare", folder / f"raw {name}", "-o", folder / name, "-q", "--workers", 1, *settings
        )
        assert made.code == EXIT_OK, made.err
    return folder / "prepared"


def trained(prepared, run, *options):
    return cardioseg("train", prepared, "-o", run, "-q", *SETS, *options)


def write_split(folder, **parts):
    path = folder / "split.json"
    path.write_text(json.dumps(parts))
    return path


@pytest.mark.parametrize(
    ("val", "found"),
    [
        ([2], "1 validation patients (patient002 …)"),
        ([2, 3], "2 validation patients"),
        ([3], "1 validation patients (patient003 …)"),
    ],
)
def test_nobody_who_validates_may_be_in_further_data(prepared, tmp_path, val, found):
    """Not even a patient whom only the further data have."""
    split = write_split(tmp_path, train=[1], val=val)
    extra = prepared.parent / "more"
    done = trained(prepared, tmp_path / "run", "--split", split, "--extra", extra)
    assert done.code == EXIT_INPUT
    assert done.err.startswith(f"error: {extra}: found {found}")
    assert not (tmp_path / "run").exists(), "nothing is begun"


def test_folds_keep_further_data_out_as_well(prepared, tmp_path):
    outcomes = [
        trained(prepared, tmp_path / "run", "--fold", fold, "--extra", prepared) for fold in (0, 1)
    ]
    assert {(done.code, "1 validation patients" in done.err) for done in outcomes} == {
        (EXIT_INPUT, True)
    }


def test_further_data_prepared_otherwise_leave_no_folder(prepared, tmp_path):
    done = trained(prepared, tmp_path / "run", "--extra", prepared.parent / "coarse")
    assert (done.code, "other preparation settings" in done.err) == (EXIT_USAGE, True)
    assert not (tmp_path / "run").exists()


def test_further_data_train_where_nobody_in_them_validates(prepared, tmp_path):
    split = write_split(tmp_path, train=[1, 2, 3], val=[])
    done = trained(
        prepared, tmp_path / "run", "--split", split, "--extra", prepared.parent / "more"
    )
    assert done.code == EXIT_OK, done.err
    assert (tmp_path / "run" / "model" / "weights.safetensors").is_file()
    assert not done.err


def test_validation_patients_that_the_data_lack_are_counted(prepared, tmp_path):
    split = write_split(tmp_path, train=[1], val=[2, *range(11, 18)])
    done = trained(prepared, tmp_path / "run", "--split", split)
    assert done.code == EXIT_OK, done.err
    assert done.err.startswith("warning: 7 of 8 ")
    assert [number for number in range(1, 21) if f"patient{number:03d}" in done.err] == [
        *range(11, 16)
    ]


def test_an_unknown_fraction_is_the_calls_fault(prepared, tmp_path):
    split = write_split(tmp_path, train=[1, 2], val=[], fractions=[{"50": [1]}])
    done = trained(prepared, tmp_path / "run", "--split", split, "--fraction", "30%")
    assert (
        done.code,
        done.err.startswith("error: --fraction: found 30%; expected one of 50 (percent"),
    ) == (EXIT_USAGE, True)
    done = trained(prepared, tmp_path / "run", "--split", split, "--fraction", "0.5")
    assert done.code == EXIT_OK, done.err
    assert json.loads((tmp_path / "run/split.json").read_text())["train"] == ["patient001"]
