"""Which folder a job has, and which jobs a repeated command runs."""

import json
import re
import shutil

import pytest
from scripts import QUICK
from sweep_folders import SWEEP, job_of, rows

from litlab import sweeps
from litlab.sweeps.folders import in_their_folders, record_folder


@pytest.mark.slow
def test_going_on_runs_only_what_is_missing(copied, train_here):
    before = {path: path.stat().st_mtime_ns for path in copied.glob("runs/s/*/checkpoints/best.ckpt")}
    arguments = [*SWEEP, "optimizer.lr=0.0001,0.003,0.002", "seed=1,2", "threads=1"]
    shutil.rmtree(copied / "runs/s/optimizer.lr=0.0001,seed=2")
    (copied / "runs/s/optimizer.lr=0.003,seed=2/result.json").write_text("{")  # damaged: its checkpoint has everything
    done = train_here(*arguments)
    assert done.out.count("finished before, not run again") == 2
    assert "optimizer.lr=0.003,seed=2: going on from last.ckpt" in done.out
    table = rows(copied)
    assert sorted(row["optimizer.lr"] for row in table if row["status"] == "completed") == [
        *["0.0001"] * 2, *["0.002"] * 2, *["0.003"] * 2
    ]  # fmt: skip
    unchanged = [p for p, t in before.items() if p.exists() and p.stat().st_mtime_ns == t]
    assert len(unchanged) == 3


@pytest.mark.slow
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
    assert "optimizer.lr=0.0001,seed=1 was trained with data.batch_size=64, which is now 32" in done.err


@pytest.mark.slow
def test_going_on_with_another_config_is_refused_with_the_difference(copied, train_here):
    arguments = [*SWEEP, "optimizer.lr=0.003,0.0001", "seed=1,2", "threads=1", "data.batch_size=32"]
    result = copied / "runs/s/optimizer.lr=0.003,seed=1/result.json"
    before = result.read_text()
    done = train_here(*arguments)
    assert done.status != 0
    assert "optimizer.lr=0.0001,seed=1 was trained with data.batch_size=64, which is now 32" in done.err
    assert result.read_text() == before


@pytest.mark.slow
@pytest.mark.parametrize("ended", ["interrupted", "killed", "damaged"])
def test_a_job_that_was_not_finished_is_compared_too_before_another_begins(copied, train_here, ended):
    results = list(copied.glob("runs/s/*/result.json"))
    for path in results:
        result = json.loads(path.read_text())
        path.write_text({"interrupted": json.dumps(result | {"status": ended})}.get(ended, "{"))
        if ended == "killed":
            path.unlink()
    done = train_here(*SWEEP, "optimizer.lr=0.0001,0.1", "seed=1,2", "threads=1", "data.batch_size=32")
    line = (
        "optimizer.lr=0.0001,seed=1 was trained with data.batch_size=64, which is now 32: use another hydra.sweep.dir"
    )
    assert (done.status, done.err) == (2, f"error: {line}\n")
    assert not (copied / "runs/s/optimizer.lr=0.1,seed=1").exists()


@pytest.mark.slow
def test_a_job_that_is_not_trained_again_keeps_its_record(copied, train_here):
    done, anew = (copied / f"runs/s/optimizer.lr={lr},seed=1" for lr in ("0.003", "1e+30"))
    config_of = done / ".hydra/config.yaml"
    config_of.write_text(config_of.read_text().replace("rewinds: 0", "rewinds: 2"))  # as a run that went back
    record = {path.name: path.read_bytes() for path in config_of.parent.iterdir()}
    shutil.rmtree(copied / "runs/s/optimizer.lr=1e+30,seed=2")
    arguments = [*SWEEP, "seed=1", "threads=1"]
    changed = "optimizer.weight_decay=0.0, which is now 0.5"
    said = f"optimizer.lr=0.0001,seed=1 was trained with {changed}: use another hydra.sweep.dir"
    refused = train_here(*arguments, "optimizer.lr=0.003,1e30,0.001", "optimizer.weight_decay=0.5")
    assert (refused.status, refused.err) == (2, f"error: {said}\n")
    assert not re.search("weight_decay.*0.5", (anew / ".hydra/config.yaml").read_text())
    assert not (copied / "runs/s/optimizer.lr=0.001,seed=1").exists()  # nobody could compare it with the others
    shutil.rmtree(anew)
    again = train_here(*arguments, "optimizer.lr=0.003")
    assert (again.status, "refused" in again.out) == (0, False)
    assert {path.name: path.read_bytes() for path in config_of.parent.iterdir()} == record


@pytest.mark.slow
def test_what_is_given_once_fixed_and_once_swept_names_its_job(train_here, tmp_path):
    train_here(*SWEEP, "data._target_=faults.injected.BrokenData", "optimizer.lr=0.3", "optimizer.lr=0.1,0.2")
    assert [row["folder"] for row in rows(tmp_path)] == ["optimizer.lr=0.1", "optimizer.lr=0.2"]


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


@pytest.mark.slow
def test_different_values_are_different_jobs_and_the_same_one_is_one(train_here, tmp_path):
    values = "+data.note='w/a b/x','w/a_b/x','y','y'"
    train_here(*SWEEP, "data._target_=faults.injected.BrokenData", values)
    folders = sorted(row["folder"] for row in rows(tmp_path))
    assert [re.sub(r"_[0-9a-f]{8}$", "_HASH", name) for name in folders] == [
        *["+data.note=_w_a_b_x_HASH"] * 2, "+data.note=_y"
    ]  # fmt: skip
    train_here(*SWEEP, "data._target_=faults.injected.BrokenData", values)
    assert sorted(row["folder"] for row in rows(tmp_path)) == folders


@pytest.mark.slow
def test_a_sweep_has_one_folder_a_job(train_here):
    done = train_here("-m", *QUICK, "optimizer.lr=0.001,0.01", "data.train_limit=640")
    assert done.status == 0, done.err
    assert len(done.runs) == 2
    results = [json.loads((run / "result.json").read_text()) for run in done.runs]
    assert all(result["diagnosis"] for result in results)
    assert "verdict" not in done.out, "the sweep's own table is enough"
    assert not any((run / "report.png").exists() for run in done.runs)
    assert {run.parent for run in done.runs} == {done.runs[0].parent}
    assert done.runs[0].parent.name.startswith("sweep_")


def test_a_job_that_has_begun_keeps_its_folder_and_its_record(tmp_path):
    begun = job_of(tmp_path, "seed=1,optimizer.lr=0.1", ["optimizer.lr=0.1", "seed=1"], status="failed")
    batch = [["optimizer.lr=0.1", "seed=1"], ["optimizer.lr=0.2", "seed=1"]]
    assert in_their_folders(batch, tmp_path, "NAME") == [
        ["optimizer.lr=0.1", "seed=1", "hydra.sweep.subdir='seed=1,optimizer.lr=0.1'"],
        ["optimizer.lr=0.2", "seed=1"],
    ]
    assert sweeps.has_begun(begun)
    assert record_folder(str(begun)) is None
    assert record_folder(str(tmp_path / "optimizer.lr=0.2")) == ".hydra"
