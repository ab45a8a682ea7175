"""`data.batch_size=auto`: the largest power of two that fits, found by training steps in a process of its own.

What happens in that process (memory that fragments, random numbers that are drawn, the system that kills it) does not
touch the run, which is the run that `data.batch_size=N` would be.
"""

import json
import os
import subprocess
import sys

import torch

from litlab.config import Run
from litlab.console import say
from litlab.errors import ConfigError

PREFIX = "litlab.batch_size "  # of the lines that the process prints for this one


def is_auto(run: Run) -> bool:
    return bool(run.get("data.batch_size") == "auto")


def largest(run: Run, processes: int) -> int:
    """The largest batch size, all processes together, with which training steps of `run` succeed.

    Raises:
        ConfigError: if not even one image for each process fits, or the run cannot be built.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TORCHELASTIC_", "MASTER_"))}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "ROLE_WORLD_SIZE"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "litlab.training.batch_size_search", str(processes)]
    done = subprocess.run(command, input=json.dumps(run.to_plain()), capture_output=True, text=True, env=environment)
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
    say(f"data.batch_size=auto: {fits[-1]} ({why})")
    return int(fits[-1])


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the CPU's allocator, has run out of memory."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in text or "Cannot allocate memory" in text)
    )
