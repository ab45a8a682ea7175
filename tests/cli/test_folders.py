import json

import pytest
from omegaconf import OmegaConf
from scripts import QUICK, REPOSITORY

from litlab.cli.folders import NewFolders, place_of_sweep

SHORT = [*QUICK, "model=mlp", "model.hidden=[8]", "data.train_limit=64", "test=false", "logger=none"]


def test_the_same_path_is_the_same_folder_in_one_call_of_a_script(tmp_path):
    """Hydra resolves the folder of a run several times."""
    first, second = NewFolders(), NewFolders()
    path = str(tmp_path / "runs/now")
    assert first(path) == first(path) == path
    assert second(path) == f"{path}_2"
    assert first(path) == path
    assert list(first.made.values()) == [tmp_path / "runs/now"]


def test_a_name_takes_the_place_of_the_time(tmp_path):
    assert NewFolders()(str(tmp_path / "runs/now"), "mine") == str(tmp_path / "runs/mine")
    assert NewFolders()(str(tmp_path / "runs/now"), 7) == str(tmp_path / "runs/7")


def test_a_finished_run_is_never_overwritten(train_here, tmp_path):
    assert train_here(*SHORT, "name=baseline").status == 0
    folder = tmp_path / "runs/mnist_sample_mlp/baseline"
    assert json.loads((folder / "result.json").read_text())["status"] == "completed"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    again = train_here(*SHORT, "name=baseline")
    assert (again.status, again.err) == (
        2,
        "error: name=baseline: runs/mnist_sample_mlp/baseline is there already; choose another name, "
        "or go on with resume=runs/mnist_sample_mlp/baseline\n",
    )
    there = train_here(*SHORT, "seed=3", "hydra.run.dir=runs/mnist_sample_mlp/baseline")
    assert (there.status, there.err) == (
        2,
        "error: hydra.run.dir=runs/mnist_sample_mlp/baseline: there is a run in it; "
        "go on with resume=runs/mnist_sample_mlp/baseline, or name another folder\n",
    )
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["hydra.run.dir="], "hydra.run.dir= is empty: name a folder, or leave it out"),
        ([f"hydra.run.dir={REPOSITORY}"], f"hydra.run.dir={REPOSITORY} is the folder of litlab itself: name another"),
        (["name=a/b"], "name=a/b: must be the name of a folder, without /"),
        (["name=.."], "name=..: must be the name of a folder, without /"),
        (["name=a", "hydra.run.dir=b"], "name=a and hydra.run.dir=b: leave one of them out"),
        (
            ["-m", "hydra.run.dir=b", "seed=1,2"],
            "hydra.run.dir=b: it is for a single run; write hydra.sweep.dir=b\n",
        ),
        (["-m", "name=a", "hydra.sweep.dir=b", "seed=1,2"], "name=a and hydra.sweep.dir=b: leave one of them out\n"),
        (["-m", "name=a,b"], "name=a,b: a sweep is one folder, and has one name\n"),
        (["-m", "name=there", "seed=1,2"], "name=there: runs/mnist_sample_mlp/there is there already; choose another"),
    ],
)
def test_a_folder_that_cannot_be_a_new_one_is_refused_and_nothing_is_written(train_here, tmp_path, overrides, message):
    (tmp_path / "runs/mnist_sample_mlp/there").mkdir(parents=True)
    done = train_here(*SHORT, *overrides)
    assert done.status == 2
    assert done.err.startswith(f"error: {message}")
    assert done.err.count("\n") == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not (REPOSITORY / "train.log").exists()


def test_a_refused_run_leaves_no_folder_of_its_name(train_here, tmp_path):
    assert train_here(*SHORT, "name=baseline", "optimizer.lr=-1").status == 2
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_files_can_become_a_run_folder(train_here, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/job.out").touch()
    assert train_here(*SHORT, "hydra.run.dir=mine").status == 0
    assert (tmp_path / "mine/result.json").exists()


@pytest.mark.parametrize(
    ("overrides", "folder"),
    [
        ([], "mnist_sample_mlp"),
        (["optimizer.lr=0.1,0.01"], "mnist_sample_mlp"),
        (["model=mlp,mnist_cnn"], "mnist_sample_models"),
        (["data=mnist,mnist_sample", "model=choice(mlp,vit)", "seed=1"], "datasets_models"),
    ],
)
def test_a_sweep_over_networks_is_not_named_after_one_of_them(overrides, folder):
    config = OmegaConf.create({"hydra": {"overrides": {"task": [*overrides, "seed=${hydra.job.num}"]}}})
    assert place_of_sweep("mnist_sample", "mlp", _root_=config) == folder


@pytest.mark.slow
def test_a_name_is_that_of_the_folder_of_a_sweep(train_here, tmp_path):
    done = train_here("-m", *SHORT, "name=two", "seed=1,2")
    assert done.status == 0, done.err
    assert sorted(path.parent.name for path in tmp_path.glob("runs/mnist_sample_mlp/two/*/result.json")) == [
        "seed=1",
        "seed=2",
    ]
    repeat = next(line for line in done.out.splitlines() if line.startswith("repeat it"))
    assert "name=" not in repeat  # that folder is there
    go_on = train_here("-m", *SHORT, "name=two", "seed=1,2", "hydra.sweep.dir=runs/mnist_sample_mlp/two")
    assert go_on.status == 0, go_on.err
    assert "finished before" in go_on.out


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["name=mine"],
        ["-m", "seed=1,2"],
        ["-m", "seed=1,2", "name=mine"],
        ["hydra.run.dir=runs/mine"],
        ["-m", "seed=1,2", "hydra.sweep.dir=runs/mine"],
        ["-m", "seed=1,2", "hydra.sweep.dir=runs"],
    ],
)
def test_a_file_in_the_place_of_runs_is_named(train_here, tmp_path, overrides):
    (tmp_path / "runs").touch()
    done = train_here(*SHORT, *overrides)
    said = "error: runs is a file, and litlab needs a folder of this name: rename it\n"
    assert (done.status, done.out, done.err) == (2, "", said)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_name_that_no_run_has_is_not_one_to_go_on_with(train_here, tmp_path):
    folder = tmp_path / "runs/mnist_sample_mlp"
    (folder / "empty").mkdir(parents=True)
    (folder / "file").touch()
    for name in ("empty", "file"):
        done = train_here(*SHORT, f"name={name}")
        said = f"error: name={name}: runs/mnist_sample_mlp/{name} is there already; choose another name\n"
        assert (done.status, done.err) == (2, said)
