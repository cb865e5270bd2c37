"""What a training run reports: means over recent steps, a log file and TensorBoard events."""

import json
import math
from collections import deque
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


class Meter:
    """Means over the last steps, for the progress bar and the log."""

    def __init__(self, length: int = 20) -> None:
        self.recent: deque[dict[str, float]] = deque(maxlen=length)

    def add(self, facts: dict[str, float]) -> None:
        """Add the numbers of a step."""
        self.recent.append(facts)

    def means(self) -> dict[str, float]:
        """Mean of each number over the steps that have it, without NaN."""
        values: dict[str, list[float]] = {}
        for facts in self.recent:
            for name, value in facts.items():
                if not math.isnan(value):
                    values.setdefault(name, []).append(value)
        return {name: round(sum(v) / len(v), 6) for name, v in sorted(values.items())}

    def fields(self) -> dict[str, str]:
        """Text beside the progress bar."""
        means = self.means()
        return {name: f"{means[name]:.3f}" for name in ("loss", "dice", "steps") if name in means}


class RunLog:
    """Writes a run's numbers as JSON lines and TensorBoard events."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = (folder / "log.jsonl").open("a", encoding="utf-8")
        self.events = SummaryWriter(str(folder / "events"))

    def write(self, row: dict[str, float]) -> None:
        """Write one line, and one TensorBoard point per number."""
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()
        for name, value in row.items():
            if name not in ("step", "minutes"):
                self.events.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Close both files."""
        self.file.close()
        self.events.close()
