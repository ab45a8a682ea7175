"""The learning rate in each step."""

import math
from functools import partial

import lightning
import pytest
import torch
from torch import nn

from litlab.data import MNISTSample
from litlab.modules import Classification, schedules
from litlab.networks import MLP


def curve(schedule, epochs=4, steps_per_epoch=5, **options):
    """The learning rate used in each step, starting from 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    (entry,) = schedule(optimizer, steps_per_epoch, epochs, **options)
    rates = []
    for _ in range(epochs * steps_per_epoch):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        entry["scheduler"].step()
    return rates


def test_cosine_falls_to_its_floor_after_warming_up():
    rates = curve(schedules.cosine, warmup_epochs=1, min_factor=0.1)
    assert rates[:5] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
    assert rates[5] == 1.0
    assert rates == sorted(rates[:5]) + sorted(rates[5:], reverse=True)
    assert rates[-1] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 14 / 15)))


def test_linear_is_a_triangle_with_a_warmup():
    rates = curve(schedules.linear, warmup_epochs=1, final_factor=0.2)
    assert rates[:5] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
    assert rates[5:] == pytest.approx([1 - 0.8 * k / 15 for k in range(15)])


def test_step_drops_at_epochs_and_at_fractions():
    rates = curve(schedules.step, milestones=[0.5, 3], gamma=0.1)
    assert rates == pytest.approx([1.0] * 10 + [0.1] * 5 + [0.01] * 5)


def test_one_cycle_peaks_at_lr():
    rates = curve(schedules.one_cycle, warmup_epochs=1)
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) in (4, 5)
    assert rates[0] == pytest.approx(0.04)
    assert rates[-1] < 1e-4


def test_one_cycle_may_rise_in_one_step_and_end_at_nothing():
    rates = curve(schedules.one_cycle, epochs=5, steps_per_epoch=1, warmup_epochs=1, final_factor=0)
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] == 0
    for name, value in (("start_factor", 0), ("final_factor", -1)):
        with pytest.raises(ValueError, match=f"^{name} must be"):
            curve(schedules.one_cycle, **{name: value})


@pytest.mark.parametrize("schedule", [schedules.cosine, schedules.linear, schedules.step, schedules.one_cycle])
@pytest.mark.parametrize("warmup", [-1, 4])
def test_a_warmup_longer_than_the_training_is_refused(schedule, warmup):
    with pytest.raises(ValueError, match="^warmup_epochs"):
        curve(schedule, warmup_epochs=warmup)


def test_plateau_warms_up_and_then_follows_the_monitored_value():
    def make(optimizer, steps_per_epoch, epochs):
        return schedules.plateau(
            optimizer, steps_per_epoch, epochs, monitor="val/acc", mode="min", patience=0, warmup_epochs=1
        )

    class Rates(lightning.Callback):
        def __init__(self):
            self.rates = []

        def on_train_batch_start(self, trainer, *_):
            self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    # Accuracy that rises in "min" mode never improves on its first value, so every epoch after it drops the rate.
    rates = Rates()
    module = Classification(MLP(), 10, optimizer=lambda p: torch.optim.Adam(p, lr=1e-3), scheduler=make)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=3, logger=False, enable_checkpointing=False, callbacks=[rates],
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(module, MNISTSample(train_limit=640))
    assert rates.rates[:10] == pytest.approx([1e-3 * (i + 1) / 11 for i in range(10)])
    assert rates.rates[10:20] == pytest.approx([1e-3] * 10)
    assert rates.rates[20:] == pytest.approx([1e-4] * 10)


def test_a_schedule_without_an_end_is_refused_in_a_notebook_too():
    module = Classification(MLP(hidden=[8]), 10, scheduler=schedules.cosine)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=-1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"trainer\.max_epochs=-1 has no end"):
        trainer.fit(module, MNISTSample(train_limit=128))


PARTS = [torch.optim.lr_scheduler.LinearLR, partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.9)]


@pytest.mark.parametrize(
    ("make", "interval", "monitor"),
    [
        (partial(torch.optim.lr_scheduler.StepLR, step_size=2), "epoch", None),
        (partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=1, total_steps=20), "step", None),
        (partial(torch.optim.lr_scheduler.ReduceLROnPlateau, patience=2), "epoch", "val/loss"),
        (partial(torch.optim.lr_scheduler.SequentialLR, schedulers=PARTS, milestones=[2]), "epoch", None),
        (partial(torch.optim.lr_scheduler.ChainedScheduler, schedulers=PARTS), "epoch", None),
    ],
)
def test_a_scheduler_of_torch_is_a_schedule_for_a_module(make, interval, monitor):
    module = Classification(MLP(), 10, scheduler=make)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    [entry] = module.make_schedulers(optimizer, 5, 4)
    assert (entry["interval"], entry.get("monitor")) == (interval, monitor)
    assert isinstance(entry["scheduler"], make.func)
