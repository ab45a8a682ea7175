"""The process in which `litlab.training.batch_size` tries batch sizes.

python -m litlab.training.batch_size_search PROCESSES < RUN
"""

import gc
import json
import sys
from pathlib import Path
from typing import Any

import lightning
import torch

from litlab import console
from litlab.config import Run
from litlab.data import DataModule
from litlab.errors import ConfigError
from litlab.machine import free_memory
from litlab.modules import Supervised
from litlab.training.assemble import assemble, fill_cache, prepare_data
from litlab.training.batch_size import PREFIX
from litlab.training.failure import is_out_of_memory
from litlab.training.settle import precision

MEMORY_SHARE = 0.8  # of the free memory of the CPU, for all processes together


def search(run: Run, processes: int) -> None:
    """Tries 1, 2, 4 and so on images for one process, and prints the result of each trial."""
    lightning.seed_everything(run.cfg.seed, workers=True, verbose=False)
    run, data, module = assemble(run.settled(**{"data.batch_size": 1, "data.drop_last": False}))
    run = run.settled(**{"trainer.precision": precision(run, data)})
    prepare_data(run, data)
    fill_cache(run, data)
    limit_memory(processes)
    batch_size, images = 1, data.sizes["train"]
    while batch_size * processes <= images:
        fits = try_steps(run, data, module, batch_size)
        print(PREFIX + json.dumps({"size": batch_size * processes, "fits": fits, "images": images}), flush=True)
        if not fits:
            return
        batch_size *= 2


def try_steps(run: Run, data: DataModule, module: Supervised, batch_size: int) -> bool:
    """Whether two training steps and a batch of validation fit into memory.

    The second step has the state of the optimizer, which the first one creates.
    """
    data.batch_size = batch_size
    data.eval_batch_size = max(batch_size, data.eval_batch_size)
    settings: dict[str, Any] = {
        "devices": 1,
        "num_nodes": 1,
        "strategy": "auto",
        "max_epochs": 2,
        "max_steps": -1,
        "val_check_interval": None,
        "limit_train_batches": run.cfg.trainer.accumulate_grad_batches,
        "limit_val_batches": 1,
        "num_sanity_val_steps": 0,
        "logger": False,
        "use_distributed_sampler": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": False,
    }
    try:
        run.build("trainer", **settings).fit(module, datamodule=data)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True


def limit_memory(processes: int) -> None:
    """Limits the memory of this process to a part of what is free now, so that it runs out before the machine does."""
    try:
        import resource
    except ImportError:  # Windows
        resource = None  # type: ignore[assignment]
    if resource is None or not Path("/proc/self/status").exists():
        console.warn("data.batch_size=auto: this system cannot limit memory, so the search may fill it")
        return
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    used = int(status["VmData"].split()[0]) * 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = used + int(MEMORY_SHARE * free_memory() / processes)
    if soft == resource.RLIM_INFINITY or allowed < soft:
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


def main(processes: int) -> None:
    console.quieten()
    try:
        run = Run.from_plain(json.loads(sys.stdin.read()))
        if run.project:
            run.project.make_importable()
        search(run, processes)
    except ConfigError as error:
        print(PREFIX + json.dumps({"error": str(error)}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
