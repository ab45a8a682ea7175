"""The checkpoint that `ckpt` names."""

import json

import pytest

from litlab.prediction import find_checkpoint


def make_run(folder, names=("last", "best"), objective=None):
    """Makes a run folder with empty checkpoints."""
    (folder / "checkpoints").mkdir(parents=True)
    for name in names:
        (folder / f"checkpoints/{name}.ckpt").touch()
    (folder / "result.json").write_text(json.dumps({"objective": objective}))
    return folder


def test_latest_is_the_newest_run_that_has_a_checkpoint(tmp_path):
    new = make_run(tmp_path / "runs/a_b/2026-02-01_00-00-00", ["last"])
    make_run(tmp_path / "runs/z_z/2026-01-01_00-00-00")  # its files are newer, but it is older by its name
    (tmp_path / "runs/a_b/2026-03-01_00-00-00").mkdir()
    assert find_checkpoint("latest", tmp_path / "runs") == new / "checkpoints/last.ckpt"
    job = make_run(tmp_path / "runs/a_b/sweep_2026-02-01_00-00-01/x=1")
    assert find_checkpoint("latest", tmp_path / "runs") == job / "checkpoints/best.ckpt"
    assert find_checkpoint(str(tmp_path / "runs/z_z"), tmp_path).parts[-3] == "2026-01-01_00-00-00"


@pytest.mark.parametrize(("mode", "best"), [("max", "x=2"), ("min", "x=3")])
def test_a_sweep_folder_means_its_best_job(tmp_path, mode, best):
    sweep = tmp_path / "sweep_2026-02-01_00-00-01"
    for job, value in (("x=1", 0.5), ("x=2", 0.9), ("x=3", 0.1)):
        make_run(sweep / job, objective={"name": "o", "mode": mode, "value": value})
    make_run(sweep / "x=4")
    make_run(sweep / "x=5", [], {"name": "o", "mode": mode, "value": -1 if mode == "min" else 1})
    (sweep / "multirun.yaml").touch()
    assert find_checkpoint(str(sweep)) == sweep / best / "checkpoints/best.ckpt"


def test_a_missing_checkpoint_is_named(tmp_path):
    for ckpt in ("latest", str(tmp_path), str(tmp_path / "none")):
        with pytest.raises(FileNotFoundError, match="ckpt="):
            find_checkpoint(ckpt, tmp_path / "runs")


def test_the_folder_of_checkpoints_means_its_run(tmp_path):
    run = make_run(tmp_path / "runs/a_b/mine")
    assert find_checkpoint(str(run / "checkpoints")) == run / "checkpoints/best.ckpt"
    with pytest.raises(FileNotFoundError, match="^ckpt= is empty: name a checkpoint, a run folder or latest$"):
        find_checkpoint("")
