"""Metrics that a user adds to those of a task."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torchmetrics import Metric, MetricCollection

from litlab.errors import described

Prepare = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Added:
    """Metrics beside those of a task, and what they are updated with.

    Args:
        metrics: torchmetrics metrics by name; each split gets copies of them.
        prepare: from (predictions [B, ...], targets [B, ...]) to the two that each metric is updated with.
    """

    def __init__(self, metrics: Mapping[str, Metric], prepare: Prepare) -> None:
        self.metrics, self.prepare = metrics, prepare

    def copies(self) -> MetricCollection:
        """New copies that have counted nothing."""
        return MetricCollection({name: metric.clone() for name, metric in self.metrics.items()})


def of_classes(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities float32 [B, num_classes] and class indices int64 [B], of logits and of classes or their shares."""
    return logits.float().softmax(1), targets.argmax(1) if targets.ndim > 1 else targets


def of_labels(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities float32 and targets int64, both [B, num_classes], of logits and of targets that are 0 or 1."""
    return logits.float().sigmoid(), targets.long()


def of_numbers(predictions: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Both as float32 [B, N], or [B] where there is one number, of predictions and targets [B, ...]."""
    return predictions.float().flatten(1).squeeze(1), targets.float().flatten(1).squeeze(1)


def filled_arguments(make: Any, given: Mapping[str, Any], num_classes: int, several: bool = False) -> dict[str, Any]:
    """`given` with the arguments that torchmetrics needs for classes, where a constructor has them.

    Args:
        make: the class of a metric.
        given: the arguments that are set.
        num_classes: number of classes.
        several: whether an input may have several of them.
    """
    task = "multilabel" if several else "multiclass"
    needed = {"task": task, "num_classes": num_classes, "num_labels": num_classes}
    return {name: value for name, value in needed.items() if name in inspect.signature(make).parameters} | dict(given)


def tried(metric: Metric, predictions: Tensor, targets: Tensor) -> Metric:
    """The metric, after a copy of it has counted one batch.

    Args:
        metric: a new one.
        predictions: as the metric is updated with them, and so the targets.

    Raises:
        ValueError: if it does not make one number of them. Other errors are those of the metric.
    """
    copy = metric.clone()
    copy.update(predictions, targets)
    value = copy.compute()
    if not isinstance(value, Tensor) or value.numel() != 1:
        made = list(value.shape) if isinstance(value, Tensor) else described(value)
        raise ValueError(f"must make one number, not {made}")
    return metric


def without_checks(metric: Metric) -> Metric:
    """The metric, which no longer looks at each value of a batch: on a GPU it would wait for them."""
    if hasattr(metric, "validate_args"):
        metric.validate_args = False
    return metric


def example(shape: tuple[int, ...], num_classes: int | None, several: bool = False) -> tuple[Tensor, Tensor]:
    """A small batch of predictions and targets, as `of_classes`, `of_labels` or `of_numbers` make them.

    Args:
        shape: of the targets of one input, in a regression.
        num_classes: number of classes; None: a regression.
        several: whether an input may have several of them.
    """
    count = 2 * (num_classes or 4) + 1  # another number than that of classes: a metric must not mix up the dimensions
    if num_classes is not None:
        logits, classes = torch.linspace(-1, 1, count * num_classes).view(count, -1), torch.arange(count) % num_classes
        return of_labels(logits, one_hot(classes, num_classes)) if several else of_classes(logits, classes)
    values = torch.linspace(0.1, 1, count * torch.Size(shape).numel()).view(count, *shape)
    return of_numbers(values, values.flip(0))
