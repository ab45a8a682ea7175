"""The lock of a run folder: only one process trains in it."""

import fcntl
import os
import time
from pathlib import Path

from litlab.errors import ConfigError

LOOK_S = 1.0  # for so long `hold` tries again: another process may just be looking whether the run is going on


def hold(folder: Path) -> int:
    """Makes this process the only one that trains in `folder`, until it ends.

    Returns:
        The file descriptor of the lock.

    Raises:
        ConfigError: if another process trains there.
    """
    handle = os.open(folder, os.O_RDONLY)
    deadline = time.monotonic() + LOOK_S
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


def is_running(folder: Path) -> bool:
    """Whether a process trains in this folder.

    Asks for a shared lock for a moment. Several can ask at once, and `hold` waits for them.
    """
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
