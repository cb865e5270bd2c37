"""Names of the values in a mask, as the run record beside it states them."""

from pathlib import Path

from cardioseg.core.errors import InputError
from cardioseg.core.labels import ACDC_LABELS, LabelTable
from cardioseg.data.labels import check_header_names, labels_beside, labels_in, parse_labels
from cardioseg.data.pairs import case_name
from cardioseg.results.folder import record_of
from cardioseg.results.records import RunRecord


def labels_of(mask: Path, asked: str | None = None) -> LabelTable:
    """The table for a mask.

    In this order: ``asked``, the names in the mask's header (.seg.nrrd), dataset.json, the run
    record, ACDC's.

    Raises:
        UsageError: ``asked`` is no table.
        LabelError: ``asked`` contradicts the mask's header.
        LabelError, InputError: the table or the record beside the mask is broken.
    """
    if asked is not None:
        table = parse_labels(asked)
        check_header_names(mask, table)
        return table
    own = labels_in(mask)
    if own is not None:
        return own
    table = labels_beside(mask.parent)
    record = record_of(mask.parent, case_name(mask))
    return _recorded(record) if table is ACDC_LABELS and record.is_file() else table


def _recorded(path: Path) -> LabelTable:
    """The names in a run record; guessing them instead could swap structures."""
    try:
        return RunRecord.read(path).label_table()
    except InputError as error:
        cure = "state the values with --labels NAME=VALUE,…, or segment the image again"
        raise InputError(path, found=error.found, expected=error.expected, cure=cure) from None
