"""Files that were spoilt on purpose, and what a refusal must look like."""

import gzip
import re
import struct

from tiny import save_image

LINE = re.compile(
    r"error: (?P<file>.+?): found (?P<found>.+?); expected (?P<expected>.+?); (?P<cure>.+)\n"
)


def refused(done, code, file, found=""):
    """One line on stderr with all four parts, nothing on stdout, the exit code."""
    assert done.code == code, done.err
    assert done.out == ""
    line = LINE.fullmatch(done.err)
    assert line, done.err
    assert str(file) in line["file"]
    assert found in line["found"]
    assert "Traceback" not in done.err


def packed(path, array=None, **geometry):
    """The bytes of a good .nii.gz file of that name."""
    return save_image(path, array, **geometry).read_bytes()


def cut(path, keep):
    content = packed(path)
    path.write_bytes(content[: int(keep * len(content))] if keep < 1 else content[:-4])


def flip(path):
    """Change eight compressed bytes; they unpack to the same size with other values."""
    content = bytearray(packed(path))
    middle = len(content) // 2
    content[middle : middle + 8] = bytes(byte ^ 0xFF for byte in content[middle : middle + 8])
    path.write_bytes(content)


def with_header(path, fmt, offset, *values):
    content = bytearray(gzip.decompress(packed(path)))
    struct.pack_into(fmt, content, offset, *values)
    path.write_bytes(gzip.compress(bytes(content)))


def empty_folder(folder):
    (folder / "empty").mkdir()
    return folder / "empty"
