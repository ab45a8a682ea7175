import os
from datetime import datetime
from pathlib import Path

import pytest

from litlab import runs
from litlab.errors import ConfigError


def run_in(folder: Path, *files: str, age: float = 0) -> Path:
    """A run folder with these files, last changed `age` seconds ago."""
    for name in (runs.CONFIG, *files):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
        os.utime(folder / name, times=(1e9 - age, 1e9 - age))
    return folder


def test_a_new_folder_is_never_the_folder_of_another_run(tmp_path):
    made = [runs.make_new(str(tmp_path / "runs/now")) for _ in range(3)]
    assert [path.name for path in made] == ["now", "now_2", "now_3"]


@pytest.mark.parametrize("file", [runs.METRICS, runs.RESULT, runs.LAST, "events.out.tfevents.1", "multirun.yaml"])
def test_a_folder_holds_a_run_that_has_begun(tmp_path, file):
    assert not runs.holds_run(tmp_path / "nowhere")
    assert not runs.holds_run(run_in(tmp_path / "run", runs.LOG))
    assert runs.holds_run(run_in(tmp_path / "run", file))


def test_a_folder_holds_a_run_while_a_process_trains_in_it(tmp_path):
    lock = runs.hold(run_in(tmp_path / "run"))
    assert runs.holds_run(tmp_path / "run")
    os.close(lock)


def test_a_folder_without_a_training_is_removed_with_the_empty_folders_above_it(tmp_path):
    unused = run_in(tmp_path / "runs/mnist_mlp/now", runs.LOG)
    runs.remove_if_unused(unused)
    assert not list(tmp_path.iterdir())
    used = run_in(tmp_path / "runs/mnist_mlp/now", runs.METRICS)
    runs.remove_if_unused(used)
    assert (used / runs.METRICS).exists()


def test_the_current_folder_stays_when_an_unused_run_is_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs.remove_if_unused(run_in(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    assert tmp_path.is_dir()


def test_latest_is_the_run_that_changed_last(tmp_path):
    run_in(tmp_path / "a/old", runs.METRICS, age=100)
    newer = run_in(tmp_path / "b/newer", runs.LAST, age=50)
    assert runs.find_run("latest", tmp_path) == (newer, None)


def test_a_run_is_named_by_its_folder_or_by_a_checkpoint_in_it(tmp_path):
    run = run_in(tmp_path / "run", runs.BEST)
    assert runs.find_run(str(run)) == runs.find_run(str(run / "checkpoints")) == (run, None)
    assert runs.find_run(str(run / runs.BEST)) == (run, run / runs.BEST)


def test_a_run_that_has_lost_its_config_can_give_its_weights_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = run_in(tmp_path / "a run", runs.BEST)
    (run / runs.CONFIG).unlink()
    said = (
        "^resume=a run: .hydra/config.yaml is gone; begin a new run with 'model.weights=a run/checkpoints/best.ckpt'$"
    )
    with pytest.raises(ConfigError, match=said):
        runs.find_run("a run")
    with pytest.raises(ConfigError, match="no run folder"):
        runs.find_run(str(tmp_path))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "resume= is empty; give latest, a folder below"),
        ("latest", "resume=latest: there is no run in "),
        ("nowhere", "resume=nowhere: no such run folder or checkpoint; give latest, a folder below runs/ or a check"),
        ("file.pt", r"resume=file\.pt: no checkpoint in the folder checkpoints/ of a run \(model\.weights=FILE begins"),
        ("empty", r"resume=empty: no run folder \(it has no .hydra/config.yaml\); give latest, a folder below"),
    ],
)
def test_a_run_that_is_not_there_is_one_line(spec, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.pt").touch()
    with pytest.raises(ConfigError, match=message):
        runs.find_run(spec, tmp_path / "runs")


def test_the_newest_checkpoint_is_known_by_the_time_in_the_folders_name(tmp_path):
    """A copied folder has new files, and its name still tells when the run began."""
    newest = run_in(tmp_path / "2026-02-01_00-00-00", runs.BEST, runs.LAST, age=100)
    run_in(tmp_path / "2026-01-01_00-00-00", runs.BEST)
    assert runs.newest_checkpoint(tmp_path) == newest / runs.BEST
    assert runs.newest_checkpoint(run_in(tmp_path / "without")) is None


def test_a_run_with_a_name_is_as_old_as_its_first_file(tmp_path):
    dated = run_in(tmp_path / "2026-02-01_00-00-00", runs.BEST)
    named = run_in(tmp_path / "named", runs.HYDRA, runs.BEST)
    for day, newest in (("2026-03-01", named), ("2026-01-01", dated)):
        began = datetime.fromisoformat(day).timestamp()
        os.utime(named / runs.HYDRA, (began, began))
        assert runs.newest_checkpoint(tmp_path) == newest / runs.BEST


def test_the_best_checkpoint_of_a_run_is_used_or_its_last(tmp_path):
    run = run_in(tmp_path)
    assert runs.best_or_last(run) is None
    assert runs.best_or_last(run_in(tmp_path, runs.LAST)) == run / runs.LAST
    assert runs.best_or_last(run_in(tmp_path, runs.BEST)) == run / runs.BEST
