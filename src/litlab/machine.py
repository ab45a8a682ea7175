"""The cores and the memory that this process may use."""

import contextlib
import os
from pathlib import Path


def cores() -> int:
    """The number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int:
    """Free bytes of memory: of the machine, or of the container if that has less."""
    memory = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(memory["MemAvailable"].split()[0]) * 1024
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # no container, or no limit ("max")
        free = min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return free
