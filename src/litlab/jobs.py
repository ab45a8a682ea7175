"""A job of a sweep: what it has of the machine, and where it goes on when the sweep is repeated."""

import contextlib
import functools
import os
import time
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from litlab import config, console, launch, resume, sweeps
from litlab.callbacks import Interrupted, StopOnSignal
from litlab.checkpoint import read
from litlab.cli import RunFailed
from litlab.config import ConfigError


def hold(run_dir: Path) -> int:
    """Makes this process the only one that trains a job, once another one that does has ended: the same sweep may have
    been started twice. Returns the lock's file descriptor.

    Raises:
        RunFailed: if a signal ends the wait.
    """
    with contextlib.suppress(ConfigError):
        return resume.hold(run_dir)
    console.say(f"{run_dir.name}: another process is training it; waiting for that")
    stop = StopOnSignal(None)
    try:
        with stop:
            while True:
                time.sleep(0.5)
                with contextlib.suppress(ConfigError):
                    return resume.hold(run_dir)
    except Interrupted as error:
        stop.done()
        raise RunFailed(str(error), 128 + error.signum) from None


def finished(cfg: DictConfig, run_dir: Path) -> dict[str, Any] | None:
    """The result of a job that an earlier start of the same sweep has completed, or pruned.

    Raises:
        ConfigError: if it was trained with another config, naming the first difference.
    """
    result = sweeps.result_of(run_dir)
    if result.get("status") not in ("completed", "pruned"):
        return None
    _refuse_another_config(cfg, run_dir, result["config"])
    return result


def unfinished(cfg: DictConfig, run_dir: Path) -> Path | None:
    """The checkpoint from which a job goes on that was killed or interrupted in an earlier start of the same sweep.

    What the run itself had settled in its config is then settled in `cfg`: Hydra has composed it anew.

    Raises:
        ConfigError: if it was trained with another config, naming the first difference.
    """
    result = sweeps.result_of(run_dir)
    if result.get("status") == "failed" and "epochs" in result:  # else it was refused before it trained
        return None  # it would fail again: from its beginning, in case what made it fail was mended
    checkpoint = resume.whole_checkpoint(run_dir, None)
    if checkpoint:
        before = OmegaConf.create(read(checkpoint)["litlab"]["config"])
        assert isinstance(before, DictConfig)
        _refuse_another_config(cfg, run_dir, config.numeric(before))
        config.settle(cfg, before)
        cfg.rewinds, cfg.rewound_to = before.get("rewinds", 0), before.get("rewound_to")
        console.say(f"{run_dir.name}: going on from {checkpoint.name}")
    return checkpoint


def _refuse_another_config(cfg: DictConfig, run_dir: Path, before: dict[str, Any]) -> None:
    now = config.numeric(cfg)
    for key in now | before:
        if before.get(key) != now.get(key) and not config.is_left_open(now, key):
            message = (
                f"{run_dir.name} was trained with {key}={before.get(key)}, which is now {now.get(key)}: "
                "use another hydra.sweep.dir"
            )
            with (run_dir.parent / sweeps.REFUSED).open("a") as file:
                file.write(f"{message}\n")
            raise ConfigError(message)


def earlier_batch_size(run_dir: Path) -> int | None:
    """What `data.batch_size=auto` was for this job in an earlier start of the same sweep."""
    if recorded := sweeps.result_of(run_dir).get("config"):
        return int(recorded["data.batch_size"])
    if checkpoint := resume.whole_checkpoint(run_dir, None):
        return int(read(checkpoint)["litlab"]["config"]["data"]["batch_size"])
    return None


@functools.cache  # a process of joblib's has one job after the other
def end_with_sweep() -> None:
    """Ends this process, as SIGTERM would, when the sweep's has gone: joblib's would train on, unseen."""
    if sweeps.uses(HydraConfig.get(), "Joblib"):
        launch.end_with(int(os.environ[sweeps.PROCESS]))


def share_machine(cfg: DictConfig, hydra: Any) -> None:
    """Gives this job its part of the CPU, and of the GPUs, when a launcher runs several jobs at once."""
    jobs = sweeps.jobs_at_once(OmegaConf.select(hydra, "launcher.n_jobs"))
    own = OmegaConf.select(hydra, "launcher.cpus_per_task") or max(1, sweeps.cores() // jobs)  # submitit's; or a share
    if cfg.threads or own < sweeps.cores():
        torch.set_num_threads(cfg.threads or own)
    gpus = torch.cuda.device_count()
    if jobs > 1 and gpus > 1 and cfg.trainer.devices == 1 and cfg.trainer.accelerator != "cpu":
        cfg.trainer.devices = [hydra.job.num % gpus]
