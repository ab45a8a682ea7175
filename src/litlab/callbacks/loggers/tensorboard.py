"""TensorBoard's event file, which a resumed run continues where its checkpoint was written."""

import os
import struct
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import google_crc32c
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.tensorboard import SummaryWriter

from litlab.callbacks.loggers.patient_file import PatientFile
from litlab.console import warn
from litlab.files import try_to_disk


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
