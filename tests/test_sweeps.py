"""Sweeps: their report, failing jobs, going on with one, several jobs at once, several processes in a job."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import time
from pathlib import Path

import lightning
import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import Image
from scripts import QUICK, finish, start

from litlab import runs, sweeps
from litlab.callbacks import Prune
from litlab.data import MNISTSample
from litlab.machine import cores
from litlab.modules import Classification
from litlab.networks import MLP
from litlab.prediction.find import best_job, find_checkpoint
from litlab.sweeps.grid import GridSweeper
from litlab.sweeps.optuna import OptunaSweeper
from litlab.sweeps.table import groups

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
    found = groups(sweeps.read(swept.folder / "runs/s"))
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


def test_a_job_keeps_its_folder_whatever_else_is_swept_then(copied, train_here):
    folder = copied / "runs/s"
    arguments = [*SWEEP, "optimizer.lr=0.003", "threads=1"]
    done = train_here(*arguments, "seed=1,2")
    assert done.out.count("finished before, not run again") == 2
    (folder / "optimizer.lr=0.003,seed=1").rename(folder / "optimizer.lr=0.003")  # the name it has without seed=1,2
    before = {path.name for path in folder.iterdir()}
    done = train_here(*arguments, "seed=1,2")
    assert done.out.count("finished before, not run again") == 2
    assert {path.name for path in folder.iterdir()} == before
    done = train_here(*arguments, "seed=2", "data.batch_size=32")  # named by the seed still
    assert "optimizer.lr=0.003,seed=2 was trained with data.batch_size=64, which is now 32" in done.err


def test_a_seed_counts_once(tmp_path):
    for name, seeds in (("a", ["seed=42"]), ("b", []), ("c", ["seed=1"])):
        job_of(tmp_path, name, seeds, **scored(0.5) | {"config": {"seed": int(seeds[0][5:]) if seeds else 42}})
    assert groups(sweeps.read(tmp_path)) == {(): [0.5, 0.5]}


def test_going_on_with_another_config_is_refused_with_the_difference(copied):
    arguments = [*SWEEP, "optimizer.lr=0.003,0.0001", "seed=1,2", "threads=1", "data.batch_size=32"]
    result = copied / "runs/s/optimizer.lr=0.003,seed=1/result.json"
    before = result.read_text()
    done = finish(start("train.py", *arguments, folder=copied), copied)
    assert done.status != 0
    assert "optimizer.lr=0.003,seed=1 was trained with data.batch_size=64, which is now 32" in done.err
    assert result.read_text() == before


def test_a_job_that_is_not_trained_again_keeps_its_record(copied, train_here):
    done, anew = (copied / f"runs/s/optimizer.lr={lr},seed=1" for lr in ("0.003", "1e+30"))
    config_of = done / ".hydra/config.yaml"
    config_of.write_text(config_of.read_text().replace("rewinds: 0", "rewinds: 2"))  # as a run that went back
    record = {path.name: path.read_bytes() for path in config_of.parent.iterdir()}
    shutil.rmtree(copied / "runs/s/optimizer.lr=1e+30,seed=2")
    arguments = [*SWEEP, "seed=1", "threads=1"]
    said = f"{done.name} was trained with optimizer.weight_decay=0.0, which is now 0.5: use another hydra.sweep.dir"
    changed = train_here(*arguments, "optimizer.lr=0.003,1e30", "optimizer.weight_decay=0.5")
    assert changed.status == 1
    assert f"error: {said}" in changed.err
    for file in ("config.yaml", "overrides.yaml"):  # it had failed, and so was trained again
        assert re.search("weight_decay.*0.5", (anew / ".hydra" / file).read_text())
    shutil.rmtree(anew)
    refused = train_here(*arguments, "optimizer.lr=0.003", "optimizer.weight_decay=0.5")
    assert refused.status == 2
    assert f"4 of 4 jobs completed, 1 refused\nrefused       {said}\n" in refused.out
    again = train_here(*arguments, "optimizer.lr=0.003")
    assert (again.status, "refused" in again.out) == (0, False)
    assert {path.name: path.read_bytes() for path in config_of.parent.iterdir()} == record


def job_of(sweep, name, overrides, **result):
    """A job's folder as training leaves it, without the training."""
    folder = sweep / name
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra/overrides.yaml").write_text(json.dumps(overrides))
    if result:
        (folder / "result.json").write_text(json.dumps({"objective": None, "overrides": overrides} | result))
    return folder


def scored(value, mode="max"):
    return {"status": "completed", "objective": {"name": "val/acc", "mode": mode, "value": value}}


def test_how_to_go_on_can_be_typed_where_folders_have_spaces(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sweeper = GridSweeper()
    sweeper.folder = Path("a sweep")
    job_of(sweeper.folder, "a", ["seed=1"])
    sweeper.report_stopped()
    typed = shlex.split(capsys.readouterr().err)[-1]
    assert OverridesParser.create().parse_override(typed).value() == "a sweep"


def test_brackets_are_shown_as_they_were_typed(tmp_path, capsys):
    overrides = ["+data.note='a b'", "~callbacks.speed=null", "data.data_dir=[/a,/b]"]
    job_of(tmp_path, "a", [*overrides, "data.augment=[random_crop]"], **scored(0.5))
    job_of(tmp_path, "b", [*overrides, "data.augment=[cutout]"], status="failed", error="[/b]: no such folder :bug:")
    sweeps.print_report(tmp_path)
    said = capsys.readouterr().out
    table, repeat = said.split("repeat it     ")
    assert "[random_crop]" in table
    assert "[cutout]" in table
    assert "[/b]: no such folder :bug:" in repeat
    assert shlex.split(repeat.splitlines()[0]) == ["python", "train.py", *overrides, "data.augment=[random_crop]"]


def test_jobs_without_checkpoints_are_completed_and_have_no_plot(tmp_path, capsys):
    for lr in (0.1, 0.2):
        job_of(tmp_path, f"lr={lr}", [f"optimizer.lr={lr}"], status="completed")
    sweeps.print_report(tmp_path)
    closing = capsys.readouterr().out.splitlines()[-2:]
    assert closing == [f"table         {tmp_path}/sweep.csv", "sweep         2 of 2 jobs completed"]
    assert not (tmp_path / "sweep.png").exists()


def test_predict_takes_the_job_that_the_report_calls_best(tmp_path, capsys):
    (tmp_path / "multirun.yaml").touch()
    for name, status, value in [("a", "completed", 0.5), ("b", "interrupted", 0.9), ("c", "completed", 0.6)]:
        job = job_of(tmp_path, name, [f"seed={value}"], **scored(value) | {"status": status})
        (job / "checkpoints").mkdir()
        (job / "checkpoints/best.ckpt").touch()
    sweeps.print_report(tmp_path)
    assert f"best job      {find_checkpoint(str(tmp_path))}\n" in capsys.readouterr().out
    for name in "ac":
        shutil.rmtree(tmp_path / name)
    assert best_job(tmp_path).name == "b"


def test_a_job_without_a_result_is_running_or_was_killed(tmp_path, capsys):
    lock = runs.hold(job_of(tmp_path, "a", ["seed=1"]))
    job_of(tmp_path, "b", ["seed=2"])
    assert [job.status for job in sweeps.print_report(tmp_path).jobs] == ["running", "killed"]
    assert "running       a" in capsys.readouterr().out
    os.close(lock)
    assert [job.status for job in sweeps.read(tmp_path).jobs] == ["killed", "killed"]


def test_only_jobs_with_the_same_objective_are_ranked(tmp_path, capsys):
    for name, objective, value in [("a", "val/acc", 0.7), ("b", "val/loss", 0.1), ("c", "val/acc", 0.9)]:
        found = {"name": objective, "mode": "min" if "loss" in objective else "max", "value": value}
        job = job_of(tmp_path, name, [f"objective={objective}"], status="completed", objective=found)
        (job / "checkpoints").mkdir()
        (job / "checkpoints/best.ckpt").touch()
    sweep = sweeps.print_report(tmp_path)
    assert [(job.folder.name, job.score) for job in sweep.jobs] == [("c", 0.9), ("a", 0.7), ("b", None)]
    assert best_job(tmp_path).name == "c"
    said = capsys.readouterr().out
    assert "val/acc (max)" in said
    assert "not ranked    b  its objective is val/loss, and not val/acc\n" in said


def test_report_on_demand(swept, tmp_path, capsys):
    sweeps.print_report(swept.folder / "runs/s")
    assert "4 of 6 jobs completed" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no jobs"):
        sweeps.print_report(tmp_path)


def test_a_pruned_job_is_a_row_and_no_failure(copied, capsys):
    for job in (copied / "runs/s").glob("*1e+30*"):
        shutil.rmtree(job)
    result = copied / "runs/s/optimizer.lr=0.0001,seed=2/result.json"
    result.write_text(result.read_text().replace('"completed"', '"pruned"', 1))
    sweep = sweeps.print_report(copied / "runs/s")
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


def test_joblibs_own_number_of_jobs_is_one_a_core():
    assert OptunaSweeper(n_trials=100, n_jobs=-1).n_jobs == cores() >= 1


JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]


@pytest.mark.parametrize("engine", [[], [*JOBLIB, "hydra.job.chdir=true"]], ids=["serial", "joblib"])
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


def test_what_is_given_once_fixed_and_once_swept_names_its_job(train_here, tmp_path):
    train_here(*SWEEP, "data._target_=faults.injected.BrokenData", "optimizer.lr=0.3", "optimizer.lr=0.1,0.2")
    assert [row["folder"] for row in rows(tmp_path)] == ["optimizer.lr=0.1", "optimizer.lr=0.2"]


@pytest.mark.parametrize(
    ("argument", "said", "environment"),
    [
        ("hydra.sweep.subdir=${hydra.job.num}/x", "no / in it", {}),
        ("hydra/launcher=joblib", "not under torchrun or srun", {"RANK": "0", "WORLD_SIZE": "1"}),
    ],
)
def test_a_sweep_that_cannot_be_run_is_refused_in_a_line(argument, said, environment, train, tmp_path):
    done = train(*SWEEP[:-1], "optimizer.lr=0.1,0.2", argument, **environment)
    assert done.status == 2
    assert done.err.startswith(f"error: {argument}: {said}")
    assert len(done.err.splitlines()) == 1
    assert not list(tmp_path.glob("runs/*/*"))


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
    for letter in ("x", "語"):
        names = {sweeps.folder_name("a=" + letter * 300 + str(i)) for i in range(5)}
        assert len(names) == 5
        assert max(len(name.encode()) for name in names) <= 150


def test_different_values_are_different_jobs_and_the_same_one_is_one(train_here, tmp_path):
    values = "+data.note='w/a b/x','w/a_b/x','y','y'"
    train_here(*SWEEP, "data._target_=faults.injected.BrokenData", values)
    folders = sorted(row["folder"] for row in rows(tmp_path))
    assert [re.sub(r"_[0-9a-f]{8}$", "_HASH", name) for name in folders] == [
        *["+data.note=_w_a_b_x_HASH"] * 2, "+data.note=_y"
    ]  # fmt: skip
    train_here(*SWEEP, "data._target_=faults.injected.BrokenData", values)
    assert sorted(row["folder"] for row in rows(tmp_path)) == folders
