"""`metrics.csv`: the logged scalars as a table. A resumed run continues it where its checkpoint was written."""

import csv
import io
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from litlab.console import warn
from litlab.files import try_to_disk, write_at


class MetricsCSV(Logger):
    """Writes `metrics.csv` into `save_dir`: one row a step, one column a metric.

    Lightning's `CSVLogger` writes training and validation of one step to two rows, deletes an old table, and makes a
    second file.
    """

    def __init__(self, save_dir: str | Path) -> None:
        super().__init__()
        self.path = Path(save_dir) / "metrics.csv"
        self.unsaved: str | None = None  # that the file lacks rows, and why; None if it has all of them
        self._columns: list[str] = []
        self._text = bytearray()  # the content of the file, in case it must be written again
        self._rows = 0
        self._unwritten: list[dict[str, Any]] = []  # complete rows that could not be written
        self._row: dict[str, Any] = {}
        self._resumed = False  # the row is from a checkpoint; the Trainer calls `save` before it goes on with the row

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
        """Writes the current row."""
        if self._row and not self._resumed:
            self._unwritten.append(self._row)
            self._row = {}
        if not self._unwritten:
            return
        try:
            self._write(self._unwritten)
        except OSError as error:
            if self.unsaved is None:
                warn(f"not written: metrics.csv ({error.strerror}); training goes on, the next row tries again")
            self.unsaved = f"metrics.csv ({error.strerror})"
        else:
            self._unwritten, self.unsaved = [], None

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.save()

    def state_dict(self) -> dict[str, Any]:
        """The columns, the number of rows on the disk, and the current row."""
        try_to_disk(self.path, self.path.parent)
        pending = [*self._unwritten, self._row] if self._row else list(self._unwritten)
        return {"columns": list(self._columns), "rows": self._rows, "pending": [_plain(row) for row in pending]}

    @rank_zero_only
    def load_state_dict(self, state: dict[str, Any], step: int) -> None:
        """Removes the rows and columns that came after `state` was taken."""
        wanted = state.get("rows", 0)
        rows = _rows(self.path.read_text()) if self.path.exists() else []
        rows = rows[:wanted]
        if len(rows) < wanted:
            warn(f"metrics.csv has {len(rows)} of the {wanted} rows that the checkpoint counts")
        self._columns, self._text, self._rows = [], bytearray(), 0
        if rows:  # the file is replaced at once, so that a run that is killed here keeps its rows
            self._columns = list(state["columns"])
            self._rewrite([{name: row[name] for name in self._columns} for row in rows])
        else:
            self.path.unlink(missing_ok=True)
        *self._unwritten, self._row = state.get("pending") or [{}]
        self._resumed = True

    def _write(self, rows: list[dict[str, Any]]) -> None:
        known = set(self._columns)
        new_columns = [name for name in dict.fromkeys(n for row in rows for n in row) if name not in known]
        if new_columns:  # rare: the header changes, so all rows are written again
            columns, self._columns = self._columns, self._columns + new_columns
            try:
                self._rewrite([*_rows(self._text.decode()), *rows])
            except OSError:
                self._columns = columns
                raise
            return
        text = _lines(rows, self._columns).encode()
        size = len(self._text)
        if not self.path.exists() or self.path.stat().st_size < size:  # its folder was removed and made again
            self._replace(self._text + text)
        else:
            write_at(self.path, size, text)
        self._text += text
        self._rows += len(rows)

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        text = _lines([dict(zip(self._columns, self._columns, strict=True)), *rows], self._columns).encode()
        self._replace(text)
        self._text, self._rows = bytearray(text), len(rows)

    def _replace(self, text: bytes | bytearray) -> None:
        temporary = self.path.with_name(".metrics.csv")
        try:
            temporary.write_bytes(text)
            try_to_disk(temporary)  # before the rename: else a power cut could leave an empty file
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)


def _lines(rows: list[dict[str, Any]], columns: list[str]) -> str:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns).writerows(rows)
    return text.getvalue()


def _rows(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.item() if hasattr(value, "item") else value for name, value in row.items()}
