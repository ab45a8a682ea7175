"""Checkpoints of earlier epochs, in whole runs."""

import pytest
import torch
from recorded_runs import record_run, stop_at, train_recorded

from litlab.errors import RunFailed

QUIET = ["logger=none", "test=false", "callbacks.diagnosis.enabled=false", "callbacks.model_summary.enabled=false"]


def epochs(folder):
    """The finished epochs of each kept checkpoint, by its name."""
    found = {}
    for file in sorted(folder.glob("checkpoints/epoch_*.ckpt")):
        progress = torch.load(file, weights_only=True)["loops"]["fit_loop"]["epoch_progress"]["current"]
        found[file.name] = progress["processed"]
    return found


def test_every_epoch_stays_and_a_run_can_go_on_from_each(tmp_path):
    folder = tmp_path / "run"
    record_run(folder, *QUIET, "checkpoint.keep=all")
    train_recorded(folder)
    assert epochs(folder) == {"epoch_001.ckpt": 1, "epoch_002.ckpt": 2, "epoch_003.ckpt": 3}
    train_recorded(folder, "trainer.max_epochs=2", checkpoint=folder / "checkpoints/epoch_001.ckpt")
    assert epochs(folder) == {"epoch_001.ckpt": 1, "epoch_002.ckpt": 2}
    train_recorded(folder, "trainer.max_epochs=3")
    assert epochs(folder) == {"epoch_001.ckpt": 1, "epoch_002.ckpt": 2, "epoch_003.ckpt": 3}


def test_an_interrupted_run_keeps_the_epochs_of_an_undisturbed_one(tmp_path):
    folder, whole = tmp_path / "run", tmp_path / "whole"
    record_run(whole, *QUIET, "checkpoint.keep=2")
    train_recorded(whole)
    record_run(folder, *QUIET, "checkpoint.keep=2", stop_at(25))
    with pytest.raises(RunFailed):
        train_recorded(folder)
    train_recorded(folder, "callbacks.fault.enabled=false")
    assert len(epochs(folder)) == 2
    assert epochs(folder) == epochs(whole)


def test_by_default_no_epoch_stays(tmp_path):
    record_run(tmp_path / "run", *QUIET, "trainer.max_epochs=1")
    train_recorded(tmp_path / "run")
    assert sorted(file.name for file in (tmp_path / "run/checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
