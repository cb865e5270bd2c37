"""Mutated DICOM files are read or refused with a reason; no other error and no warning leaves."""

import random
import warnings

import dicom_data as made
import dicom_makers as makers
import pytest

from cardioseg.core.errors import InputError
from cardioseg.data.inputs import find_inputs
from cardioseg.imaging.open import open_image

SERIES = made.cine((10, 8, 3, 3))
FILES = {
    "classic": made.images(SERIES),
    "enhanced": [makers.philips(SERIES)],
    "RLE": [made.compressed(data) for data in made.images(SERIES)],
}


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes cut, overwritten, or with bytes put in or taken out, behind the preamble."""
    at = chance.randrange(132, len(data))
    some = chance.randbytes(chance.randrange(1, 30))
    return chance.choice(
        [
            data[:at],
            data[:at] + some + data[at + len(some) :],
            data[:at] + some + data[at:],
            data[:at] + data[at + len(some) :],
            data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :],
        ]
    )


def read_all(folder):
    for path in find_inputs([folder]).images.values():
        image = open_image(path)
        image.check_whole()
        for index in range(image.frames):
            image.frame(index)


@pytest.mark.parametrize("kind", FILES)
def test_a_mutated_file_is_read_or_refused(tmp_path, kind):
    chance = random.Random(kind)
    path = made.save(tmp_path / "scans" / "p1", FILES[kind])[0]
    whole = path.read_bytes()
    refused = 0
    for _ in range(30):
        path.write_bytes(mutated(whole, chance))
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            try:
                read_all(tmp_path / "scans")
            except InputError:
                refused += 1
    assert refused > 10


def test_an_unknown_representation_in_the_file_header_is_refused(tmp_path):
    path = made.save(tmp_path / "p1", FILES["classic"])[0]
    data = path.read_bytes()
    at = data.index(b"\x02\x00\x02\x00UI")
    path.write_bytes(data[: at + 4] + b"\x55\xfe" + data[at + 6 :])
    with pytest.raises(InputError):
        read_all(tmp_path / "p1")
