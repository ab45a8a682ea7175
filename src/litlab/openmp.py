"""How the CPU threads of a process wait for each other. It must be decided before torch is imported.

A thread that is ready before the others spins: it asks again and again, for some milliseconds. On a quiet machine that
is the fastest way. Beside other work it takes a core away from the thread that it waits for. The measurements are in
`tests/benchmarks/README.md`. Numbers do not depend on it.
"""

import os
import statistics
import time
from pathlib import Path

from litlab.machine import cores

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # what a user may have decided
LOOKS, BETWEEN_S = 5, 0.002  # how often the running threads are counted, and when again


def choose_waiting() -> str | None:
    """Lets threads sleep while they wait, if other work needs the cores. Processes that this one starts do the same.

    Returns:
        What was chosen and why, for the log; None if nothing was changed.
    """
    if any(name in os.environ for name in VARIABLES):
        return None
    others = others_running()
    if others < max(1, cores() / 2):
        return None
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    return (
        f"threads of other work: {others:g}, on {cores()} cores; so CPU threads sleep while they wait (OMP_WAIT_POLICY)"
    )


def others_running(file: Path = Path("/proc/loadavg")) -> float:
    """How many threads of the machine run or want to run, without this one; 0 if that is unknown."""
    found = []
    try:
        for _ in range(LOOKS):
            running = file.read_text().split()[3].partition("/")[0]
            found.append(max(0, int(running) - 1))
            time.sleep(BETWEEN_S)
    except (OSError, ValueError, IndexError):  # not on Linux
        return 0
    return statistics.median(found)
