"""`on_nan=rewind`: back to the last good checkpoint with half the learning rate, and nothing else changed."""

import json
import re
import shutil

import pytest
import torch
from faults.compare import differences
from omegaconf import OmegaConf
from scripts import REPOSITORY
from test_resume import compose, go

from litlab.config import Run, compose_again
from litlab.errors import RunFailed
from litlab.training import rewind, run_training
from litlab.training.jobs import resume_job

# A line through six points: gradient descent diverges above a learning rate of about 0.19, and returns below it from
# wherever it was.
LINE = ["experiment=linear_regression", "trainer=cpu", "on_nan=rewind", "trainer.log_every_n_steps=10"]
LEAST_SQUARES = 0.1244


def result(run):
    return json.loads((run / "result.json").read_text())


def test_the_loss_diverges_and_recovers_with_half_the_learning_rate(tmp_path, capsys):
    run = tmp_path / "run"
    compose(run, "optimizer.lr=0.25", base=LINE)
    go(run)
    assert "back to last.ckpt with half the learning rate, 0.125 (rewind 1 of 3)" in capsys.readouterr().err
    assert (result(run)["status"], result(run)["rewinds"]) == ("completed", 1)
    assert result(run)["metrics"]["train/loss"] == pytest.approx(LEAST_SQUARES, abs=1e-3)
    saved = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert saved["optimizer_states"][0]["param_groups"][0]["lr"] == 0.125
    assert OmegaConf.load(run / ".hydra/config.yaml").rewinds == 1


def test_from_a_checkpoint_that_is_lost_it_goes_back_further(tmp_path, capsys):
    run = tmp_path / "run"
    compose(run, "optimizer.lr=0.5", base=LINE)
    go(run)
    said = capsys.readouterr().err
    assert "back to the beginning, nothing was saved yet, with half the learning rate, 0.25 (rewind 1 of 3)" in said
    assert "back to last.ckpt with half the learning rate, 0.125 (rewind 2 of 3)" in said
    assert result(run)["metrics"]["train/loss"] == pytest.approx(LEAST_SQUARES, abs=1e-3)


def test_after_three_times_it_stops(tmp_path):
    run = tmp_path / "run"
    compose(run, "optimizer.lr=1e9", base=LINE)
    with pytest.raises(RunFailed, match="the loss became inf at step .*, after 3 rewinds: try a lower optimizer.lr"):
        go(run)
    assert (result(run)["status"], result(run)["rewinds"]) == ("failed", 3)


def test_stop_is_the_default_and_says_what_else_there_is(tmp_path):
    run = tmp_path / "run"
    compose(run, "optimizer.lr=0.25", "on_nan=stop", base=LINE)
    with pytest.raises(RunFailed, match="or on_nan=rewind; the last good checkpoint is checkpoints/last.ckpt"):
        go(run)


def test_stopped_after_a_rewind_and_resumed_it_is_the_same_run(tmp_path):
    diverges = ["optimizer.lr=0.25", "scheduler=cosine", "trainer.max_epochs=8"]
    undisturbed, run = tmp_path / "undisturbed", tmp_path / "run"
    compose(undisturbed, *diverges, base=LINE)
    go(undisturbed)
    assert result(undisturbed)["rewinds"] == 1
    stop = "{_target_: faults.injected.SignalAt, signal_name: SIGTERM, step: 230}"
    compose(run, *diverges, f"+callbacks.fault={stop}", base=LINE)
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        go(run)
    go(run, "callbacks.fault.enabled=false")
    assert differences(run, undisturbed) == []


def test_killed_between_two_rewinds_it_knows_from_which_checkpoint_the_nan_came_back(tmp_path, capsys, monkeypatch):
    lost = ["optimizer.lr=1e30", "callbacks.report.enabled=false", "checkpoint.every_n_steps=1"]

    def rewinds(run):
        with pytest.raises(RunFailed, match="after 3 rewinds"):
            go(run)
        return re.findall(r"back to .*", capsys.readouterr().err)

    def killed(*_):
        raise KeyboardInterrupt

    compose(tmp_path / "undisturbed", *lost, base=LINE)
    first, *later = rewinds(tmp_path / "undisturbed")
    assert "back to last.ckpt" in first
    assert "back to the beginning" in later[0]
    compose(tmp_path / "run", *lost, base=LINE)
    with monkeypatch.context() as patched:
        patched.setattr(rewind, "warn", killed)
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path / "run")
    assert rewinds(tmp_path / "run") == later


def test_an_interrupted_job_of_a_sweep_keeps_the_halved_learning_rate(tmp_path):
    run, asked = tmp_path / "run", ["optimizer.lr=0.25", "scheduler=cosine", "trainer.max_epochs=8"]
    stop = "{_target_: faults.injected.SignalAt, signal_name: SIGTERM, step: 230}"
    compose(run, *asked, f"+callbacks.fault={stop}", base=LINE)
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        go(run)
    shutil.rmtree(run / ".hydra")
    cfg = compose(run, *asked, base=LINE)  # as Hydra does when the sweep is repeated
    goes_on, _ = resume_job(Run(cfg, run, asked))
    assert goes_on.checkpoint == run / "checkpoints/last.ckpt"
    assert goes_on.cfg.rewinds == 1


def test_a_job_that_was_refused_goes_on_and_one_that_failed_begins_anew(tmp_path):
    run = tmp_path / "run"
    cfg = compose(run, "trainer.max_epochs=2", "trainer.accelerator=gpu", base=LINE)
    go(run, "trainer.accelerator=cpu")
    for failed, goes_on_from in (({}, run / "checkpoints/last.ckpt"), ({"epochs": 2}, None)):
        (run / "result.json").write_text(json.dumps({"status": "failed", "error": "no GPU"} | failed))
        goes_on, result = resume_job(Run(cfg, run))
        assert (goes_on.checkpoint, result) == (goes_on_from, None)


def test_a_learning_rate_given_after_a_rewind_is_taken_as_it_is(tmp_path):
    run = tmp_path / "run"
    compose(run, "optimizer.lr=0.25", "trainer.max_epochs=8", base=LINE)
    go(run)
    cfg, overrides = compose_again(run, ["optimizer.lr=0.01", "trainer.max_epochs=9"], REPOSITORY / "conf", "train")
    run_training(Run(cfg, run, overrides, resumed=True))
    saved = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert saved["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(0.01)
