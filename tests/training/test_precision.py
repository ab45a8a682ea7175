"""The precision of a run is the one that was asked for."""

import pytest
import torch
from scripts import QUICK


@pytest.mark.parametrize("given", ["32-true", "bf16-mixed"])
def test_precision_is_what_was_asked_for(train_here, given):
    done = train_here(*QUICK, f"trainer.precision={given}", "trainer.limit_train_batches=2")
    assert done.status == 0
    assert f"cpu, {given}" in done.out
    checkpoint = torch.load(next(done.folder.rglob("last.ckpt")), weights_only=True)
    assert checkpoint["litlab"]["numerics"]["precision"] == given


def test_auto_precision_is_kept_by_a_resumed_run(train_here):
    """On whatever machine it goes on: the choice is the checkpoint's, not the hardware's."""
    done = train_here(*QUICK, "trainer.precision=bf16-mixed", "trainer.max_epochs=1")
    assert done.status == 0
    done = train_here("resume=latest", "trainer.precision=auto", "trainer.max_epochs=2")
    assert done.status == 0, done.err
    assert "cpu, bf16-mixed" in done.out


def test_regression_keeps_its_precision(train_here):
    done = train_here("experiment=linear_regression", "trainer.max_epochs=1")
    assert done.status == 0
    assert "cpu, 32-true" in done.out
