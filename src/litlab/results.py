"""What came of a run: `result.json`, the closing lines on the terminal, and errors in words for a user."""

import json
import math
import platform
import signal
import sys
import textwrap
from pathlib import Path
from typing import Any

import lightning
import torch
import torchvision
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

import litlab
from litlab import config, console
from litlab.batch_size import is_out_of_memory
from litlab.callbacks import Checkpoints, Interrupted, StopOnSignal
from litlab.callbacks.exact import learning_rate
from litlab.checkpoint import atomic, finite
from litlab.cli import RunFailed
from litlab.config import RESULT
from litlab.console import one_line
from litlab.data import DataModule
from litlab.data.datasets import BadPicture, WorkerFailed
from litlab.modules import NonFiniteLoss


def write_result(run_dir: Path, result: dict[str, Any]) -> None:
    """Writes `result.json` atomically."""
    with atomic(run_dir / RESULT) as temporary:
        temporary.write_text(json.dumps({"objective": None} | result, indent=2, allow_nan=False) + "\n")


def write_failed(run_dir: Path, error: str) -> None:
    """The result of a run that ended before there was anything to say of it but why."""
    write_result(run_dir, {"status": "failed", "metrics": {}, "error": error})


def describe(
    cfg: DictConfig,
    run_dir: Path,
    status: str,
    metrics: dict[str, float],
    monitor: Checkpoints | None,
    trainer: lightning.Trainer,
    data: DataModule,
    overrides: list[str],
) -> dict[str, Any]:
    """What `result.json` says of a run, but for its times."""

    def saved(path: Path) -> str | None:
        return str(path.relative_to(run_dir)) if path.exists() else None

    best = monitor.best_score if monitor and math.isfinite(monitor.best_score or 0.0) else None
    return {
        "status": status,
        "metrics": finite(metrics),
        "objective": {"name": cfg.objective, "mode": cfg.objective_mode, "value": best} if best is not None else None,
        "best_checkpoint": saved(monitor.best) if monitor else None,
        "last_checkpoint": saved(monitor.last) if monitor else None,
        "epochs": trainer.fit_loop.epoch_progress.current.processed,  # type: ignore[attr-defined]
        "steps": trainer.global_step,
        "rewinds": cfg.get("rewinds", 0),
        "dataset": {"name": data.name, **data.sizes},
        "overrides": overrides,
        "config": config.numeric(cfg),
        "versions": {
            "litlab": litlab.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "lightning": lightning.__version__,
        },
    }


def report(result: dict[str, Any], run_dir: Path, takes_pictures: bool) -> None:
    """Closes a run on the terminal: the test metrics, where everything is, and what to type next."""
    folder = shown(run_dir)
    tested = {k: v for k, v in result["metrics"].items() if k.startswith("test/")}
    if tested:
        table = Table(box=SIMPLE_HEAD)
        table.add_column("best checkpoint, test set")
        table.add_column("", justify="right")
        for name, value in tested.items():
            table.add_row(name, console.number(value))
        console.say(table)
    console.say(
        f"{result['status']} after {result['epochs']} epoch{'s' * (result['epochs'] != 1)}, {result['seconds']:.0f} s, "
        f"{result['images_per_second']:,.0f} images/s"
    )
    if config.in_sweep():
        return
    width = min(110, console.console.width) if console.console.is_terminal else 2**16
    for number, sentence in enumerate(result["diagnosis"]):
        heading = "verdict" if number == 0 else ""
        console.say(Text(textwrap.fill(sentence, width, initial_indent=f"{heading:<14}", subsequent_indent=" " * 14)))
    console.say(f"run folder    {folder}")
    if result.get("report"):
        console.say(f"one page      {folder}/report.png, report.html")
    if any(run_dir.glob("events.out.tfevents.*")):
        console.say(f"curves        tensorboard --logdir {folder}")
    if result["best_checkpoint"] and takes_pictures:
        console.say(f"use it        python predict.py ckpt={folder} input=IMAGE")
    if result["status"] == "interrupted":
        console.say(f"go on         python train.py resume={folder}")


def explain(
    error: Exception | Interrupted,
    cfg: DictConfig,
    trainer: lightning.Trainer,
    monitor: Checkpoints | None,
    stop: StopOnSignal,
) -> tuple[str, Exception]:
    """The status of a run that ended with `error`, and the error in words for a user where the cause is known."""
    if isinstance(error, SIGTERMException):  # Lightning's, in the moment before our handlers are in place
        error = Interrupted(signal.SIGTERM)
    if isinstance(error, Interrupted):
        return "interrupted", RunFailed(str(error), 128 + error.signum)
    if isinstance(error, NonFiniteLoss):
        return "failed", RunFailed(_hint(error, cfg, monitor))
    if is_out_of_memory(error):
        size = cfg.data.batch_size
        smaller = (
            f"data.batch_size={size // 2}, data.batch_size=auto" if size > 1 else "smaller images, a smaller model"
        )
        return "failed", RunFailed(
            f"out of memory on {device_name(trainer)} with data.batch_size={size}: "
            f"try {smaller} or trainer.precision=bf16-mixed"
        )
    if isinstance(error, BadPicture):
        return "failed", RunFailed(str(config.blame(cfg, "data", error)))
    text = one_line(error)
    if isinstance(error, getattr(sys.modules.get("torch._dynamo.exc"), "TorchDynamoException", ())):
        return "failed", RunFailed(f"model.compile=true: {text}; leave it out")
    if trainer.world_size > 1 and (isinstance(error, torch.distributed.DistError) or "gloo" in text.lower()):
        return "failed", RunFailed(f"another process of this run died or was cut off ({text}); go on with resume=")
    if isinstance(error, WorkerFailed) or text.startswith("DataLoader worker"):  # of a loader of one's own
        return "failed", RunFailed(f"a data worker died or hung ({text}); data.num_workers=0 does without them")
    return "failed", error


def device_name(trainer: lightning.Trainer) -> str:
    """What the run is trained on, in words."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return name if trainer.world_size == 1 else f"{trainer.world_size} x {name}"


def shown(run_dir: Path) -> Path:
    """A run folder as a user would type it."""
    return run_dir.relative_to(Path.cwd()) if run_dir.is_relative_to(Path.cwd()) else run_dir


def _hint(error: NonFiniteLoss, cfg: DictConfig, monitor: Checkpoints | None) -> str:
    kept = f"; the last good checkpoint is checkpoints/{monitor.last.name}" if monitor and monitor.last.exists() else ""
    lr, rewinds = learning_rate(cfg), cfg.get("rewinds", 0)
    tried = f", after {rewinds} rewinds" if rewinds else ""
    instead = "" if cfg.get("on_nan") == "rewind" else ", or on_nan=rewind"
    return f"{error}{tried}: try a lower optimizer.lr (it is {lr:g}), trainer.gradient_clip_val=1{instead}{kept}"
