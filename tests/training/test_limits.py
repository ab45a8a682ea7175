"""Limits on batches and epochs, compared with what there is."""

import pytest
import torch
from scripts import QUICK, asked

from litlab.data import MNISTSample
from litlab.errors import ConfigError
from litlab.training.limits import check_last_batch, limited

SHORT = [*QUICK, "model=mlp", "model.hidden=[8]", "data.train_limit=128", "logger=none"]  # 2 batches


@pytest.mark.parametrize(
    ("limit", "count", "left"),
    [(None, 7, 7), (3, 7, 3), (9, 7, 7), (0.5, 7, 3), (0.1, 7, 0), (1.0, 7, 7)],
)
def test_a_limit_is_a_number_of_batches_or_a_fraction(limit, count, left):
    assert limited(limit, count) == left


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["trainer.limit_train_batches=0.1"], "trainer.limit_train_batches=0.1: leaves none of 2 batches; write"),
        (
            ["trainer.limit_val_batches=0.1", "data.eval_batch_size=100"],
            "limit_val_batches=0.1: leaves none of 5 batch",
        ),
        (["trainer.limit_test_batches=0.01"], "trainer.limit_test_batches=0.01: leaves none of"),
        (["trainer.limit_train_batches=0"], "trainer.limit_train_batches=0: must be greater than 0"),
        (["trainer.limit_train_batches=1.5"], "must be a whole number of batches, or a fraction of at most 1.0"),
        (["trainer.check_val_every_n_epoch=0"], "trainer.check_val_every_n_epoch=0: must be at least 1"),
        (
            ["trainer.check_val_every_n_epoch=5", "trainer.max_epochs=2"],
            "trainer.check_val_every_n_epoch=5: the run has 2 epochs and would never be validated; write at most 2",
        ),
        (["trainer.val_check_interval=100"], "trainer.val_check_interval=100: an epoch has 2 batches; write at most 2"),
        (["trainer.val_check_interval=1.5"], "must be a whole number of batches, or a fraction of at most 1.0"),
        (["trainer.max_steps=0"], "trainer.max_steps=0: must be -1 or at least 1"),
    ],
)
def test_a_limit_that_leaves_nothing_is_refused_before_the_training(train_here, tmp_path, overrides, message):
    done = train_here(*SHORT, *overrides)
    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert "epoch 1" not in done.out
    assert list(tmp_path.iterdir()) == []


def test_steps_and_validations_within_epochs_are_settings_of_their_own(train_here):
    counted = ["trainer.max_steps=3", "trainer.max_epochs=9", "trainer.val_check_interval=1", "scheduler=none"]
    done = train_here(*SHORT, *counted, "trainer.limit_test_batches=0")
    assert (done.status, done.err) == (0, "")
    assert (done.result["steps"], done.result["stopped_by"]) == (3, "max_steps")
    assert "val/acc" in done.result["metrics"]
    assert "test/acc" not in done.result["metrics"]


def test_a_run_whose_objective_needs_no_validation_may_have_none(train_here):
    done = train_here(*SHORT, "trainer.check_val_every_n_epoch=5", "objective=train/loss", "test=false")
    assert (done.status, done.err) == (0, "")


def test_a_last_batch_of_one_image_is_refused_where_it_cannot_be_normalised():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 4), torch.nn.BatchNorm1d(4))
    network.append(torch.nn.Dropout())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    run, data = asked(), MNISTSample(train_limit=129, batch_size=64)
    data.setup("fit")
    state = torch.get_rng_state()
    with pytest.raises(ConfigError, match=r"one of 129 images alone, .*: write data.drop_last=true, or another"):
        check_last_batch(run, data, network)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    check_last_batch(run, data, torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4)))
    for settings in ({"train_limit": 128}, {"train_limit": 129, "drop_last": True}):
        data = MNISTSample(batch_size=64, **settings)
        data.setup("fit")
        check_last_batch(run, data, network)


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_images_have_the_type_of_the_weights(train_here, precision):
    done = train_here(*SHORT, f"trainer.precision={precision}", "test=true")
    assert (done.status, done.err) == (0, "")
    assert "test/acc" in done.result["metrics"]


def test_a_run_without_a_schedule_trains(train_here):
    done = train_here(*SHORT, "~scheduler", "test=false")
    assert (done.status, done.err) == (0, "")


def test_a_schedule_knows_the_length_of_a_run_that_only_steps_end(train_here):
    done = train_here(*QUICK, "trainer.max_epochs=null", "trainer.max_steps=3", "scheduler=cosine", "logger=csv")
    assert (done.status, done.err) == (0, "")
    assert (done.result["steps"], done.result["stopped_by"]) == (3, "max_steps")
