"""What tests of several verbs share."""

import pytest
from tiny import cardioseg, write_patients

from cardioseg.core.errors import EXIT_OK


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Patients of noise, prepared for training."""
    folder = tmp_path_factory.mktemp("data")
    raw, output = write_patients(folder / "raw"), folder / "prepared"
    done = cardioseg("prepare", raw, "-o", output, "-q", "--workers", 1)
    assert done.code == EXIT_OK, done.err
    return output
