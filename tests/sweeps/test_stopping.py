"""Sweeps that a signal stops."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from faults.harness import PATHS
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


@pytest.mark.parametrize(
    ("swept", "name", "status"),
    [
        (["optimizer.lr=0.1,0.01"], "SIGTERM", 143),
        (["hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "optimizer.lr=0.1,0.01"], "SIGINT", 130),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_counts_whose_exception_python_ignores(train_here, ctrl_c, swept, name, status):
    if "hydra/sweeper=optuna" in swept:
        pytest.importorskip("optuna")
    fault = f"+hydra.callbacks.fault={{_target_: faults.injected.SignalInFinalizer, signal_name: {name}}}"
    quick = (*QUICK, "model=mlp", "data.train_limit=320", "test=false", "hydra.sweep.dir=s")
    done = train_here("-m", *quick, *swept, fault)
    assert done.status == status, done.err
    assert "go on with    the same command" in done.err
    assert "1 of " in done.out


@pytest.mark.slow
def test_a_job_of_joblib_that_is_terminated_as_it_begins_leaves_no_folder(train):
    """Both jobs are in one process. If it died, the report would say that the job was killed."""
    quick = (*QUICK, "model=mlp", "data.train_limit=320", "test=false", *JOBLIB[:1], "hydra.launcher.n_jobs=1")
    swept = ["data._target_=faults.injected.SignalWhilePrepared", "+data.signal_name=null,SIGTERM"]
    done = train("-m", *quick, *swept, **PATHS)
    assert done.status == 143, done.err
    assert "warning" not in done.err
    assert "1 of 2 jobs completed, 1 not begun" in done.out
    assert [run.name for run in done.runs] == ["+data.signal_name=null"]


OF_A_WORKER = """
import signal
from joblib import Parallel, delayed
from litlab.sweeps.joblib import signals_wait_for_jobs
with signals_wait_for_jobs():
    (found,) = Parallel(n_jobs=2, backend="loky")([delayed(signal.pthread_sigmask)(signal.SIG_BLOCK, [])])
print(sorted(found))
"""


def test_a_process_of_joblib_begins_with_the_signals_blocked():
    """One that dies while it starts would end all the others."""
    pytest.importorskip("joblib")
    done = subprocess.run([sys.executable, "-c", OF_A_WORKER], capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{[signal.SIGINT, signal.SIGTERM]}\n", done.stderr


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


def test_a_job_does_not_change_the_status_of_a_sweep_that_a_signal_has_stopped(tmp_path):
    sweeps.stop(SweepJob(0, tmp_path, "Ray"), 143)
    sweeps.stop(SweepJob(1, tmp_path, "Ray"), 130)
    assert sweeps.stopped_with(tmp_path) == 143


WAITS = """
import os, signal, subprocess, sys, time
from pathlib import Path
from litlab.sweeps.stopping import blocked_in_children, note_signals
folder = Path(sys.argv[1])
note_signals(folder, float(sys.argv[2]))
try:
    with blocked_in_children(signal.SIGINT):
        child = subprocess.Popen(["sleep", "2"])
        os.kill(0, signal.SIGINT)
        while not (folder / ".save").exists():
            time.sleep(0.01)
        if len(sys.argv) > 3:
            os.kill(os.getpid(), signal.SIGINT)
        while True:
            time.sleep(0.1)
except KeyboardInterrupt:
    print(child.wait(), (folder / ".stopped").read_text())
"""


@pytest.mark.parametrize("waits", [["30", "and a second signal"], ["0.5"]], ids=["second signal", "time is over"])
def test_a_signal_is_noted_and_the_wait_for_the_jobs_ends(waits, tmp_path):
    """Their processes have no part in it."""
    command = [sys.executable, "-c", WAITS, tmp_path, *waits]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True, timeout=15)
    assert (done.returncode, done.stdout.split()) == (0, ["0", "130"]), done.stderr
    assert done.stderr == "stopping: waiting for the jobs to save; a second signal ends the wait\n"
    assert sweeps.is_told_to_save(tmp_path)
    clear_marks(tmp_path)
    assert not sweeps.is_told_to_save(tmp_path)


def test_marks_are_those_of_one_start(tmp_path):
    clear_marks(tmp_path)
    for line in ("a was trained with seed=1", "b was trained with seed=2"):
        sweeps.note_refused(tmp_path, line)
    sweeps.stop(SweepJob(0, tmp_path, "Ray"), 130)
    assert refused(tmp_path) == ["a was trained with seed=1", "b was trained with seed=2"]
    clear_marks(tmp_path)
    assert (refused(tmp_path), sweeps.stopped_with(tmp_path), list(tmp_path.iterdir())) == ([], 0, [])
