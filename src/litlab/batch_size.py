"""`data.batch_size=auto`: the largest power of two that fits, found by training steps in a process of its own.

What happens in that process (memory that fragments, random numbers that are drawn, one that the system kills) does not
touch the run, which is the run that `data.batch_size=N` would be.

    python -m litlab.batch_size PROCESSES < CONFIG
"""

import contextlib
import gc
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning
import torch
from omegaconf import DictConfig, OmegaConf

from litlab import console
from litlab.assembly import assemble, precision, prepare_data
from litlab.config import ConfigError, build
from litlab.data import DataModule
from litlab.modules import Supervised

MEMORY_SHARE = 0.8  # of what is free on the CPU, for all processes together
PREFIX = "litlab.batch_size "


def is_auto(cfg: DictConfig) -> bool:
    return bool(cfg.data.get("batch_size") == "auto")


def find(cfg: DictConfig, processes: int) -> int:
    """The largest batch size, all processes together, with which training steps of `cfg` succeed.

    Raises:
        ConfigError: if not even one image for each process fits, or the run cannot be built.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TORCHELASTIC_", "MASTER_"))}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "ROLE_WORLD_SIZE"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "litlab.batch_size", str(processes)]
    done = subprocess.run(command, input=OmegaConf.to_yaml(cfg), capture_output=True, text=True, env=environment)
    said = [json.loads(line.removeprefix(PREFIX)) for line in done.stdout.splitlines() if line.startswith(PREFIX)]
    if said and "error" in said[-1]:
        raise ConfigError(said[-1]["error"])
    fits = [trial["size"] for trial in said if trial["fits"]]
    if not fits and not said:
        raise ConfigError(f"data.batch_size=auto: {(done.stderr.strip() or 'the search died').splitlines()[-1]}")
    if not fits:
        raise ConfigError("data.batch_size=auto: not even one image fits into memory: use a smaller model or images")
    ended = done.returncode < 0 or not said[-1]["fits"]
    why = f"{2 * fits[-1]} does not fit into memory" if ended else f"there are {said[-1]['images']:,} training images"
    console.say(f"data.batch_size=auto: {fits[-1]} ({why})")
    return int(fits[-1])


def search(cfg: DictConfig, processes: int) -> None:
    """Tries 1, 2, 4 and so on for one process, and prints what fitted."""
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)
    cfg.data.batch_size = 1
    cfg.data.drop_last = False
    data, module = assemble(cfg)
    cfg.trainer.precision = precision(cfg, data)
    prepare_data(cfg, data)
    limit_memory(processes)
    each, images = 1, data.sizes["train"]
    while each * processes <= images:
        fits = succeeds(cfg, data, module, each)
        print(PREFIX + json.dumps({"size": each * processes, "fits": fits, "images": images}), flush=True)
        if not fits:
            return
        each *= 2


def succeeds(cfg: DictConfig, data: DataModule, module: Supervised, batch_size: int) -> bool:
    """Whether two training steps (the second has the optimizer's state) and a batch of validation fit into memory."""
    data.batch_size = batch_size
    data.eval_batch_size = max(batch_size, data.eval_batch_size)
    settings: dict[str, Any] = {
        "devices": 1,
        "num_nodes": 1,
        "strategy": "auto",
        "max_epochs": 2,
        "limit_train_batches": cfg.trainer.accumulate_grad_batches,
        "limit_val_batches": 1,
        "num_sanity_val_steps": 0,
        "logger": False,
        "use_distributed_sampler": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": False,
    }
    try:
        build(cfg, "trainer", **settings).fit(module, datamodule=data)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the CPU's allocator, has run out of memory."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in text or "Cannot allocate memory" in text)
    )


def limit_memory(processes: int) -> None:
    """Lets this process grow by its part of what is free now, so that it runs out before the machine does."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    used = int(status["VmData"].split()[0]) * 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = used + int(MEMORY_SHARE * free_memory() / processes)
    if soft == resource.RLIM_INFINITY or allowed < soft:
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


def free_memory() -> int:
    """Bytes: of the machine, or of the container if that is less."""
    memory = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(memory["MemAvailable"].split()[0]) * 1024
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # no such group, or no limit ("max")
        free = min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return free


def main(processes: int) -> None:
    console.quieten()
    cfg = OmegaConf.create(sys.stdin.read())
    assert isinstance(cfg, DictConfig)
    try:
        search(cfg, processes)
    except ConfigError as error:
        print(PREFIX + json.dumps({"error": str(error)}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
