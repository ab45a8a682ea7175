import json
import shutil

import pytest
from sweep_folders import job_of, scored

from litlab import runs, sweeps
from litlab.prediction.find import best_job, find_checkpoint
from litlab.sweeps.jobs import check_sweep, names_job, read, trained_config
from litlab.sweeps.overrides import as_value, value_as_typed


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
    said = capsys.readouterr().out
    assert "running       a" in said
    reason = "its process ended without a word; the same command and hydra.sweep.dir go on with it"
    assert f"killed b {reason}" in " ".join(said.split())
    runs.give_back(lock)
    assert [job.status for job in sweeps.read(tmp_path).jobs] == ["killed", "killed"]


def test_a_job_that_imports_torch_is_starting_until_the_sweep_has_ended(tmp_path):
    for name in ("a", "b"):
        (job_of(tmp_path, name, ["seed=0"]) / ".hydra/hydra.yaml").touch()
    (tmp_path / "b/metrics.csv").touch()
    assert [job.status for job in sweeps.read(tmp_path).jobs] == ["starting", "killed"]
    assert [job.status for job in sweeps.print_report(tmp_path, ended=True).jobs] == ["killed", "killed"]


def test_a_job_with_a_damaged_record_is_a_row_and_does_not_end_the_report(tmp_path):
    folder = job_of(tmp_path, "a", ["seed=1"])
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints/last.ckpt").touch()
    for name in ("config", "overrides"):
        (folder / f".hydra/{name}.yaml").write_text("a: [1\n")
    (job,) = sweeps.read(tmp_path, ended=True).jobs
    assert (job.folder, job.status, job.overrides) == (folder, "killed", [])
    assert trained_config(job, {}) is None


def test_a_damaged_result_is_that_of_its_job_alone(tmp_path, capsys):
    (tmp_path / "multirun.yaml").touch()
    for number, text in enumerate(["", "{", "[]", '{"objective": "x"}']):
        (job_of(tmp_path, f"damaged{number}", [f"seed={number}"]) / "result.json").write_text(text)
    (job_of(tmp_path, "folder", ["seed=8"]) / "result.json").mkdir()
    job = job_of(tmp_path, "good", ["seed=9"], **scored(0.5))
    assert {job.folder.name: job.status for job in sweeps.print_report(tmp_path).jobs} == {
        "good": "completed",
        "folder": "damaged",
        **{f"damaged{number}": "damaged" for number in range(4)},
    }
    said = capsys.readouterr().out
    assert "result.json is damaged" in said
    assert f"best job      {tmp_path}/good, which has no checkpoint any more\n" in said
    (job / "checkpoints").mkdir()
    (job / "checkpoints/last.ckpt").touch()
    sweeps.print_report(tmp_path)
    assert f"best job      {find_checkpoint(str(tmp_path))}\n" in capsys.readouterr().out


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


def test_jobs_differ_in_what_is_swept(tmp_path):
    job_of(tmp_path, "a", ["model=mlp", "optimizer.lr=0.1", "+data.note=x", "~callbacks.speed"], **scored(0.5))
    job_of(tmp_path, "b", ["model=mlp", "optimizer.lr=0.2"], **scored(0.6))
    sweep = sweeps.read(tmp_path)
    assert sweep.swept == ["optimizer.lr", "data.note"]
    assert [job.folder.name for job in sweep.jobs] == ["b", "a"]
    assert sweep.best_of is max


def test_the_name_of_a_sweep_is_no_setting_of_its_jobs(tmp_path):
    """A sweep that was begun with a name goes on without it."""
    job_of(tmp_path, "a", ["optimizer.lr=0.1", "name=mine"], **scored(0.5))
    job_of(tmp_path, "b", ["optimizer.lr=0.2"], **scored(0.6))
    assert sweeps.read(tmp_path).swept == ["optimizer.lr"]


def test_a_lower_loss_is_better(tmp_path):
    for name, value in {"a": 0.5, "b": 0.3, "c": 0.4}.items():
        job_of(tmp_path, name, [f"seed={value}"], **scored(value, "min"))
    job_of(tmp_path, "d", ["seed=0"], status="failed", error="no")
    assert [job.folder.name for job in sweeps.read(tmp_path).jobs] == ["b", "c", "a", "d"]


def test_a_folder_without_jobs_is_no_sweep(tmp_path):
    with pytest.raises(ValueError, match=f"^{tmp_path}: no jobs of a sweep here$"):
        sweeps.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("optimizer.lr=0.1", True),
        ("seed=1,optimizer.lr=0.1", True),
        ("+optimizer.lr=1", True),
        ("optimizer.lr2=1", False),
    ],
)
def test_a_folder_is_named_by_the_settings_that_were_swept(name, named, tmp_path):
    job_of(tmp_path, name, [], **scored(0.5))
    (job,) = sweeps.read(tmp_path).jobs
    assert names_job(job, "optimizer.lr") is named


def test_a_folder_of_single_runs_is_no_sweep(tmp_path):
    check_sweep(tmp_path)  # `read` says that there are no jobs
    job_of(tmp_path, "2026-11-27_08-00-00", [])
    with pytest.raises(ValueError, match=r"no sweep \(it has no multirun.yaml\); name the folder that a training with"):
        check_sweep(tmp_path)
    (tmp_path / "multirun.yaml").touch()
    check_sweep(tmp_path)


def test_values_that_are_written_in_two_ways_are_not_swept(tmp_path):
    """Optuna's sweeper keeps what was typed, and the usual one writes it anew."""
    job_of(tmp_path, "a", ["callbacks.report.enabled=false", "ema=1e-3", "optimizer.lr=1.0", "data.augment=[a, b]"])
    job_of(tmp_path, "b", ["callbacks.report.enabled=False", "ema=0.001", "optimizer.lr=1", "data.augment=[a,b]"])
    job_of(tmp_path, "c", ["callbacks.report.enabled=False", "ema=0.001", "optimizer.lr=2", "data.augment=[a,b]"])
    sweep = read(tmp_path)
    assert sweep.swept == ["optimizer.lr"]
    assert [job.settings["optimizer.lr"] for job in sweep.jobs] == ["1", "1", "2"]


def test_what_cannot_be_read_or_is_not_yet_known_stays_as_it_is():
    for override in ("a=${b}", "a=x,y", "a=001", "a='1'", "a=b (1"):
        assert as_value(override) == override


def test_a_setting_that_only_other_jobs_were_given_has_the_value_in_force(tmp_path):
    """The first start sweeps the learning rate, the second the seed, the third the optimizer."""
    recorded = {"seed": 42, "optimizer": {"_target_": "x.Adam", "lr": 1e-3, "betas": [0.9, 0.99]}, "ema": None}
    for name, changed in {"optimizer.lr=3e-3": {"lr": 3e-3}, "seed=1": {}, "optimizer=sgd": {"betas": [0.5]}}.items():
        job = job_of(tmp_path, name, [name], **scored(0.5))
        seed = {"seed": 1} if name == "seed=1" else {}
        optimizer = recorded["optimizer"] | changed
        (job / ".hydra/config.yaml").write_text(json.dumps(recorded | seed | {"optimizer": optimizer}))
        option = "sgd" if name == "optimizer=sgd" else "adam"
        (job / ".hydra/hydra.yaml").write_text(f"hydra:\n  runtime:\n    choices:\n      optimizer: {option}\n")
    job_of(tmp_path, "z", ["optimizer.betas=[0.5, 0.9]", "ema=0.9"], **scored(0.1) | {"config": {"seed": 42}})
    sweep = read(tmp_path)
    assert sweep.swept == ["optimizer.lr", "optimizer", "seed", "optimizer.betas", "ema"]
    assert {job.folder.name: [job.settings.get(name) for name in sweep.swept] for job in sweep.jobs} == {
        "optimizer.lr=3e-3": ["0.003", "adam", "42", "[0.9,0.99]", "null"],
        "seed=1": ["0.001", "adam", "1", "[0.9,0.99]", "null"],
        "optimizer=sgd": ["0.001", "sgd", "42", "[0.5]", "null"],
        "z": [None, None, "42", "[0.5,0.9]", "0.9"],  # nobody has recorded more
    }


@pytest.mark.parametrize("seed", ["${hydra:job.num}", "${oc.env:PATH}", "1${oc.env:PATH}"])
def test_a_value_that_is_known_only_to_its_job_stays_out(tmp_path, seed):
    """Here it would be that of this process, or of the sweep's last job."""
    for name, overrides in {"a": ["seed=1", "optimizer.lr=1"], "b": []}.items():
        job = job_of(tmp_path, name, overrides, **scored(0.5))
        (job / ".hydra/config.yaml").write_text(f"seed: {seed}\noptimizer:\n  lr: 1.0\n")
    assert [job.settings for job in read(tmp_path).jobs] == [
        {"seed": "1", "optimizer.lr": "1"},
        {"optimizer.lr": "1"},
    ]


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        *[(1e-3, "0.001"), (2.0, "2"), (True, "true"), (None, "null"), ("a", "a"), ("1", "'1'"), ("a b", r"a\ b")],
        *[([1, "b"], "[1,b]"), ({"a": {"b": [False]}}, "{a:{b:[false]}}"), ("it's (x", r"'it\'s (x'"), ("", "")],
    ],
)
def test_a_value_of_a_config_is_written_as_it_would_be_typed(value, typed):
    assert value_as_typed(value) == typed
    assert as_value(f"a={typed}") == f"a={typed}"
