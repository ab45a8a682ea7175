"""How a training ended, if it did not end as usual."""

import json
import os
import signal

import pytest
from lightning.pytorch.loops.fetchers import _DataFetcher
from recorded_runs import record_run, train_recorded
from scripts import QUICK

from litlab.errors import RunFailed


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
