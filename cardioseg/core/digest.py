"""SHA-256 of files, by which a run record names what it was made from."""

import hashlib
from pathlib import Path


def sha256(*paths: Path | None) -> str:
    """Hash one file's bytes, as ``sha256sum`` prints it, or several files in order.

    Of several files, it is the hash of their concatenated digests. None is skipped.
    """
    digests = [_digest(path) for path in paths if path is not None]
    return digests[0].hex() if len(digests) == 1 else hashlib.sha256(b"".join(digests)).hexdigest()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
