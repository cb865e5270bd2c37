"""The same voxels in every encoding that scanners and archives use."""

import io

import dicom_data as made
import numpy as np
import pytest
from PIL import Image, features
from pydicom import dcmwrite
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLSLossless,
    RLELossless,
)

from cardioseg.core.errors import InputError
from cardioseg.data.inputs import find_inputs
from cardioseg.imaging.open import open_image

SERIES = made.cine((16, 14, 3, 4))
SERIES.array[:] = np.abs(SERIES.array)


def read(tmp_path):
    image = open_image(tmp_path / "study")
    image.check_whole()
    return made.voxels_of(image)


def saved_as(syntax, files, folder):
    """Files in a transfer syntax without compression of the image."""
    for index, data in enumerate(files):
        data.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            data.PixelData = np.frombuffer(data.PixelData, "<i2").astype(">i2").tobytes()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{index}.dcm"
        if syntax == ExplicitVRBigEndian:
            encoding = {"implicit_vr": False, "little_endian": False, "force_encoding": True}
            dcmwrite(path, data, **encoding)
        else:
            data.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
@pytest.mark.parametrize("frames", ["one", "many"])
def test_every_plain_encoding_is_read(tmp_path, syntax, frames):
    files = made.images(SERIES) if frames == "one" else [made.enhanced(SERIES)]
    saved_as(syntax, files, tmp_path / "study")
    assert np.array_equal(read(tmp_path), SERIES.array)


def jpeg_2000(data):
    data.PixelRepresentation = 0
    stream = io.BytesIO()
    values = np.frombuffer(data.PixelData, np.uint16).reshape(data.Rows, data.Columns)
    Image.fromarray(values).save(stream, "JPEG2000", irreversible=False, no_jp2=True)
    data.PixelData = encapsulate([stream.getvalue()])
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless


def rle(data):
    data.compress(RLELossless, generate_instance_uid=False)


def jpeg_ls(data):
    data.compress(JPEGLSLossless, generate_instance_uid=False)


@pytest.mark.parametrize("compress", [rle, jpeg_ls, jpeg_2000])
def test_lossless_compression_gives_the_same_voxels(tmp_path, compress):
    if compress is jpeg_ls:
        pytest.importorskip("jpeg_ls")
    if compress is jpeg_2000 and not features.check("jpg_2000"):
        pytest.skip("this Pillow has no JPEG 2000")
    files = made.images(SERIES)
    for data in files:
        compress(data)
    made.save(tmp_path / "study", files)
    assert np.array_equal(read(tmp_path), SERIES.array)


def test_jpeg_with_eight_bits_is_read(tmp_path):
    series = made.cine((16, 14, 3, 4))
    series.array[:] = 8 * (np.arange(16)[:, None, None, None] + np.arange(3)[:, None])
    files = made.images(series)
    for data in files:
        values = np.frombuffer(data.PixelData, np.int16).reshape(data.Rows, data.Columns)
        stream = io.BytesIO()
        Image.fromarray(values.astype(np.uint8)).save(stream, "JPEG", quality=100)
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit, data.PixelRepresentation = 7, 0
        data.PixelData = encapsulate([stream.getvalue()])
        data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.save(tmp_path / "study", files)
    assert np.abs(read(tmp_path).astype(int) - series.array).max() <= 2


def test_lossless_jpeg_is_read_or_names_the_extra(tmp_path):
    made.save(
        tmp_path / "study", [made.marked_as(JPEGLossless, data) for data in made.images(SERIES)]
    )
    if get_decoder(JPEGLossless).is_available:
        assert open_image(tmp_path / "study").shape == SERIES.array.shape
    else:
        with pytest.raises(InputError) as refused:
            open_image(tmp_path / "study")
        assert "cardioseg[dicom]" in refused.value.cure


# ------------------------------------------------------------------------------- without preamble


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("meta", [True, False])
def test_files_without_preamble_are_read(tmp_path, implicit, meta):
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    saved_as(syntax, made.images(SERIES), tmp_path / "study")
    for path in (tmp_path / "study").iterdir():
        data = path.read_bytes()[132:]
        if not meta:
            length = int.from_bytes(data[8:12], "little")  # of the file meta information
            data = data[12 + length :]
        path.write_bytes(data)
    assert np.array_equal(read(tmp_path), SERIES.array)
    assert list(find_inputs([tmp_path / "study"]).images) == ["study"]


def test_some_files_without_preamble_belong_to_the_series(tmp_path):
    paths = made.save(tmp_path / "study", made.images(SERIES))
    for path in paths[::2]:
        path.write_bytes(path.read_bytes()[132:])
    assert np.array_equal(read(tmp_path), SERIES.array)


@pytest.mark.parametrize(
    "start", [b"\x08\x00" + bytes(300), b"\x02\x00\x00\x00UL" + bytes(300), b"\x08\x00\x05\x00CS"]
)
def test_other_binary_files_are_not_taken_for_dicom(tmp_path, start):
    made.save(tmp_path / "study", made.images(SERIES))
    (tmp_path / "study" / "cache.bin").write_bytes(start)
    assert np.array_equal(read(tmp_path), SERIES.array)


# ------------------------------------------------------------------------------------- the values


@pytest.mark.parametrize(("signed", "bits"), [(False, 12), (False, 16), (True, 16), (True, 12)])
def test_inverted_images_are_turned(tmp_path, signed, bits):
    files = made.images(SERIES)
    highest = -1 if signed else 2**bits - 1
    for data in files:
        values = np.frombuffer(data.PixelData, np.int16).astype(np.int32)
        stored = (highest - values).astype(np.int16 if signed else np.uint16)
        data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME1", int(signed)
        data.BitsStored, data.HighBit, data.PixelData = bits, bits - 1, stored.tobytes()
    made.save(tmp_path / "study", files)
    assert np.array_equal(read(tmp_path), SERIES.array)
    assert any("MONOCHROME1" in note for note in open_image(tmp_path / "study").notes)


def test_a_single_inverted_slice_fits_the_others(tmp_path):
    files = made.images(SERIES)
    for data in files[::3]:
        values = np.frombuffer(data.PixelData, np.int16)
        data.PhotometricInterpretation, data.PixelData = "MONOCHROME1", (-1 - values).tobytes()
    made.save(tmp_path / "study", files)
    assert np.array_equal(read(tmp_path), SERIES.array)


def test_negative_values_and_a_slope_for_each_image(tmp_path):
    files = made.images(SERIES)
    expected = SERIES.array.astype(np.float32)
    for index, data in enumerate(files):
        phase, z = divmod(index, 3)
        values = np.frombuffer(data.PixelData, np.int16) - 200
        data.RescaleSlope, data.RescaleIntercept = 0.5 + z, 7 * phase
        data.PixelData = values.tobytes()
        expected[:, :, z, phase] = (expected[:, :, z, phase] - 200) * (0.5 + z) + 7 * phase
    made.save(tmp_path / "study", files)
    assert read(tmp_path) == pytest.approx(expected)


def test_twelve_bits_in_sixteen_with_data_above_them(tmp_path):
    """Old scanners keep overlays in the four upper bits."""
    files = made.images(SERIES)
    for data in files:
        values = np.frombuffer(data.PixelData, np.uint16) | 0x8000
        data.BitsStored, data.HighBit, data.PixelRepresentation = 12, 11, 0
        data.PixelData = values.tobytes()
    made.save(tmp_path / "study", files)
    assert np.array_equal(read(tmp_path), SERIES.array)
