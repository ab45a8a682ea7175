"""A loss that does not fit is refused before anything is trained."""

import pytest
import torch
from scripts import asked
from torch import Tensor, nn

from litlab.errors import ConfigError
from litlab.training.loss import check_loss


class NotANumber(nn.Module):
    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.sum() + targets.sum()) * float("nan")


class LogarithmOfLogits(nn.Module):
    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return -outputs.log()[torch.arange(len(targets)), targets].mean()


class DividedByNothing(nn.Module):
    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return outputs.exp().sum() / (targets < 0).sum()


class WithinAClass(nn.Module):
    """The mean distance of images of a class. NaN without two of a class, and where all outputs are 0."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        same = (targets[:, None] == targets).triu(1)
        directions = outputs / outputs.norm(dim=1, keepdim=True)
        return (1 - directions @ directions.T)[same].mean()


def network(outputs: int, *end: nn.Module, images: tuple[int, ...] = (1, 28, 28)) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(images).numel(), outputs), *end)


@pytest.mark.parametrize(
    ("overrides", "loss", "value"),
    [
        (["data=mnist_sample"], NotANumber(), "nan"),
        (["data=mnist_sample"], LogarithmOfLogits(), "nan"),
        (["data=mnist_sample"], DividedByNothing(), "inf"),
        (["data=line_points", "loss=mse"], NotANumber(), "nan"),
    ],
)
def test_a_loss_that_is_no_finite_number_is_named(overrides, loss, value):
    run = asked(*overrides)
    data = run.build("data")
    with pytest.raises(ConfigError) as caught:
        check_loss(run, loss, data, network(data.num_classes, images=data.input_shape))
    assert str(caught.value) == (
        f"loss=LOSS returns {value} for finite outputs of the network: look in it for a division by 0, or for the "
        "logarithm or the root of a number that has none"
    )


@pytest.mark.parametrize(
    ("end", "loss"), [([nn.Softmax(1)], LogarithmOfLogits()), ([], WithinAClass()), ([nn.Softmax(1)], WithinAClass())]
)
def test_a_loss_that_is_finite_at_what_the_network_makes_is_taken(end, loss):
    run = asked("data=mnist_sample")
    check_loss(run, loss, run.build("data"), network(10, *end))


def test_a_network_whose_outputs_are_not_finite_is_not_the_fault_of_the_loss():
    run = asked("data=mnist_sample")
    broken = network(10)
    nn.init.constant_(broken[1].weight, float("nan"))
    check_loss(run, LogarithmOfLogits(), run.build("data"), broken)
