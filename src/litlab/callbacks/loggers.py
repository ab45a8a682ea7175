"""Where the logged scalars go: an event file for TensorBoard, a table for a spreadsheet.

Both can say how far they have written (`state_dict`) and go back there (`load_state_dict`), so that a resumed run
leaves the curves of a run that was never interrupted. A disk that is full does not end a training.
"""

import csv
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.tensorboard import SummaryWriter

from litlab.console import warn


class TensorBoard(TensorBoardLogger):
    """Writes the event file straight into `save_dir`, and nothing else beside it."""

    def __init__(self, save_dir: str | Path) -> None:
        super().__init__(save_dir, name="", version="", default_hp_metric=False)
        self.folder = Path(save_dir)
        self.failed = False

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self._guarded(lambda: super(TensorBoard, self).log_metrics(metrics, step))

    @rank_zero_only
    def write(self, call: Callable[[SummaryWriter], Any]) -> None:
        """Lets `call` add what is not a scalar."""
        self._guarded(lambda: call(self.experiment))

    @rank_zero_only
    def save(self) -> None:
        """Makes what was logged visible to TensorBoard now."""
        self._guarded(lambda: self.experiment.flush())

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Keeps the file open: training is followed by a test, and closing would start a second file for it."""
        self.save()

    def state_dict(self) -> dict[str, Any]:
        """The size of each event file."""
        self.save()
        return {"sizes": {path.name: path.stat().st_size for path in self._files()}}

    @rank_zero_only
    def load_state_dict(self, state: dict[str, Any], step: int) -> None:
        """Cuts off what was written after `state` was taken, at `step`; to be called before anything is logged."""
        sizes = state.get("sizes", {})
        for path in self._files():
            if path.name in sizes:
                os.truncate(path, min(sizes[path.name], path.stat().st_size))
            else:
                path.unlink()
        # Readers take the files by name, which begins with the second: the next must not have that of these.
        while sizes and any(int(path.name.split(".")[3]) >= int(time.time()) for path in self._files()):
            time.sleep(0.05)
        if sizes:  # for a TensorBoard that is running, and has seen what was cut off
            self._kwargs["purge_step"] = step + 1

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("events.out.tfevents.*"))

    def _guarded(self, write: Any) -> None:
        if self.failed:
            return
        try:
            write()
        except OSError as error:  # the writer's thread has ended; it cannot be asked to try again
            self.failed = True
            warn(f"TensorBoard's event file cannot be written: {error.strerror or error}; metrics.csv has the curves")


class MetricsCSV(Logger):
    """Writes `metrics.csv` into `save_dir`: one row a step, one column a metric.

    Lightning's `CSVLogger` writes validation and training of one step to two rows, deletes an old table, and leaves
    a second file of its own beside it.
    """

    def __init__(self, save_dir: str | Path) -> None:
        super().__init__()
        self.path = Path(save_dir) / "metrics.csv"
        self._columns: list[str] = []
        self._size = 0  # of the rows written so far, in bytes
        self._rows = 0
        self._unwritten: list[dict[str, Any]] = []  # complete, but the disk was full
        self._row: dict[str, Any] = {}
        self._resumed = False  # the row came from a checkpoint, and the Trainer saves before it begins

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
        self._resumed = False
        if self._row and self._row["step"] != step:
            self.save()
        self._row = {"step": step} | self._row | metrics

    @rank_zero_only
    def save(self) -> None:
        """Writes the row that is being filled."""
        if self._row and not self._resumed:
            self._unwritten.append(self._row)
            self._row = {}
        if not self._unwritten:
            return
        try:
            self._write(self._unwritten)
        except OSError as error:
            warn(f"metrics.csv cannot be written: {error.strerror}; training goes on, the next row tries again")
        else:
            self._unwritten = []

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.save()

    def state_dict(self) -> dict[str, Any]:
        """The columns, the number of rows on disk, and the row that is being filled."""
        pending = [*self._unwritten, self._row] if self._row else list(self._unwritten)
        return {"columns": list(self._columns), "rows": self._rows, "pending": [_plain(row) for row in pending]}

    @rank_zero_only
    def load_state_dict(self, state: dict[str, Any], step: int) -> None:
        """Leaves those rows and columns only."""
        wanted = state.get("rows", 0)
        rows = _read(self.path)[:wanted]
        if len(rows) < wanted:
            warn(f"metrics.csv has {len(rows)} of the {wanted} rows that the checkpoint counts")
        self._columns, self._rows = [], 0
        if rows:  # replaced in one go: a run that is killed here still has its rows
            self._columns = list(state["columns"])
            self._rewrite([{name: row[name] for name in self._columns} for row in rows])
        else:
            self.path.unlink(missing_ok=True)
        *self._unwritten, self._row = state.get("pending") or [{}]
        self._resumed = True

    def _write(self, rows: list[dict[str, Any]]) -> None:
        known = set(self._columns)
        new_columns = [name for name in dict.fromkeys(n for row in rows for n in row) if name not in known]
        if new_columns:  # rare: the header changes, so all rows are written anew
            columns, self._columns = self._columns, self._columns + new_columns
            try:
                self._rewrite([*_read(self.path), *rows] if self._rows else rows)
            except OSError:
                self._columns = columns
                raise
            return
        text = _lines(rows, self._columns).encode()
        with self.path.open("r+b" if self.path.exists() else "wb", buffering=0) as file:
            file.truncate(self._size)  # a full disk may have left part of a row
            file.seek(self._size)
            if file.write(text) != len(text):
                raise OSError(28, os.strerror(28))
        self._size, self._rows = self._size + len(text), self._rows + len(rows)

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        text = (_lines([dict(zip(self._columns, self._columns, strict=True))], self._columns)).encode()
        text += _lines(rows, self._columns).encode()
        temporary = self.path.with_name(".metrics.csv")
        try:
            temporary.write_bytes(text)
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
        self._size, self._rows = len(text), len(rows)


def _lines(rows: list[dict[str, Any]], columns: list[str]) -> str:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns).writerows(rows)
    return text.getvalue()


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.item() if hasattr(value, "item") else value for name, value in row.items()}
