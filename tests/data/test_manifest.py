"""manifest.json: cases, hashes, settings and spacing rule of a prepared data set."""

import hashlib
import json

import nibabel as nib
import numpy as np
import pytest
from small_data import SPACING, write_patients
from small_prepare import CONFIG, prepare_beside

from cardioseg.core.errors import InputError
from cardioseg.data.manifest import Manifest


@pytest.fixture
def raw(tmp_path):
    return write_patients(tmp_path / "raw", 3)


def test_the_manifest_says_who_what_and_from_which_bytes(raw):
    report = prepare_beside(raw)
    manifest = Manifest.read(raw.parent / "prepared")
    assert (manifest.source, manifest.labels.names) == ("acdc", ("background", "RV", "MYO", "LV"))
    assert manifest.preparation == CONFIG
    first = manifest.entries[0]
    assert (first.name, first.patient, first.phase, first.group) == (
        "patient001_frame01",
        "patient001",
        "ED",
        "HCM",
    )
    assert first.spacing_mm == SPACING, "pixdim's spacing, not the affine's"
    assert (
        first.file_sha256 == hashlib.sha256((manifest.folder / first.file).read_bytes()).hexdigest()
    )
    assert len({entry.source_sha256 for entry in manifest.entries}) == 6
    assert [entry.name for entry in manifest.entries] == sorted(
        entry.name for entry in manifest.entries
    )
    text = (manifest.folder / "manifest.json").read_text()
    assert str(raw.parent) not in text, "a prepared folder may be moved"
    assert report.data.patients == 3
    assert report.files == (manifest.folder / "manifest.json",)


@pytest.mark.parametrize("trust", ["pixdim", "affine"])
def test_the_manifest_says_what_was_trusted_and_how_often_it_mattered(raw, trust):
    for path in (raw / "patient002").glob("*_frame01*.nii.gz"):
        nib.save(
            nib.Nifti1Image(np.asarray(nib.load(path).dataobj), np.diag([*SPACING, 1.0])), path
        )
    for kept in (0, 6):
        data = prepare_beside(raw, trust=trust).data
        manifest = Manifest.read(raw.parent / "prepared")
        assert (
            (manifest.trust, manifest.two_spacings) == (data.trust, data.two_spacings) == (trust, 5)
        )
        assert data.kept == kept


def test_a_manifest_of_an_earlier_form_is_refused(raw):
    prepare_beside(raw)
    path = raw.parent / "prepared/manifest.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in written.items() if key != "trust"}))
    with pytest.raises(InputError, match="run cardioseg prepare again"):
        Manifest.read(raw.parent / "prepared")


@pytest.mark.parametrize("text", ["", "{}", '{"cases": [{"name": 1}]}', '{"cases": 3}'])
def test_a_broken_manifest_is_named(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match="unreadable manifest"):
        Manifest.read(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        Manifest.read(tmp_path / "nowhere")


def case(**changes):
    return {
        "name": "a_ED",
        "patient": "a",
        "phase": "ED",
        "group": "",
        "file": "cases/a_ED.safetensors",
        "source_sha256": "0",
        "file_sha256": "0",
        "spacing_mm": [1.5, 1.5, 8],
    } | changes


def listing(**changes):
    whole = {
        "source": "acdc",
        "labels": ["background", "LV"],
        "preparation": {},
        "trust": "pixdim",
        "two_spacings": 0,
        "cases": [case()],
    }
    return json.dumps(whole | changes)


BROKEN = {
    "no object": "[]",
    "too deep": "[" * 200_000,
    "infinite": listing(cases=[case()]).replace("8]", "1e400]"),
    "cases as an object": listing(cases={}),
    "no case": listing(cases=[]),
    "a case twice": listing(cases=[case(), case()]),
    "a number as name": listing(cases=[case(name=3)]),
    "two spacings only": listing(cases=[case(spacing_mm=[1, 2])]),
    "a file elsewhere": listing(cases=[case(file="../../secret")]),
    "an absolute file": listing(cases=[case(file="/etc/passwd")]),
    "a file name with a zero": listing(cases=[case(file="a\0b")]),
    "labels as text": listing(labels="LV"),
    "no label": listing(labels=[]),
    "one label twice": listing(labels=["background", "LV", "LV"]),
    "an unknown setting": listing(preparation={"spacing": 3}),
    "text as number": listing(two_spacings="many"),
    "another format": listing(format=2),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_manifest_of_other_types_or_content_is_an_input_error(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError) as caught:
        Manifest.read(tmp_path)
    assert caught.value.file == str(tmp_path / "manifest.json")


def test_a_listing_of_the_right_types_is_read(tmp_path):
    (tmp_path / "manifest.json").write_text(listing())
    assert Manifest.read(tmp_path).entries[0].patient == "a"
