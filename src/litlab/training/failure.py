"""The error that ended a training, in words for a user where the cause is known."""

import signal
import sys
from collections.abc import Callable

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.exceptions import SIGTERMException

from litlab.callbacks import BEFORE_TRAINING, PURE_FLOAT16, learning_rate
from litlab.checkpoint import latest_good
from litlab.config import Run
from litlab.data.workers import BadPicture, WorkerFailed
from litlab.errors import Interrupted, RunFailed, one_line
from litlab.modules import NonFiniteLoss
from litlab.runs import LATEST
from litlab.training.build import Parts
from litlab.training.terminal import device_name


def explain(error: Exception | Interrupted, parts: Parts) -> tuple[str, Exception]:
    """The status of a run that ended with `error`, and the error to raise: a `RunFailed` where the cause is known."""
    if isinstance(error, SIGTERMException):  # Lightning raises it, in the moment before our handlers are in place
        error = Interrupted(signal.SIGTERM)
    if isinstance(error, Interrupted):
        return "interrupted", RunFailed(str(error), 128 + error.signum)
    messages = (explanation(error, parts) for explanation in EXPLANATIONS)
    message = next((message for message in messages if message), None)
    return "failed", RunFailed(message) if message else error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the allocator of the CPU, has run out of memory."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in text or "Cannot allocate memory" in text)
    )


def _not_finite(error: Exception, parts: Parts) -> str | None:
    if not isinstance(error, NonFiniteLoss):
        return None
    if error.before_training:
        return f"{error}, before any training: {BEFORE_TRAINING}"
    run, checkpoints = parts.run, parts.checkpoints
    rewinds = run.get("rewinds", 0)
    after = f", after {rewinds} rewinds" if rewinds else ""
    instead = "" if run.get("on_nan") == "rewind" else ", or on_nan=rewind"
    saved = _last_good(run) if checkpoints and checkpoints.last.exists() else ""
    if str(run.cfg.trainer.precision) == "16-true":
        return f"{error}{after}: {PURE_FLOAT16}{saved}"
    lr = f"try a lower optimizer.lr (it is {learning_rate(run.cfg):g})"
    return f"{error}{after}: {lr}, trainer.gradient_clip_val=1{instead}{saved}"


def _last_good(run: Run) -> str:
    """Names the last good checkpoint. After rewinds it is none of those from which the NaN came back."""
    before = run.get("rewound_to")
    good = run.folder / LATEST[0] if before is None else latest_good(run.folder, before)
    if good is None:
        return "; it came back after each checkpoint"
    return f"; the last good checkpoint is {good.relative_to(run.folder)}"


def _out_of_memory(error: Exception, parts: Parts) -> str | None:
    if not is_out_of_memory(error):
        return None
    size = parts.run.cfg.data.batch_size
    smaller = f"data.batch_size={size // 2}, data.batch_size=auto" if size > 1 else "smaller images, a smaller model"
    return (
        f"out of memory on {device_name(parts.trainer)} with data.batch_size={size}: "
        f"try {smaller} or trainer.precision=bf16-mixed"
    )


def _bad_picture(error: Exception, parts: Parts) -> str | None:
    return str(parts.run.blame("data", error)) if isinstance(error, BadPicture) else None


def _not_compiled(error: Exception, parts: Parts) -> str | None:
    if isinstance(error, getattr(sys.modules.get("torch._dynamo.exc"), "TorchDynamoException", ())):
        return f"model.compile=true: {one_line(error)}; leave it out"
    return None


def _no_step(error: Exception, parts: Parts) -> str | None:
    if isinstance(error, MisconfigurationException) and "closure hasn't been executed" in str(error):
        return (
            f"{parts.run.option('optimizer')}: its step must call closure(), which computes the loss and its gradient"
        )
    return None


def _lost_process(error: Exception, parts: Parts) -> str | None:
    text = one_line(error)
    of_communication = isinstance(error, torch.distributed.DistError) or "gloo" in text.lower()
    if parts.trainer.world_size > 1 and of_communication:
        return f"another process of this run died or was cut off ({text}); go on with resume="
    return None


def _lost_data_worker(error: Exception, parts: Parts) -> str | None:
    text = one_line(error)
    if isinstance(error, WorkerFailed) or text.startswith("DataLoader worker"):  # the latter in a user's own loader
        return f"a data worker died or hung ({text}); data.num_workers=0 does without them"
    return None


# Each returns a message if it knows the cause. The first one that does is believed.
EXPLANATIONS: tuple[Callable[[Exception, Parts], str | None], ...] = (
    _not_finite,
    _out_of_memory,
    _bad_picture,
    _not_compiled,
    _no_step,
    _lost_process,
    _lost_data_worker,
)
