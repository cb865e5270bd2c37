"""Names that may be phases of one patient."""

import pytest

from cardioseg.data.patient_names import look_alike_warnings, look_alikes


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["heart_001_01", "heart_001_12"], [("heart_001_01", "heart_001_12")]),
        (["p7_dia", "p7_sys", "p8_dia"], [("p7_dia", "p7_sys")]),
        (["A0S9V9-0", "A0S9V9-11", "B1-0"], [("A0S9V9-0", "A0S9V9-11")]),
        (["case_001", "case_002"], []),
        (["patient001", "patient002"], []),
        (["anna", "bert"], []),
        ([f"Dataset027_{n:03d}" for n in range(9)], []),
        (["heart_001_01", "heart_002_01"], []),
    ],
)
def test_names_that_differ_in_their_last_part(names, groups):
    assert look_alikes(names) == groups
    assert len(look_alike_warnings(names)) == bool(groups)
