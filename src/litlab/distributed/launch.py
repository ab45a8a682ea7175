"""Starts the processes of a distributed run on this machine, with torch's elastic agent (that of `torchrun`).

The process that the user started only watches. It holds no device, ends every rank when one of them fails, and survives
that, so that a sweep goes on.
"""

import dataclasses
import json
import math
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from litlab.console import warn
from litlab.distributed.ranks import is_rank, local_size
from litlab.errors import ConfigError, Diverged, RunFailed
from litlab.machine import cores

AGENT_WAITS_S = 30  # from a signal to SIGKILL, where torch's agent cannot be told otherwise (torch 2.11)


def ranks_wanted(trainer: Any) -> int:
    """How many processes `trainer.devices` asks for on this machine. Under torchrun and SLURM they decide.

    Raises:
        ConfigError: if there are not that many GPUs, or other machines are asked for and no launcher was used.
    """
    import torch  # takes seconds, which `distributed` must not cost a mistyped command

    gpus = torch.cuda.device_count()
    if trainer.accelerator in ("gpu", "cuda") and not gpus:
        raise ConfigError("trainer.accelerator=gpu: there is no GPU here; use trainer=cpu or trainer=auto")
    devices = trainer.devices
    if devices in (-1, "-1", "auto"):
        wanted = highest = max(1, gpus) if trainer.accelerator != "cpu" else 1
    elif isinstance(devices, int | str):
        try:
            wanted = highest = int(devices)
        except ValueError:
            raise ConfigError(f"trainer.devices={devices}: must be a number, a list of GPUs, or auto") from None
    else:
        wanted, highest = len(devices), max(devices, default=-1) + 1
    if wanted < 1:
        raise ConfigError(f"trainer.devices={devices}: must name at least one device")
    if trainer.accelerator in ("gpu", "cuda") and highest > gpus:
        raise ConfigError(f"trainer.devices={devices}: this machine has {gpus} GPU{'s' * (gpus > 1)}")
    if is_rank():
        return local_size()
    if (hosts := trainer.get("num_nodes", 1)) != 1:
        raise ConfigError(
            f"trainer.num_nodes={hosts}: start train.py on each of them, with torchrun or srun (see README)"
        )
    return wanted


def start_ranks(message: dict[str, Any], count: int, grace_s: float = 20) -> None:
    """Starts `count` processes, each of which does what `message` says, and waits for them.

    Args:
        message: see `litlab.worker`.
        count: how many.
        grace_s: seconds that they have after a signal.

    Raises:
        ConfigError, RunFailed, Diverged: as the first rank that failed would have.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import elastic_launch

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // count)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "message.json"
        path.write_text(json.dumps(message))
        try:
            elastic_launch(_agent(count, grace_s), sys.executable)("-u", "-m", "litlab.worker", str(path))
        except SignalException as stopped:
            signum = int(stopped.sigval)
            raise RunFailed(f"stopped by {signal.Signals(signum).name}", 128 + signum) from None
        except ChildFailedError as error:
            left = _last_word(path)
            if not left.exists():
                rank, failure = error.get_first_failure()
                raise RunFailed(f"rank {rank} ended with exit code {failure.exitcode}") from None
            failed = json.loads(left.read_text())
            if failed["kind"] == ConfigError.__name__:
                raise ConfigError(failed["message"]) from None
            kind = Diverged if failed["kind"] == Diverged.__name__ else RunFailed
            raise kind(failed["message"], failed["status"]) from None


def _agent(count: int, grace_s: float) -> Any:
    """The settings of torch's agent for `count` processes on this host."""
    import torch
    from torch.distributed.launcher.api import LaunchConfig

    to_kill: dict[str, Any] = {"shutdown_timeout": math.ceil(grace_s) + 10}  # the ranks keep to the time themselves
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
        signals_to_handle="SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1,SIGUSR2",  # passed on to the ranks
        **to_kill,
    )


def leave_last_word(message: Path, kind: str, text: str, status: int) -> None:
    """Tells the watching process why this rank fails; the first rank that does is believed.

    Args:
        message: the file that the rank was started with.
        kind: the name of the error's class.
        text: its one line.
        status: the exit status.
    """
    try:
        with _last_word(message).open("x") as file:
            json.dump({"kind": kind, "message": text, "status": status}, file)
    except FileExistsError:
        pass


def _last_word(message: Path) -> Path:
    return message.with_name("error.json")


def end_with(parent: int) -> None:
    """Stops this process, as SIGTERM would, when its parent has gone. A rank must not outlive its run."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
