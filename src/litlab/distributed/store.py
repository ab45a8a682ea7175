"""What the processes of one run tell each other beside the training, through torch.distributed's key-value store.

They meet at MASTER_ADDR:MASTER_PORT, whoever started them: litlab itself, torchrun, or SLURM's srun. Under the last two
rank 0 alone reads the command line, composes the config and makes the run folder. It tells the others what to do, and
they leave nothing on their hosts.
"""

import atexit
import contextlib
import functools
import itertools
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NoReturn

from litlab.distributed.ranks import is_rank, rank, world_size

LAST_WORD_S = 5  # that a process which failed leaves rank 0 to say why, before it says so itself


def tell(job: str, **what: Any) -> None:
    """Rank 0 tells the others what it is about to do, in plain data; they do the same. Alone, does nothing."""
    if is_rank() and world_size() > 1:
        store = _store()
        store.set(f"job/{store.add('jobs', 1) - 1}", json.dumps({"job": job, **what}))


def end(status: int) -> None:
    """Rank 0 tells the others that it has nothing more to do, and the exit status of all."""
    with contextlib.suppress(RuntimeError):  # the store's host has gone, and the others will see that themselves
        tell("end", status=status)
        if is_rank() and world_size() > 1:  # with this process the store may go, before they have heard it
            deadline = time.monotonic() + LAST_WORD_S
            while _store().add("heard", 0) < world_size() - 1 and time.monotonic() < deadline:
                time.sleep(0.05)


def follow_rank_zero(work: Callable[[dict[str, Any]], None]) -> int:
    """The life of a process other than rank 0, under torchrun or SLURM: does what rank 0 tells; returns the status.

    What goes wrong everywhere is said by rank 0 alone. What goes wrong only here is said here.
    """
    failure: Exception | None = None
    for number in itertools.count():
        message = _receive(f"job/{number}", LAST_WORD_S if failure else None)
        if message is None or (failure and message["job"] == "end" and not message["status"]):
            print(f"failed: rank {rank()}: {failure or 'rank 0 has gone'}", file=sys.stderr, flush=True)
            return 1
        if message["job"] == "end":
            with contextlib.suppress(RuntimeError):
                _store().add("heard", 1)
            return int(message["status"])
        try:
            work(message)
        except Exception as error:
            failure = error
        else:
            failure = None
    raise AssertionError


@contextlib.contextmanager
def leading() -> Iterator[None]:
    """Rank 0 reads the command line in here, and tells the others how it ended. Without a launcher does nothing."""
    if not is_rank():
        yield
        return
    status = 1
    try:
        yield
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
    end(status)
    leave(status)


def leave(status: int) -> NoReturn:
    """Ends this process, without the interpreter's own shutdown.

    After a failure the others' collectives could hang in it. After a success it could abort: of a group that something
    still holds, as a device mesh does, gloo's threads run on, and Python ends a thread that comes for the interpreter
    at that time in the middle of what it does ("terminate called without an active exception").
    """
    if not status:
        import torch

        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        atexit._run_exitfuncs()  # as multiprocessing does before it leaves its children in the same way
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _receive(key: str, seconds: float | None) -> dict[str, Any] | None:
    """What rank 0 has put there; None if it has not within that time, or the store has gone."""
    deadline = time.monotonic() + (seconds if seconds is not None else float("inf"))
    try:
        store = _store()
        while not store.check([key]):
            if time.monotonic() > deadline:
                return None
            time.sleep(0.1)
        message: dict[str, Any] = json.loads(store.get(key))
        return message
    except RuntimeError:
        return None


@functools.cache
def _store() -> Any:
    return connect()


def connect(timeout: timedelta = timedelta(seconds=300)) -> Any:
    """The store of this run; where no agent of torchrun's has one already, rank 0 has it, and torch shares it."""
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(rendezvous("env://", timeout=timeout))
    return PrefixStore(f"litlab/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
