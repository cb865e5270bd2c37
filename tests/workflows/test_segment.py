"""``cardioseg segment`` end to end with a random network: files, grids, inputs, report."""

import gzip
import hashlib
import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from tiny import (
    LABELS,
    MAPS,
    SHAPE,
    TABLES,
    besides_quality,
    cardioseg,
    cine_results,
    names_in,
    results,
    run_record,
    save_image,
    stored,
    voxels,
)

from cardioseg.core.errors import EXIT_INPUT, EXIT_SOME_FAILED, EXIT_USAGE
from cardioseg.data.inputs import find_inputs

# ---------------------------------------------------------------------------------- what is written


def test_an_image_becomes_maps_a_picture_and_a_record(segment, out, tmp_path, model):
    path = save_image(tmp_path / "heart.nii.gz")
    segment(path)
    assert names_in(out) == results("heart") | TABLES
    for kind in MAPS:
        array = stored(out / f"heart_{kind}.nii.gz")
        assert (array.shape, array.dtype) == (SHAPE, np.uint8)
    assert len(np.unique(stored(out / "heart_mask.nii.gz"))) > 1, (
        "a test on an empty mask shows nothing"
    )
    assert stored(out / "heart_mask.nii.gz").max() < len(LABELS)
    assert set(np.unique(stored(out / "heart_halting.nii.gz"))) <= {1, 2}
    assert set(np.unique(stored(out / "heart_experts.nii.gz"))) <= {1, 2}
    with Image.open(out / "heart_preview.png") as picture:
        assert min(picture.size) > 100
    facts = run_record(out, "heart")
    assert facts["files"] == {
        name: hashlib.sha256((out / name).read_bytes()).hexdigest()
        for name in results("heart") - {"heart_run.json", ".heart_source"}
    }
    assert facts["recipe"]["input_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (
        facts["recipe"]["model_sha256"]
        == json.loads((model / "metadata.json").read_text())["weights_sha256"]
    )
    assert facts["labels"] == {name: value for value, name in enumerate(LABELS)}
    assert (
        facts["frames"],
        facts["recipe"]["loops"],
        facts["extrapolated"],
        facts["warnings"],
    ) == (
        1,
        2,
        False,
        [],
    )
    assert sum(facts["expert_shares"]) == pytest.approx(1, abs=1e-3)
    assert 1 <= facts["mean_steps"] <= 2


def test_probabilities_and_routing_sum_to_one_and_say_what_the_maps_say(segment, out, tmp_path):
    segment(save_image(tmp_path / "heart.nii.gz"), "--save", "probs,routing")
    assert names_in(out) == results("heart", "probs", "routing") | TABLES
    probs, routing = stored(out / "heart_probs.nii.gz"), stored(out / "heart_routing.nii.gz")
    assert (probs.shape, probs.dtype, routing.shape) == (
        (*SHAPE, len(LABELS)),
        np.float32,
        (*SHAPE, 2),
    )
    for array in (probs, routing):
        assert array.min() >= 0
        assert np.abs(array.sum(-1) - 1).max() < 1e-4
    mask, strongest = stored(out / "heart_mask.nii.gz"), probs.argmax(-1)
    assert np.array_equal(mask[mask > 0], strongest[mask > 0])
    assert (mask != strongest).sum() == sum(run_record(out, "heart")["removed_voxels"].values())
    assert np.array_equal(stored(out / "heart_experts.nii.gz"), routing.argmax(-1) + 1)


def test_a_cine_becomes_a_cine(segment, out, tmp_path):
    array = np.stack([voxels(seed=1), voxels(seed=2), voxels(seed=3), voxels(seed=1)], -1)
    header = nib.Nifti1Header()
    header.set_data_shape(array.shape)
    header.set_zooms((1.5, 1.5, 8, 0.04))
    header.set_xyzt_units("mm", "sec")
    segment(save_image(tmp_path / "cine.nii.gz", array, header=header), "--save", "probs")
    probs = {f"cine_probs_frame{frame:02d}.nii.gz" for frame in (1, 2, 3, 4)}
    assert names_in(out) == cine_results("cine") | probs | TABLES
    for kind in MAPS:
        path = out / f"cine_{kind}.nii.gz"
        frames = stored(path)
        assert frames.shape == array.shape
        assert nib.load(path).header.get_zooms()[3] == pytest.approx(0.04)
        assert np.array_equal(frames[..., 0], frames[..., 3])
    mask = stored(out / "cine_mask.nii.gz")
    assert not np.array_equal(mask[..., 0], mask[..., 1]), "frames are looked at one by one"
    save_image(tmp_path / "second.nii.gz", array[..., 1])
    segment(tmp_path / "second.nii.gz", output=tmp_path / "alone")
    assert np.array_equal(stored(tmp_path / "alone" / "second_mask.nii.gz"), mask[..., 1])
    assert run_record(out, "cine")["frames"] == 4


def test_the_same_input_gives_the_same_bytes(segment, tmp_path):
    path = save_image(tmp_path / "heart.nii.gz")
    for folder in ("one", "two"):
        segment(path, "--save", "probs", output=tmp_path / folder)
    for kind in (*MAPS, "probs"):
        one, two = (
            gzip.decompress((tmp_path / folder / f"heart_{kind}.nii.gz").read_bytes())
            for folder in ("one", "two")
        )
        assert one == two, kind


def test_views_change_probabilities_and_nothing_about_the_grid(segment, tmp_path):
    path = save_image(tmp_path / "heart.nii.gz")
    for views in ("none", "all"):
        segment(path, "--save", "probs", "--views", views, output=tmp_path / views)
    assert names_in(tmp_path / "none") == names_in(tmp_path / "all")
    one, eight = (tmp_path / views / "heart_probs.nii.gz" for views in ("none", "all"))
    assert np.abs(stored(one) - stored(eight)).max() > 1e-3
    assert nib.load(one).header.binaryblock == nib.load(eight).header.binaryblock
    facts = {views: run_record(tmp_path / views, "heart") for views in ("none", "all")}
    differing = {
        key
        for key in facts["none"]["recipe"]
        if facts["none"]["recipe"][key] != facts["all"]["recipe"][key]
    }
    assert differing == {"windows"}
    assert {**facts["none"]["recipe"]["windows"], "views": "all"} == facts["all"]["recipe"][
        "windows"
    ]


def test_loops_beyond_training_work_and_are_marked(segment, tmp_path):
    path = save_image(tmp_path / "heart.nii.gz")
    for loops in (2, 8):
        done = segment(path, "--loops", loops, "--save", "probs", output=tmp_path / str(loops))
        facts = run_record(tmp_path / str(loops), "heart")
        assert facts["extrapolated"] is (loops > 2)
        assert facts["recipe"]["loops"] == loops
        assert len(facts["warnings"]) == (loops > 2)
        assert besides_quality(done.err.splitlines()) == [
            f"warning: heart: {text}" for text in facts["warnings"]
        ]
        assert np.isfinite(stored(tmp_path / str(loops) / "heart_probs.nii.gz")).all()
    assert stored(tmp_path / "8" / "heart_halting.nii.gz").max() > 2


# -------------------------------------------------------------------------------- folders and lists


def test_a_folder_with_one_broken_file_is_done_but_for_that(segment, out, tmp_path):
    folder = tmp_path / "in"
    for name in ("a", "c"):
        save_image(folder / f"{name}.nii.gz")
    (folder / "b.nii.gz").write_bytes((folder / "a.nii.gz").read_bytes()[:500])
    done = segment(folder, code=EXIT_SOME_FAILED)
    assert names_in(out) == results("a") | results("c") | TABLES
    (line,) = besides_quality(done.err.splitlines())
    assert line.startswith(f"warning: {folder / 'b.nii.gz'}: found unreadable data")
    assert "failed" in next(row for row in done.out.splitlines() if "│ b " in row)


def test_a_folder_that_holds_only_broken_files_has_their_exit_code(segment, out, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.nii.gz").write_text("no image")
    done = segment(tmp_path / "in", code=EXIT_INPUT)
    assert len(done.err.splitlines()) == 2
    assert not names_in(out)


def test_lists_are_relative_to_themselves_and_may_name_folders_and_lists(segment, out, tmp_path):
    save_image(tmp_path / "data" / "a.nii.gz")
    save_image(tmp_path / "data" / "more" / "b.nii.gz")
    save_image(tmp_path / "c d.nii.gz")
    (tmp_path / "data" / "inner.txt").write_text("more\n../c d.nii.gz\n")
    (tmp_path / "data" / "list.txt").write_bytes(
        "\ufeff# a comment\r\na.nii.gz\r\n\r\ninner.txt\r\n".encode()
    )
    segment(tmp_path / "data" / "list.txt")
    assert {name for name in names_in(out) if name.endswith("_run.json")} == {
        "a_run.json",
        "b_run.json",
        "c d_run.json",
    }


def test_two_images_of_one_name_are_a_usage_error_and_one_named_twice_is_not(
    segment, out, tmp_path
):
    one, two = (
        save_image(tmp_path / "x" / "heart.nii.gz"),
        save_image(tmp_path / "x" / "heart.nii"),
    )
    done = segment(one, two, code=EXIT_USAGE)
    assert done.err.startswith(
        f"error: {two}: found a second image named heart; expected one image per name; "
    )
    assert not out.exists()
    assert list(find_inputs([one, tmp_path / "x" / ".." / "x" / "heart.nii.gz"]).images) == [
        "heart"
    ]


def test_a_folder_is_searched_for_images_only(tmp_path):
    for name in (
        "b",
        "a_experts",
        "a_halting",
        "a_probs",
        "a_routing_frame12",
        "a_probs_frame01",
        ".hidden",
    ):
        save_image(tmp_path / f"{name}.nii.gz")
    save_image(tmp_path / "folder.nii.gz" / "inner.nii.gz")
    for name in ("a_gt", "a_mask"):
        save_image(tmp_path / f"{name}.nii.gz", np.eye(40, 36, dtype=np.uint8)[:, :, None])
    (tmp_path / "again").symlink_to(".")
    (tmp_path / "dangling.nii.gz").symlink_to("nowhere.nii.gz")
    (tmp_path / "notes.txt").write_text("not a list unless it is named")
    assert list(find_inputs([tmp_path]).images) == ["b", "dangling", "inner"]


def test_results_beside_the_images_are_not_taken_for_images(segment, tmp_path):
    save_image(tmp_path / "in" / "heart.nii.gz", np.stack([voxels(), voxels(seed=1)], -1))
    for _ in range(2):
        segment(tmp_path / "in", "--save", "probs,routing", output=tmp_path / "in")
    made = {
        f"heart_{kind}_frame{frame:02d}.nii.gz" for kind in ("probs", "routing") for frame in (1, 2)
    }
    assert names_in(tmp_path / "in") == {"heart.nii.gz"} | cine_results("heart") | made | TABLES


# ------------------------------------------------------------------------------------------- stdout


def test_json_is_one_object_alone_on_stdout(segment, out, tmp_path):
    folder = tmp_path / "in"
    save_image(folder / "a.nii.gz")
    (folder / "b.nii.gz").write_text("no image")
    done = segment(folder, "--json", "--loops", "4", code=EXIT_SOME_FAILED)
    report = json.loads(done.out)
    assert done.err == ""
    assert (report["verb"], report["exit_code"]) == ("segment", EXIT_SOME_FAILED)
    a, b = report["data"]["cases"]
    assert (a["case"], a["state"], a["error"], a["run"]) == (
        "a",
        "done",
        None,
        run_record(out, "a"),
    )
    assert (b["case"], b["state"], b["run"]) == ("b", "failed", None)
    assert b["error"].startswith(str(folder / "b.nii.gz"))
    (more_loops,) = a["run"]["warnings"]
    assert besides_quality(report["warnings"]) == [b["error"], f"a: {more_loops}"]


def test_without_quiet_progress_goes_to_stderr(model, tmp_path):
    done = cardioseg(
        "segment",
        save_image(tmp_path / "heart.nii.gz"),
        "-o",
        tmp_path / "out",
        "-m",
        model,
        "--json",
    )
    assert json.loads(done.out)["data"]["cases"][0]["state"] == "done"
    assert all(line.startswith("segment: ") for line in done.err.splitlines())
