"""Where the logged scalars go: an event file for TensorBoard, a table for a spreadsheet."""

import csv
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only


class TensorBoard(TensorBoardLogger):
    """Writes the event file straight into `save_dir`, and nothing else beside it."""

    def __init__(self, save_dir: str | Path) -> None:
        super().__init__(save_dir, name="", version="", default_hp_metric=False)

    @rank_zero_only
    def save(self) -> None:
        """Makes what was logged visible to TensorBoard now."""
        self.experiment.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Keeps the file open: training is followed by a test, and closing would start a second file for it."""
        self.save()


class MetricsCSV(Logger):
    """Writes `metrics.csv` into `save_dir`: one row a step, one column a metric.

    Lightning's `CSVLogger` writes validation and training of one step to two rows, deletes an old table, and leaves
    a second file of its own beside it.
    """

    def __init__(self, save_dir: str | Path) -> None:
        super().__init__()
        self.path = Path(save_dir) / "metrics.csv"
        self._columns: list[str] = []
        self._row: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Does nothing: the configuration is in `.hydra/`."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Adds values to the row of `step`. A row is written when another step begins, or at `save`."""
        if self._row and self._row["step"] != step:
            self.save()
        self._row = {"step": step} | self._row | metrics

    @rank_zero_only
    def save(self) -> None:
        """Writes the row that is being filled."""
        if not self._row:
            return
        rows: list[dict[str, Any]] = []
        new_columns = [name for name in self._row if name not in self._columns]
        if new_columns and self._columns:  # rare: the header has changed, so all rows are written anew
            with self.path.open(newline="") as file:
                rows = list(csv.DictReader(file))
        self._columns += new_columns
        with self.path.open("w" if new_columns else "a", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            if new_columns:
                writer.writeheader()
            writer.writerows([*rows, self._row])
        self._row = {}

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.save()
