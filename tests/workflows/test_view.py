"""``cardioseg view``: which case and image are meant, and what the page holds."""

import base64
import gzip
import hashlib
import re

import nibabel as nib
import numpy as np
import pytest
from browser import Page
from small_case import LOOPS, SHAPE, SPACING, write_case
from tiny import save_image, voxels

from cardioseg.core.errors import GeometryError, InputError, LabelError, OutputError
from cardioseg.core.labels import PALETTE
from cardioseg.figures.palette import EXPERTS
from cardioseg.pages.html import ASSETS, NOTICE, POLICY
from cardioseg.pages.legend import legends
from cardioseg.pages.scene import MARGIN_MM, make_scene
from cardioseg.results.finished import open_finished
from cardioseg.workflows.view import ViewRequest, view


@pytest.fixture
def case(tmp_path):
    """A finished cine and its truth."""
    return tmp_path, write_case(tmp_path)


# --------------------------------------------------------------------------------------- which case


@pytest.mark.parametrize(
    "said",
    ["", "heart", "heart_run.json", "heart_mask.nii.gz", "heart.nii.gz", "heart_preview.png"],
)
def test_a_case_is_named_in_many_ways(case, said):
    folder, _ = case
    assert open_finished(folder / said if said else folder).name == "heart"


def test_neither_a_folder_of_its_name_nor_a_hidden_file_hides_a_case(case):
    folder, _ = case
    (folder / "heart").mkdir()
    (folder / "._heart_run.json").write_bytes(b"\x00\x05\x16\x07")
    assert open_finished(folder / "heart").folder == folder
    assert open_finished(folder).name == "heart"


def test_the_longest_name_that_fits_is_meant(tmp_path):
    for name in ("a", "a_b"):
        write_case(tmp_path, name, frames=1)
    assert open_finished(tmp_path / "a_b_mask.nii.gz").name == "a_b"
    assert open_finished(tmp_path / "a_mask.nii.gz").name == "a"
    with pytest.raises(InputError, match=r"found the cases a, a_b; .* name one, such as"):
        open_finished(tmp_path)


def test_a_folder_without_a_case_says_so(tmp_path):
    for said in (tmp_path, tmp_path / "x", tmp_path / "nowhere" / "x_run.json"):
        with pytest.raises(InputError, match="found no finished case"):
            open_finished(said)


def test_the_image_is_looked_for_beside_and_must_be_the_one_on_record(tmp_path):
    (tmp_path / "scans").mkdir()
    write_case(tmp_path, frames=1, image_folder=tmp_path / "scans")
    with pytest.raises(
        InputError,
        match=r"no image heart beside the results; .* pass the image or the DICOM folder with",
    ):
        open_finished(tmp_path / "heart")
    assert (
        open_finished(tmp_path / "heart", image=tmp_path / "scans" / "heart.nii.gz").image.frames
        == 1
    )
    other = save_image(tmp_path / "heart.nii.gz", voxels(SHAPE), spacing=SPACING)
    for image in (None, other):
        with pytest.raises(InputError, match=r"SHA-256 .* as recorded"):
            open_finished(tmp_path / "heart", image=image)


def test_a_record_that_is_none_and_maps_that_do_not_fit_are_refused(case):
    folder, _ = case
    record = folder / "heart_run.json"
    whole = record.read_text()
    for broken, found in (
        (whole[:50], "unreadable data"),
        ("[]", "list"),
        ("3", "int"),
    ):
        record.write_text(broken)
        with pytest.raises(InputError, match=found):
            open_finished(record)
    record.write_text(whole)
    save_image(folder / "heart_halting.nii.gz", np.ones((4, 4, 4), np.uint8))
    with pytest.raises(GeometryError, match="found shape \\(4, 4, 4\\)"):
        open_finished(record)


def test_a_mask_with_a_value_of_no_name_is_refused(tmp_path):
    truth = write_case(tmp_path, frames=1)
    save_image(
        tmp_path / "heart_mask.nii.gz", (truth[..., 0] * 3).astype(np.uint8), spacing=SPACING
    )
    with pytest.raises(LabelError, match="found label 9; expected 0 to 3"):
        view(ViewRequest(tmp_path / "heart"))
    assert not (tmp_path / "heart_view.html").exists()


# ---------------------------------------------------------------------------------------- the scene


def embedded(scene, kind):
    return nib.Nifti1Image.from_bytes(gzip.decompress(scene.files[kind]))


def test_the_scene_is_the_case_upright_and_cropped_to_the_heart(case):
    folder, truth = case
    scene = make_scene(open_finished(folder))
    columns, rows, slices = scene.shape
    assert (slices, scene.frames) == (SHAPE[2], 3)
    assert columns * rows < SHAPE[0] * SHAPE[1]
    assert scene.notes == (f"Cropped to the heart and {MARGIN_MM:.0f} mm around it.",)
    for kind in ("image", "mask", "halting", "experts"):
        assert embedded(scene, kind).shape == (columns, rows, slices, 3)
        assert embedded(scene, kind).get_data_dtype() == np.uint8
        np.testing.assert_allclose(embedded(scene, kind).affine, np.diag([*SPACING, 1]))
    mask = np.asarray(embedded(scene, "mask").dataobj)
    assert [(mask == value).sum() for value in (1, 2, 3)] == [
        (truth == value).sum() for value in (1, 2, 3)
    ]
    halting, experts = (
        np.asarray(embedded(scene, kind).dataobj) for kind in ("halting", "experts")
    )
    assert (halting == np.array([1, 2, 4, LOOPS])[mask]).all()
    assert (experts == mask + 1).all()


def test_all_of_the_field_of_view_stays_when_asked_or_when_nothing_was_found(tmp_path):
    write_case(tmp_path, frames=1)
    case = open_finished(tmp_path)
    assert make_scene(case, whole=True).shape == SHAPE
    assert make_scene(case, whole=True).notes == ()
    save_image(tmp_path / "heart_mask.nii.gz", np.zeros(SHAPE, np.uint8), spacing=SPACING)
    assert make_scene(open_finished(tmp_path)).shape == SHAPE


def test_intensities_keep_their_order_in_8_bits(case):
    folder, _ = case
    opened = open_finished(folder)
    scene = make_scene(opened, whole=True)
    shown, stored = (
        np.asarray(embedded(scene, "image").dataobj)[..., 0],
        opened.image.frame(0).array,
    )
    assert (shown.min(), shown.max()) == (0, 255)
    assert 0 <= scene.window[0] < scene.window[1] <= 255
    assert np.corrcoef(np.sort(shown.ravel()), np.sort(stored.ravel()))[0, 1] > 0.99


# ----------------------------------------------------------------------------------------- the page


def test_the_page_holds_everything_and_mentions_no_address(case):
    folder, _ = case
    report = view(ViewRequest(folder))
    (path,) = report.files
    page = Page(path)
    assert path == folder / "heart_view.html"
    assert page.addresses == ["data:,"]
    assert "default-src 'none'" in POLICY
    assert "connect-src" not in POLICY
    assert POLICY in path.read_text(encoding="utf-8").replace("&#39;", "'")
    text = " ".join(page.text)
    expected = (
        "heart",
        f"3 frames · {SHAPE[2]} slices · rdvit-2d",
        NOTICE,
        "RV",
        "MYO",
        "LV",
        "6 loops",
        "expert 4",
        "BSD 2-Clause",
    )
    assert [word for word in expected if word not in text] == []
    for kind in ("image", "mask", "halting", "experts"):
        assert gzip.decompress(base64.b64decode(page.scripts[f"file-{kind}"]))
    assert report.data.bytes == path.stat().st_size
    assert report.data.shape[2:] == (SHAPE[2], 3)


def test_colours_are_those_of_the_preview(case):
    mask, halting, experts = legends(open_finished(case[0]))
    assert dict(zip(mask.names[1:], mask.colours[1:], strict=True)) == PALETTE
    assert experts.colours[1:] == EXPERTS[:4]
    assert halting.colours[:2] == (None, None), "one loop is clear"
    assert len(halting.names) == len(halting.colours) == LOOPS + 1


def test_a_network_without_experts_has_no_such_layer(tmp_path):
    write_case(tmp_path, frames=1, experts=0)
    view(ViewRequest(tmp_path))
    page = Page(tmp_path / "heart_view.html")
    assert "file-experts" not in page.scripts
    assert not any("xpert" in text for text in page.text)


def test_names_and_warnings_are_escaped(tmp_path):
    name = "a<b>&\"'<img src=x onerror=alert(1)>"
    write_case(
        tmp_path,
        name,
        frames=1,
        warnings=("</script><script>alert(2)</script>",),
        model="<i>model</i>",
    )
    (path,) = view(ViewRequest(tmp_path)).files
    page = Page(path)
    assert page.addresses == ["data:,"]
    assert [
        word
        for word in (name, "<i>model</i>", "</script><script>alert(2)</script>")
        if word not in " ".join(page.text)
    ] == []
    assert not any("alert(2)" in script for script in page.scripts.values())


def test_no_path_reaches_the_page(case):
    folder, _ = case
    view(ViewRequest(folder))
    content = (folder / "heart_view.html").read_text(encoding="utf-8")
    assert str(folder) not in content
    assert str(folder.parent) not in content


def test_the_same_case_gives_the_same_page(case):
    folder, _ = case
    view(ViewRequest(folder))
    first = (folder / "heart_view.html").read_bytes()
    view(ViewRequest(folder))
    assert (folder / "heart_view.html").read_bytes() == first


def test_a_foreign_file_stays_unless_told_otherwise(case):
    folder, _ = case
    page = folder / "mine.html"
    page.write_text("<html>mine</html>")
    with pytest.raises(OutputError, match="a file that cardioseg did not make"):
        view(ViewRequest(folder, output=page))
    assert page.read_text() == "<html>mine</html>"
    view(ViewRequest(folder, output=page, overwrite=True))
    view(ViewRequest(folder, output=page))
    assert NOTICE in page.read_text(encoding="utf-8")


def test_niivue_is_the_published_file_with_its_licences():
    note = (ASSETS / "niivue" / "README.md").read_text(encoding="utf-8")
    content = (ASSETS / "niivue" / "niivue.umd.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == re.search(r"`([0-9a-f]{64})`", note)[1]
    assert f"{len(content):,} bytes" in note
    assert "Copyright (c) 2021, Niivue" in (ASSETS / "niivue" / "LICENSE").read_text(
        encoding="utf-8"
    )
    assert b"</script" not in content
