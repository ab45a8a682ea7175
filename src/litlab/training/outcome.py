"""What came of a run: its result, its last lines on the terminal, and its error in words for a user."""

import math
import platform
import signal
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning
import torch
import torchvision
from lightning.pytorch.utilities.exceptions import SIGTERMException
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

import litlab
from litlab import report
from litlab.callbacks import Checkpoints, learning_rate
from litlab.config import Run, numeric
from litlab.console import console, number, say
from litlab.data.workers import BadPicture, WorkerFailed
from litlab.errors import Interrupted, RunFailed, one_line
from litlab.files import shown
from litlab.modules import NonFiniteLoss
from litlab.runs import finite, write_result
from litlab.training.batch_size import is_out_of_memory
from litlab.training.build import Parts


@dataclass
class Outcome:
    """What came of a run, as far as it is known."""

    status: str = "completed"
    metrics: dict[str, float] = field(default_factory=dict)
    images_per_second: float = 0.0
    sentences: list[str] | None = None  # of the verdict
    answers: report.Answers | None = None  # of the network, for the page
    failure: Exception | None = None


def write_down(parts: Parts, outcome: Outcome, drawn: bool) -> None:
    """Writes `result.json` and the page, and closes the run on the terminal.

    Args:
        drawn: whether a page is drawn of the run.
    """
    run, data, trainer, failure = parts.run, parts.data, parts.trainer, outcome.failure
    result = describe(parts, outcome)
    if failure:
        expected = isinstance(failure, RunFailed)
        result["error"] = str(failure) if expected else f"{type(failure).__name__}: {failure}"
    if drawn:
        result["report"] = None
    unsaved = _save(run.folder, result)  # before the page: who stops the drawing keeps the result
    try:
        if drawn:
            described = (run.plain(), result, trainer, parts.module, data, outcome.answers, device_name(trainer))
            if report.try_to_write_page(report.page(*described), run.folder):
                result["report"] = report.FILES[0]
                unsaved = _save(run.folder, result)
    finally:
        print_closing(run, result, takes_pictures=len(data.input_shape) == 3)
    outcome.failure = failure or unsaved


def describe(parts: Parts, outcome: Outcome) -> dict[str, Any]:
    """What `result.json` says of a run."""
    run, data, trainer, kept = parts.run, parts.data, parts.trainer, parts.checkpoints

    def saved(path: Path) -> str | None:
        return str(path.relative_to(run.folder)) if path.exists() else None

    best = kept.best_score if kept and math.isfinite(kept.best_score or 0.0) else None
    return {
        "status": outcome.status,
        "metrics": finite(outcome.metrics),
        "objective": best if best is None else _objective(run, best),
        "best_checkpoint": saved(kept.best) if kept else None,
        "last_checkpoint": saved(kept.last) if kept else None,
        "epochs": trainer.fit_loop.epoch_progress.current.processed,  # type: ignore[attr-defined]
        "steps": trainer.global_step,
        "rewinds": run.get("rewinds", 0),
        "dataset": {"name": data.name, **data.sizes},
        "overrides": list(run.overrides),
        "config": numeric(run.cfg),
        "versions": {
            "litlab": litlab.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "lightning": lightning.__version__,
        },
        "seconds": round(parts.resume.seconds, 3),
        "images_per_second": round(outcome.images_per_second or parts.throughput.images_per_second, 1),
        "diagnosis": outcome.sentences or [],
    }


def _objective(run: Run, best: float) -> dict[str, Any]:
    return {"name": run.cfg.objective, "mode": run.cfg.objective_mode, "value": best}


def print_closing(run: Run, result: dict[str, Any], takes_pictures: bool) -> None:
    """The last lines of a run: the test metrics, where everything is, and what to type next."""
    folder = shown(run.folder)
    tested = {k: v for k, v in result["metrics"].items() if k.startswith("test/")}
    if tested:
        table = Table(box=SIMPLE_HEAD)
        table.add_column("best checkpoint, test set")
        table.add_column("", justify="right")
        for name, value in tested.items():
            table.add_row(name, number(value))
        say(table)
    say(
        f"{result['status']} after {result['epochs']} epoch{'s' * (result['epochs'] != 1)}, {result['seconds']:.0f} s, "
        f"{result['images_per_second']:,.0f} images/s"
    )
    if run.job:
        return
    width = min(110, console.width) if console.is_terminal else 2**16
    for count, sentence in enumerate(result["diagnosis"]):
        heading = "verdict" if count == 0 else ""
        say(Text(textwrap.fill(sentence, width, initial_indent=f"{heading:<14}", subsequent_indent=" " * 14)))
    say(f"run folder    {folder}")
    if result.get("report"):
        say(f"one page      {folder}/report.png, report.html")
    if any(run.folder.glob("events.out.tfevents.*")):
        say(f"curves        tensorboard --logdir {folder}")
    if result["best_checkpoint"] and takes_pictures:
        say(f"use it        python predict.py ckpt={folder} input=IMAGE")
    if result["status"] == "interrupted":
        say(f"go on         python train.py resume={folder}")


def explain(error: Exception | Interrupted, parts: Parts) -> tuple[str, Exception]:
    """The status of a run that ended with `error`, and the error in words for a user where the cause is known."""
    trainer, run = parts.trainer, parts.run
    if isinstance(error, SIGTERMException):  # Lightning's, in the moment before our handlers are in place
        error = Interrupted(signal.SIGTERM)
    if isinstance(error, Interrupted):
        return "interrupted", RunFailed(str(error), 128 + error.signum)
    if isinstance(error, NonFiniteLoss):
        return "failed", RunFailed(_advice(error, run, parts.checkpoints))
    if is_out_of_memory(error):
        size = run.cfg.data.batch_size
        smaller = (
            f"data.batch_size={size // 2}, data.batch_size=auto" if size > 1 else "smaller images, a smaller model"
        )
        return "failed", RunFailed(
            f"out of memory on {device_name(trainer)} with data.batch_size={size}: "
            f"try {smaller} or trainer.precision=bf16-mixed"
        )
    if isinstance(error, BadPicture):
        return "failed", RunFailed(str(run.blame("data", error)))
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


def _advice(error: NonFiniteLoss, run: Run, kept: Checkpoints | None) -> str:
    saved = f"; the last good checkpoint is checkpoints/{kept.last.name}" if kept and kept.last.exists() else ""
    rewinds = run.get("rewinds", 0)
    tried = f", after {rewinds} rewinds" if rewinds else ""
    instead = "" if run.get("on_nan") == "rewind" else ", or on_nan=rewind"
    lr = f"try a lower optimizer.lr (it is {learning_rate(run.cfg):g})"
    return f"{error}{tried}: {lr}, trainer.gradient_clip_val=1{instead}{saved}"


def _save(folder: Path, result: dict[str, Any]) -> RunFailed | None:
    """Writes `result.json`, or returns why that could not be done."""
    try:
        write_result(folder, result)
    except OSError as error:
        return RunFailed(f"result.json could not be saved: {error.strerror}")
    return None
