"""Builds the loss. Refuses one that does not fit the data or the network, before anything is trained."""

import warnings

import torch
from torch import Tensor, nn

from litlab.config import Run
from litlab.console import warn
from litlab.data import DataModule
from litlab.errors import ConfigError, described, one_line
from litlab.networks import evaluating
from litlab.training.methods import is_own
from litlab.training.network import check_made

FOR_CLASSES = (torch.nn.CrossEntropyLoss, torch.nn.NLLLoss)
FOR_VALUES = (torch.nn.MSELoss, torch.nn.L1Loss, torch.nn.SmoothL1Loss, torch.nn.HuberLoss, torch.nn.BCELoss)


def build_loss(run: Run) -> nn.Module:
    """Builds the loss.

    Raises:
        ConfigError: if a value is refused, or a function has made something else.
    """
    loss: nn.Module = run.build("loss")
    check_made(run, "loss", loss)
    return loss


def check_loss(run: Run, loss: torch.nn.Module, data: DataModule, network: torch.nn.Module) -> None:
    """Computes the loss of one batch of zeros, and its gradient. What the loss does with it decides, not its class.

    Raises:
        ConfigError: if the loss is for another task, or refuses the shapes or the outputs of the network.
    """
    try:
        if data.task == "classification":
            value = _check_loss_of_classes(run, loss, data)
            _warn_of_softmax(run, loss, data, network)
        elif data.task == "multilabel":
            value = _check_loss_of_labels(run, loss, data)
        else:
            value = _check_loss_of_values(run, loss, data, network)
        if not value.isfinite():
            _check_finite(run, loss, data, network)
    except ConfigError:
        raise
    except Exception as error:  # of any kind: the loss may be a user's own
        message = one_line(error)
        key = "loss." if message.startswith("class_weights") else f"{run.option('loss')}: "
        raise ConfigError(f"{key}{message}") from error


def _check_loss_of_classes(run: Run, loss: torch.nn.Module, data: DataModule) -> Tensor:
    batch_size = data.num_classes + 1  # another number than that of classes: a loss must not mix up the dimensions
    logits = torch.zeros(batch_size, data.num_classes, requires_grad=True)
    try:
        with warnings.catch_warnings(action="ignore"):  # of shapes that do not fit; then there is an error, too
            value = loss(logits, torch.zeros(batch_size, dtype=torch.long))
    except Exception as error:
        if isinstance(loss, FOR_VALUES):
            given, source = run.option("loss"), run.option("data")
            raise ConfigError(f"{given} is for regression, and {source} has classes: use loss=cross_entropy") from error
        if isinstance(loss, torch.nn.BCEWithLogitsLoss):
            given, source = run.option("loss"), run.option("data")
            sign = getattr(data, "label_separator", None)
            named = f"; data.label_separator={sign} separates several" if sign else ""
            raise ConfigError(
                f"{given} is for several labels a picture, and {source} has one class each{named}"
            ) from error
        raise
    return _checked_value(run, value)


def _warn_of_softmax(run: Run, loss: torch.nn.Module, data: DataModule, network: torch.nn.Module) -> None:
    """Warns of an own network that ends with the softmax that the loss has in itself: it would learn slowly."""
    if not isinstance(loss, torch.nn.CrossEntropyLoss) or not is_own(type(network)):
        return
    inputs = torch.linspace(-2, 2, 2 * torch.Size(data.input_shape).numel()).view(2, *data.input_shape)
    with torch.no_grad(), evaluating(network):
        values = network(inputs)
    if (values >= 0).all() and torch.allclose(values.sum(1), torch.ones(2), atol=1e-4):
        warn(f"{run.option('model')} makes probabilities, and {run.option('loss')} takes logits: leave out the softmax")


def _check_loss_of_labels(run: Run, loss: torch.nn.Module, data: DataModule) -> Tensor:
    if isinstance(loss, (*FOR_CLASSES, *FOR_VALUES)):
        kind = "one class for each picture" if isinstance(loss, FOR_CLASSES) else "regression"
        raise ConfigError(
            f"{run.option('loss')} is for {kind}, and {run.option('data')} has several labels: "
            "use loss=bce_with_logits objective=val/map"
        )
    batch_size = data.num_classes + 1
    logits = torch.zeros(batch_size, data.num_classes, requires_grad=True)
    return _checked_value(run, loss(logits, torch.zeros(batch_size, data.num_classes)))


def _check_loss_of_values(run: Run, loss: torch.nn.Module, data: DataModule, network: torch.nn.Module) -> Tensor:
    given = run.option("loss")
    if isinstance(loss, FOR_CLASSES):
        raise ConfigError(
            f"{given} is for classes, and {run.option('data')} has none: use loss=mse "
            f"objective={'val' if data.validates else 'train'}/mse (or l1, smooth_l1)"
        )
    batch_size = data.num_classes + 1
    values = torch.full((batch_size, *data.target_shape), 0.5, requires_grad=True)
    value = _checked_value(run, loss(values, torch.zeros(batch_size, *data.target_shape)))
    if isinstance(loss, torch.nn.BCELoss) and not makes_probabilities(network, data):
        raise ConfigError(
            f"{given} takes predictions from 0 to 1, and {run.option('model')} makes others: "
            "write model.output=sigmoid, or loss=mse"
        )
    return value


def _checked_value(run: Run, value: object) -> Tensor:
    """A loss. Raises `ConfigError` unless it is one number with a gradient."""
    shape = list(value.shape) if isinstance(value, torch.Tensor) else described(value)
    if shape != []:
        raise ConfigError(f"{run.option('loss')} must return one number for a batch, [], not {shape}")
    assert isinstance(value, torch.Tensor)
    if not value.requires_grad:
        raise ConfigError(f"{run.option('loss')} has no gradient with respect to the outputs of the network")
    return value


def _check_finite(run: Run, loss: torch.nn.Module, data: DataModule, network: torch.nn.Module) -> None:
    """Refuses a loss that is NaN or infinite at outputs of the network that are not.

    Zeros are no outputs of every network: a loss may take their logarithm, where the network ends with a softmax.
    """
    count = 8
    images = torch.linspace(-2, 2, count * torch.Size(data.input_shape).numel()).view(count, *data.input_shape)
    with torch.no_grad(), evaluating(network):
        outputs = network(images)
    numbers = torch.arange(count)
    if data.task == "classification":
        targets = numbers // 2 % data.num_classes  # two of a class, for a loss that compares images of a class
    elif data.task == "multilabel":
        targets = ((numbers[:, None] + torch.arange(data.num_classes)) % 2).float()
    else:
        outputs = outputs.view(count, *data.target_shape)
        targets = torch.linspace(0.1, 0.9, outputs.numel()).view_as(outputs)
    value = loss(outputs.requires_grad_(), targets)
    if outputs.isfinite().all() and not value.isfinite():
        raise ConfigError(
            f"{run.option('loss')} returns {value.item()} for finite outputs of the network: look in it for a division "
            "by 0, or for the logarithm or the root of a number that has none"
        )


@torch.no_grad()
def makes_probabilities(network: torch.nn.Module, data: DataModule) -> bool:
    """Whether the outputs of the network are between 0 and 1 even for large inputs."""
    inputs = torch.linspace(-1e3, 1e3, 2 * torch.Size(data.input_shape).numel()).view(2, *data.input_shape)
    with evaluating(network):
        values = network(torch.cat((inputs, -inputs)))
    return bool(((values >= 0) & (values <= 1)).all())
