"""Sweeps that a signal stops."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from scripts import QUICK, finish, start
from sweep_folders import SWEEP, rows

from litlab import sweeps
from litlab.config import SweepJob
from litlab.errors import SweepStopped
from litlab.sweeps.stopping import clear_marks, refused

JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param([], id="serial"),
        pytest.param([*JOBLIB, "hydra.job.chdir=true"], id="joblib", marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_ends_the_sweep_with_a_report(tmp_path, engine):
    endless = ["trainer.max_epochs=1000", "optimizer.lr=0.01,0.001,0.0001", *engine]
    process = start("train.py", *SWEEP, *endless, folder=tmp_path)
    at_once = 2 if engine else 1
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("runs/s/*/checkpoints/last.ckpt"))) < at_once:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    done = finish(process, tmp_path, timeout=60)
    assert done.status == 130, done.err
    assert "hydra.sweep.dir=runs/s" in done.err
    assert [row["status"] for row in rows(tmp_path)] == ["interrupted"] * at_once
    assert "Traceback" not in done.err
    later = finish(start("src/litlab/sweeps/__main__.py", "runs/s", folder=tmp_path), tmp_path)
    counted = f"0 of 3 jobs completed, {3 - at_once} not begun"
    assert counted in done.out
    assert counted in later.out
    assert "go on with    the same command and hydra.sweep.dir=runs/s" in later.out


@pytest.mark.slow
def test_a_sweep_that_is_terminated_as_a_job_begins_has_its_report(train_here):
    quick = (*QUICK, "model=mlp", "data.train_limit=320", "test=false")
    done = train_here(
        "-m", *quick, "data._target_=faults.injected.SignalWhilePrepared", "+data.signal_name=null,SIGTERM"
    )
    assert done.status == 143, done.err
    assert re.fullmatch("go on with +the same command and hydra.sweep.dir=.*\n", done.err)
    assert "1 of 2 jobs completed, 1 not begun" in done.out
    assert [run.name for run in done.runs] == ["+data.signal_name=null"]


def test_jobs_one_after_the_other_end_at_once_and_others_leave_a_mark(tmp_path):
    with pytest.raises(SweepStopped) as stopped:
        sweeps.stop(SweepJob(0, tmp_path, "Basic"), 143)
    assert stopped.value.status == 143
    assert sweeps.stopped_with(tmp_path) == 0
    sweeps.stop(SweepJob(0, tmp_path, "Slurm"), 143)
    assert sweeps.stopped_with(tmp_path) == 143


def test_joblibs_process_leaves_no_mark_when_the_sweep_has_gone(tmp_path):
    """The mark could stop the next start of the sweep."""
    code = (
        "import sys; from pathlib import Path; from litlab import sweeps; from litlab.config import SweepJob;"
        "sweeps.stop(SweepJob(0, Path(sys.argv[1]), 'Joblib'), 143)"
    )
    for started_by, status, mark in ((1, 143, 0), (os.getpid(), 0, 143)):
        environment = {**os.environ, sweeps.STARTED_BY: str(started_by)}
        done = subprocess.run([sys.executable, "-c", code, tmp_path], env=environment)
        assert (done.returncode, sweeps.stopped_with(tmp_path)) == (status, mark)


def test_marks_are_those_of_one_start(tmp_path):
    clear_marks(tmp_path)
    for line in ("a was trained with seed=1", "b was trained with seed=2"):
        sweeps.note_refused(tmp_path, line)
    sweeps.stop(SweepJob(0, tmp_path, "Ray"), 130)
    assert refused(tmp_path) == ["a was trained with seed=1", "b was trained with seed=2"]
    clear_marks(tmp_path)
    assert (refused(tmp_path), sweeps.stopped_with(tmp_path), list(tmp_path.iterdir())) == ([], 0, [])
