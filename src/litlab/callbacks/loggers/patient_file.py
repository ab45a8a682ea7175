"""A file that grows, and loses nothing while the disk is full or its folder is away."""

from pathlib import Path

from litlab.files import write_at


class PatientFile:
    """A file that grows. What could not be written is kept, and written before everything that comes later.

    Args:
        path: the file. If it exists already, it is continued.
        head: the beginning of the file, for the case that the file has disappeared and must be made again.
    """

    def __init__(self, path: Path, head: bytes = b"") -> None:
        self.path, self.head = path, head
        self.size = path.stat().st_size if path.exists() else 0
        self.failure: OSError | None = None  # of the latest try
        self._unwritten = bytearray()

    def write(self, data: bytes | bytearray) -> None:
        """Writes `data`. After a failure it is only kept: `flush` tries again."""
        self._unwritten += data
        if self.failure is None:
            self.flush()

    def flush(self) -> None:
        """Writes what is not yet in the file, or notes in `failure` why that was not possible."""
        if not self._unwritten:
            return
        try:
            present = self.path.stat().st_size if self.path.exists() else 0
            removed = present < self.size  # with its folder, which may be there again
            start, data = (0, self.head + self._unwritten) if removed else (self.size, self._unwritten)
            write_at(self.path, start, data)
        except OSError as error:
            self.failure = error
        else:
            self.size = start + len(data)
            self._unwritten = bytearray()
            self.failure = None
