"""The cores and the memory that this process may use, and the precision that the machine computes in."""

import contextlib
import os
from pathlib import Path

GROUP = Path("/sys/fs/cgroup")  # of the container that this process is in


def cores() -> int:
    """The number of CPU cores that this process may use: those it is bound to, or the share of its container."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # no container, or no limit ("max 100000")
        microseconds, period = map(int, (GROUP / "cpu.max").read_text().split())
        bound = min(bound, max(1, round(microseconds / period)))
    return bound


# Lightning takes these names too, and warns of them.
WHOLE_NAMES = {"16": "16-mixed", "bf16": "bf16-mixed", "32": "32-true", "64": "64-true"}


def computed_precision(precision: str, accelerator: str) -> str:
    """The precision in which Lightning computes, by its whole name. On a CPU, it takes bfloat16 for 16-mixed."""
    precision = WHOLE_NAMES.get(precision, precision)
    return "bf16-mixed" if precision == "16-mixed" and is_cpu(accelerator) else precision


def is_cpu(accelerator: str) -> bool:
    """Whether a Trainer with this `accelerator` computes on the CPU."""
    import torch  # takes seconds

    return accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())


def free_memory() -> int:
    """Free bytes of memory: of the machine, or of the container if that has less."""
    memory = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(memory["MemAvailable"].split()[0]) * 1024
    with contextlib.suppress(OSError, ValueError):  # no container, or no limit ("max")
        free = min(free, int((GROUP / "memory.max").read_text()) - int((GROUP / "memory.current").read_text()))
    return free
