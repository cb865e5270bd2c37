"""The files of ``cardioseg measure``: the clinical record, and of a cine the volume curve.

The same numbers are not written twice: a call that is repeated finds its files and leaves them.
"""

from pathlib import Path

from cardioseg.core.atomic import clear_parts, write_text
from cardioseg.core.errors import OutputError
from cardioseg.figures.volume_curve import write_curve_picture
from cardioseg.results.curve import curve_text
from cardioseg.results.folder import CLINICAL, CURVE_PICTURE, CURVE_TABLE
from cardioseg.results.lock import case_lock, unfinished
from cardioseg.results.summary import headline
from cardioseg.workflows.measure_report import Measured

MEASURING = "_measuring"  # ".X_measuring" is there while files are written


def write_measured(output: Path, found: Measured, *, overwrite: bool) -> tuple[Path, ...]:
    """Write the record, and of a cine its curve as table and picture.

    Args:
        output: folder of the files.
        found: the heart.
        overwrite: replace files of the same name that hold other numbers.

    Returns:
        The files.

    Raises:
        OutputError: a file holds other numbers, another run is at work on the case, or the folder
            cannot be written.
    """
    with case_lock(output, found.record.case):
        clear_parts(output)
        return _written(output, found, overwrite=overwrite)


def _written(output: Path, found: Measured, *, overwrite: bool) -> tuple[Path, ...]:
    texts = _texts(output, found)
    mark = output / f".{found.record.case}{MEASURING}"
    picture = output / f"{found.record.case}{CURVE_PICTURE}"
    different = [path for path, text in texts.items() if not _holds(path, text)]
    if not (overwrite or mark.exists()):  # the mark is of a run that was killed
        _refuse_existing(different if len(different) < len(texts) else [*different, picture])
    files = tuple(texts) if found.curve is None else (*texts, picture)
    if different or mark.exists() or not _all_exist(files):
        with unfinished(mark, files):
            _write(texts, picture, found)
    return files


def _all_exist(files: tuple[Path, ...]) -> bool:
    return all(file.is_file() for file in files)


def _write(texts: dict[Path, str], picture: Path, found: Measured) -> None:
    for path, text in texts.items():
        write_text(path, text)
    if found.curve is not None:
        facts = headline(found.record)
        write_curve_picture(picture, found.curve, title=found.record.case, facts=facts)


def _texts(output: Path, found: Measured) -> dict[Path, str]:
    """File → its text."""
    case = found.record.case
    texts = {output / f"{case}{CLINICAL}": found.record.as_json()}
    if found.curve is not None:
        texts[output / f"{case}{CURVE_TABLE}"] = curve_text(found.curve)
    return texts


def _holds(path: Path, text: str) -> bool:
    """Whether a file has this text."""
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _refuse_existing(paths: list[Path]) -> None:
    for path in paths:
        if path.exists():
            expected = "none of this name, or one with the same numbers"
            cure = "choose another --output, or pass --overwrite"
            raise OutputError(path, found="another file", expected=expected, cure=cure)
