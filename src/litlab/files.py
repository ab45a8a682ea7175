"""Writes files safely: a crash, a full disk or a power cut never leaves half a file. Says where caches are."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def cache_folder() -> Path:
    """Where litlab keeps what it can make again, if the folder of the data is read-only. It need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "litlab"


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, for the block to write to.

    If the block succeeds, the new file replaces `path`. If not, it is removed.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner can read
        _to_disk(temporary)  # before the rename: else a power cut could leave an empty file
        temporary.replace(path)
        _to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def try_to_disk(*paths: Path) -> None:
    """Writes files, and the names in folders, from the kernel's memory to the disk. Ignores paths where that fails."""
    for path in paths:
        with contextlib.suppress(OSError):
            _to_disk(path)


def write_at(path: Path, size: int, data: bytes | bytearray) -> None:
    """Cuts a file to its first `size` bytes, and writes `data` behind them.

    The cut removes what an earlier write may have left there on a full disk.

    Raises:
        OSError: if not all of it could be written.
    """
    with path.open("r+b" if path.exists() else "wb", buffering=0) as file:
        file.truncate(size)
        file.seek(size)
        if file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def not_a_folder(path: Path) -> str:
    """What to say of a path that is no folder."""
    return "is a file, not a folder" if path.exists() else "no such folder"


def not_a_file(path: Path) -> str:
    """What to say of a path that is no file."""
    return "is a folder, not a file" if path.is_dir() else "no such file"


def shown(path: Path) -> Path:
    """A path as a user would type it: relative to the current folder if it is below it, else absolute."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _to_disk(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
