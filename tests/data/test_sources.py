"""Data sets as they lie on disk: ACDC, nnU-Net and CSV tables, with what is missing named."""

import json

import numpy as np
import pytest

from cardioseg.core.errors import EXIT_INPUT, InputError, LabelError, UsageError
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.data.sources import find_cases


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not read here")


def acdc_patient(
    root,
    number,
    frames=(1, 12),
    info="ED: 1\nES: 12\nGroup: DCM\nHeight: 171.0\nNbFrame: 30\nWeight: 77.0\n",
):
    folder = root / f"patient{number:03d}"
    for frame in frames:
        stem = f"{folder.name}_frame{frame:02d}"
        touch(folder / f"{stem}.nii.gz", folder / f"{stem}_gt.nii.gz")
    touch(folder / f"{folder.name}_4d.nii.gz")
    if info is not None:
        (folder / "Info.cfg").write_text(info)
    return folder


# --------------------------------------------------------------------------------------------- ACDC


@pytest.mark.parametrize("layout", ["", "training", "database/testing"])
def test_acdc_patients_have_phases_and_groups(tmp_path, layout):
    acdc_patient(tmp_path / layout, 2, frames=(4, 11), info="ES : 4\nED:11\nGroup: NOR\n")
    folder = acdc_patient(tmp_path / layout, 1)
    source = find_cases(tmp_path)
    assert (source.kind, source.labels) == ("acdc", ACDC_LABELS)
    assert [(c.name, c.patient, c.phase, c.group) for c in source.cases] == [
        ("patient001_frame01", "patient001", "ED", "DCM"),
        ("patient001_frame12", "patient001", "ES", "DCM"),
        ("patient002_frame04", "patient002", "ES", "NOR"),
        ("patient002_frame11", "patient002", "ED", "NOR"),
    ]
    assert source.cases[0].image == folder / "patient001_frame01.nii.gz"
    assert source.cases[0].label == folder / "patient001_frame01_gt.nii.gz"


def test_a_labelled_frame_that_is_neither_keeps_its_number(tmp_path):
    acdc_patient(tmp_path, 1, frames=(1, 7, 12))
    assert [case.phase for case in find_cases(tmp_path).cases] == ["ED", "7", "ES"]


def test_uncompressed_files_and_unlabelled_patients_are_fine(tmp_path):
    folder = acdc_patient(tmp_path, 1)
    for path in list(folder.glob("*frame*.gz")):
        path.rename(path.with_suffix(""))
    touch(tmp_path / "patient002" / "patient002_frame01.nii.gz")
    assert [case.image.name for case in find_cases(tmp_path).cases] == [
        "patient001_frame01.nii",
        "patient001_frame12.nii",
    ]


@pytest.mark.parametrize(
    ("info", "found"),
    [
        (None, "no such file"),
        ("Group: DCM\n", "keys Group"),
        ("ED: x\nES: 2\n", "keys ED, ES"),
        ("ED: ²\nES: 2\n", "keys"),
    ],
)
def test_a_patient_without_its_phases_is_named(tmp_path, info, found):
    folder = acdc_patient(tmp_path, 3, info=info)
    with pytest.raises(InputError) as caught:
        find_cases(tmp_path)
    assert caught.value.file == str(folder / "Info.cfg")
    assert found in caught.value.found
    assert caught.value.exit_code == EXIT_INPUT


def test_a_mask_without_its_image_is_named(tmp_path):
    missing = acdc_patient(tmp_path, 1) / "patient001_frame12.nii.gz"
    missing.unlink()
    with pytest.raises(InputError, match="mask without its image") as caught:
        find_cases(tmp_path)
    assert caught.value.file == str(missing)


def test_one_patient_in_two_folders_is_an_error(tmp_path):
    acdc_patient(tmp_path / "training", 1)
    acdc_patient(tmp_path / "testing", 1)
    with pytest.raises(InputError, match=r"2 case names twice \(patient001_frame01"):
        find_cases(tmp_path)


def test_folders_without_cases_say_what_was_looked_for(tmp_path):
    (tmp_path / "patient001").mkdir()
    with pytest.raises(InputError, match="no labelled case") as caught:
        find_cases(tmp_path)
    assert all(word in str(caught.value) for word in ("patientXXX", "dataset.json", "CSV"))
    with pytest.raises(InputError, match="no such folder"):
        find_cases(tmp_path / "nowhere")


# ------------------------------------------------------------------------------------------ nnU-Net


def nnunet(root, names=("anna_ED", "anna_ES", "bert"), ending=".nii.gz", **changes):
    data = {
        "labels": {"background": 0, "LV": 1, "MYO": 2, "RV": 3, "scar": 4},
        "file_ending": ending,
        "channel_names": {"0": "MR"},
    }
    for name in names:
        touch(root / "imagesTr" / f"{name}_0000{ending}", root / "labelsTr" / f"{name}{ending}")
    touch(root / "imagesTs" / f"clara_0000{ending}")
    (root / "dataset.json").write_text(json.dumps(data | changes))
    return root


def test_nnunet_brings_its_own_classes_and_any_number_of_them(tmp_path):
    source = find_cases(nnunet(tmp_path))
    assert (source.kind, source.labels.names) == (
        "nnunet",
        ("background", "LV", "MYO", "RV", "scar"),
    )
    assert source.labels.value("RV") == 3, "the names decide, not ACDC's order"
    assert [(c.name, c.patient, c.phase) for c in source.cases] == [
        ("anna_ED", "anna", "ED"),
        ("anna_ES", "anna", "ES"),
        ("bert", "bert", ""),
    ]
    assert source.cases[0].image == tmp_path / "imagesTr" / "anna_ED_0000.nii.gz"
    assert source.cases[0].label == tmp_path / "labelsTr" / "anna_ED.nii.gz"


def test_nnunet_labels_are_ordered_by_value(tmp_path):
    labels = {"RV": 2, "background": 0, "LV": 1}
    assert find_cases(nnunet(tmp_path, labels=labels)).labels.names == ("background", "LV", "RV")


def test_two_frames_of_one_heart_are_one_patient(tmp_path):
    source = find_cases(
        nnunet(tmp_path, names=("patient001_frame01", "patient001_frame12", "p_frame_2"))
    )
    assert [c.patient for c in source.cases] == ["p_frame_2", "patient001", "patient001"]


def test_other_endings_are_read(tmp_path):
    assert [
        c.image.name for c in find_cases(nnunet(tmp_path, names=("bert",), ending=".nrrd")).cases
    ] == ["bert_0000.nrrd"]


@pytest.mark.parametrize(
    ("labels", "names", "values"),
    [
        ({"background": 0, "LV": 2}, ("LV",), (2,)),
        ({"background": 0, "LV": 258}, ("LV",), (258,)),
        ({"background": 0, "LV": 500, "MYO": 200, "RV": 600}, ("MYO", "LV", "RV"), (200, 500, 600)),
        ({"0": "background", "1": "LV", "3": "RV"}, ("LV", "RV"), (1, 3)),
        ({"0": "background", "10": "LV"}, ("LV",), (10,)),
        ({"LV": 1, "MYO": 2}, ("LV", "MYO"), (1, 2)),
        ({"Background": "0", "LV": "1"}, ("LV",), (1,)),
        ({"background": 0, "LV": [1], "MYO": 2.0}, ("LV", "MYO"), (1, 2)),
        ({"background": 0, "LV": 1, "ignore": 2}, ("LV",), (1,)),
    ],
)
def test_every_value_keeps_its_name(tmp_path, labels, names, values):
    table = find_cases(nnunet(tmp_path, labels=labels)).labels
    assert (table.structures, table.stored[1:]) == (names, values)


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ({"background": 0, "heart": [1, 2, 3], "LV": 3}, "heart"),
        ({"0": "background", "1": "heart", "2": "heart"}, "region"),
        ({"background": 0, "LV": "one"}, "LV"),
        ({"background": 0, "LV": -1}, "LV"),
        ({"background": 0, "LV": 1.5}, "LV"),
        ({"background": 0, "LV": True}, "LV"),
        ({"background": 0, "LV": None}, "LV"),
        ({"background": 0, "LV": {"a": 1}}, "LV"),
        ({"background": 0, "LV": 1 << 70}, "LV"),
        ({"background": 0, "LV": "9" * 4400}, "LV"),
        ({"background": 0, "LV": 1, "RV": 1}, "RV"),
        ({"background": 255, "LV": 0}, "background"),
        ({"LV": 0, "RV": 1}, "LV"),
        ({"background": 0}, "0 structures"),
        ({}, "0 structures"),
        ({"background": 0} | {f"s{n}": n for n in range(1, 300)}, "299 structures"),
    ],
)
def test_labels_that_name_no_single_values_are_refused(tmp_path, labels, named):
    with pytest.raises(LabelError) as caught:
        find_cases(nnunet(tmp_path, labels=labels))
    assert caught.value.file == str(tmp_path / "dataset.json")
    assert named in caught.value.found


@pytest.mark.parametrize(
    "changes",
    [
        {"channel_names": {"0": "cine", "1": "T2"}},
        {"channel_names": None, "modality": {"0": "cine", "1": "T2"}},
        {"channel_names": ["cine", "T2"]},
    ],
)
def test_several_channels_are_refused_by_name(tmp_path, changes):
    with pytest.raises(InputError) as caught:
        find_cases(nnunet(tmp_path, **changes))
    assert "2 channels (cine, T2)" in caught.value.found


def test_an_image_of_a_second_channel_is_refused(tmp_path):
    second = nnunet(tmp_path) / "imagesTr" / "bert_0001.nii.gz"
    touch(second)
    with pytest.raises(InputError) as caught:
        find_cases(tmp_path)
    assert caught.value.file == str(second)


@pytest.mark.parametrize("ending", ["**", "", "*.nii.gz", "nii.gz", "../x.nii.gz", 3, None, ["x"]])
def test_an_ending_that_is_none_is_refused(tmp_path, ending):
    with pytest.raises(InputError, match="file_ending"):
        find_cases(nnunet(tmp_path, file_ending=ending))


def test_images_of_nnunet_1_have_no_channel_in_their_names(tmp_path):
    for image in (nnunet(tmp_path) / "imagesTr").glob("*_0000.nii.gz"):
        image.rename(image.with_name(image.name.replace("_0000", "")))
    assert {case.image.name for case in find_cases(tmp_path).cases} == {
        "anna_ED.nii.gz",
        "anna_ES.nii.gz",
        "bert.nii.gz",
    }


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"labels": ["a"]}', "\x00", "[" * 200_000, '{"labels": {"LV": 1e400}}'],
    ids=range(7),
)
def test_a_broken_dataset_json_is_named(tmp_path, text):
    nnunet(tmp_path)
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError) as caught:
        find_cases(tmp_path)
    assert caught.value.file == str(tmp_path / "dataset.json")


def test_a_label_without_its_image_is_named(tmp_path):
    missing = nnunet(tmp_path) / "imagesTr" / "bert_0000.nii.gz"
    missing.unlink()
    with pytest.raises(InputError, match=r"the image of bert\.nii\.gz") as caught:
        find_cases(tmp_path)
    assert caught.value.file == str(missing)


def test_an_nnunet_folder_without_labels_is_empty(tmp_path):
    with pytest.raises(InputError, match="no labelled case"):
        find_cases(nnunet(tmp_path, names=()))


# ---------------------------------------------------------------------------------------------- CSV


def table(root, text, encoding="utf-8"):
    for name in ("a b.nii.gz", "ö.nrrd", "a_gt.nii.gz"):
        touch(root / "data" / name)
    path = root / "cases.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table_names_its_files_from_where_it_lies(tmp_path, encoding):
    text = (
        "image, label,patient,phase,group\n"
        " data/a b.nii.gz ,data/a_gt.nii.gz,anna,ED,DCM\n"
        "data/ö.nrrd,,,,\n"
    )
    source = find_cases(table(tmp_path, text, encoding), labels="RV=1,MYO=2,LV=3")
    first, second = source.cases
    assert (source.kind, source.labels) == ("csv", ACDC_LABELS)
    assert (first.name, first.patient, first.phase, first.group) == ("a b", "anna", "ED", "DCM")
    assert (first.image, first.label) == (
        tmp_path / "data" / "a b.nii.gz",
        tmp_path / "data" / "a_gt.nii.gz",
    )
    assert (second.name, second.patient, second.phase, second.group, second.label) == (
        "ö",
        "ö",
        "",
        "",
        None,
    )


CSV = "image,label\ndata/a b.nii.gz,data/a_gt.nii.gz\n"


def test_a_table_with_masks_takes_its_names_from_labels_or_a_file_beside_it(tmp_path):
    path = table(tmp_path, CSV)
    with pytest.raises(LabelError, match="--labels"):
        find_cases(path)
    assert find_cases(path, labels="LV=7").labels.stored == (0, 7)
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "LV": 1}}')
    assert find_cases(path).labels.names == ("background", "LV")
    assert find_cases(path, labels="LV=1").labels.names == ("background", "LV")
    with pytest.raises(UsageError):
        find_cases(path, labels="RV=1")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("label\ndata/a_gt.nii.gz\n", "columns label"),
        ("image,mask\ndata/ö.nrrd,x\n", "columns image, mask"),
        ("", "columns none"),
        ("image\n", "no labelled case"),
        ("image,label\ndata/none.nii.gz,data/a_gt.nii.gz\n", "no such file"),
        ("image,label\ndata/ö.nrrd,data/none.nii.gz\n", "no such file"),
        ("image,label\n,data/a_gt.nii.gz\n", "a row without an image"),
        ("image\ndata/ö.nrrd\ndata/ö.nrrd\n", "1 case names twice (ö"),
    ],
)
def test_tables_that_do_not_add_up_are_named(tmp_path, text, found):
    with pytest.raises(InputError) as caught:
        find_cases(table(tmp_path, text))
    assert found in caught.value.found


@pytest.mark.parametrize(
    "content",
    [
        bytes(np.random.default_rng(0).integers(0, 256, 500, np.uint8)),
        "name;größe".encode("latin-1"),
    ],
)
def test_a_file_that_is_no_table_is_an_input_error(tmp_path, content):
    (tmp_path / "image.nii.gz").write_bytes(content)
    with pytest.raises(InputError, match="no readable table"):
        find_cases(tmp_path / "image.nii.gz")
