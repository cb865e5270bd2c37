"""The quality benchmark on a tiny data set and model: bad masks, good masks, false alarms."""

import importlib
import json
import sys

import numpy as np
import pytest
from small_data import write_patients
from tiny import save_tiny_model


@pytest.fixture
def script(monkeypatch):
    return importlib.import_module("quality")


def row(dice, verdict, **rules):
    return {
        "dice": dict(zip(("RV", "MYO", "LV"), dice, strict=True)),
        "verdict": verdict,
        "rules": rules,
    }


ROWS = [
    row((0.9, 0.9, 0.9), "pass"),
    row((0.7, 0.9, 0.9), "warn", roughness="warn"),
    row((0.7, 0.7, 0.9), "fail", open_ring="fail", roughness="warn"),
    row((0.1, 0.1, 0.1), "pass"),
]


def test_bad_masks_caught_and_good_ones_suspected_are_counted(script):
    table = script.table(ROWS)
    assert table["mean of the three"] == {
        "bad": {"n": 2, "fail": 1, "fail or warn": 1},
        "good": {"n": 2, "fail": 0, "fail or warn": 1},
    }
    assert table["RV"]["bad"] == {"n": 3, "fail": 1, "fail or warn": 2}
    assert table["LV"]["good"] == {"n": 3, "fail": 1, "fail or warn": 2}
    assert script.fired(ROWS) == {
        "open_ring": {"bad: fail": 1},
        "roughness": {"bad: warn": 1, "good: warn": 1},
    }


def test_breath_holds_move_image_and_reference_together(script):
    image = np.random.default_rng(0).random((30, 30, 4)).astype(np.float32)
    reference = (image > 0.5).astype(np.uint8)
    moved, moved_reference = script.damaged(
        image, reference, "breath-holds", np.random.default_rng(1)
    )
    assert not np.array_equal(moved, image)
    assert np.array_equal(moved > 0.5, moved_reference == 1)
    for way in ("noise", "blur"):
        spoiled, same = script.damaged(image, reference, way, np.random.default_rng(1))
        assert spoiled.std() != pytest.approx(image.std(), rel=0.01)
        assert np.array_equal(same, reference)


def test_every_way_gives_a_result_and_the_table_is_of_all(script, monkeypatch, tmp_path, capsys):
    write_patients(tmp_path / "raw", 2)
    (tmp_path / "split.json").write_text('{"train": [1], "val": [2]}')
    model = save_tiny_model(tmp_path / "tiny", preparation={"spacing_mm": 4.0, "neighbours": 1})
    call = [
        "quality",
        tmp_path / "raw",
        "--split",
        tmp_path / "split.json",
        "--results",
        tmp_path,
        "--model",
        model,
    ]
    monkeypatch.setattr(
        sys, "argv", [*map(str, call), "--ways", "truth", "one-loop", "noise", "--every", "2"]
    )
    script.main()
    truth = json.loads((tmp_path / "quality" / "truth.json").read_text())
    assert (truth["pairs"], sum(truth["verdicts"].values())) == (2, 2)
    found = json.loads((tmp_path / "quality" / "val-noise.json").read_text())
    assert (found["way"], found["side"], len(found["rows"])) == ("noise", "val", 1)
    assert {"dice", "verdict", "rules", "entropy", "entropy_lv"} <= set(found["rows"][0])
    assert "val-one-loop" in capsys.readouterr().out


def heart(dice, ef_error, verdict):
    return {"dice": dice, "ef_error": ef_error, "verdict": verdict}


def test_verdicts_are_counted_for_bad_masks_wrong_fractions_and_good_hearts():
    counts = importlib.import_module("verdicts").counts
    rows = [
        heart(0.79, 2.0, "fail"),
        heart(0.70, -11.0, "warn"),
        heart(0.90, None, "pass"),
        heart(0.90, 10.0, "warn"),
        heart(0.90, 0.0, "pass"),
    ]
    assert counts(rows) == {
        "bad masks": "1 fail, 1 warn of 2",
        "EF off": "0 fail, 1 warn of 2",
        "good": "0 fail, 1 warn of 2",
    }


def test_verdicts_of_validation_hearts_are_stored_and_printed(monkeypatch, tmp_path, capsys):
    write_patients(tmp_path / "raw", 2)
    split = tmp_path / "split.json"
    split.write_text('{"train": [1], "val": [2]}')
    model = save_tiny_model(tmp_path / "tiny", preparation={"spacing_mm": 4.0, "neighbours": 1})
    call = ["verdicts", tmp_path / "raw", "--split", split, "--model", model]
    monkeypatch.setattr(sys, "argv", [*map(str, call), "--results", str(tmp_path)])
    importlib.import_module("verdicts").main()
    (stored,) = (tmp_path / "verdicts").iterdir()
    (found,) = json.loads(stored.read_text())["hearts"]
    assert 0 <= found["dice"] < 0.8
    assert capsys.readouterr().out.startswith("ACDC {'bad masks': ")
