"""What the processes of one run tell each other outside of the training, through torch.distributed's key-value store.

They meet at MASTER_ADDR:MASTER_PORT, whether litlab, torchrun or SLURM's srun has started them. Under torchrun and srun
only rank 0 reads the command line, composes the config and makes the run folder. It tells the other processes what to
do. They write nothing on their hosts.
"""

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
from typing import Any

from litlab.config import Run
from litlab.distributed.ending import leave
from litlab.distributed.ranks import is_rank, rank, world_size

LAST_WORD_S = 5  # seconds that a process which failed waits for rank 0 to say why, before it says so itself


def tell(job: str, run: Run | None = None, **what: Any) -> None:
    """Tells the other processes what rank 0 is about to do, so that they do the same. Alone, does nothing.

    Args:
        job: `train`, `evaluate` or `end`.
        run: of the job, if it has one.
        what: plain data that the job needs beside it.
    """
    if is_rank() and world_size() > 1:
        store = _store()
        what |= {"run": run.to_plain()} if run else {}
        store.set(f"job/{store.add('jobs', 1) - 1}", json.dumps({"job": job, **what}))


def end(status: int) -> None:
    """Tells the other processes that there is nothing more to do, and with which exit status all of them end."""
    with contextlib.suppress(RuntimeError):  # the host of the store has gone, which the others notice themselves
        tell("end", status=status)
        if is_rank() and world_size() > 1:  # the store may end with this process, so it waits for the others
            deadline = time.monotonic() + LAST_WORD_S
            while _store().add("heard", 0) < world_size() - 1 and time.monotonic() < deadline:
                time.sleep(0.05)


def follow_rank_zero(work: Callable[[dict[str, Any]], None]) -> int:
    """Does what rank 0 tells, in another process under torchrun or SLURM.

    An error that all processes have is printed by rank 0 alone. An error that only this process has is printed here.

    Args:
        work: does one job, as `tell` describes it.

    Returns:
        The exit status.
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
    """The block in which rank 0 works. At its end rank 0 tells the others how it ended, and this process ends.

    Without torchrun or SLURM, does nothing.
    """
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


def connect(timeout: timedelta = timedelta(seconds=300)) -> Any:
    """The store of this run. The agent of torchrun may have made it already; if not, rank 0 makes it.

    torch.distributed uses the same store, with other keys.
    """
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(rendezvous("env://", timeout=timeout))
    return PrefixStore(f"litlab/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)


@functools.cache
def _store() -> Any:
    return connect()


def _receive(key: str, seconds: float | None) -> dict[str, Any] | None:
    """The message that rank 0 has put into the store. None if it is not there in time, or the store has gone."""
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
