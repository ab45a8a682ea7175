"""A resumed run is the run it would have been, bit for bit."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from faults.compare import differences
from lightning.pytorch.loops.fetchers import _DataFetcher
from omegaconf import OmegaConf
from scripts import REPOSITORY, composed

from litlab.config import Run, compose_again, read_recorded
from litlab.errors import ConfigError, RunFailed
from litlab.training import run_training

TINY = [
    *("data=mnist_sample", "trainer=cpu", "model=mlp", "data.train_limit=640", "trainer.log_every_n_steps=3"),
    *("trainer.max_epochs=3", "data.augment=[random_crop]", "callbacks.early_stopping.enabled=true"),
    "callbacks.report.enabled=false",
]  # 3 epochs of 10 steps


def compose(folder: Path, *overrides: str, base: Sequence[str] = TINY):
    """The config of a run, recorded in its folder as Hydra records it."""
    (folder / ".hydra").mkdir(parents=True)
    cfg = composed(*base, *overrides)
    OmegaConf.save(cfg, folder / ".hydra/config.yaml")
    OmegaConf.save(OmegaConf.create([*base, *overrides]), folder / ".hydra/overrides.yaml")
    return cfg


def go(folder: Path, *overrides: str, checkpoint: Path | None = None) -> None:
    """Runs, or goes on with, what is recorded in a folder."""
    recorded, earlier = read_recorded(folder)
    cfg = OmegaConf.merge(recorded, OmegaConf.from_dotlist(list(overrides)))
    run_training(Run(cfg, folder, [*earlier, *overrides], resumed=True, checkpoint=checkpoint))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Run folders of undisturbed runs by their overrides, each made once."""
    made: dict[tuple[str, ...], Path] = {}

    def get(*overrides: str) -> Path:
        if overrides not in made:
            made[overrides] = tmp_path_factory.mktemp("undisturbed") / "run"
            compose(made[overrides], *overrides)
            go(made[overrides])
        return made[overrides]

    return get


VALIDATED_WITHIN = ["+trainer.val_check_interval=5", "checkpoint.every_n_steps=5"]
STOP = "{_target_: faults.injected.SignalAt, signal_name: SIGTERM, step: %d, hook: %s}"


@pytest.mark.parametrize(
    ("hook", "step", "overrides"),
    [
        ("on_train_batch_start", 0, []),
        ("on_train_batch_start", 13, []),
        ("on_train_batch_start", 13, ["data.num_workers=2"]),
        ("on_train_batch_start", 5, ["trainer.accumulate_grad_batches=3"]),
        ("on_train_batch_start", 14, ["scheduler=one_cycle"]),
        ("on_train_batch_start", 19, ["scheduler=plateau", "scheduler.patience=0", "scheduler.warmup_epochs=1.5"]),
        ("on_train_batch_start", 13, ["scheduler=plateau", "scheduler.patience=0"]),
        ("on_train_epoch_end", 20, ["scheduler=plateau", "scheduler.patience=0", "scheduler.warmup_epochs=1.5"]),
        ("on_train_epoch_end", 10, ["data.num_workers=2"]),
        ("on_train_epoch_end", 10, ["scheduler=plateau", "scheduler.patience=0", "trainer.check_val_every_n_epoch=2"]),
        ("on_train_epoch_end", 20, ["scheduler=plateau", "scheduler.patience=0", "trainer.check_val_every_n_epoch=2"]),
        ("on_train_batch_start", 9, []),  # the last batch of an epoch
        ("on_train_batch_start", 14, VALIDATED_WITHIN),  # the last before a validation
        ("on_validation_batch_end", 1, ["+trainer.val_check_interval=5", "trainer.accumulate_grad_batches=3"]),
        ("on_validation_batch_end", 20, []),
        ("on_train_epoch_start", 20, []),
        ("on_train_end", 30, []),
        ("on_test_batch_end", 30, []),
    ],
)
def test_stopped_anywhere_and_resumed(tmp_path, undisturbed, hook, step, overrides):
    folder = tmp_path / "run"
    compose(folder, *overrides, f"+callbacks.fault={STOP % (step, hook)}")
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        go(folder)
    moved = folder.rename(tmp_path / "moved")
    go(moved, "callbacks.fault.enabled=false")
    assert differences(moved, undisturbed(*overrides)) == []


def test_killed_by_surprise_it_goes_on_from_the_last_checkpoint(tmp_path, undisturbed):
    """Steps, table rows and curves after the checkpoint are made anew, not twice."""
    often = ["checkpoint.every_n_steps=4"]
    folder = tmp_path / "run"
    compose(folder, *often, f"+callbacks.fault={STOP.replace('SIGTERM', 'SIGKILL') % (18, 'on_train_batch_start')}")
    code = f"from test_resume import go; from pathlib import Path; go(Path({str(folder)!r}))"
    search = os.pathsep.join(map(str, [REPOSITORY / "tests", REPOSITORY / "src"]))
    killed = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": search}, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 16
    go(folder, "callbacks.fault.enabled=false")
    assert differences(folder, undisturbed(*often)) == []


def test_a_checkpoint_of_a_step_that_is_validated_comes_before_the_validation(tmp_path, undisturbed):
    folder = tmp_path / "run"
    compose(folder, *VALIDATED_WITHIN, "+callbacks.fault={_target_: faults.injected.Crash, step: 17}")
    with pytest.raises(RuntimeError, match="crashed"):
        go(folder)
    assert torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 15
    go(folder, "callbacks.fault.enabled=false")
    assert differences(folder, undisturbed(*VALIDATED_WITHIN)) == []


def test_a_finished_run_goes_on_for_more_epochs(tmp_path, undisturbed):
    """With a schedule that does not know its end, that is the longer run."""
    constant = ["scheduler=step", "scheduler.milestones=[2]"]
    folder = tmp_path / "run"
    compose(folder, *constant)
    go(folder, "trainer.max_epochs=2")
    go(folder, "trainer.max_epochs=3")
    assert differences(folder, undisturbed(*constant)) == []


def test_another_learning_rate_applies(tmp_path):
    folder = tmp_path / "run"
    compose(folder, "trainer.max_epochs=2", "scheduler=step", "scheduler.milestones=[9]", "scheduler.gamma=0.1")
    go(folder)
    go(folder, "trainer.max_epochs=3", "optimizer.lr=0.02")
    checkpoint = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(0.02)
    assert json.loads((folder / "result.json").read_text())["overrides"][-1] == "optimizer.lr=0.02"


@pytest.mark.parametrize("scheduler", ["cosine", "one_cycle"])
def test_another_batch_size_leaves_a_schedule_at_its_epoch(tmp_path, scheduler):
    folder = tmp_path / "run"
    compose(folder, "trainer.max_epochs=2", f"scheduler={scheduler}")
    go(folder)
    go(folder, "trainer.max_epochs=4", "data.batch_size=16")
    with (folder / "metrics.csv").open() as file:
        rates = {int(row["step"]): float(row["lr-Adam"]) for row in csv.DictReader(file) if row["lr-Adam"]}
    resumed = [rate for step, rate in rates.items() if step >= 20]
    assert resumed == sorted(resumed, reverse=True)
    assert resumed[0] > 0.4 * max(rates.values())  # half of the epochs are over
    assert resumed[-1] < 0.01 * max(rates.values())


def test_another_schedule_leaves_each_group_its_own_learning_rate(tmp_path):
    folder = tmp_path / "run"
    muon = [
        *("model=mnist_cnn", "optimizer=muon", "optimizer.lr=0.02", "optimizer.head_factor=3"),
        *("optimizer.bias_factor=2", "scheduler=linear", "data.train_limit=128"),
    ]
    compose(folder, *muon, "trainer.max_epochs=1")
    go(folder)
    cfg, together = compose_again(folder, ["trainer.max_epochs=2", "scheduler=step"], REPOSITORY / "conf", "train")
    assert set(cfg.scheduler) == set(OmegaConf.load(REPOSITORY / "conf/scheduler/step.yaml"))
    run_training(Run(cfg, folder, together, resumed=True))
    checkpoint = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    rates = {group["kind"]: group["lr"] for group in checkpoint["optimizer_states"][0]["param_groups"]}
    assert rates == pytest.approx({"filters": 0.0002, "matrices": 0.0006, "vectors": 0.0004})  # dropped twice


def test_a_run_that_was_stopped_early_goes_on_with_other_settings(tmp_path):
    folder = tmp_path / "run"
    patient = ["callbacks.early_stopping.patience=1", "callbacks.early_stopping.min_delta=0.9"]
    compose(folder, *patient, "trainer.max_epochs=5")

    def epochs():
        return json.loads((folder / "result.json").read_text())["epochs"]

    go(folder)
    assert epochs() == 2
    go(folder)  # as it was
    assert epochs() == 2
    go(folder, "callbacks.early_stopping.enabled=false")
    assert epochs() == 5


def test_max_steps_are_steps_of_as_many_epochs_as_they_take(tmp_path):
    """And a run that is stopped among them goes on there."""
    whole, folder = tmp_path / "whole", tmp_path / "run"
    steps = ["+trainer.max_steps=25", "trainer.max_epochs=null", "scheduler=none"]
    compose(whole, *steps)
    go(whole)
    result = json.loads((whole / "result.json").read_text())
    assert (result["status"], result["steps"], result["epochs"]) == ("completed", 25, 3)
    compose(folder, *steps, f"+callbacks.fault={STOP % (13, 'on_train_batch_start')}")
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        go(folder)
    go(folder, "callbacks.fault.enabled=false")
    assert differences(folder, whole) == []


def test_validation_may_come_every_other_epoch(tmp_path):
    folder = tmp_path / "run"
    compose(folder, "trainer.check_val_every_n_epoch=2", "trainer.max_epochs=1")
    go(folder)  # never
    assert json.loads((folder / "result.json").read_text())["best_checkpoint"] is None
    go(folder, "trainer.max_epochs=3")
    assert torch.load(folder / "checkpoints/best.ckpt", weights_only=True)["global_step"] == 20
    assert json.loads((folder / "result.json").read_text())["epochs"] == 3


def test_the_checkpoint_that_was_named_becomes_the_last_before_anything_is_cut(tmp_path):
    folder = tmp_path / "run"
    compose(folder, "objective=val/loss", "objective_mode=max")
    go(folder)
    best = folder / "checkpoints/best.ckpt"
    step = torch.load(best, weights_only=True)["global_step"]
    assert step < 30
    (folder / "checkpoints/.last.ckpt.abcdefgh").touch()  # of a save that was killed
    with pytest.raises(RunFailed):
        go(folder, f"callbacks.fault={STOP % (step, 'on_train_start')}", checkpoint=best)
    assert torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["global_step"] == step
    assert not list(folder.glob("checkpoints/.*"))


def test_a_refused_batch_size_leaves_the_recorded_one(tmp_path):
    folder = tmp_path / "run"
    compose(folder, f"+callbacks.fault={STOP % (13, 'on_train_batch_start')}")
    with pytest.raises(RunFailed):
        go(folder)
    before = (folder / ".hydra/config.yaml").read_text()
    with pytest.raises(ConfigError, match="it was 64"):
        go(folder, "data.batch_size=auto", "callbacks.fault.enabled=false")
    assert (folder / ".hydra/config.yaml").read_text() == before


def test_a_resumed_run_has_the_threads_of_its_config(tmp_path):
    folder = tmp_path / "run"
    compose(folder, "trainer.max_epochs=1", "threads=2")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        go(folder)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.hidden=[7]", "model cannot change"),
        ("data.val_size=100", "data.val_size cannot change"),
        ("data.batch_size=32", "data.batch_size=32: it was 64, and can change at the end of an epoch only"),
        ("data.balanced=true", "data.balanced=True: it was False, and can change at the end of an epoch only"),
    ],
)
def test_what_cannot_change_is_refused_and_the_folder_left_alone(tmp_path, override, message):
    folder = tmp_path / "run"
    compose(folder, f"+callbacks.fault={STOP % (13, 'on_train_batch_start')}")
    with pytest.raises(RunFailed):
        go(folder)

    def files():
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "train.log"}

    before = files()
    with pytest.raises(ConfigError, match=re.escape(message)):
        go(folder, override, "callbacks.fault.enabled=false")
    assert files() == before


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    folder = tmp_path / "run"
    compose(folder)
    if subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], capture_output=True).returncode:
        pytest.skip("only root can mount a folder")
    try:
        with pytest.raises(ConfigError, match=r"run: cannot be written to: Read-only file system"):
            go(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def test_the_folder_holds_no_absolute_path(undisturbed):
    run = undisturbed()
    for path in run.rglob("*"):
        if path.is_file() and path.name != "train.log":
            assert str(run).encode() not in path.read_bytes(), path


@pytest.mark.parametrize("keep", [0, 100, 20_000])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(tmp_path, undisturbed, keep, capsys):
    folder = tmp_path / "run"
    compose(folder, f"+callbacks.fault={STOP % (23, 'on_train_batch_start')}")
    with pytest.raises(RunFailed):
        go(folder)
    last = folder / "checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[:keep])
    go(folder, "callbacks.fault.enabled=false")
    assert "last.ckpt: not a whole checkpoint" in capsys.readouterr().err
    assert differences(folder, undisturbed()) == []


def test_a_signal_while_loaders_are_made_is_no_failure(tmp_path, monkeypatch):
    """Lightning's teardown then asks a loader for a length that it does not have yet, and fails."""
    original = _DataFetcher.__iter__

    def interrupted(self):
        monkeypatch.setattr(_DataFetcher, "__iter__", original)
        os.kill(os.getpid(), signal.SIGTERM)
        return original(self)

    monkeypatch.setattr(_DataFetcher, "__iter__", interrupted)
    compose(tmp_path / "run")
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        go(tmp_path / "run")
    assert json.loads((tmp_path / "run/result.json").read_text())["status"] == "interrupted"
