"""Damaged masks, links in circles and huge masks: ``measure``, ``evaluate`` and ``view``."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from analytic_hearts import drawn
from measured_masks import save_mask
from small_case import write_case

import cardioseg
from cardioseg.core.errors import (
    EXIT_INPUT,
    EXIT_SOME_FAILED,
    CardioSegError,
    InputError,
)
from cardioseg.workflows.evaluate import EvaluationRequest, evaluate_masks
from cardioseg.workflows.view import ViewRequest, view

BITS = range(0, 8, 3)


def flipped(path, position, bit):
    """The file with one bit of its compressed voxels flipped."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def places(path):
    """Positions spread over the compressed data, and the checksum and size at the end."""
    size = path.stat().st_size
    return [*range(30, size - 8, max(1, size // 12)), size - 6, size - 2]


def is_whole(path):
    try:
        gzip.decompress(path.read_bytes())
    except Exception:  # noqa: BLE001 — any damage counts
        return False
    return True


@pytest.mark.parametrize(
    "kind", ["one volume", "a pair", "evaluate: prediction", "evaluate: reference"]
)
def test_a_flipped_bit_is_found_whatever_reads_the_mask(tmp_path, kind):
    good = save_mask(tmp_path / "good.nii.gz", drawn(25))
    bad = tmp_path / "bad.nii.gz"
    calls = {
        "one volume": lambda: cardioseg.measure(bad),
        "a pair": lambda: cardioseg.measure(ed=good, es=bad),
        "evaluate: prediction": lambda: cardioseg.evaluate(bad, good),
        "evaluate: reference": lambda: cardioseg.evaluate(good, bad),
    }
    tried = 0
    for place in places(good):
        for bit in BITS:
            bad.write_bytes(good.read_bytes())
            flipped(bad, place, bit)
            if is_whole(bad):
                continue
            tried += 1
            with pytest.raises(InputError) as error:
                calls[kind]()
            assert error.value.exit_code == EXIT_INPUT
    assert tried > 20


def test_view_finds_a_flipped_bit(tmp_path):
    write_case(tmp_path, frames=1)
    mask = tmp_path / "heart_mask.nii.gz"
    content = bytearray(mask.read_bytes())
    content[-6] ^= 1
    mask.write_bytes(content)
    with pytest.raises(CardioSegError) as error:
        view(ViewRequest(tmp_path))
    assert error.value.exit_code == EXIT_INPUT


def test_in_a_folder_only_the_damaged_prediction_fails(tmp_path):
    for name in ("a", "b"):
        for side in ("pred", "ref"):
            (tmp_path / side).mkdir(exist_ok=True)
            save_mask(tmp_path / side / f"{name}.nii.gz", drawn(25))
    path = tmp_path / "pred/b.nii.gz"
    flipped(path, path.stat().st_size - 6, 0)
    report = evaluate_masks(EvaluationRequest(tmp_path / "pred", tmp_path / "ref", None))
    assert (report.exit_code, list(report.data.failed)) == (EXIT_SOME_FAILED, ["b"])


@pytest.mark.parametrize("side", ["pred", "ref"])
def test_links_in_circles_end_and_linked_patients_are_followed(tmp_path, side):
    real = tmp_path / "elsewhere"
    real.mkdir()
    for folder in ("pred", "ref"):
        (tmp_path / folder).mkdir()
        save_mask(tmp_path / folder / "a.nii.gz", drawn(25))
    for name in ("one", "two"):
        (tmp_path / side / name).symlink_to(tmp_path / side, target_is_directory=True)
    (tmp_path / side / "three").symlink_to(real, target_is_directory=True)
    (real / "back").symlink_to(tmp_path / side, target_is_directory=True)
    save_mask(real / "b.nii.gz", drawn(25))
    found = cardioseg.evaluate(tmp_path / "pred", tmp_path / "ref")
    assert found.volumes == (2 if side == "ref" else 1)


def test_a_huge_mask_is_refused_before_it_is_read(tmp_path):
    """A few hundred bytes that state 2e10 voxels."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape((8192, 8192, 300))
    header.set_zooms((0.1, 0.1, 8.0))
    header["magic"], header["vox_offset"] = b"n+1", 352
    path = tmp_path / "huge.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + bytes(4 + 1000)))
    good = save_mask(tmp_path / "good.nii.gz", drawn(25))
    for call in (
        lambda: cardioseg.measure(path),
        lambda: cardioseg.measure(ed=path, es=path),
        lambda: cardioseg.evaluate(path, good),
        lambda: cardioseg.evaluate(good, path),
    ):
        with pytest.raises(CardioSegError) as error:
            call()
        assert error.value.exit_code == EXIT_INPUT
