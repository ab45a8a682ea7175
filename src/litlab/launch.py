"""Starts the processes of a distributed run on this machine, through torch's own elastic agent (that of `torchrun`).

The process that the user started only watches: it holds no device, it ends every rank when one of them fails, and it
survives that, so that a sweep goes on. A rank never composes a config nor starts anything itself:

    python -m litlab.launch RUN_FOLDER [evaluate]
"""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from litlab.config import CONFIG, OVERRIDES, ConfigError

ERROR_FILE = "LITLAB_ERROR_FILE"


def is_rank() -> bool:
    """Whether a launcher (litlab, torchrun, SLURM) has already started this process as one of several."""
    return "RANK" in os.environ or int(os.environ.get("SLURM_NTASKS", 1)) > 1


def ranks_wanted(trainer: DictConfig) -> int:
    """How many processes `trainer.strategy` and `trainer.devices` ask for on this machine.

    Raises:
        ConfigError: if there are not that many GPUs.
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
    return wanted if wanted > 1 else 1


def start_ranks(run_dir: Path, count: int, job: str = "train", checkpoint: Path | None = None) -> None:
    """Runs the composed run in `run_dir` in `count` processes, from `checkpoint` on, and waits for them.

    `job` is what each does with it, `train` or `evaluate`.

    Raises:
        ConfigError, RunFailed: as the first rank that failed would have.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    from litlab.cli import RunFailed

    with tempfile.TemporaryDirectory() as folder:
        error_file = Path(folder) / "error.json"
        threads = max(1, (os.cpu_count() or 1) // count)
        os.environ |= {ERROR_FILE: str(error_file)}
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            monitor_interval=0.5,
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
            if failed["kind"] == "ConfigError":
                raise ConfigError(failed["message"]) from None
            raise RunFailed(failed["message"], failed["status"]) from None
        finally:
            os.environ.pop(ERROR_FILE)


def main(run_dir: Path, job: str, checkpoint: Path | None = None) -> None:
    """The life of one rank."""
    from litlab.cli import RunFailed

    end_with(os.getppid())
    if os.environ["RANK"] == "0" and job == "train":
        log_to(run_dir)
    cfg = OmegaConf.load(run_dir / CONFIG)
    assert isinstance(cfg, DictConfig)
    try:
        if job == "train":
            from litlab.training import train

            train(cfg, run_dir, list(OmegaConf.load(run_dir / OVERRIDES)), checkpoint)
        else:
            from litlab.evaluation import evaluate_as_rank

            evaluate_as_rank(cfg)
    except (ConfigError, RunFailed) as error:
        _leave_word(type(error).__name__, str(error), getattr(error, "status", 2))
        # Not through the interpreter's shutdown, in which the other ranks' collectives could hang.
        os._exit(getattr(error, "status", 2))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


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
