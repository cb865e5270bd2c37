"""Function from volumes where a structure is absent: None with a reason, never an error."""

import pytest

from cardioseg.clinical.volumes import function_from_volumes


@pytest.mark.parametrize(
    ("volumes_ml", "absent"),
    [
        ({"LV": 100.0, "MYO": 80.0}, "rv.edv_ml"),
        ({"RV": 100.0, "MYO": 80.0}, "lv.ef_percent"),
        ({"LV": 100.0, "RV": 80.0}, "lv.mass_g"),
        ({}, "rv.sv_ml"),
    ],
)
def test_a_structure_that_the_table_lacks_gives_no_number_and_a_reason(volumes_ml, absent):
    found = function_from_volumes(volumes_ml, volumes_ml)
    assert found.numbers()[absent] is None
    assert found.reasons[absent]
