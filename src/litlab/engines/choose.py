"""Which engine a run has."""

from collections.abc import Callable
from typing import Any

import lightning

from litlab.console import log
from litlab.engines.blocks import Blocks
from litlab.engines.graph import GraphBlocks
from litlab.engines.recorders import CudaRecorder, Recorder
from litlab.errors import ConfigError
from litlab.modules import Supervised

EVERY_BATCH = ("on_train_batch_start", "on_train_batch_end", "on_before_optimizer_step", "on_before_zero_grad")


def choose_engine(
    name: str,
    trainer: lightning.Trainer,
    module: Supervised,
    save_every_n_steps: int | None = None,
    recorder: Callable[[], Recorder] = CudaRecorder,
) -> Blocks | None:
    """The engine that `engine=name` stands for; None for Lightning's own loop.

    Args:
        name: auto, eager, blocks or graph.
        trainer: of the run.
        module: what it trains.
        save_every_n_steps: `checkpoint.every_n_steps`.
        recorder: makes what records and replays.

    Raises:
        ConfigError: if blocks or graphs are asked for where they cannot be, with the reason.
    """
    if name == "eager":
        return None
    reason = against_blocks(trainer, module)
    if name == "blocks":
        if reason:
            raise ConfigError(f"engine=blocks: {reason}; use engine=eager")
        return Blocks(trainer, module, save_every_n_steps)
    on_gpu = trainer.strategy.root_device.type == "cuda" or recorder is not CudaRecorder
    reason = reason or ("it needs a CUDA GPU" if not on_gpu else against_graph(trainer, module))
    if name == "graph":
        if reason:
            raise ConfigError(f"engine=graph: {reason}; use engine=auto")
        return GraphBlocks(trainer, module, save_every_n_steps, must=True, recorder=recorder)
    if reason is None:
        reason = looked_at_in_every_batch(trainer)
    if reason is None:
        return GraphBlocks(trainer, module, save_every_n_steps, recorder=recorder)
    if on_gpu:
        log.info("engine: eager, as %s", reason)
    return None


def against_blocks(trainer: lightning.Trainer, module: Supervised) -> str | None:
    """Why steps cannot be run in blocks, if they cannot."""
    if trainer.world_size > 1:
        return f"there are {trainer.world_size} processes"
    if getattr(trainer.precision_plugin, "scaler", None) is not None:
        return "trainer.precision=16-mixed scales the loss by what the last step has shown"
    if trainer.overfit_batches > 0 or trainer.fast_dev_run:  # type: ignore[attr-defined]
        return "it is a run of a few batches"
    return None


def against_graph(trainer: lightning.Trainer, module: Supervised) -> str | None:
    """Why the step cannot be captured, as far as that is known before it is tried."""
    if trainer.accumulate_grad_batches > 1:
        return f"trainer.accumulate_grad_batches={trainer.accumulate_grad_batches}"
    return None


def looked_at_in_every_batch(trainer: lightning.Trainer) -> str | None:
    """The name of a callback of one's own that wants to be called in every batch, in words."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        cls: Any = type(callback)
        if not cls.__module__.startswith(("litlab.", "lightning.")):
            wanted = [name for name in EVERY_BATCH if getattr(cls, name) is not getattr(lightning.Callback, name)]
            if wanted:
                return f"{cls.__name__}.{wanted[0]} is to be called in every batch"
    return None
