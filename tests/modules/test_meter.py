"""Loss and metrics of a split do not depend on how the split is divided."""

import math

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

from litlab.modules import Classification, CrossEntropy, LogSoftmaxNLL, Meter, NonFiniteLoss, as_float


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
    """It does not depend on the batches, on where a run was stopped, or on the number of processes."""
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
        meter.flush().check()


def test_as_float_is_the_shortest_number_that_is_the_same_float32():
    value = torch.tensor(0.918)
    assert as_float(value) == 0.918
    assert torch.tensor(as_float(value)) == value
