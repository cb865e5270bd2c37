"""Bad images on the command line: a one-line message, the exit code, and no file left behind."""

import json
import os
import resource
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from broken import cut, flip, packed, refused, with_header
from tiny import SHAPE, SPACING, besides_quality, names_in, save_image, stored, voxels

from cardioseg.core.errors import (
    EXIT_INPUT,
    EXIT_OK,
    EXIT_SOME_FAILED,
    CardioSegError,
    InputError,
)
from cardioseg.imaging.open import open_image

# ----------------------------------------------------------------------------------- images, broken


def spoilt(value, dtype=np.float64):
    array = voxels(dtype=dtype)
    array[1, 2, 0] = value
    return array


def coloured(path):
    save_image(path, np.zeros((8, 8, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]))


def itk(path, text, **changes):
    """A MetaImage whose header was edited."""
    image = sitk.GetImageFromArray(voxels().T)
    image.SetSpacing(SPACING)
    sitk.WriteImage(image, str(path))
    content = path.read_bytes()
    old, new = text
    assert old in content
    path.write_bytes(content.replace(old, new))


BROKEN = {
    "truncated": ("x.nii.gz", lambda p: cut(p, 0.5), "unreadable data"),
    "truncated in the header": ("x.nii.gz", lambda p: cut(p, 0.01), "unreadable data"),
    "checksum cut off": ("x.nii.gz", lambda p: cut(p, 1), "unreadable data"),
    "flipped bits": ("x.nii.gz", flip, "unreadable data"),
    "truncated, not packed": (
        "x.nii",
        lambda p: p.write_bytes(packed(p)[:2000]),
        "unreadable data",
    ),
    "text": ("x.nii.gz", lambda p: p.write_text("hello"), "unreadable data"),
    "text, not packed": ("x.nii", lambda p: p.write_text("hello " * 100), "unreadable data"),
    "text as NRRD": ("x.nrrd", lambda p: p.write_text("NRRD0004\nhello"), "unreadable data"),
    "a picture": (
        "x.png",
        lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(90)),
        "PNG",
    ),
    "empty": ("x.nii.gz", lambda p: p.touch(), "an empty file"),
    "missing": ("x.nii.gz", lambda p: None, "no such file"),
    "a broken link": ("x.nii.gz", lambda p: p.symlink_to("x.nii.gz"), "no such file"),
    "NaN": ("x.nii.gz", lambda p: packed(p, spoilt(np.nan)), "1 NaN or infinite voxels"),
    "infinity": ("x.nii.gz", lambda p: packed(p, spoilt(-np.inf)), "1 NaN or infinite voxels"),
    "an absurd intensity": (
        "x.nii.gz",
        lambda p: packed(p, spoilt(1e300)),
        "an intensity of 1e+300",
    ),
    "constant": (
        "x.nii.gz",
        lambda p: packed(p, np.full(SHAPE, 7, np.int16)),
        "a constant image (every voxel 7)",
    ),
    "a single voxel": (
        "x.nii.gz",
        lambda p: packed(p, np.full((1, 1, 1), 7, np.int16)),
        "shape (1, 1, 1)",
    ),
    "one line": ("x.nii.gz", lambda p: packed(p, voxels((40, 1, 1))), "shape (40, 1, 1)"),
    "a column": ("x.nii.gz", lambda p: packed(p, voxels((1, 1, 9))), "shape (1, 1, 9)"),
    "5-D": ("x.nii.gz", lambda p: packed(p, voxels((8, 8, 2, 2, 2))), "shape (8, 8, 2, 2, 2)"),
    "1-D": ("x.nii.gz", lambda p: packed(p, np.arange(9, dtype=np.int16)), "shape (9,)"),
    "zero spacing": ("x.nii.gz", lambda p: with_header(p, "<f", 80, 0.0), "spacing 0 × 1.5 × 8 mm"),
    "spacing that is no number": (
        "x.nii.gz",
        lambda p: with_header(p, "<f", 84, float("nan")),
        "spacing 1.5 × nan × 8 mm",
    ),
    "spacing in the wrong unit": (
        "x.nii.gz",
        lambda p: packed(p, spacing=(60.0, 60.0, 320.0)),
        "60 mm",
    ),
    "zero spacing in MetaImage": (
        "x.mha",
        lambda p: itk(p, (b"Spacing = 1.5", b"Spacing = 0")),
        "spacing 0",
    ),
    "axes that lie in a plane": (
        "x.mha",
        lambda p: itk(p, (b"1 0 0 0 1 0 0 0 1", b"1 0 0 1 0 0 0 0 1")),
        "determinant 0",
    ),
    "RGB": ("x.nii.gz", coloured, "RGB voxels"),
    "complex": ("x.nii.gz", lambda p: packed(p, voxels(dtype=np.complex64)), "complex voxels"),
    "more than there is": (
        "x.nii.gz",
        lambda p: with_header(p, "<8h", 40, 3, 99, 99, 99, 1, 1, 1, 1),
        "unreadable data",
    ),
}


@pytest.mark.parametrize(("name", "make", "found"), BROKEN.values(), ids=BROKEN)
def test_a_broken_image_is_one_line_and_leaves_nothing(attempt, tmp_path, name, make, found):
    path = tmp_path / "Müller – 心臓" / name
    path.parent.mkdir()
    make(path)
    refused(attempt(path, "--save", "probs,routing"), EXIT_INPUT, path, found)
    assert not (tmp_path / "out").exists()


def test_in_a_folder_every_broken_image_is_one_line_and_the_others_are_done(attempt, tmp_path):
    folder = tmp_path / "in"
    save_image(folder / "good.nii.gz")
    save_image(folder / "zz good too.nii.gz")
    makes = {
        f"{index:02d}{name}": make
        for index, (name, make, _) in enumerate(BROKEN.values())
        if not name.endswith("png")
    }
    for name, make in makes.items():
        make(folder / name)
    wanted = {name for name in makes if (folder / name).is_symlink() or (folder / name).exists()}
    done = attempt(folder)
    assert done.code == EXIT_SOME_FAILED
    lines = besides_quality(done.err.splitlines())
    assert {line.split(": found ")[0] for line in lines} == {
        f"warning: {folder / name}" for name in wanted
    }
    assert len(lines) == len(wanted)
    assert {name for name in names_in(tmp_path / "out") if name.endswith("_run.json")} == {
        "good_run.json",
        "zz good too_run.json",
    }
    hidden = {name for name in names_in(tmp_path / "out") if name.startswith((".", "0", "1", "2"))}
    assert hidden == {".good_source", ".zz good too_source"}


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems do not keep to RLIMIT_AS"
)
def test_a_header_that_promises_more_than_memory_holds_is_named(tmp_path):
    path = tmp_path / "bomb.nii.gz"
    with_header(path, "<8h", 40, 3, 30000, 30000, 30000, 1, 1, 1, 1)
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (64 << 30, before[1]))
    try:
        with pytest.raises(InputError, match=r"shape \(30000, 30000, 30000\)"):
            open_image(path).frame(0)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def what_is_wrong(path):
    """The error of reading a whole file; None when there is none."""
    try:
        image = open_image(path)
        image.frame(image.frames - 1)
    except CardioSegError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("ending", "length", "bytes_"),
    [(".nii", 352, (0, 256)), (".nii.gz", 9999, (0, 256)), (".nrrd", 200, (32, 127))],
)
def test_a_file_with_random_bytes_in_it_is_read_or_named(tmp_path, ending, length, bytes_):
    random = np.random.default_rng(1)
    path = tmp_path / f"x{ending}"
    if ending == ".nrrd":
        sitk.WriteImage(sitk.GetImageFromArray(voxels((4, 5, 6))), str(path))
    else:
        save_image(path, voxels((6, 5, 4)))
    content, errors = path.read_bytes(), []
    for _ in range(250):
        changed = bytearray(content)
        for place in random.integers(0, min(length, len(content)), random.integers(0, 5)):
            changed[place] = random.integers(*bytes_)
        path.write_bytes(changed)
        errors.append(what_is_wrong(path))
    assert None in errors
    assert {error.exit_code for error in errors if error} == {EXIT_INPUT}
    assert all(error.file == str(path) for error in errors if error)


# -------------------------------------------------------------------------------------- images, odd

ODD = {
    "2-D": voxels((40, 36)),
    "one slice": voxels((40, 36, 1)),
    "slices first": np.moveaxis(voxels(), 2, 0),
    "four voxels": np.arange(4, dtype=np.int16).reshape(2, 2, 1),
    "smaller than a token": voxels((5, 3, 2)),
    "int64": voxels(dtype=np.int64),
    "uint64": voxels(dtype=np.uint64),
    "float64": voxels(dtype=np.float64) * 1e12,
    "big-endian": voxels(dtype=">i2"),
    "zero and one": (voxels() > 110).astype(np.uint8),
    "faint": voxels(dtype=np.float32) * 1e-20,
    "one bright voxel": np.eye(30, dtype=np.int16)[:, :, None] * np.eye(1, 3, dtype=np.int16),
}


@pytest.mark.parametrize("array", ODD.values(), ids=ODD)
def test_an_odd_image_works(attempt, tmp_path, array):
    done = attempt(save_image(tmp_path / "x.nii.gz", array))
    assert done.code == EXIT_OK, done.err
    for kind in ("mask", "halting", "experts"):
        assert stored(tmp_path / "out" / f"x_{kind}.nii.gz").shape == array.shape


@pytest.mark.parametrize(
    "options",
    [
        ("--window", "16,16"),
        ("--window", "33,47"),
        ("--window", "7x300"),
        ("--window", "500,500"),
        ("--overlap", "0"),
        ("--overlap", "0.95"),
        ("--loops", "1"),
        ("--loops", "255"),
        ("--save", " probs , routing,"),
        ("--views", "flips"),
        ("--device", "cpu"),
    ],
    ids=" ".join,
)
def test_an_odd_option_works(attempt, tmp_path, options):
    done = attempt(save_image(tmp_path / "x.nii.gz"), *options, "--save", "probs")
    assert done.code == EXIT_OK, done.err
    assert np.abs(stored(tmp_path / "out" / "x_probs.nii.gz").sum(-1) - 1).max() < 1e-3
    assert stored(tmp_path / "out" / "x_mask.nii.gz").shape == SHAPE


NAMES = [
    "new\nline",
    "\x1b[31mred\x1b[2J",
    "[bold]brackets[bold] {0} %s $HOME `id`",
    "$\\frac{x$_^",
    "-dash",
    "Müller – 心臓 \u202eltr",
    "x" * 200,
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_only_a_name(attempt, tmp_path, name):
    path = save_image(tmp_path / "in" / f"{name}.nii.gz")
    done = attempt(path)
    assert done.code == EXIT_OK, done.err
    assert f"{name}_mask.nii.gz" in names_in(tmp_path / "out")
    path.write_text("no image")
    both = (
        done,
        attempt(path, "--overwrite"),
        attempt(path.parent, save_image(tmp_path / "b.nii.gz"), "--overwrite"),
    )
    assert [outcome.code for outcome in both] == [EXIT_OK, EXIT_INPUT, EXIT_SOME_FAILED]
    for outcome in both:
        assert "\x1b" not in outcome.out + outcome.err
        assert len(besides_quality(outcome.err.splitlines())) == (outcome.code != EXIT_OK)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems refuse such names")
def test_a_name_that_is_no_text_is_shown_escaped(attempt, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.nii.gz"))
    shutil.copy(save_image(tmp_path / "good.nii.gz"), path)
    done = attempt(path, "--json")
    assert done.code == EXIT_OK, done.err
    assert json.loads(done.out)["data"]["cases"][0]["case"] == "b\udcff"
    path.write_text("no image")
    assert "b\\udcff" in attempt(path, "--overwrite").err
