"""How a training ended, if it did not end as usual."""

import json
import os
import signal

import pytest
from lightning.pytorch.loops.fetchers import _DataFetcher
from recorded_runs import record_run, train_recorded
from scripts import QUICK

from litlab import report
from litlab.checkpoint import PlainCheckpointIO
from litlab.errors import RunFailed
from litlab.training import run as running


def test_a_fast_dev_run_leaves_a_result(train_here):
    done = train_here(*QUICK, "model=mlp", "+trainer.fast_dev_run=true")
    assert (done.status, done.err, done.result["steps"]) == (0, "", 1)


def test_a_signal_while_loaders_are_made_interrupts_the_run(tmp_path, monkeypatch):
    """Lightning's teardown then fails, because it asks a loader for a length that it does not have yet."""
    original = _DataFetcher.__iter__

    def interrupted(self):
        monkeypatch.setattr(_DataFetcher, "__iter__", original)
        os.kill(os.getpid(), signal.SIGTERM)
        return original(self)

    monkeypatch.setattr(_DataFetcher, "__iter__", interrupted)
    record_run(tmp_path / "run")
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(tmp_path / "run")
    assert json.loads((tmp_path / "run/result.json").read_text())["status"] == "interrupted"


@pytest.mark.parametrize("averaged", [[], pytest.param(["ema=0.5"], marks=pytest.mark.slow)])
@pytest.mark.slow
def test_the_best_checkpoint_is_read_for_the_test_only_if_the_network_has_other_weights(
    tmp_path, monkeypatch, averaged
):
    loaded, load = [], PlainCheckpointIO.load_checkpoint
    monkeypatch.setattr(
        PlainCheckpointIO, "load_checkpoint", lambda *at, **how: loaded.append(at[1]) or load(*at, **how)
    )

    def tested(name, *overrides):
        loaded.clear()
        record_run(tmp_path / name, *averaged, *overrides)
        train_recorded(tmp_path / name)
        metrics = json.loads((tmp_path / name / "result.json").read_text())["metrics"]
        return len(loaded), metrics["test/loss"], metrics["test/acc"]

    first_is_best = ("objective=val/loss", "objective_mode=max")
    assert tested("last")[0] == 0
    assert tested("first", *first_is_best)[0] == 1
    found = tested("last again")[1:], tested("first again", *first_is_best)[1:]
    monkeypatch.setattr(running, "best_to_load", lambda parts, outcome: str(parts.checkpoints.best))
    assert found == (tested("last, read")[1:], tested("first, read", *first_is_best)[1:])


@pytest.mark.slow
def test_a_page_without_a_test_shows_the_predictions_of_the_best_checkpoint(train_here, monkeypatch):
    """Beside them it names the metrics of that checkpoint. Here the first epoch counts as the best."""
    shown, page = [], report.page
    monkeypatch.setattr(report, "page", lambda *parts: shown.append(parts[5]) or page(*parts))
    short = ("data=mnist_sample", "trainer=cpu", "model=mlp", "data.train_limit=640", "trainer.max_epochs=3")
    done = train_here(*short, "test=false", "objective=val/loss", "objective_mode=max")
    assert done.result["epochs"] == 3
    matrix = shown[0].matrix
    assert matrix.trace() / matrix.sum() == pytest.approx(done.result["metrics"]["val/acc"], abs=1e-6)
    assert shown[0].images == "validation set"
    train_here(f"resume={done.runs[0]}", "trainer.max_epochs=4")  # in which nobody has seen what the best one predicted
    assert shown[1].images == "validation set (last epoch)"
