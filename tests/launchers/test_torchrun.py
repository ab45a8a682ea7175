"""A sweep whose jobs are distributed, in processes that torchrun has started."""

import csv
import subprocess
import sys
import time

import pytest
from scripts import REPOSITORY

pytestmark = pytest.mark.slow


def test_torchrun_every_rank_runs_the_job_it_belongs_to(tmp_path):
    """One folder a job, no others, and the sweep goes on after one that fails."""
    arguments = [
        *("-m", "trainer=ddp_cpu", "data=mnist_sample", "trainer.max_epochs=1", "data.train_limit=640"),
        *("optimizer=sgd", "optimizer.lr=0.01,1e30,0.1", "hydra.sweep.dir=s", "threads=1"),
    ]
    began = time.monotonic()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, REPOSITORY / "train.py", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 1
    with (tmp_path / "s/sweep.csv").open() as file:
        rows = {row["folder"]: row["status"] for row in csv.DictReader(file)}
    assert rows == {
        "optimizer.lr=0.01": "completed",
        "optimizer.lr=0.1": "completed",
        "optimizer.lr=1e+30": "failed",
    }, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"s"}
    assert {path.name for path in (tmp_path / "s").iterdir() if path.is_dir()} == set(rows)
    print(f"\n{time.monotonic() - began:.0f} s")
