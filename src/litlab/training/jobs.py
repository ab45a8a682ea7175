"""A job of a sweep: waits for the lock of its folder, goes on from an earlier start, and takes its share of the CPU."""

import _thread
import contextlib
import functools
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from litlab.callbacks import StopOnSignal
from litlab.checkpoint import read, whole_checkpoint
from litlab.config import Run, SweepJob, difference, filled_then, numeric, record, restored
from litlab.console import console, say
from litlab.distributed import end_with
from litlab.errors import ConfigError, Interrupted, RunFailed
from litlab.machine import cores
from litlab.runs import hold, read_result
from litlab.sweeps import STARTED_BY, has_begun, is_final, is_told_to_save, note_refused
from litlab.training.batch_size import is_auto

ASK_S = 0.3  # how often a job asks whether its sweep is stopped


def hold_when_free(folder: Path) -> int:
    """Locks the folder of a job. Waits for another process that trains there: a sweep may be started twice.

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


def resume_job(run: Run) -> tuple[Run, dict[str, Any] | None]:
    """Goes on with a job where an earlier start of the same sweep has left it.

    Returns:
        The job, from its checkpoint if it has one; its result if it has nothing more to do, else None.

    Raises:
        ConfigError: if the earlier start had another config, naming the first difference.
    """
    if is_auto(run) and (size := _earlier_batch_size(run.folder)):
        run = run.settled(**{"data.batch_size": size})
    result = read_result(run.folder)
    status = result.get("status")
    if status == "completed" or (status == "pruned" and is_final(run.folder, run.overrides, result["epochs"])):
        _check_same_config(run, result["config"])
        return run, result
    run = _from_checkpoint(run, result)
    if has_begun(run.folder):  # Hydra leaves the files of an earlier start as they are
        record(run.folder, run.cfg, run.overrides)
    return run, None


def _from_checkpoint(run: Run, result: dict[str, Any]) -> Run:
    """The job from its last checkpoint on, if it was killed, interrupted or pruned.

    It keeps what an earlier start has filled into the config. A job that failed in its training begins anew, because it
    would fail again from its checkpoint.
    """
    failed_in_training = result.get("status") == "failed" and "epochs" in result
    checkpoint = None if failed_in_training else whole_checkpoint(run.folder, None)
    if checkpoint is None:
        return run
    before = restored(read(checkpoint)["litlab"]["config"])
    _check_same_config(run, numeric(before))
    rewinds = {key: before[key] for key in ("rewinds", "rewound_to") if before.get(key)}
    say(f"{run.folder.name}: going on from {checkpoint.name}")
    return run.settled(**filled_then(run.cfg, before), **rewinds).from_checkpoint(checkpoint)


def _check_same_config(run: Run, before: dict[str, Any]) -> None:
    """Raises `ConfigError` if the job had another config before. The sweep's report repeats the message."""
    if changed := difference(before, numeric(run.cfg)):
        message = f"{run.folder.name} was trained with {changed}: use another hydra.sweep.dir"
        note_refused(run.folder.parent, message)
        raise ConfigError(message)


def _earlier_batch_size(folder: Path) -> int | None:
    """The batch size that `data.batch_size=auto` found in an earlier start of a job."""
    if recorded := read_result(folder).get("config"):
        return int(recorded["data.batch_size"])
    if checkpoint := whole_checkpoint(folder, None):
        return int(read(checkpoint)["litlab"]["config"]["data"]["batch_size"])
    return None


def print_to_log_only(job: SweepJob) -> None:
    """Keeps the lines of jobs that run side by side from mixing on the terminal: each job's log has its own."""
    console.quiet = job.launcher == "Joblib" and job.jobs_at_once > 1


@functools.cache  # once for each process: joblib trains several jobs in one
def end_with_sweep(launcher: str) -> None:
    """Ends a process of joblib, as SIGTERM would, when the process of the sweep has gone. It would train on, unseen."""
    if launcher == "Joblib":
        end_with(int(os.environ[STARTED_BY]))


@contextlib.contextmanager
def stopped_with_sweep(job: SweepJob | None) -> Iterator[None]:
    """Stops a job of Ray or submitit, as Ctrl-C would, when its sweep tells it to save. No signal reaches it.

    Raises:
        RunFailed: if the training has not begun by then.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if job is None or job.launcher in ("Basic", "Joblib") or not in_main_thread:
        yield
        return
    ended, lock = threading.Event(), threading.Lock()

    def watch() -> None:
        while not ended.is_set():
            with lock:
                if is_told_to_save(job.folder) and not ended.is_set():
                    # Calls the handler of SIGINT, also where the signal itself is blocked, as Ray does.
                    _thread.interrupt_main()
                    return
            ended.wait(ASK_S)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        try:  # the sweep may tell so while this thread still starts the other, and when the job is just done
            threading.Thread(target=watch, daemon=True).start()
            yield
        finally:
            with lock:
                ended.set()
    except KeyboardInterrupt:
        raise RunFailed(str(Interrupted(signal.SIGINT)), 128 + signal.SIGINT) from None
    finally:
        signal.signal(signal.SIGINT, before)


def share_cores(job: SweepJob, threads: int | None) -> None:
    """Gives a job its share of the CPU cores when a launcher runs several jobs at once.

    Args:
        threads: the setting `threads`, which comes first.
    """
    share = job.cores or max(1, cores() // job.jobs_at_once)
    if threads or share < cores():
        torch.set_num_threads(threads or share)
