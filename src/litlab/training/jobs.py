"""A job of a sweep: what it has of the machine, and where it goes on when the sweep is repeated."""

import contextlib
import functools
import os
import time
from pathlib import Path
from typing import Any

import torch

from litlab.callbacks import StopOnSignal
from litlab.checkpoint import read, whole_checkpoint
from litlab.config import Run, SweepJob, filled_then, is_left_open, numeric, record, restored
from litlab.console import say
from litlab.distributed import end_with
from litlab.errors import ConfigError, Interrupted, RunFailed
from litlab.machine import cores
from litlab.runs import hold, read_result
from litlab.sweeps import STARTED_BY, has_begun, note_refused
from litlab.training.batch_size import is_auto


def hold_job(folder: Path) -> int:
    """The lock of a job's folder, once another process that trains in it has ended: a sweep may be started twice.

    Returns:
        The file descriptor of the lock.

    Raises:
        RunFailed: if a signal ends the wait.
    """
    with contextlib.suppress(ConfigError):
        return hold(folder)
    say(f"{folder.name}: another process is training it; waiting for that")
    stop = StopOnSignal(None)
    try:
        with stop:
            while True:
                time.sleep(0.5)
                with contextlib.suppress(ConfigError):
                    return hold(folder)
    except Interrupted as error:
        stop.done()
        raise RunFailed(str(error), 128 + error.signum) from None


def take_up(run: Run) -> tuple[Run, dict[str, Any] | None]:
    """What an earlier start of the same sweep has left of a job.

    Returns:
        The job as it goes on, and its result if it was completed, or pruned.

    Raises:
        ConfigError: if it was trained with another config, naming the first difference.
    """
    if is_auto(run) and (earlier := _earlier_batch_size(run.folder)):
        run = run.settled(**{"data.batch_size": earlier})
    result = read_result(run.folder)
    if result.get("status") in ("completed", "pruned"):
        _refuse_another_config(run, result["config"])
        return run, result
    run = _from_checkpoint(run, result)
    if has_begun(run.folder):
        record(run.folder, run.cfg, run.overrides)  # Hydra has left the files as they were
    return run, None


def _from_checkpoint(run: Run, result: dict[str, Any]) -> Run:
    """Goes on with a job that was killed or interrupted, with what the run itself had settled in its config."""
    if result.get("status") == "failed" and "epochs" in result:  # else it was refused before it trained
        return run  # it would fail again: from its beginning, in case what made it fail was mended
    checkpoint = whole_checkpoint(run.folder, None)
    if checkpoint is None:
        return run
    before = restored(read(checkpoint)["litlab"]["config"])
    _refuse_another_config(run, numeric(before))
    counted = {key: before[key] for key in ("rewinds", "rewound_to") if before.get(key)}
    say(f"{run.folder.name}: going on from {checkpoint.name}")
    return run.settled(**filled_then(run.cfg, before), **counted).from_checkpoint(checkpoint)


def _refuse_another_config(run: Run, before: dict[str, Any]) -> None:
    now = numeric(run.cfg)
    for key in now | before:
        if before.get(key) != now.get(key) and not is_left_open(now, key):
            message = (
                f"{run.folder.name} was trained with {key}={before.get(key)}, which is now {now.get(key)}: "
                "use another hydra.sweep.dir"
            )
            note_refused(run.folder.parent, message)
            raise ConfigError(message)


def _earlier_batch_size(folder: Path) -> int | None:
    """What `data.batch_size=auto` was for this job in an earlier start."""
    if recorded := read_result(folder).get("config"):
        return int(recorded["data.batch_size"])
    if checkpoint := whole_checkpoint(folder, None):
        return int(read(checkpoint)["litlab"]["config"]["data"]["batch_size"])
    return None


@functools.cache  # a process of joblib's has one job after the other
def end_with_sweep(launcher: str) -> None:
    """Ends this process, as SIGTERM would, when the sweep's has gone: joblib's would train on, unseen."""
    if launcher == "Joblib":
        end_with(int(os.environ[STARTED_BY]))


def share_cores(job: SweepJob, threads: int | None) -> None:
    """Gives a job its part of the CPU when a launcher runs several at once."""
    own = job.cores or max(1, cores() // job.jobs_at_once)
    if threads or own < cores():
        torch.set_num_threads(threads or own)
