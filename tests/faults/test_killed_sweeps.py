"""Kills a sweep again and again, and holds its end against one left in peace: pytest -n 0 -m slow tests/faults."""

import csv
import os
import random
import signal
import time
from pathlib import Path

import pytest
from faults.compare import differences
from scripts import finish, start

pytestmark = pytest.mark.slow

KILLS = 10
SWEEP = [
    *("-m", "data=mnist_sample", "trainer=cpu", "model=mlp", "model.hidden=[200]", "data.train_limit=640", "threads=1"),
    *("trainer.max_epochs=8", "checkpoint.every_n_steps=3", "trainer.log_every_n_steps=3", "hydra.sweep.dir=s"),
    *("callbacks.model_summary.enabled=false", "optimizer.lr=0.0003,0.001,0.003,0.01"),
]


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "s/sweep.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    "halving", [[], ["hydra.sweeper.prune=asha", "hydra.sweeper.reduction_factor=2"]], ids=["all", "asha"]
)
def test_killed_ten_times_a_sweep_ends_as_one_left_in_peace(halving, tmp_path):
    peace, killed = tmp_path / "peace", tmp_path / "killed"
    peace.mkdir()
    killed.mkdir()
    done = finish(start("train.py", *SWEEP, *halving, folder=peace), peace)
    assert done.status == 0, done.err
    rng, hits = random.Random(11), 0
    for _ in range(KILLS):
        began = time.time()
        process = start("train.py", *SWEEP, *halving, folder=killed, new_group=True)
        while process.poll() is None and not any(
            path.stat().st_mtime > began for path in killed.glob("s/*/metrics.csv")
        ):  # any moment of a training will do, and one in which Python still starts kills nothing
            assert time.time() - began < 120
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.6))
        hits += process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert hits >= KILLS * 0.8  # it must not have been faster
    done = finish(start("train.py", *SWEEP, *halving, folder=killed), killed)
    assert done.status == 0, done.err
    assert table(killed) == table(peace)
    jobs = sorted(path.parent.name for path in peace.glob("s/*/result.json"))
    assert len(jobs) == 4
    assert {job: differences(killed / "s" / job, peace / "s" / job) for job in jobs} == {job: [] for job in jobs}
    print(f"\n{hits} SIGKILLs at random moments of a sweep of {len(jobs)} jobs: same table, same bits")
