"""With `ema` or `swa`, the averaged weights are those that are judged and saved."""

import json

import pytest
import torch
from scripts import QUICK

from litlab import checkpoint


@pytest.mark.slow
@pytest.mark.parametrize("averaged_by", ["ema=0.99", "swa=0.5"])
def test_the_saved_weights_are_those_that_were_validated(train_here, use, averaged_by):
    light = ["data.train_limit=1500", "logger=csv", "callbacks.model_summary.enabled=false"]
    done = train_here(*QUICK, *light, averaged_by, "optimizer.lr=0.003")
    assert done.status == 0, done.err
    path = done.runs[0] / "checkpoints/best.ckpt"
    saved = torch.load(path, weights_only=True)
    trained, averaged = saved["ema"]["trained"], checkpoint.read_weights(path)
    assert trained.keys() == averaged.keys()
    assert not torch.equal(trained["classifier.0.weight"], averaged["classifier.0.weight"])
    assert saved["ema"]["steps"] == saved["global_step"] > 20
    use(f"ckpt={done.runs[0]}", "evaluate=val")
    again = json.loads(next(done.folder.glob("evaluation/*.json")).read_text())["metrics"]
    assert again["val/acc"] == done.result["metrics"]["val/acc"]


@pytest.mark.parametrize("averaged_by", ["ema=0.5", "swa=0.5"])
@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_each_optimizer_has_averages(train_here, averaged_by, optimizer):
    done = train_here(*QUICK, "data.train_limit=640", f"optimizer={optimizer}", "optimizer.momentum=0.9", averaged_by)
    assert done.status == 0, done.err
    saved = torch.load(done.runs[0] / "checkpoints/last.ckpt", weights_only=True)
    assert saved["ema"]["steps"] == saved["global_step"] == 10


def test_a_moving_average_needs_no_length_of_the_training(train_here):
    timed = ["scheduler=none", "trainer.max_epochs=null", "trainer.max_time=00:00:00:01"]
    done = train_here(*QUICK, *timed, "data.train_limit=640", "ema=0.99")
    assert (done.status, done.result["stopped_by"]) == (0, "max_time"), done.err


@pytest.mark.slow
def test_averages_that_contradict_each_other_or_have_no_end_are_refused(train_here, tmp_path):
    done = train_here(*QUICK, "ema=0.99", "swa=0.5")
    assert (done.status, done.err) == (2, "error: ema and swa are two ways to average the weights: leave one out\n")
    done = train_here(*QUICK, "swa=0.5", "scheduler=none", "trainer.max_epochs=null", "trainer.max_time=00:00:01:00")
    assert (done.status, done.err) == (2, "error: swa needs a length: write trainer.max_epochs or trainer.max_steps\n")
    assert not list(tmp_path.glob("runs/*/*"))


def test_a_mean_that_was_begun_for_another_length_is_said(train_here):
    """Of 7 steps the half begins at step 4, of 10 at step 5. Of 20 it begins at 10, which is still to come."""
    short = [*QUICK, "data.train_limit=640", "test=false", "trainer.max_epochs=1", "swa=0.5", "logger=csv"]
    done = train_here(*short, "trainer.max_steps=7", "hydra.run.dir=run")
    assert (done.status, done.err.count("warning")) == (0, 0), done.err
    done = train_here("resume=run", "trainer.max_steps=null", "trainer.max_epochs=2")
    assert (done.status, done.err.count("the mean of the weights")) == (0, 0), done.err
    train_here(*short, "trainer.max_steps=7", "hydra.run.dir=run2")
    done = train_here("resume=run2", "trainer.max_steps=null")
    said = "swa=0.5: the mean of the weights began at step 4, for a training of another length, and not at 5: "
    assert (done.status, done.err.count(said)) == (0, 1), done.err
