"""How many jobs of a sweep fit on this machine side by side: `hydra.launcher.n_jobs=auto`."""

import multiprocessing
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from litlab.machine import cores, free_memory

SHARE = 0.8  # of what is free; the rest is for peaks
GIB = 2**30


@dataclass(frozen=True)
class Gpus:
    """The GPUs of this machine, and what the jobs of this process use of them.

    Args:
        count: 0 if there are none, or if nobody can say.
        free: bytes, of all together.
        used: bytes that the process of a job holds; 0 if it uses no GPU.
    """

    count: int
    free: int
    used: int


def jobs_that_fit(used: int, free: int, gpus: Gpus, most: int) -> tuple[int, str]:
    """How many jobs can run at once, and why not more.

    Args:
        used: bytes of memory that one job took.
        free: bytes of memory that are free while that process is still there.
        gpus: of this machine.
        most: the number of cores.
    """
    limits = {f"{most} core{'s' * (most != 1)}": most}
    if used:
        limits[f"{used / GIB:.1f} GiB of memory each"] = 1 + int(SHARE * free / used)
    if gpus.used:
        limits[f"{gpus.used / GIB:.1f} GiB of GPU memory each"] = 1 + int(SHARE * gpus.free / gpus.used)
    reason = min(limits, key=limits.__getitem__)
    return max(1, limits[reason]), reason


def after_the_first_job() -> tuple[int, str]:
    """How many jobs can run at once, judged by the process in which the first one ran. It must still be there."""
    workers = [process.pid for process in multiprocessing.active_children() if process.pid]
    used = max((peak_memory(pid) for pid in workers), default=0)
    return jobs_that_fit(used, free_memory(), gpus(set(workers)), cores())


def peak_memory(pid: int) -> int:
    """The most memory that a process has had, in bytes; 0 if it has gone. Files that it shares with others count."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    kilobytes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kilobytes[0]) * 1024 if kilobytes else 0


def gpus(workers: set[int]) -> Gpus:
    """What NVIDIA's own program says of the GPUs. PyTorch would start CUDA in the process of the sweep."""
    free = [int(line) for (line,) in _asked("--query-gpu=memory.free")]
    processes = _asked("--query-compute-apps=pid,used_memory")
    used = [int(mib) for pid, mib in processes if int(pid) in workers and mib.isdigit()]
    return Gpus(len(free), sum(free) * 2**20, max(used, default=0) * 2**20)


def _asked(query: str) -> list[list[str]]:
    """The rows that `nvidia-smi` answers; none if there is no such program, or it fails."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.strip()]
    return rows if done.returncode == 0 else []
