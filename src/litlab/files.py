"""Writing files so that a crash, a full disk or a power cut leaves no half of one."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`. It replaces `path` if the block succeeds, and is removed if not."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files
        _to_disk(temporary)  # else a power cut could leave the new name with nothing in it
        temporary.replace(path)
        _to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def try_to_disk(*paths: Path) -> None:
    """Asks the kernel to write files, and the names in folders, to the disk now. Ignores paths where that fails."""
    for path in paths:
        with contextlib.suppress(OSError):
            _to_disk(path)


def write_at(path: Path, size: int, data: bytes | bytearray) -> None:
    """Writes `data` behind the first `size` bytes of a file, and removes what was there.

    A full disk may have left a part of an earlier write there.

    Raises:
        OSError: if not all of it could be written.
    """
    with path.open("r+b" if path.exists() else "wb", buffering=0) as file:
        file.truncate(size)
        file.seek(size)
        if file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def shown(path: Path) -> Path:
    """A path as a user would type it here: relative to the current folder, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
