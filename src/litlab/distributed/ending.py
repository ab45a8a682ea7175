"""How a process of a distributed run ends."""

import atexit
import os
import signal
import sys
import threading
import time
from typing import NoReturn


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
