"""Networks, meters and schedules, without a config."""

import math

import lightning
import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

from litlab.data import MNISTSample
from litlab.modules import Classification, CrossEntropy, LogSoftmaxNLL, Meter, NonFiniteLoss, as_float, schedules
from litlab.networks import MLP, CIFAR10Quick, LeNet5, MnistCNN, ResNet18, WhitenedCNN, summarize


def test_default_networks_are_those_of_the_literature():
    def widths(network):
        return [m.out_features for m in network.modules() if isinstance(m, nn.Linear)]

    assert [m.in_features for m in MLP().modules() if isinstance(m, nn.Linear)] == [784, 100]
    assert widths(MnistCNN()) == [200, 100, 10]
    assert [m.in_features for m in CIFAR10Quick().modules() if isinstance(m, nn.Linear)] == [1024, 64]
    assert [m.out_channels for m in CIFAR10Quick().modules() if isinstance(m, nn.Conv2d)] == [32, 32, 64]


@pytest.mark.parametrize("network", [MLP, MnistCNN, CIFAR10Quick])
@pytest.mark.parametrize("input_shape", [(1, 28, 28), (3, 32, 32), (2, 20, 31)])
def test_networks_take_any_shape_and_number_of_classes(network, input_shape):
    logits = network(input_shape, num_classes=7)(torch.rand(3, *input_shape))
    assert logits.shape == (3, 7)


@pytest.mark.parametrize(("network", "size"), [(MnistCNN, 9), (CIFAR10Quick, 7)])
def test_images_that_pool_to_nothing_are_refused_with_their_shape(network, size):
    with pytest.raises(ValueError, match=rf"input_shape \[1, {size}, {size}\] does not pass"):
        network((1, size, size), 10)
    network((1, size + 1, size + 1), 10)


@pytest.mark.parametrize(
    ("arguments", "name"), [({"hidden": [0]}, "hidden"), ({"dropout": 1.0}, "dropout"), ({"activation": "x"}, "activ")]
)
def test_mlp_refuses(arguments, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        MLP(**arguments)


def test_summary_counts_every_parameter_once():
    layers = summarize(MnistCNN(), (1, 28, 28))
    assert layers[0].input_shape == (1, 28, 28)
    assert layers[-1].output_shape == (10,)
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in MnistCNN().parameters()) == 183_726


@pytest.mark.parametrize(
    ("network", "size"), [(WhitenedCNN(widths=[4, 4, 4]), 32), (ResNet18((3, 32, 32), 4, head="append"), 32)]
)
def test_summary_has_layers_once_and_parameters_beside_layers(network, size):
    layers = summarize(network, (3, size, size), max_depth=3)
    assert len({layer.name for layer in layers}) == len(layers)
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in network.parameters())


def test_nll_takes_logits_and_log_probabilities_alike():
    logits, targets = torch.randn(8, 5), torch.arange(8) % 5
    expected = nn.functional.cross_entropy(logits, targets)
    torch.testing.assert_close(LogSoftmaxNLL()(logits, targets), expected)
    torch.testing.assert_close(LogSoftmaxNLL()(logits.log_softmax(1), targets), expected)


def test_meter_weighs_each_image_once_whatever_the_blocks():
    torch.manual_seed(0)
    logits, targets = torch.randn(10, 4), torch.randint(4, (10,))
    each = nn.functional.cross_entropy(logits, targets, reduction="none")
    for cuts in ([10], [4, 6], [1, 2, 7]):
        meter = Meter({"acc": MulticlassAccuracy(4, average="micro")})
        for part, target, losses in zip(logits.split(cuts), targets.split(cuts), each.split(cuts), strict=True):
            meter.add(losses.mean(), part, target)
            if len(part) == 2:
                meter.flush()
        values = meter.compute()
        torch.testing.assert_close(values["loss"], each.mean())
        assert values["acc"] == (logits.argmax(1) == targets).float().mean()


@pytest.mark.parametrize(
    "loss", [CrossEntropy(0.2, class_weights=[1, 20, 0.1, 3]), LogSoftmaxNLL(weight=torch.tensor([1, 20, 0.1, 3]))]
)
def test_a_loss_with_class_weights_is_that_of_the_whole_split(loss):
    """Whatever the batches, where it stops, and how many processes share it."""
    torch.manual_seed(0)
    logits, targets = torch.randn(10, 4), torch.randint(4, (10,))
    module = Classification(nn.Identity(), 4, loss=loss)
    for cuts in ([10], [4, 6], [1, 2, 7]):
        meter, other, resumed = (Classification(nn.Identity(), 4, loss=loss).meters["val"] for _ in range(3))
        for part, target in zip(logits.split(cuts), targets.split(cuts), strict=True):
            (other if len(part) == 1 else meter).add(module.loss(part, target), part, target)
            if len(part) == 2:
                meter.flush()
        resumed.merge(meter.state_dict(), "cpu")
        resumed.merge(other.state_dict(), "cpu")
        torch.testing.assert_close(resumed.compute()["loss"], loss(logits, targets))


def test_meter_names_the_step_of_the_first_bad_loss():
    meter = Meter({})
    for step, loss in enumerate([1.0, math.inf, math.nan], start=7):
        meter.add(torch.tensor(loss), torch.zeros(1, 2), torch.zeros(1), step)
    with pytest.raises(NonFiniteLoss, match="became inf at step 8"):
        meter.flush()


def test_plain_is_the_shortest_number_that_is_the_same_float32():
    value = torch.tensor(0.918)
    assert as_float(value) == 0.918
    assert torch.tensor(as_float(value)) == value


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


@pytest.mark.parametrize("algorithm", ["norm", "value"])
def test_gradients_of_a_fused_optimizer_are_clipped_in_mixed_precision(algorithm):
    module = Classification(MLP(hidden=[8]), 10, optimizer=lambda p: torch.optim.SGD(p, lr=1.0, fused=True))
    before = [p.detach().clone() for p in module.network.parameters()]
    trainer = lightning.Trainer(
        accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, precision="bf16-mixed",
        gradient_clip_val=1e-3, gradient_clip_algorithm=algorithm, limit_val_batches=0,
    )  # fmt: skip
    trainer.fit(module, MNISTSample())
    steps = [(p.detach() - b) for p, b in zip(module.network.parameters(), before, strict=True)]
    if algorithm == "norm":
        assert torch.nn.utils.get_total_norm(steps) == pytest.approx(1e-3, rel=1e-2)
    else:
        assert max(step.abs().max() for step in steps) == pytest.approx(1e-3, rel=1e-2)


def test_a_schedule_without_an_end_is_refused_in_a_notebook_too():
    module = Classification(MLP(hidden=[8]), 10, scheduler=schedules.cosine)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=-1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"trainer\.max_epochs=-1 has no end"):
        trainer.fit(module, MNISTSample(train_limit=128))


def test_a_notebook_needs_three_lines():
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(Classification(MnistCNN(), num_classes=10), MNISTSample())
    assert trainer.callback_metrics["val/acc"] > 0.5


def test_cross_entropy_smooths_and_weighs():
    torch.manual_seed(0)
    logits, targets = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    logs, weights = logits.log_softmax(1), torch.tensor([1.0, 2.0, 4.0])
    right = logs[range(6), targets]
    torch.testing.assert_close(
        CrossEntropy(class_weights=[1, 2, 4])(logits, targets),
        -(right * weights[targets]).sum() / weights[targets].sum(),
    )
    torch.testing.assert_close(CrossEntropy(0.3)(logits, targets), -(0.7 * right + 0.3 * logs.mean(1)).mean())
    with pytest.raises(ValueError, match=r"^class_weights must be 3, one for each class, not 2"):
        CrossEntropy(class_weights=[1, 2])(logits, targets)


def test_class_weights_are_a_setting_and_no_part_of_a_checkpoint():
    plain = Classification(MLP(hidden=[8]), 10)
    weighted = Classification(MLP(hidden=[8]), 10, loss=CrossEntropy(class_weights=range(1, 11)))
    weighted.load_state_dict(plain.state_dict())
    assert weighted.loss.weight.tolist() == list(range(1, 11))


def test_lenet5_is_that_of_the_paper_on_28_and_on_32_pixels():
    for network in (LeNet5((1, 28, 28)), LeNet5((1, 32, 32), activation="tanh", pool="average")):
        assert sum(p.numel() for p in network.parameters()) == 61_706
        assert [m.out_features for m in network.modules() if isinstance(m, nn.Linear)] == [120, 84, 10]


def test_top5_counts_the_right_class_among_the_first_five():
    torch.manual_seed(0)
    logits, targets = torch.randn(100, 8), torch.randint(8, (100,))
    metrics = Classification(nn.Linear(1, 8), 8, top5=True).meters["val"].metrics
    metrics.update(logits, targets)
    among = (logits.topk(5).indices == targets[:, None]).any(1).float().mean()
    torch.testing.assert_close(metrics.compute()["acc_top5"], among)
    assert among > metrics.compute()["acc"]
