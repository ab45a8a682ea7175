"""What is left out of Lightning's step is what nobody asked for."""

import lightning
import pytest
import torch
from scripts import QUICK

from litlab.data import MNISTSample
from litlab.lightning_internals import EVERY_STEP, NoProfiler, skip_empty_hooks
from litlab.modules import Classification
from litlab.networks import MLP


class Counting(lightning.Callback):
    def __init__(self):
        self.calls = []

    def on_train_batch_start(self, *_):
        self.calls.append("start")

    def on_before_optimizer_step(self, *_):
        self.calls.append("step")

    def on_validation_batch_end(self, *_):
        self.calls.append("validated")


class Stepping(Classification):
    def on_after_backward(self):
        self.backwards = getattr(self, "backwards", 0) + 1


def test_hooks_that_somebody_overrides_are_called_and_no_others():
    callback, module = Counting(), Stepping(MLP((1, 28, 28), 10), 10)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, limit_train_batches=3, limit_val_batches=1, num_sanity_val_steps=0,
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[callback], profiler=NoProfiler(),
    )  # fmt: skip
    skip_empty_hooks([*trainer.callbacks, module])
    trainer.fit(module, MNISTSample())
    assert callback.calls == ["start", "step"] * 3 + ["validated"]
    assert module.backwards == 3
    called = {name for name in EVERY_STEP if getattr(callback, name) is not None}
    assert called == {"on_train_batch_start", "on_before_optimizer_step"}
    assert module.on_train_batch_start is None


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
