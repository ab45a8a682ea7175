"""What Lightning does at every step for nobody, left out by the switches that Lightning itself has.

Measured with `python tests/benchmarks/run.py`: of a step's time around the network, more than half goes into calling
hooks that nothing overrides, each within a profiler that measures nothing.
"""

import os
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.profilers import PassThroughProfiler

EVERY_STEP = (  # not of validation: there Lightning looks at the signatures of the module's hooks
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)


class NoProfiler(PassThroughProfiler):
    """Measures nothing, like Lightning's own default, without making a generator for each measurement."""

    _nothing = nullcontext()

    def profile(self, action_name: str) -> Any:
        return self._nothing


def leave_out_empty_hooks(parts: Iterable[Callback | LightningModule]) -> None:
    """Makes the hooks of every training step that `parts` do not override `None`, which Lightning does not call."""
    for part in parts:
        base = Callback if isinstance(part, Callback) else LightningModule
        for name in EVERY_STEP:
            if getattr(type(part), name) is getattr(base, name) and name not in vars(part):
                object.__setattr__(part, name, None)


def look_for_gpus_once() -> None:
    """Where there is no GPU, keeps Adam from looking for one at every step.

    It does so by opening the driver's library anew (NVML), because Lightning has told torch to, for data workers that
    are forked: without a GPU they have nothing to inherit.
    """
    if not torch.cuda.is_available():
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
