"""Sweeps: their report, failing jobs, going on with one, several jobs at once, several processes in a job."""

import csv
import json
import shutil
import signal
import time

import lightning
import numpy as np
import pytest
from PIL import Image
from scripts import QUICK, finish, start

from litlab import sweeps
from litlab.callbacks import Prune
from litlab.data import MNISTSample
from litlab.modules import Classification
from litlab.networks import MLP

SWEEP = ["-m", *QUICK, "data.train_limit=640", "callbacks.model_summary.enabled=false", "hydra.sweep.dir=runs/s"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Two learning rates and two seeds, and a learning rate at which training diverges."""
    folder = tmp_path_factory.mktemp("sweep")
    arguments = [*SWEEP, "optimizer.lr=0.0001,0.003,1e30", "seed=1,2", "threads=1"]
    return finish(start("train.py", *arguments, folder=folder), folder)


@pytest.fixture
def copied(swept, tmp_path):
    shutil.copytree(swept.folder / "runs", tmp_path / "runs")
    return tmp_path


def rows(folder):
    with (folder / "runs/s/sweep.csv").open() as file:
        return list(csv.DictReader(file))


def test_jobs_are_ranked_and_failures_are_rows(swept):
    assert swept.status == 1
    assert swept.err.splitlines()[-1] == "failed: 2 of the sweep's jobs did not complete"
    table = rows(swept.folder)
    assert [row["status"] for row in table] == ["completed"] * 4 + ["failed"] * 2
    assert "the loss became" in table[-1]["error"]
    scores = [float(row["objective"]) for row in table[:4]]
    assert scores == sorted(scores, reverse=True)
    assert [row["optimizer.lr"] for row in table[:2]] == ["0.003", "0.003"]
    assert list(table[0])[:3] == ["rank", "optimizer.lr", "seed"]  # only what differs
    assert {path.parents[1].name for path in swept.folder.glob("runs/s/*/.hydra/config.yaml")} == {
        f"optimizer.lr={lr},seed={seed}" for lr in ("0.0001", "0.003", "1e+30") for seed in (1, 2)
    }


def test_report_says_what_to_type_next(swept):
    best = rows(swept.folder)[0]
    assert f"best job      runs/s/{best['folder']}/checkpoints/best.ckpt" in swept.out
    assert f"optimizer.lr=0.003 seed={best['seed']}" in swept.out.split("repeat it")[1]
    assert "mean val/acc" in swept.out


def test_mean_and_deviation_over_seeds(swept):
    found = sweeps.groups(sweeps.read(swept.folder / "runs/s"))
    assert list(found) == [("0.003",), ("0.0001",)]
    assert all(len(scores) == 2 for scores in found.values())


def test_the_picture_shows_more_than_one_colour(swept):
    image = Image.open(swept.folder / "runs/s/sweep.png").convert("RGB")
    assert image.width > 800
    red = sum(1 for r, g, b in np.asarray(image).reshape(-1, 3).astype(int) if r > 180 and g < 80 and b < 80)
    assert red > 100  # the best job is marked


def test_going_on_runs_only_what_is_missing(copied):
    before = {path: path.stat().st_mtime_ns for path in copied.glob("runs/s/*/checkpoints/best.ckpt")}
    arguments = [*SWEEP, "optimizer.lr=0.0001,0.003,0.002", "seed=1,2", "threads=1"]
    shutil.rmtree(copied / "runs/s/optimizer.lr=0.0001,seed=2")
    done = finish(start("train.py", *arguments, folder=copied), copied)
    assert done.out.count("finished before, not run again") == 3
    table = rows(copied)
    assert sorted(row["optimizer.lr"] for row in table if row["status"] == "completed") == [
        *["0.0001"] * 2, *["0.002"] * 2, *["0.003"] * 2
    ]  # fmt: skip
    unchanged = [p for p, t in before.items() if p.exists() and p.stat().st_mtime_ns == t]
    assert len(unchanged) == 3


def test_going_on_with_another_config_is_refused_with_the_difference(copied):
    arguments = [*SWEEP, "optimizer.lr=0.003,0.0001", "seed=1,2", "threads=1", "data.batch_size=32"]
    result = copied / "runs/s/optimizer.lr=0.003,seed=1/result.json"
    before = result.read_text()
    done = finish(start("train.py", *arguments, folder=copied), copied)
    assert done.status != 0
    assert "optimizer.lr=0.003,seed=1 was trained with data.batch_size=64, which is now 32" in done.err
    assert result.read_text() == before


def test_report_on_demand(swept, tmp_path, capsys):
    sweeps.report(swept.folder / "runs/s")
    assert "4 of 6 jobs completed" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no jobs"):
        sweeps.report(tmp_path)


def test_a_pruned_job_is_a_row_and_no_failure(copied, capsys):
    for job in (copied / "runs/s").glob("*1e+30*"):
        shutil.rmtree(job)
    result = copied / "runs/s/optimizer.lr=0.0001,seed=2/result.json"
    result.write_text(result.read_text().replace('"completed"', '"pruned"', 1))
    sweep = sweeps.report(copied / "runs/s")
    assert sweep.unfinished == []
    assert "3 of 4 jobs completed, 1 pruned" in capsys.readouterr().out
    assert [row["status"] for row in rows(copied)].count("pruned") == 1


def test_two_jobs_at_once_give_the_same_numbers(swept, tmp_path):
    arguments = [*SWEEP, "optimizer.lr=0.0001,0.003", "seed=1,2", "threads=1"]
    engine = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = finish(start("train.py", *arguments, *engine, folder=tmp_path), tmp_path)
    assert done.status == 0, done.err
    serial = {row["folder"]: row["objective"] for row in rows(swept.folder) if row["status"] == "completed"}
    assert {row["folder"]: row["objective"] for row in rows(tmp_path)} == serial


@pytest.mark.parametrize("engine", [[], ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]], ids=["serial", "joblib"])
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


def test_a_job_that_fails_outside_of_the_training_is_a_row_too(train_here, tmp_path):
    broken = ["data._target_=faults.injected.BrokenData", "optimizer.lr=0.1,0.2"]
    done = train_here(*SWEEP, *broken)
    assert done.status == 1
    assert [(row["status"], row["error"]) for row in rows(tmp_path)] == [("failed", "the tape is torn")] * 2


def test_pruning_sees_the_value_of_this_epoch_of_training_too():
    seen = []
    prune = Prune("train/loss", lambda epochs, value: seen.append((epochs, value)) or epochs == 2)
    module = Classification(MLP(hidden=[8]), 10)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=4, logger=False, callbacks=[prune], enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(module, MNISTSample(train_limit=128))
    assert seen == [(1, module.history["train/loss"][0][1]), (2, module.history["train/loss"][1][1])]
    assert prune.pruned


def test_ddp_in_a_sweep_has_one_folder_a_job_and_survives_a_failing_one(tmp_path):
    arguments = [*SWEEP, "trainer=ddp_cpu", "optimizer=sgd", "optimizer.lr=1e30,0.1", "callbacks.report.enabled=true"]
    done = finish(start("train.py", *arguments, folder=tmp_path), tmp_path)
    assert done.status == 1
    assert [row["status"] for row in rows(tmp_path)] == ["completed", "failed"]
    folders = {path.name for path in (tmp_path / "runs/s").iterdir() if path.is_dir()}
    assert folders == {"optimizer.lr=0.1", "optimizer.lr=1e+30"}
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}
    result = json.loads((tmp_path / "runs/s/optimizer.lr=0.1/result.json").read_text())
    assert result["steps"] == 10
    assert not list(tmp_path.glob("runs/s/*/report.png")), "the sweep's own table is enough"
    assert "verdict" not in done.out


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ("data.data_dir=/a/b,optimizer.lr=0.1", "data.data_dir=_a_b,optimizer.lr=0.1"),
        ("", "default"),
        ("model.hidden=[100, 10]", "model.hidden=_100,_10"),
    ],
)
def test_folder_names_are_safe(overrides, name):
    assert sweeps.folder_name(overrides) == name


def test_long_folder_names_stay_apart():
    names = {sweeps.folder_name("a=" + "x" * 300 + str(i)) for i in range(5)}
    assert len(names) == 5
    assert max(map(len, names)) <= 150
