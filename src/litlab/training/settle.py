"""Fills in what a config leaves open. After this, the config of a run does not change."""

from typing import Any

import torch

from litlab.checkpoint import read
from litlab.config import Run
from litlab.data import DataModule
from litlab.distributed import hosts, is_rank, ranks_wanted
from litlab.errors import ConfigError
from litlab.machine import computed_precision
from litlab.training import batch_size
from litlab.training.assemble import assemble


def settle_for_all_processes(run: Run) -> Run:
    """Fills in what all processes of a run must know before they start: the batch size, and the GPU of a job.

    Raises:
        ConfigError: if not even one image fits into memory, or the run cannot be built.
    """
    if batch_size.is_auto(run):
        processes = ranks_wanted(run.cfg.trainer) * hosts()
        try:
            run = run.settled(**{"data.batch_size": batch_size.largest(run, processes)})
        except ConfigError:
            assemble(run.settled(**{"data.batch_size": processes}))  # has a better message if another setting is wrong
            raise
    trainer, gpus = run.cfg.trainer, torch.cuda.device_count()
    if run.job and run.job.jobs_at_once > 1 and gpus > 1 and trainer.devices == 1 and trainer.accelerator != "cpu":
        run = run.settled(**{"trainer.devices": [run.job.number % gpus]})
    return run


def settle_for_other_hosts(run: Run) -> Run:
    """Fills in the precision of a resumed run. Hosts without its checkpoint could not look it up."""
    if run.checkpoint and is_rank() and run.cfg.trainer.precision == "auto":
        return run.settled(**{"trainer.precision": precision_of(read(run.checkpoint))})
    return run


def precision(run: Run, data: DataModule, saved: dict[str, Any] | None = None) -> str:
    """The precision to train in; `trainer.precision=auto` is bfloat16 autocast where the hardware computes in it.

    A resumed run keeps its precision. A regression has 32 bits: its targets need more than the 8 bits of mantissa that
    bfloat16 has.

    Args:
        saved: the checkpoint that the run goes on from.
    """
    trainer = run.cfg.trainer
    if trainer.precision != "auto":
        return computed_precision(str(trainer.precision or "32-true"), trainer.accelerator)
    if saved:
        return precision_of(saved)
    if trainer.accelerator != "cpu" and torch.cuda.is_available():
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        cpu = torch.cpu.get_capabilities()
        has_bfloat16 = bool(cpu.get("avx512_bf16") or cpu.get("amx_tile"))
    return "bf16-mixed" if has_bfloat16 and data.task != "regression" else "32-true"


def precision_of(saved: dict[str, Any]) -> str:
    """The precision in which the run of a checkpoint was trained."""
    return str(saved["litlab"]["numerics"]["precision"])
