"""Lightning calls the hooks that a callback or a module overrides, and skips the others."""

import lightning
from lightning.fabric.utilities import registry

from litlab.data import MNISTSample
from litlab.lightning_internals import EVERY_STEP, NoProfiler, remember_entry_points, skip_empty_hooks
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


def test_callbacks_of_other_packages_are_looked_up_once_and_given_to_every_trainer(monkeypatch):
    class Found:
        name = "counting"

        def load(self):
            return lambda: [Counting()]

    asked = []
    monkeypatch.setattr(registry, "entry_points", lambda group: asked.append(group) or [Found()])
    remember_entry_points()
    quiet = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    for _ in range(2):
        remember_entry_points()
        trainer = lightning.Trainer(**quiet, enable_model_summary=False)
        assert [type(callback) for callback in trainer.callbacks] == [Counting]
    assert asked == ["lightning.pytorch.callbacks_factory"]
