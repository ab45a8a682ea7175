"""A resumed run ends as if it had never stopped, bit for bit, and some settings of it may change."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from faults.compare import differences
from omegaconf import OmegaConf
from recorded_runs import TINY, WITHOUT_FAULT, record_run, stop_at, train_recorded
from scripts import REPOSITORY, composed

from litlab.config import Run, compose_again
from litlab.errors import ConfigError, RunFailed
from litlab.machine import cores
from litlab.training import run_training


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A function that returns the folder of a run that was never stopped. It trains each such run once."""
    made: dict[tuple[str, ...], Path] = {}

    def get(*overrides: str) -> Path:
        if overrides not in made:
            made[overrides] = tmp_path_factory.mktemp("undisturbed") / "run"
            record_run(made[overrides], *overrides)
            train_recorded(made[overrides])
        return made[overrides]

    return get


TODAY = [
    *("mix=both", "mix.until=0.5", "loss.class_weights=balanced", "ema=0.9"),
    "data.augment=[rand_augment,trivial_augment,auto_augment,random_erasing,random_resized_crop]",
]
VALIDATED_WITHIN = ["+trainer.val_check_interval=5", "checkpoint.every_n_steps=5"]


STOPPED = [  # hook, step, overrides
    ("on_train_batch_start", 13, ["data.num_workers=2"]),
    ("on_train_batch_start", 5, ["trainer.accumulate_grad_batches=3"]),
]
STOPPED_ELSEWHERE = [
    ("on_train_batch_start", 14, TODAY),
    ("on_validation_batch_end", 20, []),
    ("on_train_epoch_end", 20, ["scheduler=plateau", "scheduler.patience=0", "scheduler.warmup_epochs=1.5"]),
    ("on_train_batch_start", 0, []),
    ("on_train_batch_start", 13, []),
    ("on_train_batch_start", 14, ["scheduler=one_cycle"]),
    ("on_train_batch_start", 14, ["swa=0.3"]),
    ("on_train_batch_start", 19, ["scheduler=plateau", "scheduler.patience=0", "scheduler.warmup_epochs=1.5"]),
    ("on_train_batch_start", 13, ["scheduler=plateau", "scheduler.patience=0"]),
    ("on_train_epoch_end", 10, ["data.num_workers=2"]),
    ("on_train_epoch_end", 10, ["scheduler=plateau", "scheduler.patience=0", "trainer.check_val_every_n_epoch=2"]),
    ("on_train_epoch_end", 20, ["scheduler=plateau", "scheduler.patience=0", "trainer.check_val_every_n_epoch=2"]),
    ("on_train_batch_start", 9, []),  # the last batch of an epoch
    ("on_train_batch_start", 14, VALIDATED_WITHIN),  # the last before a validation
    ("on_validation_batch_end", 1, ["+trainer.val_check_interval=5", "trainer.accumulate_grad_batches=3"]),
    ("on_train_epoch_start", 20, []),
    ("on_train_end", 30, []),
    ("on_test_batch_end", 30, []),
]


@pytest.mark.parametrize(
    ("hook", "step", "overrides"),
    [*STOPPED, *(pytest.param(*case, marks=pytest.mark.slow) for case in STOPPED_ELSEWHERE)],
)
def test_a_run_that_is_stopped_anywhere_and_resumed_is_the_same_run(tmp_path, undisturbed, hook, step, overrides):
    folder = tmp_path / "run"
    record_run(folder, *overrides, stop_at(step, hook))
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(folder)
    moved = folder.rename(tmp_path / "moved")
    train_recorded(moved, WITHOUT_FAULT)
    assert differences(moved, undisturbed(*overrides)) == []


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path, undisturbed):
    """Steps, rows of the table and curves after the checkpoint are there once, and not twice."""
    often = ["checkpoint.every_n_steps=4"]
    folder = tmp_path / "run"
    record_run(folder, *often, stop_at(18, signal_name="SIGKILL"))
    code = f"from pathlib import Path; from recorded_runs import train_recorded; train_recorded(Path({str(folder)!r}))"
    search = os.pathsep.join(map(str, [REPOSITORY / "tests", REPOSITORY / "src"]))
    killed = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": search}, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 16
    train_recorded(folder, WITHOUT_FAULT)
    assert differences(folder, undisturbed(*often)) == []


@pytest.mark.slow
def test_a_checkpoint_is_written_before_the_validation_of_its_step(tmp_path, undisturbed):
    folder = tmp_path / "run"
    record_run(folder, *VALIDATED_WITHIN, "+callbacks.fault={_target_: faults.injected.Crash, step: 17}")
    with pytest.raises(RuntimeError, match="crashed"):
        train_recorded(folder)
    assert torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 15
    train_recorded(folder, WITHOUT_FAULT)
    assert differences(folder, undisturbed(*VALIDATED_WITHIN)) == []


@pytest.mark.slow
def test_a_finished_run_goes_on_for_more_epochs(tmp_path, undisturbed):
    """If the schedule does not depend on the length of the run, this is the same as a longer run."""
    constant = ["scheduler=step", "scheduler.milestones=[2]"]
    folder = tmp_path / "run"
    record_run(folder, *constant)
    train_recorded(folder, "trainer.max_epochs=2")
    train_recorded(folder, "trainer.max_epochs=3")
    assert differences(folder, undisturbed(*constant)) == []


def test_a_resumed_run_takes_another_learning_rate(tmp_path):
    folder = tmp_path / "run"
    record_run(folder, "trainer.max_epochs=2", "scheduler=step", "scheduler.milestones=[9]", "scheduler.gamma=0.1")
    train_recorded(folder)
    train_recorded(folder, "trainer.max_epochs=3", "optimizer.lr=0.02")
    checkpoint = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(0.02)
    assert json.loads((folder / "result.json").read_text())["overrides"][-1] == "optimizer.lr=0.02"


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["cosine", "one_cycle"])
def test_another_batch_size_leaves_a_schedule_at_its_epoch(tmp_path, scheduler):
    folder = tmp_path / "run"
    record_run(folder, "trainer.max_epochs=2", f"scheduler={scheduler}")
    train_recorded(folder)
    train_recorded(folder, "trainer.max_epochs=4", "data.batch_size=16")
    with (folder / "metrics.csv").open() as file:
        rates = {int(row["step"]): float(row["lr-Adam"]) for row in csv.DictReader(file) if row["lr-Adam"]}
    resumed = [rate for step, rate in rates.items() if step >= 20]
    assert resumed == sorted(resumed, reverse=True)
    assert resumed[0] > 0.4 * max(rates.values())  # half of the epochs are over
    assert resumed[-1] < 0.01 * max(rates.values())


@pytest.mark.slow
def test_another_schedule_leaves_each_group_its_own_learning_rate(tmp_path):
    folder = tmp_path / "run"
    muon = [
        *("model=mnist_cnn", "optimizer=muon", "optimizer.lr=0.02", "optimizer.head_factor=3"),
        *("optimizer.bias_factor=2", "scheduler=linear", "data.train_limit=128"),
    ]
    record_run(folder, *muon, "trainer.max_epochs=1")
    train_recorded(folder)
    cfg, together = compose_again(folder, ["trainer.max_epochs=2", "scheduler=step"], REPOSITORY / "conf", "train")
    assert set(cfg.scheduler) == set(OmegaConf.load(REPOSITORY / "conf/scheduler/step.yaml"))
    run_training(Run(cfg, folder, together, resumed=True))
    checkpoint = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    rates = {group["kind"]: group["lr"] for group in checkpoint["optimizer_states"][0]["param_groups"]}
    assert rates == pytest.approx({"filters": 0.0002, "matrices": 0.0006, "vectors": 0.0004})  # dropped twice


def test_early_stopping_and_plateau_do_not_act_while_their_metric_improves(tmp_path):
    monitors = ["callbacks.early_stopping.monitor=val/loss", "scheduler=plateau", "scheduler.monitor=val/acc"]
    record_run(tmp_path / "run", *monitors, "callbacks.early_stopping.patience=1", "scheduler.patience=0")
    train_recorded(tmp_path / "run")
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["epochs"] == 3
    assert {result["config"][key] for key in ("scheduler.mode", "objective_mode")} == {"max"}
    assert result["config"]["callbacks.early_stopping.mode"] == "min"
    checkpoint = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(1e-3)


@pytest.mark.slow
def test_a_run_that_was_stopped_early_goes_on_with_other_settings(tmp_path):
    folder = tmp_path / "run"
    patient = ["callbacks.early_stopping.patience=1", "callbacks.early_stopping.min_delta=0.9"]
    record_run(folder, *patient, "trainer.max_epochs=5")

    def epochs():
        return json.loads((folder / "result.json").read_text())["epochs"]

    train_recorded(folder)
    assert epochs() == 2
    train_recorded(folder)  # with the same settings
    assert epochs() == 2
    train_recorded(folder, "callbacks.early_stopping.enabled=false")
    assert epochs() == 5


def test_a_resumed_run_may_be_without_a_callback_that_it_had(tmp_path, recwarn):
    """Lightning asks to add it to the Trainer, which a user of litlab does not make."""
    run = tmp_path / "run"
    plain = ["callbacks.model_summary.enabled=false", "callbacks.diagnosis.enabled=false", "logger=none", "test=false"]
    ended = ["trainer.max_time=00:00:10:00", "callbacks.early_stopping.enabled=true", "trainer.max_epochs=1"]
    record_run(run, *plain, *ended)
    train_recorded(run)
    train_recorded(run, "trainer.max_time=null", "callbacks.early_stopping.enabled=false", "trainer.max_epochs=2")
    assert json.loads((run / "result.json").read_text())["epochs"] == 2
    assert not [str(warning.message) for warning in recwarn if "Be aware" in str(warning.message)]


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["none", "cosine"])
def test_max_steps_end_a_run_without_max_epochs(tmp_path, scheduler):
    whole, folder = tmp_path / "whole", tmp_path / "run"
    steps = ["trainer.max_steps=25", "trainer.max_epochs=null", f"scheduler={scheduler}"]
    record_run(whole, *steps)
    train_recorded(whole)
    result = json.loads((whole / "result.json").read_text())
    assert (result["status"], result["steps"], result["epochs"]) == ("completed", 25, 3)
    record_run(folder, *steps, stop_at(13))
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(folder)
    train_recorded(folder, WITHOUT_FAULT)
    assert differences(folder, whole) == []


def test_validation_may_come_every_other_epoch(tmp_path):
    folder = tmp_path / "run"
    record_run(folder, "trainer.check_val_every_n_epoch=2", "trainer.max_epochs=2")
    train_recorded(folder, "trainer.max_steps=10")  # ends before the first validation
    assert json.loads((folder / "result.json").read_text())["best_checkpoint"] is None
    train_recorded(folder, "trainer.max_epochs=3", "trainer.max_steps=null")
    assert torch.load(folder / "checkpoints/best.ckpt", weights_only=True)["global_step"] == 20
    assert json.loads((folder / "result.json").read_text())["epochs"] == 3


def test_a_run_goes_on_from_the_checkpoint_that_the_user_names(tmp_path):
    folder = tmp_path / "run"
    record_run(folder, "objective=val/loss", "objective_mode=max")
    train_recorded(folder)
    best = folder / "checkpoints/best.ckpt"
    step = torch.load(best, weights_only=True)["global_step"]
    assert step < 30
    (folder / "checkpoints/.last.ckpt.abcdefgh").touch()  # of a save that was killed
    with pytest.raises(RunFailed):
        train_recorded(folder, stop_at(step, "on_train_start").removeprefix("+"), checkpoint=best)
    assert torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["global_step"] == step
    assert not list(folder.glob("checkpoints/.*"))


def test_a_resumed_run_has_the_threads_of_its_config(tmp_path):
    folder = tmp_path / "run"
    record_run(folder, "trainer.max_epochs=1", "threads=2")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        train_recorded(folder)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.hidden=[7]", "model cannot change"),
        ("data.val_size=100", "data.val_size cannot change"),
        ("seed=3", "seed cannot change"),
        ("data.seed=3", "data.seed cannot change"),
        ("data.batch_size=32", "data.batch_size=32: it was 64, and can change at the end of an epoch only"),
        ("data.balanced=true", "data.balanced=True: it was False, and can change at the end of an epoch only"),
    ],
)
def test_a_setting_that_cannot_change_is_refused_and_no_file_changes(tmp_path, override, message):
    folder = tmp_path / "run"
    record_run(folder, stop_at(13))
    with pytest.raises(RunFailed):
        train_recorded(folder)

    def files():
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "train.log"}

    before = files()
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        train_recorded(folder, override, WITHOUT_FAULT)
    assert files() == before


@pytest.mark.parametrize("override", ["optimizer.lr=0.5", "data.augment=[cutout]", "loss.label_smoothing=0.1"])
def test_a_finished_run_does_not_record_what_it_was_not_trained_with(tmp_path, override):
    folder = tmp_path / "run"
    record_run(folder, "trainer.max_epochs=1")
    train_recorded(folder)
    before = (folder / "result.json").read_bytes()
    key = override.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"^{key}=.*: nothing is left to train with it; give a higher trainer.max_e"):
        train_recorded(folder, override)
    assert (folder / "result.json").read_bytes() == before
    train_recorded(folder, override, "trainer.max_epochs=2")
    assert json.loads((folder / "result.json").read_text())["epochs"] == 2


def test_the_folder_holds_no_absolute_path(undisturbed):
    run = undisturbed()
    for path in run.rglob("*"):
        if path.is_file() and path.name != "train.log":
            assert str(run).encode() not in path.read_bytes(), path


@pytest.mark.parametrize("keep", [100, *(pytest.param(keep, marks=pytest.mark.slow) for keep in (0, 20_000))])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(tmp_path, undisturbed, keep, capsys):
    folder = tmp_path / "run"
    record_run(folder, stop_at(23))
    with pytest.raises(RunFailed):
        train_recorded(folder)
    last = folder / "checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[:keep])
    train_recorded(folder, WITHOUT_FAULT)
    assert "last.ckpt: not a whole checkpoint" in capsys.readouterr().err
    assert differences(folder, undisturbed()) == []


@pytest.mark.slow
def test_a_new_run_removes_the_checkpoints_of_an_earlier_one(tmp_path, capsys):
    """As a job of a sweep that begins anew. The command line refuses the folder of another run."""
    folder = tmp_path / "run"
    record_run(folder, "trainer.max_epochs=1", "checkpoint.keep=all")
    train_recorded(folder)
    assert list(folder.glob("checkpoints/epoch_*"))
    diverging = ["optimizer=sgd", "optimizer.lr=1e30", "on_nan=rewind"]
    with pytest.raises(RunFailed):
        run_training(Run(composed(*TINY, *diverging), folder))
    said = capsys.readouterr().err
    assert "back to the beginning" in said
    assert "last good checkpoint" not in said
    result = json.loads((folder / "result.json").read_text())
    assert (result["status"], result["best_checkpoint"]) == ("failed", None)
    assert not list(folder.glob("checkpoints/*"))


def test_more_threads_than_cores_are_warned_of_and_taken(tmp_path, capsys):
    """They are slower, and give the same numbers as on a machine that has so many cores."""
    folder, wanted = tmp_path / "run", cores() + 1
    record_run(folder, "trainer.max_epochs=1", f"threads={wanted}")
    before = torch.get_num_threads()
    try:
        train_recorded(folder)
        assert torch.get_num_threads() == wanted
    finally:
        torch.set_num_threads(before)
    said = f"warning: threads={wanted}: more than the {cores()} cores here are slower; write threads={cores()}\n"
    assert said in capsys.readouterr().err


def test_the_best_weights_may_be_those_of_a_validation_within_an_epoch(tmp_path, use):
    """Of ten batches, the fourth and the eighth are followed by a validation, and the last is not."""
    often = ["trainer.val_check_interval=4", "objective=val/loss"]
    folder, again = tmp_path / "run", tmp_path / "again"
    record_run(folder, *often)
    train_recorded(folder)
    with (folder / "metrics.csv").open() as file:
        losses = {int(row["step"]): float(row["val/loss"]) for row in csv.DictReader(file) if row["val/loss"]}
    assert list(losses) == [4, 8, 14, 18, 24, 28]
    best = min(losses, key=lambda step: losses[step])
    assert torch.load(folder / "checkpoints/best.ckpt", weights_only=True)["global_step"] == best
    use(f"ckpt={folder}", "evaluate=val")
    measured = json.loads((tmp_path / "evaluation/evaluation.json").read_text())["metrics"]
    result = json.loads((folder / "result.json").read_text())
    assert measured["val/loss"] == result["objective"]["value"] == pytest.approx(losses[best])
    shutil.copytree(folder, again)
    train_recorded(again, checkpoint=again / "checkpoints/best.ckpt")
    found = differences(again, folder)
    assert [line for line in found if "val_loop.batch_progress" not in line] == []
