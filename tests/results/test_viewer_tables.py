"""Files that give viewers the names and colours of the labels."""

import re

from cardioseg.core.labels import ACDC_LABELS, PALETTE, LabelTable
from cardioseg.results.viewer_tables import write_viewer_table


def hexes(parts):
    return "#" + "".join(f"{int(part):02x}" for part in parts)


def test_itk_snap_reads_names_and_colours(tmp_path):
    write_viewer_table(tmp_path / "labels.txt", ACDC_LABELS)
    lines = (tmp_path / "labels.txt").read_text(encoding="utf-8").splitlines()
    rows = [
        re.fullmatch(r'\s*(\d+)((?:\s+\d+){6})\s+"(.*)"', line)
        for line in lines
        if not line.startswith("#")
    ]
    assert all(rows)
    assert [(int(row[1]), row[3]) for row in rows] == list(enumerate(ACDC_LABELS.names))
    assert "ITK-SnAP Label Description File" in lines[1]
    assert rows[0][2].split() == ["0"] * 6, "the background is clear and hidden"
    for row in rows[1:]:
        *colour, opacity, visible, mesh = row[2].split()
        assert (hexes(colour), opacity, visible, mesh) == (PALETTE[row[3]], "1", "1", "1")


def test_slicer_reads_names_and_colours(tmp_path):
    labels = LabelTable(("background", "LV", 'left "atrium"'))
    write_viewer_table(tmp_path / "labels.ctbl", labels)
    first, *lines = (tmp_path / "labels.ctbl").read_text(encoding="utf-8").splitlines()
    assert first.startswith("# Color table file")
    rows = [line.split() for line in lines if not line.startswith("#")]
    assert all(len(row) == 6 for row in rows), "a space in a name would shift the colours"
    assert [(int(row[0]), row[1]) for row in rows] == [
        (0, "background"),
        (1, "LV"),
        (2, 'left_"atrium"'),
    ]
    assert rows[0][2:] == ["0"] * 4
    assert [(hexes(row[2:5]), row[5]) for row in rows[1:]] == [
        (colour, "255") for colour in labels.colours.values()
    ]


def test_a_quote_in_a_name_does_not_end_it(tmp_path):
    write_viewer_table(tmp_path / "labels.txt", LabelTable(("background", 'left "atrium"')))
    last = (tmp_path / "labels.txt").read_text(encoding="utf-8").splitlines()[-1]
    assert last.count('"') == 2
    assert "left 'atrium'" in last
