"""Which engine a run gets, and the reason where it cannot have the one that it asks for."""

import lightning
import pytest
import torch

from litlab.engines import Blocks, GraphBlocks, choose_engine
from litlab.engines.recorders import CudaRecorder
from litlab.errors import ConfigError
from litlab.modules import Classification
from litlab.networks import MLP


class Recorder(CudaRecorder):
    """A stand-in, so that a machine without a GPU chooses as one with a GPU does."""


class Watching(lightning.Callback):
    """A callback of a user who wants to see every batch."""

    def on_train_batch_end(self, *_):
        pass


def chosen(name, recorder=Recorder, **arguments):
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        max_epochs=1,
        **arguments,
    )
    return choose_engine(name, trainer, Classification(MLP((1, 8, 8), 10), num_classes=10), recorder=recorder)


def test_the_engine_that_is_asked_for():
    assert chosen("eager") is None
    assert type(chosen("blocks")) is Blocks
    assert type(chosen("graph")) is GraphBlocks
    assert type(chosen("auto")) is GraphBlocks


def test_without_a_gpu_auto_is_eager_and_says_nothing(caplog):
    caplog.set_level("INFO")
    assert chosen("auto", CudaRecorder) is None
    assert "engine" not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"accumulate_grad_batches": 2}, "trainer.accumulate_grad_batches=2"),
        ({"overfit_batches": 1}, "it is a run of a few batches"),
        ({"fast_dev_run": True}, "it is a run of a few batches"),
    ],
)
def test_what_cannot_be_captured_runs_eagerly_and_the_log_says_why(caplog, arguments, reason):
    caplog.set_level("INFO")
    assert chosen("auto", **arguments) is None
    assert f"engine: eager, as {reason}" in caplog.text
    with pytest.raises(ConfigError, match=f"engine=graph: {reason}; use engine=auto"):
        chosen("graph", **arguments)


def test_a_callback_that_wants_every_batch_gets_every_batch(caplog):
    caplog.set_level("INFO")
    assert chosen("auto", callbacks=[Watching()]) is None
    assert "engine: eager, as Watching.on_train_batch_end is to be called in every batch" in caplog.text
    assert type(chosen("graph", callbacks=[Watching()])) is GraphBlocks  # asked for by name


def test_a_scaled_loss_is_not_run_in_blocks():
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.precision_plugin.scaler = torch.amp.GradScaler("cpu")
    with pytest.raises(ConfigError, match=r"engine=blocks: trainer.precision=16-mixed scales .*; use engine=eager"):
        choose_engine("blocks", trainer, Classification(MLP((1, 8, 8), 10), num_classes=10))
