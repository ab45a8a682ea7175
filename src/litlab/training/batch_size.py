"""`data.batch_size=auto`: finds the largest power of two that fits into memory.

Another process makes the training steps: see `litlab.training.batch_size_search`. So the search leaves the memory and
the random numbers of the run as they are, and the run survives if the system kills that process. The run is then the
same as with `data.batch_size=N`.
"""

import json
import os
import subprocess
import sys
from typing import Any

from litlab.config import Run
from litlab.console import say
from litlab.errors import ConfigError

PREFIX = "litlab.batch_size "  # of the lines that the search prints for this process
OF_LAUNCHER = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "ROLE_WORLD_SIZE")


def is_auto(run: Run) -> bool:
    return bool(run.get("data.batch_size") == "auto")


def largest(run: Run, processes: int) -> int:
    """Finds the largest batch size, for all processes together, with which training steps of `run` succeed.

    Raises:
        ConfigError: if not even one image for each process fits, or the run cannot be built.
    """
    command = [sys.executable, "-P", "-m", "litlab.training.batch_size_search", str(processes)]
    done = subprocess.run(
        command, input=json.dumps(run.to_plain()), capture_output=True, text=True, env=_environment_without_launcher()
    )
    trials = [json.loads(line.removeprefix(PREFIX)) for line in done.stdout.splitlines() if line.startswith(PREFIX)]
    if trials and "error" in trials[-1]:
        raise ConfigError(trials[-1]["error"])
    sizes = [trial["size"] for trial in trials if trial["fits"]]
    if not sizes and not trials:
        raise ConfigError(f"data.batch_size=auto: {(done.stderr.strip() or 'the search died').splitlines()[-1]}")
    if not sizes:
        raise ConfigError("data.batch_size=auto: not even one image fits into memory: use a smaller model or images")
    say(f"data.batch_size=auto: {sizes[-1]} ({_why_not_larger(trials, done.returncode)})")
    return int(sizes[-1])


def _environment_without_launcher() -> dict[str, str]:
    """The environment variables of this process, without those by which a launcher makes it one of several."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in OF_LAUNCHER and not name.startswith(("TORCHELASTIC_", "MASTER_"))
    }


def _why_not_larger(trials: list[dict[str, Any]], returncode: int) -> str:
    killed = returncode < 0
    if killed or not trials[-1]["fits"]:
        largest = max(trial["size"] for trial in trials if trial["fits"])
        return f"{2 * largest} does not fit into memory"
    return f"there are {trials[-1]['images']:,} training images"
