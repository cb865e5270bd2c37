"""Records describe their fields in the words of their docstrings."""

from cardioseg.core.record import Record, described


class Walk(Record):
    """A walk.

    Attributes:
        length_km: its length; a walk there and back
            counts twice.
        place: where it was.
    """

    length_km: float
    place: str


def test_a_field_is_described_by_all_its_lines():
    whole = {
        "length_km": "its length; a walk there and back counts twice.",
        "place": "where it was.",
    }
    assert described(Walk) == whole
    properties = Walk.model_json_schema()["properties"]
    assert {name: field["description"] for name, field in properties.items()} == whole
