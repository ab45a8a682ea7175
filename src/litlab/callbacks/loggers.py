"""Where the logged scalars go: an event file for TensorBoard, a table for a spreadsheet.

Both can say how far they have written (`state_dict`) and go back there (`load_state_dict`), so that a resumed run
leaves the curves of a run that was never interrupted. A disk that is full, or a folder that is away, does not end a
training: what could not be written waits in memory for the next time.
"""

import csv
import errno
import io
import os
import struct
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import google_crc32c
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.tensorboard import SummaryWriter

from litlab.checkpoint import try_to_disk
from litlab.console import warn


class PatientFile:
    """A file that grows, to which nothing is lost when a write fails: the next tries again, and first what is missing.

    Args:
        path: an existing file, to which is added.
        head: what stands at its beginning, should it have to be made anew.
    """

    def __init__(self, path: Path, head: bytes = b"") -> None:
        self.path, self.head = path, head
        self.size = path.stat().st_size
        self.failure: OSError | None = None
        self._unwritten = bytearray()
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        with self._lock:
            self._unwritten += data
            if self.failure is None:
                self._put()

    def flush(self) -> None:
        with self._lock:
            self._put()

    def close(self) -> None:
        self.flush()

    def _put(self) -> None:
        if not self._unwritten:
            return
        try:
            present = self.path.stat().st_size if self.path.exists() else 0
            gone = present < self.size  # with its folder, which may have been made anew, or may come back
            start, data = (0, self.head + self._unwritten) if gone else (self.size, self._unwritten)
            _write_behind(self.path, start, data)
        except OSError as error:
            self.failure = error
        else:
            self.size = start + len(data)
            self._unwritten = bytearray()
            self.failure = None


def write_record(file: PatientFile, data: bytes) -> None:
    """Writes a TFRecord, as TensorBoard's own writer does.

    Its checksums are computed in Python, byte by byte, for which the training waits: 12 ms for a picture of 100 kB.
    """
    length = struct.pack("<Q", len(data))
    file.write(length + masked_crc32c(length) + data + masked_crc32c(data))


def masked_crc32c(data: bytes) -> bytes:
    """The checksum of a TFRecord: CRC-32C, rotated and shifted."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


class TensorBoard(TensorBoardLogger):
    """Writes the event file straight into `save_dir`, and nothing else beside it."""

    def __init__(self, save_dir: str | Path) -> None:
        super().__init__(save_dir, name="", version="", default_hp_metric=False)
        self.folder = Path(save_dir)
        self._file: PatientFile | None = None
        self._warned = False

    @property
    @rank_zero_experiment
    def experiment(self) -> SummaryWriter:
        """torch's writer, into a file that outlasts a full disk: TensorBoard's own writer ends with its first error."""
        writer: SummaryWriter = super().experiment
        if self._file is None:
            writer.flush()
            events = writer._get_file_writer().event_writer
            path = Path(events._file_name)
            self._file = PatientFile(path, path.read_bytes())
            records = events._async_writer._writer  # which the thread that writes has, too
            records._writer, records.write = self._file, partial(write_record, self._file)
        return writer

    @property
    def unsaved(self) -> str | None:
        """That the event file lacks something, and why, if it does."""
        failure = self._file and self._file.failure
        return f"TensorBoard's event file ({failure.strerror or failure})" if failure else None

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        super().log_metrics(metrics, step)
        self._warn()

    @rank_zero_only
    def write(self, call: Callable[[SummaryWriter], Any]) -> None:
        """Lets `call` add what is not a scalar."""
        call(self.experiment)
        self._warn()

    @rank_zero_only
    def save(self) -> None:
        """Makes what was logged visible to TensorBoard now."""
        self.experiment.flush()
        self._warn()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Keeps the file open: training is followed by a test, and closing would start a second file for it."""
        self.save()

    def state_dict(self) -> dict[str, Any]:
        """The size of each event file, which are on the disk now."""
        self.save()
        try_to_disk(*self._files(), self.folder)
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

    def _warn(self) -> None:
        if self.unsaved and not self._warned:
            warn(f"not written: {self.unsaved}; training goes on, the next write tries again")
        self._warned = self.unsaved is not None


class MetricsCSV(Logger):
    """Writes `metrics.csv` into `save_dir`: one row a step, one column a metric.

    Lightning's `CSVLogger` writes validation and training of one step to two rows, deletes an old table, and leaves
    a second file of its own beside it.
    """

    def __init__(self, save_dir: str | Path) -> None:
        super().__init__()
        self.path = Path(save_dir) / "metrics.csv"
        self.unsaved: str | None = None  # that the file lacks rows, and why, if it does
        self._columns: list[str] = []
        self._text = bytearray()  # all that is in the file, should it have to be made anew
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
            if self.unsaved is None:
                warn(f"not written: metrics.csv ({error.strerror}); training goes on, the next row tries again")
            self.unsaved = f"metrics.csv ({error.strerror})"
        else:
            self._unwritten, self.unsaved = [], None

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.save()

    def state_dict(self) -> dict[str, Any]:
        """The columns, the number of rows on disk, and the row that is being filled."""
        try_to_disk(self.path, self.path.parent)
        pending = [*self._unwritten, self._row] if self._row else list(self._unwritten)
        return {"columns": list(self._columns), "rows": self._rows, "pending": [_plain(row) for row in pending]}

    @rank_zero_only
    def load_state_dict(self, state: dict[str, Any], step: int) -> None:
        """Leaves those rows and columns only."""
        wanted = state.get("rows", 0)
        rows = _rows(self.path.read_text()) if self.path.exists() else []
        rows = rows[:wanted]
        if len(rows) < wanted:
            warn(f"metrics.csv has {len(rows)} of the {wanted} rows that the checkpoint counts")
        self._columns, self._text, self._rows = [], bytearray(), 0
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
                self._rewrite([*_rows(self._text.decode()), *rows])
            except OSError:
                self._columns = columns
                raise
            return
        text = _lines(rows, self._columns).encode()
        size = len(self._text)
        if not self.path.exists() or self.path.stat().st_size < size:  # its folder has been made anew
            self._replace(self._text + text)
        else:
            _write_behind(self.path, size, text)
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
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)


def _write_behind(path: Path, size: int, data: bytes | bytearray) -> None:
    """Writes behind the first `size` bytes of a file; a full disk may have left part of what was to be there."""
    with path.open("r+b" if path.exists() else "wb", buffering=0) as file:
        file.truncate(size)
        file.seek(size)
        if file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _lines(rows: list[dict[str, Any]], columns: list[str]) -> str:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns).writerows(rows)
    return text.getvalue()


def _rows(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.item() if hasattr(value, "item") else value for name, value in row.items()}
