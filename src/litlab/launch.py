"""Starts the processes of a distributed run on this machine, through torch's own elastic agent (that of `torchrun`).

The process that the user started only watches: it holds no device, it ends every rank when one of them fails, and it
survives that, so that a sweep goes on. A rank never composes a config nor starts anything itself:

    python -m litlab.launch RUN_FOLDER [evaluate]
"""

import json
import math
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from omegaconf import DictConfig, OmegaConf

from litlab import console, ranks
from litlab.config import CONFIG, IN_SWEEP, OVERRIDES, ConfigError, in_sweep

ERROR_FILE = "LITLAB_ERROR_FILE"


def ranks_wanted(trainer: DictConfig) -> int:
    """How many processes `trainer.devices` asks for on this machine; under torchrun and SLURM they decide.

    Raises:
        ConfigError: if there are not that many GPUs, or other machines are asked for and no launcher was used.
    """
    gpus = torch.cuda.device_count()
    if trainer.accelerator in ("gpu", "cuda") and not gpus:
        raise ConfigError("trainer.accelerator=gpu: there is no GPU here; use trainer=cpu or trainer=auto")
    devices = trainer.devices
    if OmegaConf.is_list(devices):
        wanted, highest = len(devices), max(devices, default=-1) + 1
    elif devices in (-1, "-1", "auto"):
        wanted = highest = max(1, gpus) if trainer.accelerator != "cpu" else 1
    else:
        try:
            wanted = highest = int(devices)
        except ValueError:
            raise ConfigError(f"trainer.devices={devices}: must be a number, a list of GPUs, or auto") from None
    if wanted < 1:
        raise ConfigError(f"trainer.devices={devices}: must name at least one device")
    if trainer.accelerator in ("gpu", "cuda") and highest > gpus:
        raise ConfigError(f"trainer.devices={devices}: this machine has {gpus} GPU{'s' * (gpus > 1)}")
    if ranks.is_rank():
        return ranks.local_size()
    if (hosts := trainer.get("num_nodes", 1)) != 1:
        raise ConfigError(
            f"trainer.num_nodes={hosts}: start train.py on each of them, with torchrun or srun (see README)"
        )
    return wanted if wanted > 1 else 1


def start_ranks(
    run_dir: Path, count: int, job: str = "train", checkpoint: Path | None = None, grace_s: float = 20
) -> None:
    """Runs the composed run in `run_dir` in `count` processes, from `checkpoint` on, and waits for them.

    `job` is what each does with it, `train` or `evaluate`; `grace_s` are the seconds that they have after a signal.

    Raises:
        ConfigError, RunFailed, Diverged: as the first rank that failed would have.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    from litlab.cli import Diverged, RunFailed

    with tempfile.TemporaryDirectory() as folder:
        error_file = Path(folder) / "error.json"
        threads = max(1, (os.cpu_count() or 1) // count)
        os.environ |= {ERROR_FILE: str(error_file), IN_SWEEP: str(int(in_sweep()))}
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id="litlab",
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            monitor_interval=0.5,
            shutdown_timeout=math.ceil(grace_s) + 10,  # to SIGKILL: the ranks keep to the time themselves
            signals_to_handle="SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1,SIGUSR2",  # passed on to the ranks
        )
        try:
            arguments = [str(run_dir), job, *([str(checkpoint)] if checkpoint else [])]
            elastic_launch(config, sys.executable)("-u", "-m", "litlab.launch", *arguments)
        except SignalException as stopped:
            signum = int(stopped.sigval)
            raise RunFailed(f"stopped by {signal.Signals(signum).name}", 128 + signum) from None
        except ChildFailedError as error:
            if not error_file.exists():
                rank, failure = error.get_first_failure()
                raise RunFailed(f"rank {rank} ended with exit code {failure.exitcode}") from None
            failed = json.loads(error_file.read_text())
            if failed["kind"] == ConfigError.__name__:
                raise ConfigError(failed["message"]) from None
            kind = Diverged if failed["kind"] == Diverged.__name__ else RunFailed
            raise kind(failed["message"], failed["status"]) from None
        finally:
            for name in (ERROR_FILE, IN_SWEEP):
                os.environ.pop(name)


def main(run_dir: Path, job: str, checkpoint: Path | None = None) -> None:
    """The life of one rank."""
    from litlab.cli import RunFailed

    end_with(os.getppid())
    if os.environ["RANK"] == "0" and job == "train":
        log_to(run_dir)
    console.one_line_warnings()
    overrides = list(OmegaConf.load(run_dir / OVERRIDES)) if job == "train" else []
    try:
        with ranks.Pulse(lambda message: _leave_word(RunFailed.__name__, message, 1)):
            do(message(job, OmegaConf.load(run_dir / CONFIG), run_dir, overrides, checkpoint))
    except (ConfigError, RunFailed) as error:
        status = getattr(error, "status", 2)
        _leave_word(type(error).__name__, str(error), status)
        ranks.leave(status)
    ranks.leave(0)


def message(
    job: str, cfg: Any, run_dir: Path | None = None, overrides: Sequence[str] = (), checkpoint: Path | None = None
) -> dict[str, Any]:
    """What one process must know to take part in a job, `train` or `evaluate`, as plain data."""
    return {
        "job": job,
        "cfg": OmegaConf.to_yaml(cfg),
        "run_dir": str(run_dir),
        "overrides": list(overrides),
        "checkpoint": checkpoint and str(checkpoint),
    }


def do(message: dict[str, Any]) -> None:
    """Takes part in the job of a `message`.

    Raises:
        ConfigError, RunFailed: as the job does.
    """
    cfg = OmegaConf.create(message["cfg"])
    assert isinstance(cfg, DictConfig)
    if message["job"] == "train":
        from litlab.training import train

        checkpoint = message["checkpoint"] and Path(message["checkpoint"])
        train(cfg, Path(message["run_dir"]), message["overrides"], checkpoint)
    else:
        from litlab.evaluation import evaluate_as_rank

        evaluate_as_rank(cfg)


def follow() -> NoReturn:
    """The life of a process other than rank 0 that torchrun or SLURM started."""

    def work(message: dict[str, Any]) -> None:
        with ranks.Pulse():
            do(message)

    ranks.leave(ranks.follow(work))


def log_to(run_dir: Path) -> None:
    """Writes the log to `train.log`, as Hydra does for a process in which it composed the config."""
    import logging

    handler = logging.FileHandler(run_dir / "train.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def end_with(parent: int) -> None:
    """Stops this process, as SIGTERM would, when the one that started it has gone; a rank must not outlive its run."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _leave_word(kind: str, message: str, status: int) -> None:
    """The first rank to fail tells the watching process why."""
    try:
        with Path(os.environ[ERROR_FILE]).open("x") as file:
            json.dump({"kind": kind, "message": message, "status": status}, file)
    except FileExistsError:
        pass


if __name__ == "__main__":
    folder, job, *checkpoints = sys.argv[1:]
    main(Path(folder), job, *map(Path, checkpoints))
