"""`on_nan=rewind`: back to the last good checkpoint with half the learning rate, and nothing else changes."""

import json
import re

import pytest
import torch
from faults.compare import differences
from omegaconf import OmegaConf
from recorded_runs import LINE, WITHOUT_FAULT, record_run, stop_at, train_recorded
from scripts import REPOSITORY

from litlab.config import Run, compose_again
from litlab.errors import RunFailed
from litlab.training import rewind, run_training

LEAST_SQUARES = 0.1244  # the loss of the best line


def result(run):
    return json.loads((run / "result.json").read_text())


def test_a_diverged_run_recovers_with_half_the_learning_rate(tmp_path, capsys):
    run = tmp_path / "run"
    record_run(run, "optimizer.lr=0.25", "callbacks.model_summary.enabled=true", base=LINE)
    train_recorded(run)
    said = capsys.readouterr()
    assert "back to last.ckpt with half the learning rate, 0.125 (rewind 1 of 3)" in said.err
    assert [said.out.count(once) for once in ("line_points: ", "  parameters  ")] == [1, 1]
    assert (result(run)["status"], result(run)["rewinds"]) == ("completed", 1)
    assert result(run)["metrics"]["train/loss"] == pytest.approx(LEAST_SQUARES, abs=1e-3)
    saved = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert saved["optimizer_states"][0]["param_groups"][0]["lr"] == 0.125
    assert OmegaConf.load(run / ".hydra/config.yaml").rewinds == 1


@pytest.mark.slow
def test_if_the_nan_comes_back_the_run_goes_back_further(tmp_path, capsys):
    run = tmp_path / "run"
    record_run(run, "optimizer.lr=0.5", base=LINE)
    train_recorded(run)
    said = capsys.readouterr().err
    assert "back to the beginning, nothing was saved yet, with half the learning rate, 0.25 (rewind 1 of 3)" in said
    assert "back to last.ckpt with half the learning rate, 0.125 (rewind 2 of 3)" in said
    assert result(run)["metrics"]["train/loss"] == pytest.approx(LEAST_SQUARES, abs=1e-3)


def test_a_run_goes_back_three_times_at_most(tmp_path):
    run = tmp_path / "run"
    record_run(run, "optimizer.lr=1e9", base=LINE)
    with pytest.raises(RunFailed, match="the loss became inf at step .*, after 3 rewinds: try a lower optimizer.lr"):
        train_recorded(run)
    assert (result(run)["status"], result(run)["rewinds"]) == ("failed", 3)


def test_what_is_said_of_checkpoints_that_were_given_up_is_true(tmp_path, capsys):
    run = tmp_path / "run"
    record_run(run, "optimizer.lr=1e30", "checkpoint.every_n_steps=1", "callbacks.report.enabled=false", base=LINE)
    with pytest.raises(RunFailed, match="after 3 rewinds: .*; it came back after each checkpoint$"):
        train_recorded(run)
    said = capsys.readouterr().err
    assert "back to last.ckpt with half" in said
    assert "back to the beginning, no earlier checkpoint is left, with half" in said
    assert "nothing was saved yet" not in said


@pytest.mark.slow
def test_a_run_that_is_stopped_after_a_rewind_and_resumed_is_the_same_run(tmp_path):
    diverges = ["optimizer.lr=0.25", "scheduler=cosine", "trainer.max_epochs=8"]
    undisturbed, run = tmp_path / "undisturbed", tmp_path / "run"
    record_run(undisturbed, *diverges, base=LINE)
    train_recorded(undisturbed)
    assert result(undisturbed)["rewinds"] == 1
    record_run(run, *diverges, stop_at(230), base=LINE)
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(run)
    train_recorded(run, WITHOUT_FAULT)
    assert differences(run, undisturbed) == []


@pytest.mark.slow
def test_a_run_that_is_killed_between_two_rewinds_remembers_the_checkpoint_of_the_first(tmp_path, capsys, monkeypatch):
    lost = ["optimizer.lr=1e30", "callbacks.report.enabled=false", "checkpoint.every_n_steps=1"]

    def rewinds(run):
        with pytest.raises(RunFailed, match="after 3 rewinds"):
            train_recorded(run)
        return re.findall(r"back to .*", capsys.readouterr().err)

    def killed(*_):
        raise KeyboardInterrupt

    record_run(tmp_path / "undisturbed", *lost, base=LINE)
    first, *later = rewinds(tmp_path / "undisturbed")
    assert "back to last.ckpt" in first
    assert "back to the beginning" in later[0]
    record_run(tmp_path / "run", *lost, base=LINE)
    with monkeypatch.context() as patched:
        patched.setattr(rewind, "warn", killed)
        with pytest.raises(KeyboardInterrupt):
            train_recorded(tmp_path / "run")
    assert rewinds(tmp_path / "run") == later


@pytest.mark.slow
def test_a_learning_rate_that_is_given_after_a_rewind_is_not_halved(tmp_path):
    run = tmp_path / "run"
    record_run(run, "optimizer.lr=0.25", "trainer.max_epochs=8", base=LINE)
    train_recorded(run)
    cfg, overrides = compose_again(run, ["optimizer.lr=0.01", "trainer.max_epochs=9"], REPOSITORY / "conf", "train")
    run_training(Run(cfg, run, overrides, resumed=True))
    saved = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert saved["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(0.01)
