import json
import os
import re
import subprocess
import sys

import pytest
from scripts import REPOSITORY, asked

ALONE = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1", "LOCAL_RANK": "0"}


def work(folder, job, run):
    """What a rank does with a message, and what it leaves for the process that watches."""
    message = folder / "message.json"
    message.write_text(json.dumps({"job": job, "run": run.to_plain(), "started": "train.py"}))
    command = [sys.executable, "-m", "litlab.worker", message]
    tests = os.pathsep.join([str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, **ALONE, "PYTHONPATH": tests}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    left = folder / "error.json"
    return done, json.loads(left.read_text()) if left.exists() else None


@pytest.mark.slow
@pytest.mark.parametrize("job", ["train", "evaluate"])
def test_a_mistake_is_left_for_the_process_that_watches(job, tmp_path):
    if job == "train":
        run = asked("data=mnist_sample", "data.val_size=4000", "trainer=cpu", folder=tmp_path)
    else:
        run = asked("trust=[1]", "ckpt=none.ckpt", script="predict", folder=tmp_path)
    done, left = work(tmp_path, job, run)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    assert (left["kind"], left["status"]) == ("ConfigError", 2)
    assert ("data.val_size" if job == "train" else "trust=1: must be the name of a package") in left["message"]


@pytest.mark.slow
def test_a_rank_trains_and_logs_into_the_run_folder(tmp_path):
    quick = ["data=mnist_sample", "model=mlp", "trainer=cpu", "trainer.max_epochs=1", "data.train_limit=128"]
    off = ["callbacks.report.enabled=false", "logger=none", "test=false"]
    run = asked(*quick, *off, folder=tmp_path / "run")
    (tmp_path / "run").mkdir()
    done, left = work(tmp_path, "train", run)
    assert (done.returncode, left, done.stderr) == (0, None, "")
    assert "epoch 1/1" in done.stdout
    assert "epoch 1/1" in (tmp_path / "run/train.log").read_text()
    assert json.loads((tmp_path / "run/result.json").read_text())["status"] == "completed"


@pytest.mark.slow
def test_an_error_of_own_code_in_a_rank_is_one_line_for_the_process_that_watches(tmp_path):
    quick = ["data=mnist_sample", "model=mlp", "trainer=cpu", "data.train_limit=128"]
    run = asked(*quick, "+callbacks.mine._target_=own_parts.FailsInStep", folder=tmp_path / "run")
    (tmp_path / "run").mkdir()
    done, left = work(tmp_path, "train", run)
    assert (done.returncode, left["kind"], left["status"]) == (1, "RunFailed", 1)
    assert re.fullmatch(r"KeyError: 'nothing' \(.*own_parts\.py, line \d+\)", left["message"])
    assert done.stderr.count("  File ") == 1
    assert (tmp_path / "run/train.log").read_text().count("  File ") > 5  # all calls
