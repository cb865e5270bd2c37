"""Table: accuracy by number of training patients, for every network.

10 % of the patients in three draws, 100 % with two seeds; 25 and 50 % in one draw. All rows take
hours; a call can fill one:

    python benchmarks/data_table.py PREPARED --split split.json --only rdvit-10-0 --max-minutes 20
"""

from rows import Row, fill

TABLE = "data"
SYSTEMS = ("rdvit", "vit", "bvit", "edge-recvit")


def rows() -> tuple[Row, ...]:
    """All runs of the table; the number of a draw is also its seed."""
    runs = [(system, "10", draw) for draw in range(3) for system in SYSTEMS]
    runs += [(system, fraction, 0) for fraction in ("25", "50") for system in ("rdvit", "vit")]
    runs += [(system, "100", seed) for seed in range(2) for system in SYSTEMS]
    return tuple(_row(*run) for run in runs)


def _row(system: str, fraction: str, number: int) -> Row:
    part, draw = (None, 0) if fraction == "100" else (fraction, number)
    return Row(f"{system}-{fraction}-{number}", (f"network.name={system}",), part, draw, number)


if __name__ == "__main__":
    fill(TABLE, rows(), __doc__)
