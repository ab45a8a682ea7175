"""What a run says of its best checkpoint when the disk has no room for it."""

import contextlib
import errno
import json

import pytest
import torch
from recorded_runs import record_run, train_recorded

from litlab.callbacks.steering import checkpoints
from litlab.errors import RunFailed

QUIET = ["logger=none", "callbacks.diagnosis.enabled=false", "callbacks.model_summary.enabled=false"]
EACH_IS_BETTER, FIRST_IS_BEST = ["objective=train/loss"], ["objective=train/loss", "objective_mode=max"]


def no_room(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@contextlib.contextmanager
def full_disk(monkeypatch, **functions):
    """In the block, these functions take the places of those that write the best checkpoint."""
    with monkeypatch.context() as full:
        for name, function in functions.items():
            full.setattr(checkpoints, name, function)
        yield


def result(run):
    return json.loads((run / "result.json").read_text())


def saved(run, name):
    return torch.load(run / f"checkpoints/{name}.ckpt", weights_only=True)


def of_best(checkpoint):
    return checkpoint["callbacks"]["Checkpoints"]


def test_a_run_reports_the_best_checkpoint_that_there_is(tmp_path, monkeypatch, capsys):
    """Of three epochs, each better than the one before, the first alone has room."""
    run, copies = tmp_path / "run", []

    def copy(source, target):
        copies.append(target)
        (written if len(copies) == 1 else no_room)(source, target)

    written = checkpoints.copy
    record_run(run, *QUIET, *EACH_IS_BETTER)
    with (
        full_disk(monkeypatch, copy=copy, atomic=no_room),
        pytest.raises(RunFailed, match="not saved: best.ckpt of step 30 .No space left on device"),
    ):
        train_recorded(run)
    assert len(copies) == 3
    there = saved(run, "best")
    assert there["global_step"] == 10
    assert result(run)["metrics"] == there["litlab"]["metrics"]
    assert result(run)["objective"]["value"] == there["litlab"]["metrics"]["train/loss"]
    assert ", in epoch 1 of 3" in capsys.readouterr().out
    assert of_best(saved(run, "last"))["best_step"] == 30  # which is that checkpoint itself
    train_recorded(run)
    assert (result(run)["status"], saved(run, "best")["global_step"]) == ("completed", 30)


def test_a_run_without_room_for_its_best_checkpoint_reports_the_last_epoch(tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    record_run(run, *QUIET, *FIRST_IS_BEST)
    with (
        full_disk(monkeypatch, copy=no_room, atomic=no_room),
        pytest.raises(RunFailed, match="not saved: best.ckpt of step 10 "),
    ):
        train_recorded(run)
    assert (result(run)["best_checkpoint"], result(run)["objective"]) == (None, None)
    assert result(run)["metrics"] == saved(run, "last")["litlab"]["metrics"]
    assert "best checkpoint" not in capsys.readouterr().out
    assert of_best(saved(run, "last"))["best_step"] is None


def test_room_at_the_end_is_enough(tmp_path, monkeypatch):
    run = tmp_path / "run"
    record_run(run, *QUIET, *EACH_IS_BETTER)
    with full_disk(monkeypatch, copy=no_room):
        train_recorded(run)
    assert (result(run)["status"], saved(run, "best")["global_step"]) == ("completed", 30)


def test_a_best_checkpoint_that_is_written_late_has_what_its_validation_found(tmp_path, monkeypatch):
    """Each validation is within an epoch."""
    run = tmp_path / "run"
    record_run(run, *QUIET, "trainer.val_check_interval=4", "objective=val/loss", "trainer.max_epochs=2")
    with full_disk(monkeypatch, write=no_room):
        train_recorded(run)
    there = saved(run, "best")
    assert there["litlab"]["metrics"]["val/loss"] == result(run)["objective"]["value"]
    assert of_best(there)["best_step"] == there["global_step"]
