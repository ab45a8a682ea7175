"""`train.py` on the command line."""

import json
import re
import subprocess
import sys

import pytest
from scripts import QUICK, REPOSITORY


def test_a_mistake_is_one_line_of_the_real_script(train, tmp_path):
    done = train(*QUICK, "optimizer.lr=-0.1")
    assert (done.status, done.out, done.err) == (2, "", "error: optimizer.lr=-0.1: must be greater than 0\n")
    assert not list(tmp_path.iterdir())


def test_full_error_shows_the_traceback(train):
    done = train(*QUICK, "optimizer.lr=-1", HYDRA_FULL_ERROR="1")
    assert done.status != 0
    assert "Traceback" in done.err


PREPARED = "data._target_=faults.injected.SignalWhilePrepared"


@pytest.mark.parametrize(
    ("signal_name", "status", "folder"), [("SIGINT", 130, []), ("SIGTERM", 143, ["hydra.run.dir=runs/mine"])]
)
@pytest.mark.usefixtures("ctrl_c")
def test_stopped_before_it_began_a_run_says_so_and_leaves_nothing(train_here, tmp_path, signal_name, status, folder):
    done = train_here(*QUICK, "model=mlp", *folder, PREPARED, f"+data.signal_name={signal_name}")
    assert (done.status, done.err) == (status, "interrupted\n")
    assert not list(tmp_path.iterdir())


def test_a_sweep_that_is_terminated_as_a_job_begins_has_its_report(train_here):
    quick = (*QUICK, "model=mlp", "data.train_limit=320", "test=false")
    done = train_here("-m", *quick, PREPARED, "+data.signal_name=null,SIGTERM")
    assert done.status == 143, done.err
    assert re.fullmatch("go on with +the same command and hydra.sweep.dir=.*\n", done.err)
    assert "1 of 1 jobs completed" in done.out
    assert [run.name for run in done.runs] == ["+data.signal_name=null"]


def test_a_sweep_has_one_folder_a_job(train):
    done = train("-m", *QUICK, "optimizer.lr=0.001,0.01", "data.train_limit=640")
    assert done.status == 0, done.err
    assert len(done.runs) == 2
    results = [json.loads((run / "result.json").read_text()) for run in done.runs]
    assert all(result["diagnosis"] for result in results)
    assert "verdict" not in done.out, "the sweep's own table is enough"
    assert not any((run / "report.png").exists() for run in done.runs)
    assert {run.parent for run in done.runs} == {done.runs[0].parent}
    assert done.runs[0].parent.name.startswith("sweep_")


def test_help_lists_the_groups_and_says_what_each_option_is():
    done = subprocess.run(
        [sys.executable, REPOSITORY / "train.py", "--help"], capture_output=True, text=True, check=True
    )
    for group in ("data", "model", "loss", "optimizer", "scheduler", "trainer", "experiment"):
        assert f"\n{group}:" in done.stdout
    assert re.search(r"^  resnet18 +ResNet-18: residual blocks", done.stdout, re.M)
    assert re.search(r"^  linear_regression +A line through six points", done.stdout, re.M)
