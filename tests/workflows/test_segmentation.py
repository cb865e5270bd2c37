"""``cardioseg.segment`` and ``Segmentation``: the verb's results in memory, saved and read back."""

import base64
import io
import re
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from analytic_hearts import CYCLE
from drawn_hearts import draw_masks, heart
from PIL import Image
from tiny import (
    SPACING,
    cine_results,
    names_in,
    results,
    run_record,
    save_image,
    stored,
)
from tiny import voxels as noise

import cardioseg
from cardioseg.core.errors import InputError, OutputError, UsageError
from cardioseg.pages.html import NOTICE
from cardioseg.pages.report import verdict_facts
from cardioseg.results.records import RunRecord

SHAPE = (40, 36, 7)  # slices enough for a ventricle
VIEWER_FILES = {"labels.txt", "labels.ctbl"}
MAPS = ("mask", "halting", "experts")


def voxels(seed=0):
    return noise(SHAPE, seed=seed)


@pytest.fixture(scope="module")
def loaded(model):
    return cardioseg.load_model(model, device="cpu")


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A volume and a cine of four frames."""
    folder = tmp_path_factory.mktemp("scans")
    cine = np.stack([voxels(seed=seed) for seed in (1, 2, 3, 1)], axis=-1)
    header = nib.Nifti1Header()
    header.set_data_shape(cine.shape)
    header.set_zooms((*SPACING, 0.04))
    header.set_xyzt_units("mm", "sec")
    return SimpleNamespace(
        volume=save_image(folder / "heart.nii.gz", voxels()),
        cine=save_image(folder / "cine.nii.gz", cine, header=header),
    )


@pytest.fixture(scope="module")
def volume(scans, loaded):
    return cardioseg.segment(scans.volume, model=loaded, keep=("probs", "routing"))


@pytest.fixture(scope="module")
def cine(scans, loaded):
    return cardioseg.segment(
        scans.cine, model=loaded, height_cm=170, weight_kg=65, heart_rate_bpm=60
    )


@pytest.fixture
def beating(loaded, tmp_path, monkeypatch):
    """A cine whose masks are drawn hearts, so that it has numbers."""
    draw_masks(monkeypatch)
    path = heart(tmp_path / "anna.nii.gz", *CYCLE)
    return cardioseg.segment(path, model=loaded, height_cm=170, weight_kg=65, heart_rate_bpm=60)


def assert_same_maps(one, other):
    assert one.maps.keys() == other.maps.keys()
    for kind, array in one.maps.items():
        assert np.array_equal(array, other.maps[kind]), kind
        assert array.dtype == other.maps[kind].dtype == np.uint8


# -------------------------------------------------------------------------------- any kind of image


def test_a_path_gives_the_files_of_the_verb(scans, volume, segment, out):
    segment(scans.volume, "--save", "probs,routing")
    for kind in MAPS:
        assert np.array_equal(stored(out / f"heart_{kind}.nii.gz"), volume.maps[kind])
    written = RunRecord.read(out / "heart_run.json")
    changes = {"times": written.times, "files": written.files}
    assert volume.record.model_copy(update=changes) == written


def test_a_cine_gives_the_files_of_the_verb(scans, cine, segment, out):
    segment(scans.cine, "--height-cm", 170, "--weight-kg", 65, "--heart-rate", 60)
    for kind in MAPS:
        assert np.array_equal(stored(out / f"cine_{kind}.nii.gz"), cine.maps[kind])
    assert cardioseg.Segmentation.open(out, "cine").function == cine.function


@pytest.mark.parametrize("kind", ["text", "nibabel", "read", "array"])
def test_other_kinds_of_images_give_the_same_maps(scans, volume, loaded, kind):
    given = {
        "text": lambda: (str(scans.volume), {}),
        "nibabel": lambda: (nib.load(scans.volume), {}),
        "read": lambda: (cardioseg.read(scans.volume), {}),
        "array": lambda: (voxels(), {"spacing_mm": SPACING}),
    }
    image, geometry = given[kind]()
    found = cardioseg.segment(image, model=loaded, **geometry)
    assert_same_maps(found, volume)
    assert found.spacing_mm == pytest.approx(volume.spacing_mm)
    assert found.quality == volume.quality


def test_a_cine_in_memory_gives_the_same_maps(scans, cine, loaded):
    array = stored(scans.cine)
    assert_same_maps(cardioseg.segment(array, spacing_mm=SPACING, model=loaded), cine)


def test_an_affine_decides_where_the_result_lies(loaded, tmp_path):
    affine = np.array([[0, -1.5, 0, 10], [1.5, 0, 0, 20], [0, 0, 8, -5], [0, 0, 0, 1.0]])
    found = cardioseg.segment(
        voxels(), spacing_mm=SPACING, affine=affine, model=loaded, name="tilted"
    )
    assert np.allclose(found.affine, affine)
    found.save(tmp_path)
    assert np.allclose(nib.load(tmp_path / "tilted_mask.nii.gz").affine, affine)


def test_a_model_may_be_a_folder(scans, volume, model):
    assert_same_maps(cardioseg.segment(scans.volume, model=model, device="cpu"), volume)


# ------------------------------------------------------------------------------------ what is found


def test_a_volume_has_maps_on_its_own_grid_and_a_mass(volume, scans):
    assert {array.shape for array in volume.maps.values()} == {SHAPE}
    assert np.allclose(volume.affine, nib.load(scans.volume).affine)
    assert volume.spacing_mm == pytest.approx(SPACING)
    assert (volume.name, volume.function.kind) == ("heart", "volume")
    assert volume.function.lv.ef_percent is None
    assert volume.function.reasons["lv.ef_percent"]
    lv = np.count_nonzero(volume.mask == volume.labels.value("LV")) * np.prod(SPACING) / 1000
    assert volume.function.volumes_ml["LV"] == [pytest.approx(lv, abs=1e-3)]


def test_a_cine_has_phases_and_an_ef(beating):
    function = beating.function
    assert beating.mask.shape[3] == len(CYCLE)
    assert (function.kind, len(function.volumes_ml["LV"])) == ("cine", len(CYCLE))
    assert (function.ed_frame, function.es_frame) == (1, 5)
    assert function.lv.ef_percent == pytest.approx(
        100 * (function.lv.edv_ml - function.lv.esv_ml) / function.lv.edv_ml, abs=0.05
    )
    assert function.cardiac_output.l_per_min == pytest.approx(function.lv.sv_ml * 0.06, abs=0.01)
    assert beating.record.clinical.lv == function.lv


def test_results_can_be_kept_in_a_set_and_show_no_voxels(volume, cine):
    assert volume != cine
    assert len({volume, cine, volume}) == 2
    assert len(repr(volume)) < 300


def test_frames_can_be_given(scans, loaded):
    found = cardioseg.segment(scans.cine, model=loaded, ed=3, es=2).function
    assert (found.ed_frame, found.es_frame, found.phases.source) == (3, 2, "given")


def test_float_maps_are_kept_on_demand(volume, cine):
    (probabilities,), (routing,) = volume.probabilities, volume.routing
    assert probabilities.shape == (*SHAPE, len(volume.labels))
    assert routing.shape == (*SHAPE, int(volume.experts.max()))
    for array in (probabilities, routing):
        assert np.abs(array.sum(-1) - 1).max() < 1e-4
    assert np.array_equal(volume.experts, routing.argmax(-1) + 1)
    assert (cine.probabilities, cine.routing) == ((), ())


def test_settings_are_recorded(scans, loaded):
    found = cardioseg.segment(
        scans.volume, model=loaded, loops=3, exit="fixed", views="flips", overlap=0.5
    ).record
    recipe = found.recipe
    assert (recipe.loops, recipe.exit.rule, found.extrapolated) == (3, "fixed", True)
    assert (recipe.windows.views, recipe.windows.overlap) == ("flips", 0.5)
    assert found.mean_steps == 3


# ------------------------------------------------------------------------------------ save and open


def test_what_is_saved_is_read_back(volume, cine, tmp_path):
    for found in (volume, cine):
        record = found.save(tmp_path)
        again = cardioseg.Segmentation.open(tmp_path, found.name)
        assert_same_maps(again, found)
        assert again.record == record
        assert (again.function, again.quality) == (found.function, found.quality)
        assert np.allclose(again.affine, found.affine)
        assert again.spacing_mm == pytest.approx(found.spacing_mm)
        assert again.labels == found.labels
        assert again.contact_sheet() == found.contact_sheet()
    expected = results("heart", "probs", "routing") | cine_results("cine") | VIEWER_FILES
    assert names_in(tmp_path) == expected


def test_the_record_names_each_file_by_its_hash(volume, tmp_path):
    record = volume.save(tmp_path)
    assert record.files.keys() == results("heart", "probs", "routing") - {
        "heart_run.json",
        ".heart_source",
    }
    assert record == RunRecord.read(tmp_path / "heart_run.json")
    assert volume.record.files == {}, "the result in memory has no files"


def test_the_verb_keeps_what_the_api_saved(volume, scans, segment, out):
    volume.save(out)
    before = run_record(out, "heart")
    segment(scans.volume, "--save", "probs,routing")
    assert run_record(out, "heart") == before


def test_a_finished_case_and_other_peoples_files_are_not_replaced(volume, tmp_path):
    volume.save(tmp_path / "a")
    before = (tmp_path / "a" / "heart_run.json").read_bytes()
    with pytest.raises(OutputError, match=r"heart_run\.json"):
        volume.save(tmp_path / "a")
    assert (tmp_path / "a" / "heart_run.json").read_bytes() == before
    volume.save(tmp_path / "a", overwrite=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "heart_mask.nii.gz").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"heart_mask\.nii\.gz"):
        volume.save(tmp_path / "b")
    assert names_in(tmp_path / "b") == {"heart_mask.nii.gz"}


def test_a_case_read_back_cannot_be_saved(volume, tmp_path):
    volume.save(tmp_path)
    with pytest.raises(UsageError):
        cardioseg.Segmentation.open(tmp_path).save(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_an_image_in_memory_leaves_no_place_to_look_for_it(loaded, tmp_path):
    cardioseg.segment(voxels(), spacing_mm=SPACING, model=loaded, name="array").save(tmp_path)
    assert names_in(tmp_path) == results("array") - {".array_source"} | VIEWER_FILES


def test_a_folder_without_a_case_is_named(tmp_path):
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        cardioseg.Segmentation.open(tmp_path)


# ----------------------------------------------------------------------------------------- notebook


def test_a_notebook_shows_picture_verdict_numbers_and_notice(beating):
    function = beating.function
    html = beating._repr_html_()
    (picture,) = re.findall(r'src="data:image/\w+;base64,([^"]+)"', html)
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        assert min(image.size) > 100
    assert verdict_facts(beating.quality).words in html
    assert all(reason.where in html for reason in beating.quality.reasons)
    for value in (function.lv.edv_ml, function.lv.ef_percent, function.rv.edv_ml):
        assert f"{value:.1f}" in html
    assert NOTICE in html
    assert "<script" not in html


def test_a_volume_in_a_notebook_has_its_volumes(volume):
    html = volume._repr_html_()
    for (ml,) in volume.function.volumes_ml.values():
        assert f"{ml:.1f} ml" in html
    assert NOTICE in html


def test_print_shows_numbers_and_verdict_in_one_line(beating, volume):
    for found in (beating, volume):
        text = str(found)
        assert "\n" not in text
        assert text.startswith(found.name)
        assert text.endswith(found.quality.verdict)
    assert f"EF {beating.function.lv.ef_percent:.1f} %" in str(beating)
    assert all(
        f"{name} {ml[0]:.1f} ml" in str(volume) for name, ml in volume.function.volumes_ml.items()
    )


# ---------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("settings", "error", "named"),
    [
        ({"loops": 0}, UsageError, "0"),
        ({"exit": "never"}, UsageError, "never"),
        ({"window": (32, 32, 4)}, UsageError, "32, 32, 4"),
        ({"overlap": 1.5}, Exception, "overlap"),
        ({"height_cm": 1.8}, UsageError, "1.8"),
        ({"keep": ("logits",)}, UsageError, "logits"),
    ],
)
def test_settings_that_cannot_be_used_are_named(loaded, settings, error, named):
    with pytest.raises(error, match=re.escape(named)):
        cardioseg.segment(voxels(), spacing_mm=SPACING, model=loaded, **settings)


def test_a_frame_that_the_cine_does_not_have_is_named(scans, loaded):
    with pytest.raises(UsageError, match="frame 9"):
        cardioseg.segment(scans.cine, model=loaded, ed=9)


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (voxels(), UsageError),  # without its spacing
        ("nowhere.nii.gz", InputError),
        (7, UsageError),
    ],
)
def test_images_that_cannot_be_used_are_refused(loaded, image, error):
    with pytest.raises(error):
        cardioseg.segment(image, model=loaded)


def test_a_constant_image_is_refused(loaded):
    with pytest.raises(InputError, match="constant"):
        cardioseg.segment(np.full(SHAPE, 7), spacing_mm=SPACING, model=loaded)
