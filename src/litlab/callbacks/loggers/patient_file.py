"""A file that grows and loses nothing while the disk is full or its folder is away."""

import threading
from pathlib import Path

from litlab.files import write_at


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
            write_at(self.path, start, data)
        except OSError as error:
            self.failure = error
        else:
            self.size = start + len(data)
            self._unwritten = bytearray()
            self.failure = None
