"""The lock of a run folder: only one process at a time trains in it."""

import contextlib
import os
import time
from pathlib import Path

from litlab.console import warn
from litlab.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

WAIT_S = 1.0  # how long `hold` tries: `is_running` in another process may have the lock for a moment


def hold(folder: Path) -> int:
    """Locks `folder` until this process ends: no other process can train in it.

    Returns:
        The file descriptor of the lock, for `give_back`.

    Raises:
        ConfigError: if another process trains there.
    """
    if fcntl is None:
        warn("this system cannot lock a folder: do not start two processes in one run folder")
        return os.open(os.devnull, os.O_RDONLY)
    handle = os.open(folder, os.O_RDONLY)
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(handle)
                raise ConfigError(f"{folder}: another process is training in it") from None
            time.sleep(0.05)
        except OSError:  # a file system without locks
            return handle


def give_back(lock: int) -> None:
    """Gives back the lock that `hold` has returned.

    Processes that were forked meanwhile have copies of it. Data workers of a run that has failed may live on in a
    notebook, whose last error refers to them. So it is not enough to close it here.
    """
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)


def is_running(folder: Path) -> bool:
    """Whether a process trains in this folder.

    It takes a shared lock for a moment. So several processes can ask at once, and `hold` waits for them.
    """
    if fcntl is None:
        return False
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(handle)
    return False
