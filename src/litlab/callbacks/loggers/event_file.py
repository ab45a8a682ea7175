"""The event file that TensorBoard reads, and torch's SummaryWriter on top of it.

TensorBoard's own writer hands each event to a thread. The thread ends at the first error of the disk, and computes
checksums in Python, byte by byte, while the training waits: 12 ms for a picture of 100 kB.
"""

import itertools
import operator
import os
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any

import google_crc32c
from tensorboard.compat.proto.event_pb2 import Event, SessionLog, SourceMetadata
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.writer import FileWriter

from litlab.callbacks.loggers.patient_file import PatientFile

VERSION = "brain.Event:2"  # of the format
MOST_BYTES, MOST_SECONDS = 64 * 1024, 5.0  # events wait in memory until there are so many, or for so long


class EventFile:
    """Writes events to a new file in `folder`, with the methods of TensorBoard's `EventFileWriter`.

    Events are collected in memory. They are written when they have 64 kB, when the last write was 5 seconds ago, and
    at `flush`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        metadata = SourceMetadata(writer="litlab.callbacks.loggers.event_file")
        first = Event(wall_time=time.time(), file_version=VERSION, source_metadata=metadata)
        head = as_record(first.SerializeToString())
        self.file = PatientFile(new_file(folder), head)
        self.file.write(head)
        self._records = bytearray()
        self._written_at = time.monotonic()
        self._lock = threading.Lock()  # a callback may log from a thread of its own

    def get_logdir(self) -> str:
        """The folder of the file."""
        return str(self.folder)

    def add_event(self, event: Event) -> None:
        """Adds an event."""
        with self._lock:
            self._records += as_record(event.SerializeToString())
            if len(self._records) >= MOST_BYTES or time.monotonic() - self._written_at >= MOST_SECONDS:
                self._write()

    def flush(self) -> None:
        """Writes all events now."""
        with self._lock:
            self._write()

    def close(self) -> None:
        """Writes all events. More can be added later: no file is held open."""
        self.flush()

    def reopen(self) -> None:
        """Does nothing: more can be added to a closed file."""

    def _write(self) -> None:
        self.file.write(self._records)
        self.file.flush()
        self._records = bytearray()
        self._written_at = time.monotonic()


class EventWriter(SummaryWriter):
    """torch's SummaryWriter, writing to an `EventFile`.

    Args:
        folder: of the file.
        purge_step: tells TensorBoard to forget this step and later ones; None: to forget nothing.
    """

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        # SummaryWriter.__init__ would make a file of its own, and start its thread. These are the attributes it sets.
        self.events = EventFile(folder)
        self.log_dir = self.events.get_logdir()
        self.purge_step = None  # noted below
        self.max_queue, self.flush_secs, self.filename_suffix = 10, 120, ""  # for the files that add_scalars makes
        self._file = _FileWriter(self.events)
        self.file_writer, self.all_writers = self._file, {self.log_dir: self._file}  # type: ignore[assignment]
        self.default_bins = default_bins()
        if purge_step is not None:
            self._file.add_event(Event(step=purge_step, file_version=VERSION))
            self._file.add_event(Event(step=purge_step, session_log=SessionLog(status=SessionLog.START)))

    @property
    def failure(self) -> OSError | None:
        """Why the latest events are not in the file; None if they are, or wait for the next write."""
        return self.events.file.failure

    def add_summary(self, summary: Summary, step: int | None = None) -> None:
        """Adds values that no other method makes."""
        self._file.add_summary(summary, step)

    @property
    def graph(self) -> bytes:
        """The graph that `add_graph` has added, for another run with the same network; empty if there is none."""
        return self._file.graph

    def add_graph_again(self, graph: bytes) -> None:
        """Adds a graph that was traced for another run."""
        self._file.add_event(Event(graph_def=graph))

    def close(self) -> None:
        """Writes all events. More can be added later, to the same file."""
        self.flush()


class _FileWriter(FileWriter):
    """What torch's SummaryWriter writes to."""

    def __init__(self, events: EventFile) -> None:
        self.event_writer, self.graph = events, b""

    def add_graph(self, graph_profile: Any, walltime: float | None = None) -> None:
        self.graph = graph_profile[0].SerializeToString()
        super().add_graph(graph_profile, walltime)


def new_file(folder: Path) -> Path:
    """A path that does not exist, named as TensorBoard names its files: by the time, the host and the process."""
    start = f"events.out.tfevents.{int(time.time()):010}.{socket.gethostname()}.{os.getpid()}"
    numbered = (folder / f"{start}.{number}" for number in itertools.count())
    return next(path for path in numbered if not path.exists())


def as_record(data: bytes) -> bytes:
    """`data` as a TFRecord: its length and its content, each with a checksum behind it."""
    length = struct.pack("<Q", len(data))
    return length + masked_crc32c(length) + data + masked_crc32c(data)


def masked_crc32c(data: bytes) -> bytes:
    """The checksum of a TFRecord: CRC-32C, rotated and shifted."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def default_bins() -> list[float]:
    """The bins of `SummaryWriter.add_histogram`, from -1e20 to 1e20, each a tenth wider than the one before."""
    growing = itertools.accumulate(itertools.repeat(1.1), operator.mul, initial=1e-12)
    positive = list(itertools.takewhile(lambda value: value < 1e20, growing))
    return [*(-value for value in reversed(positive)), 0, *positive]
