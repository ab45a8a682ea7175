"""What the tests of faults share: a run to break, how to start it and to wait, and the table of what became of it."""

import os
import subprocess
import time
from collections import Counter
from pathlib import Path

from faults.compare import differences
from scripts import REPOSITORY, Finished, start

RUN = [
    *("data=mnist_sample", "trainer=cpu", "model=mlp", "model.hidden=[400]", "data.train_limit=640"),
    *("trainer.max_epochs=8", "trainer.log_every_n_steps=3", "checkpoint.every_n_steps=3"),
    *("data.augment=[random_crop]", "trainer.precision=32-true", "callbacks.report.enabled=false"),
]
PATHS = {"PYTHONPATH": os.pathsep.join([str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH", "")])}
SOON = 60  # seconds in which a broken run ends: 30 are promised, of a machine that does nothing else beside it
LONGER = "trainer.max_epochs=16"  # so that what comes from outside finds it at work
TABLE: dict[str, Counter] = {}


def count(fault: str, survived: bool, times: int = 1) -> None:
    TABLE.setdefault(fault, Counter())[survived] += times


def judge(fault: str, done: Finished, run: Path, reference: Path, times: int = 1) -> None:
    """Counts and asserts that a run came to its end, and equals `reference` bit for bit."""
    lost = [done.err] if done.status else differences(run, reference)
    count(fault, not lost, times)
    assert not lost, lost


def train(folder: Path, *arguments: str) -> subprocess.Popen:
    return start("train.py", *arguments, folder=folder, OMP_NUM_THREADS="1", **PATHS)


def wait_for(condition, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.002)


def training(folder: Path, *arguments: str) -> subprocess.Popen:
    """A run in `folder`/run that has saved twice, and goes on."""
    process = train(folder, *RUN, *arguments, "hydra.run.dir=run")
    wait_for((folder / "run/checkpoints/previous.ckpt").exists, process)
    return process


def at_work(folder: Path) -> list[Path]:
    """The processes (folders of /proc) whose current folder is `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append(process)
        except OSError:
            continue
    return found


def contents(folder: Path, file: str) -> list[tuple[int, str]]:
    """Process id, and text of `file` in /proc, of each process that works in `folder` and has not ended meanwhile."""
    found = []
    for process in at_work(folder):
        try:
            found.append((int(process.name), (process / file).read_text()))
        except OSError:
            continue
    return found


def orphans(folder: Path) -> list[str]:
    """Command lines of processes that still work in `folder`."""
    time.sleep(2)
    return [line.replace("\0", " ") for _, line in contents(folder, "cmdline")]


def stopped_process(folder: Path) -> bool:
    """Whether one that works in `folder` was stopped (SIGSTOP)."""
    return any(stat.rpartition(")")[2].split()[0] == "T" for _, stat in contents(folder, "stat"))
