"""``cardioseg measure`` of one volume: the numbers that need only one phase."""

import json

import numpy as np
import pytest
from analytic_hearts import drawn, half_ellipsoid_ml
from measured_masks import measured, save_cine, save_mask
from tiny import besides_quality, cardioseg, names_in

from cardioseg.core.errors import EXIT_OK, EXIT_QUALITY, EXIT_RESOURCES
from cardioseg.results.hearts import ONE_VOLUME

BOTH_PHASES = ("edv_ml", "esv_ml", "sv_ml", "ef_percent")
BODY = ("--height-cm", 170, "--weight-kg", 70, "--heart-rate", 60)


@pytest.fixture
def ed(tmp_path):
    return save_mask(tmp_path / "anna_ED_mask.nii.gz", drawn(25))


def test_one_volume_has_the_shape_of_a_cine_and_its_own_numbers(tmp_path, ed):
    found, cine = measured(ed, *BODY), measured(save_cine(tmp_path / "cine.nii.gz"), *BODY)
    assert set(cine) <= set(found)
    for part in ("lv", "rv", "indexed", "cardiac_output", "body", "wall_thickness", "phases"):
        assert found[part].keys() == cine[part].keys()
    for side in ("lv", "rv"):
        for name in BOTH_PHASES:
            assert (found[side][name], found["reasons"][f"{side}.{name}"]) == (None, ONE_VOLUME)
    assert found["volumes_ml"] == {
        name: volumes[:1] for name, volumes in cine["volumes_ml"].items()
    }
    assert found["volumes_ml"]["LV"][0] == pytest.approx(half_ellipsoid_ml(25, 90), rel=0.01)
    assert found["lv"]["mass_g"] == cine["lv"]["mass_g"], "the cine's ED is this volume"
    assert found["indexed"]["lv_mass_g_per_m2"] == cine["indexed"]["lv_mass_g_per_m2"]
    assert found["indexed"]["lv_edv_ml_per_m2"] is None
    assert found["wall_thickness"] == cine["wall_thickness"]
    assert found["cardiac_output"]["l_per_min"] is None
    assert "lv.mass_g" not in found["reasons"]


def test_every_number_that_is_null_has_its_reason(ed):
    found = measured(ed)
    parts = ("lv", "rv", "indexed", "cardiac_output", "body")
    nulls = {
        f"{part}.{name}" for part in parts for name, value in found[part].items() if value is None
    }
    assert nulls == {name for name in found["reasons"] if name.startswith(parts)}
    assert found["reasons"]["indexed.lv_mass_g_per_m2"] == found["reasons"]["body.height_cm"]
    assert (
        found["reasons"]["cardiac_output.l_per_min"] == found["reasons"]["ed_frame"] == ONE_VOLUME
    )


@pytest.mark.parametrize(
    ("name", "phase", "source"),
    [("anna_ED", "ED", "file names"), ("anna_es", "ES", "file names"), ("anna", None, "none")],
)
def test_the_name_tells_the_phase(tmp_path, name, phase, source):
    found = measured(save_mask(tmp_path / f"{name}.nii.gz", drawn(25)))
    assert found["wall_thickness"]["phase"] == phase
    phases = found["phases"]
    assert (phases["source"], phases["confidence"]) == (source, "none")
    assert phases["reasons"][0] == ONE_VOLUME
    assert len(phases["reasons"]) == (1 if phase == "ED" else 2), "mass is defined at ED"
    assert ("wall_thickness.phase" in found["reasons"]) is (phase is None)
    assert found["lv"]["mass_g"] > 0


def test_info_cfg_tells_the_phase_and_the_frame(tmp_path):
    path = save_mask(tmp_path / "patient007" / "patient007_frame10_gt.nii.gz", drawn(16))
    path.with_name("Info.cfg").write_text("ED: 1\nES: 10\nGroup: NOR\nHeight: 170\nWeight: 70\n")
    found = measured(path)
    assert (found["ed_frame"], found["es_frame"], found["phases"]["source"]) == (
        None,
        10,
        "Info.cfg",
    )
    assert (found["wall_thickness"]["phase"], found["body"]["height_cm"]) == ("ES", 170)


def test_what_the_volume_does_not_show_is_null(tmp_path):
    mask = drawn(25)
    cavity = save_mask(
        tmp_path / "a_ED.nii.gz", mask.with_array(np.where(mask.array == 3, 3, 0).astype(np.uint8))
    )
    found = measured(cavity)
    assert (found["lv"]["mass_g"], found["reasons"]["lv.mass_g"]) == (None, "the mask shows no MYO")
    assert found["wall_thickness"]["mean_mm"] is None
    assert found["reasons"]["wall_thickness.mean_mm"] == "no slice shows LV cavity and wall"
    assert found["volumes_ml"]["RV"] == [0]
    empty = save_mask(tmp_path / "b_ED.nii.gz", mask.with_array(np.zeros_like(mask.array)))
    assert measured(empty)["quality"]["verdict"] == "fail"
    assert cardioseg("measure", empty, "--strict").code == EXIT_QUALITY
    other = save_mask(tmp_path / "c_ED.nii.gz", mask.with_array((mask.array == 3).astype(np.uint8)))
    found = measured(other, "--labels", "LV=1")
    assert "MYO" in found["reasons"]["lv.mass_g"]
    assert found["volumes_ml"]["LV"][0] == pytest.approx(half_ellipsoid_ml(25, 90), rel=0.01)


def test_a_single_slice_is_a_volume(tmp_path):
    mask = drawn(25)
    whole = measured(save_mask(tmp_path / "whole.nii.gz", mask))["volumes_ml"]["LV"][0]
    middle = mask.array.shape[2] // 2
    flat = type(mask)(mask.array[:, :, middle : middle + 1], mask.affine, mask.spacing)
    found = measured(save_mask(tmp_path / "flat.nii.gz", flat))
    assert 0 < found["volumes_ml"]["LV"][0] < whole
    assert found["wall_thickness"]["mean_mm"] is None
    assert "1 slice" in found["reasons"]["wall_thickness.mean_mm"]


def test_people_read_the_volumes_and_one_line_about_what_is_missing(ed):
    done = cardioseg("measure", ed)
    assert done.code == EXIT_OK
    assert done.out.startswith("Volumes")
    assert "anna_ED, one volume, quality" in " ".join(done.out.split())
    assert "Wall thickness at ED (mm)" in done.out
    assert besides_quality(done.err.splitlines()) == [f"warning: phases: {ONE_VOLUME}"]


def test_the_file_of_one_volume(tmp_path, ed):
    found = measured(ed, "-o", tmp_path / "out")
    assert names_in(tmp_path / "out") == {"anna_ED_clinical.json"}
    written = json.loads((tmp_path / "out" / "anna_ED_clinical.json").read_text())
    assert written == {key: found[key] for key in written}
    assert {"volumes_ml", "quality", "research_use_only"} <= set(written)
    measured(ed, "-o", tmp_path / "out")
    measured(ed, "-o", tmp_path / "out", *BODY, code=EXIT_RESOURCES)
    again = measured(ed, "-o", tmp_path / "out", "--overwrite", *BODY)
    assert again["body"]["weight_kg"] == 70
