"""How a process of a distributed run ends."""

import atexit
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

PATIENCE_S = 15  # seconds from a signal until a process that follows rank 0 ends by itself; torchrun kills after 30


def leave(status: int) -> NoReturn:
    """Ends this process, without the interpreter's own shutdown.

    After a failure, that shutdown could hang in a collective of the other processes. After a success it could abort: a
    process group that something still holds, such as a device mesh, has threads of gloo. If such a thread needs the
    interpreter during the shutdown, Python ends it ("terminate called without an active exception").
    """
    if not status:
        import torch

        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        # Public: sys.exit() calls these functions too, and then shuts the interpreter down. A function of our own that
        # ends the process would have to be registered before all others, those of imported libraries included.
        atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def end_with(parent: int) -> None:
    """Stops this process, as SIGTERM would, as soon as its parent has gone. A rank must not outlive its run.

    Args:
        parent: the process ID of the parent.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


class NotedSignal:
    """A handler of signals in a process that follows rank 0. It notes the first one, and nothing is interrupted.

    Rank 0 gets the signal too, and says when all processes end. An exception here would be a traceback of its own, for
    example of an import, and rank 0 could wait for a process that has gone.
    """

    def __init__(self) -> None:
        self.signum = 0
        self._deadline: threading.Timer | None = None

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if not self.signum:
            self.signum = signum
            self._deadline = threading.Timer(PATIENCE_S, os._exit, (128 + signum,))
            self._deadline.daemon = True
            self._deadline.start()

    def take(self) -> int:
        """The signal that was noted, for another handler that goes on with it; 0 if there was none."""
        if self._deadline is not None:
            self._deadline.cancel()
        signum, self.signum = self.signum, 0
        return signum


def note_signals() -> None:
    """Makes SIGINT and SIGTERM wait for what rank 0 says."""
    noted = NotedSignal()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, noted)
