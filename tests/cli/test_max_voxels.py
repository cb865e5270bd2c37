"""``--max-voxels``: the stated limit on the size of an image, and how to lift it."""

import os

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from cardioseg.cli.app import app
from cardioseg.core.errors import GeometryError
from cardioseg.imaging.limits import MAX_VOXELS


@pytest.fixture
def mask(tmp_path):
    array = np.zeros((20, 20, 8), np.uint8)
    array[5:15, 5:15, 1:7] = 3
    nib.save(nib.Nifti1Image(array, np.diag([1.5, 1.5, 8, 1])), tmp_path / "a_mask.nii.gz")
    return tmp_path / "a_mask.nii.gz"


def test_an_image_above_the_limit_is_an_error_that_names_the_option(mask):
    done = CliRunner().invoke(app, ["measure", str(mask), "--max-voxels", "3199"])
    assert isinstance(done.exception, GeometryError)
    assert "--max-voxels" in done.exception.cure
    assert MAX_VOXELS not in os.environ, "the limit ends with the call"


def test_the_option_lifts_the_limit(mask, monkeypatch):
    monkeypatch.setenv(MAX_VOXELS, "10")
    assert CliRunner().invoke(app, ["measure", str(mask)]).exit_code != 0
    assert CliRunner().invoke(app, ["measure", str(mask), "--max-voxels", "3200"]).exit_code == 0
    assert os.environ[MAX_VOXELS] == "10"
