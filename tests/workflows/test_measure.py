"""``cardioseg measure``: right numbers for any slice distance, label order and file format."""

import csv
import json

import numpy as np
import pytest
from analytic_hearts import GAPS, drawn, half_ellipsoid_ml
from measured_masks import measured, save_cine, save_mask
from PIL import Image
from small_case import record_of_case
from tiny import cardioseg, names_in, save_image

from cardioseg.core.errors import EXIT_INPUT, EXIT_RESOURCES, EXIT_USAGE
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw
from cardioseg.phantom.files import acdc_header, write_truth


@pytest.fixture
def pair(tmp_path):
    return [
        save_mask(tmp_path / f"anna_{phase}.nii.gz", drawn(radius))
        for phase, radius in (("ED", 25), ("ES", 16))
    ]


# ------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize(("thickness", "gap"), GAPS.values(), ids=GAPS)
def test_an_analytic_heart_is_right_at_every_slice_distance(tmp_path, thickness, gap):
    """The files have ACDC's header, whose affine states 1 mm."""
    paths = []
    for name, radius in (("ed", 25), ("es", 16)):
        mask = drawn(radius, distance=thickness + gap)
        header = acdc_header(mask.spacing)
        header.set_data_shape(mask.shape)
        header.set_zooms(mask.spacing)
        paths.append(save_mask(tmp_path / f"{name}.nii.gz", mask, header=header))
    found = measured("--ed", paths[0], "--es", paths[1])
    assert found["lv"]["edv_ml"] == pytest.approx(half_ellipsoid_ml(25, 90), rel=0.01)
    assert found["lv"]["esv_ml"] == pytest.approx(half_ellipsoid_ml(16, 90), rel=0.01)
    assert found["lv"]["mass_g"] == pytest.approx(
        1.05 * (half_ellipsoid_ml(35, 100) - half_ellipsoid_ml(25, 90)), rel=0.01
    )


@pytest.mark.parametrize("start", [0, 5])
def test_a_cine_is_its_two_phases(tmp_path, pair, start):
    cine = measured(save_cine(tmp_path / "anna.nii.gz", start=start))
    alone = measured("--ed", pair[0], "--es", pair[1])
    assert (cine["ed_frame"], cine["es_frame"]) == (1 + start, 5 + start)
    for part in ("lv", "rv", "wall_thickness"):
        assert cine[part] == alone[part]
    assert cine["volumes_ml"]["LV"][start] == pytest.approx(cine["lv"]["edv_ml"], abs=0.01)


def test_frames_can_be_named(tmp_path):
    path = save_cine(tmp_path / "anna.nii.gz")
    found = measured(path, "--ed", 2, "--es", 4)
    assert (found["ed_frame"], found["es_frame"], found["phases"]["source"]) == (2, 4, "given")
    assert found["lv"]["edv_ml"] == pytest.approx(half_ellipsoid_ml(24, 90), rel=0.01)
    only = measured(path, "--es", 4)
    assert (only["ed_frame"], only["es_frame"], only["phases"]["source"]) == (
        1,
        4,
        "given and volume curve",
    )


@pytest.mark.acdc
def test_acdcs_patient001_gives_the_known_numbers(acdc):
    folder = next(acdc.rglob("patient001"))
    found = measured(
        "--ed",
        folder / "patient001_frame01_gt.nii.gz",
        "--es",
        folder / "patient001_frame12_gt.nii.gz",
    )
    assert (found["ed_frame"], found["es_frame"]) == (1, 12)
    lv = {"edv_ml": 295.51, "esv_ml": 225.61, "ef_percent": 23.65, "mass_g": 172.47}
    assert {name: found["lv"][name] for name in lv} == pytest.approx(lv, abs=0.01)
    assert (found["rv"]["edv_ml"], found["rv"]["esv_ml"]) == pytest.approx(
        (139.72, 59.55), abs=0.01
    )
    assert found["body"]["height_cm"] == 184
    assert found["indexed"]["lv_edv_ml_per_m2"] == pytest.approx(134.11, abs=0.01)


# -------------------------------------------------------------------------------------------- names


def test_the_values_names_come_from_the_option_or_from_beside_the_mask(tmp_path):
    paths = []
    for name, radius in (("ed", 25), ("es", 16)):
        mask = drawn(radius)
        paths.append(
            save_mask(
                tmp_path / f"{name}_mask.nii.gz",
                mask.with_array(np.array([0, 3, 2, 1], np.uint8)[mask.array]),
            )
        )
    call = ("--ed", paths[0], "--es", paths[1])
    edv = half_ellipsoid_ml(25, 90)
    swapped = measured(*call)["lv"]["edv_ml"]
    assert swapped != pytest.approx(edv, rel=0.2), "ACDC's order is not that of this mask"
    assert measured(*call, "--labels", "LV=1, MYO=2, RV=3")["lv"]["edv_ml"] == pytest.approx(
        edv, rel=0.01
    )
    named = {"background": 0, "LV": 1, "MYO": 2, "RV": 3}
    record_of_case("ed", labels=named).write(tmp_path / "ed_run.json")
    assert measured(*call)["lv"]["edv_ml"] == pytest.approx(edv, rel=0.01)
    (tmp_path / "ed_run.json").unlink()
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": named}))
    assert measured(*call)["lv"]["edv_ml"] == pytest.approx(edv, rel=0.01)


def test_an_unreadable_run_record_is_named_unless_the_names_are_given(tmp_path, pair):
    record = tmp_path / "anna_ED_run.json"
    record.write_text('{"labels": {"background": 0, "LV": 1}}')
    call = ("--ed", pair[0], "--es", pair[1])
    assert str(record) in measured(*call, code=EXIT_INPUT)
    measured(*call, "--labels", "RV=1,MYO=2,LV=3")


@pytest.mark.parametrize("text", ["", "LV", "LV=1,LV=2", "LV=one", "LV=1,MYO=2,RV=2"])
def test_labels_that_are_none_are_told(pair, text):
    assert measured("--ed", pair[0], "--es", pair[1], "--labels", text, code=EXIT_USAGE).startswith(
        "error: --labels: found "
    )


# -------------------------------------------------------------------------------------------- files


def test_without_an_output_nothing_is_written(tmp_path):
    path = save_cine(tmp_path / "in" / "anna.nii.gz")
    done = cardioseg("measure", path)
    assert "EDV (ml)" in done.out
    assert "not a medical device" in " ".join(done.out.split())
    assert names_in(tmp_path) == {"in/anna.nii.gz"}


def test_the_files_of_a_cine(tmp_path):
    found = measured(
        save_cine(tmp_path / "anna_mask.nii.gz"),
        "-o",
        tmp_path / "out",
        "--height-cm",
        170,
        "--weight-kg",
        70,
    )
    assert names_in(tmp_path / "out") == {"anna_clinical.json", "anna_curve.csv", "anna_curve.png"}
    written = json.loads((tmp_path / "out" / "anna_clinical.json").read_text())
    assert written == {key: found[key] for key in written}
    rows = list(csv.DictReader((tmp_path / "out" / "anna_curve.csv").read_text().splitlines()))
    assert [row["frame"] for row in rows] == [str(frame) for frame in range(1, 13)]
    assert {row["phase"]: row["frame"] for row in rows if row["phase"]} == {"ED": "1", "ES": "5"}
    assert float(rows[1]["time_ms"]) == pytest.approx(70)
    assert float(rows[0]["lv_ml"]) == pytest.approx(found["lv"]["edv_ml"], abs=0.01)
    with Image.open(tmp_path / "out" / "anna_curve.png") as picture:
        assert len(set(picture.convert("RGB").get_flattened_data())) > 100


def test_a_file_that_is_there_is_not_replaced_unasked(tmp_path, pair):
    call = ("--ed", pair[0], "--es", pair[1], "-o", tmp_path / "out")
    assert measured(*call)["cases"] == {"ed": "anna_ED", "es": "anna_ES"}
    path = tmp_path / "out" / "anna_clinical.json"
    before = path.stat().st_mtime_ns
    measured(*call)
    assert path.stat().st_mtime_ns == before, "the same numbers are left as they are"
    assert str(path) in measured(*call, "--heart-rate", 60, code=EXIT_RESOURCES)
    assert json.loads(path.read_text())["body"]["heart_rate_bpm"] is None
    measured(*call, "--overwrite", "--heart-rate", 60)
    assert json.loads(path.read_text())["body"]["heart_rate_bpm"] == 60


def test_what_segment_recorded_of_the_body_is_used_again(tmp_path):
    path = save_cine(tmp_path / "anna_mask.nii.gz")
    measured(path, "-o", tmp_path, "--height-cm", 170, "--weight-kg", 70, "--heart-rate", 65)
    again = measured(path, "--weight-kg", 75)["body"]
    assert (again["height_cm"], again["weight_kg"], again["heart_rate_bpm"]) == (170, 75, 65)


# ---------------------------------------------------------------------------------- what goes wrong


def test_calls_that_make_no_sense_are_told(tmp_path, pair):
    cine = save_cine(tmp_path / "cine.nii.gz")
    for arguments, named in (
        ((), "measure: "),
        (("--ed", pair[0]), "measure: "),
        ((pair[0], "--ed", 1), f"{pair[0]}: found one volume"),
        ((pair[0], "--es", pair[1]), f"{pair[0]}: found one volume"),
        ((cine, "--ed", pair[0]), f"--ed: found {str(pair[0])!r}"),
        ((cine, "--ed", 13), "--ed: found frame 13; expected 1 to 12"),
        ((cine, "--ed", 0), "--ed: found frame 0; expected 1 to 12"),
        ((cine, "--ed", 3, "--es", 3), "--es: found frame 3"),
        ((cine, "--height-cm", 1.8), "--height-cm: found 1.8; expected 40 to 250"),
        ((cine, "--heart-rate", 600), "--heart-rate: found 600"),
    ):
        assert f"error: {named}" in measured(*arguments, code=EXIT_USAGE)
    assert "no such file" in measured(
        "--ed", pair[0], "--es", tmp_path / "nothing.nii.gz", code=EXIT_INPUT
    )
    assert "12 frames" in measured("--ed", pair[0], "--es", cine, code=EXIT_INPUT)
    odd = save_image(tmp_path / "odd.nii.gz", np.full((8, 8, 3), 7, np.uint8))
    assert "found values 7 (192 voxels); expected 0 background, 1 RV" in measured(
        "--ed", odd, "--es", pair[1], code=EXIT_INPUT
    )


def test_swapped_phases_and_different_grids_are_warned_of(tmp_path, pair):
    other = save_mask(tmp_path / "other.nii.gz", drawn(16, distance=5.0))
    swapped = measured("--ed", pair[1], "--es", pair[0])["phases"]
    assert (swapped["confidence"], len(swapped["reasons"])) == ("low", 1)
    done = cardioseg("measure", "--ed", pair[0], "--es", other)
    assert "(128, 96, 10) and (128, 96, 20) voxels" in done.err


def test_a_drawn_beat_has_its_phases_and_its_numbers(tmp_path):
    phantom = draw(PhantomConfig(shape=(96, 96, 8), spacing_mm=(2.0, 2.0, 11.0), frames=15))
    write_truth(tmp_path / "heart_truth.nii.gz", phantom)
    found = measured(tmp_path / "heart_truth.nii.gz")
    assert (found["ed_frame"], found["es_frame"]) == (phantom.ed + 1, phantom.es + 1)
    assert found["phases"]["confidence"] == "high"
    assert found["wall_thickness"]["anterior"] == "from the affine"
    assert 50 < found["lv"]["ef_percent"] < 65
