"""The files of ``cardioseg measure``: the clinical record, and of a cine the volume curve."""

from pathlib import Path

from cardioseg.core.errors import OutputError
from cardioseg.figures.volume_curve import write_curve_picture
from cardioseg.results.curve import write_curve
from cardioseg.results.folder import CLINICAL, CURVE_PICTURE, CURVE_TABLE
from cardioseg.results.summary import headline
from cardioseg.workflows.measure_report import Measured


def refuse_existing(output: Path, case: str | None) -> None:
    """Check, before anything is measured, that no file would be replaced.

    Args:
        output: folder of the files.
        case: name of the case; None checks nothing.

    Raises:
        OutputError: a file of that name exists.
    """
    for ending in (CLINICAL, CURVE_TABLE, CURVE_PICTURE) if case is not None else ():
        path = output / f"{case}{ending}"
        if path.exists():
            cure = "choose another --output, or pass --overwrite"
            raise OutputError(path, found="a file", expected="none of this name", cure=cure)


def write_measured(output: Path, found: Measured) -> tuple[Path, ...]:
    """Write the record, and of a cine its curve as table and picture.

    Returns:
        The files.

    Raises:
        OutputError: the folder cannot be written.
    """
    record, curve = found.record, found.curve
    paths = [output / f"{record.case}{CLINICAL}"]
    record.write(paths[0])
    if curve is not None:
        paths += [output / f"{record.case}{ending}" for ending in (CURVE_TABLE, CURVE_PICTURE)]
        write_curve(paths[1], curve)
        write_curve_picture(paths[2], curve, title=record.case, facts=headline(record))
    return tuple(paths)
