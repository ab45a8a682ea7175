"""Starts the processes of a distributed run on this machine, with the elastic agent of torch that `torchrun` uses.

The process that the user started only watches. It holds no device, ends all ranks when one of them fails, and then goes
on itself, so that a sweep can begin its next job.
"""

import contextlib
import dataclasses
import json
import logging
import math
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from litlab.console import warn
from litlab.errors import ConfigError, Diverged, RunFailed
from litlab.machine import cores

# Where torch's agent says that a rank has failed. litlab says why, in one line.
AGENT_LOGS = ("torch.distributed.elastic.multiprocessing.api", "torch.distributed.elastic.agent.server.api")
PASSED_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")  # by the agent, to the ranks
AGENT_WAITS_S = 30  # from a signal to SIGKILL, where torch's agent takes no other time (torch 2.11)


def start_ranks(message: dict[str, Any], count: int, grace_s: float = 20) -> None:
    """Starts processes that do what `message` says, and waits for them.

    Args:
        message: see `litlab.worker`.
        count: the number of processes.
        grace_s: seconds that a process may still work after a signal.

    Raises:
        ConfigError, RunFailed, Diverged: what the rank that failed first has raised.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import elastic_launch

    for name in AGENT_LOGS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // count)))
    with tempfile.TemporaryDirectory() as folder, handlers_as_before():
        path = Path(folder) / "message.json"
        path.write_text(json.dumps(message | {"started": sys.argv[0]}))
        try:
            # -P: without it, -m would import from the current folder before all that is installed
            elastic_launch(_agent(count, grace_s), sys.executable)("-u", "-P", "-m", "litlab.worker", str(path))
        except SignalException as stopped:
            signum = int(stopped.sigval)
            raise RunFailed(f"stopped by {signal.Signals(signum).name}", 128 + signum) from None
        except ChildFailedError as error:
            raise _failure(path, error) from None


@contextlib.contextmanager
def handlers_as_before() -> Iterator[None]:
    """Puts back the signal handlers that torch's agent replaces. Later jobs of a sweep would die of them."""
    known = [getattr(signal, name) for name in PASSED_ON if hasattr(signal, name)]  # Windows has two of them
    before = {signum: signal.getsignal(signum) for signum in known}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():  # in another one, the agent leaves them as they are
            for signum, handler in before.items():
                signal.signal(signum, handler)


def leave_last_word(message: Path, kind: str, text: str, status: int) -> bool:
    """Tells the watching process why this rank fails. Only the first rank that fails is heard.

    Args:
        message: the file that the rank was started with.
        kind: the name of the error's class.
        text: the message of the error, in one line.
        status: the exit status.

    Returns:
        Whether this rank is heard.
    """
    try:
        with _last_word(message).open("x") as file:
            json.dump({"kind": kind, "message": text, "status": status}, file)
    except FileExistsError:
        return False
    return True


def _last_word(message: Path) -> Path:
    return message.with_name("error.json")


def _failure(message: Path, error: Any) -> ConfigError | RunFailed:
    """The error that the rank which failed first has left.

    Args:
        message: the file that the ranks were started with.
        error: torch's ChildFailedError.
    """
    left = _last_word(message)
    if not left.exists():
        rank, failure = error.get_first_failure()
        return RunFailed(f"rank {rank} ended with exit code {failure.exitcode}")
    failed = json.loads(left.read_text())
    if failed["kind"] == ConfigError.__name__:
        return ConfigError(failed["message"])
    kind = Diverged if failed["kind"] == Diverged.__name__ else RunFailed
    return kind(failed["message"], failed["status"])


def _agent(count: int, grace_s: float) -> Any:
    """The settings of torch's agent for `count` processes on this machine."""
    import torch
    from torch.distributed.launcher.api import LaunchConfig

    to_kill: dict[str, Any] = {"shutdown_timeout": math.ceil(grace_s) + 10}  # the ranks themselves end within grace_s
    if "shutdown_timeout" not in {field.name for field in dataclasses.fields(LaunchConfig)}:
        if to_kill["shutdown_timeout"] > AGENT_WAITS_S:
            warn(f"preempt_grace_s={grace_s:g}: torch {torch.__version__} kills ranks {AGENT_WAITS_S} s after a signal")
        to_kill = {}
    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id="litlab",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.5,
        signals_to_handle=",".join(PASSED_ON),
        **to_kill,
    )
