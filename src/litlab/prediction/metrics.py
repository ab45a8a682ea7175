"""The metrics that a checkpoint names beside those of its task."""

import torchmetrics
from torchmetrics import Metric, classification, regression

from litlab.checkpoint import Named, Trained
from litlab.checkpoint import trust as trusted
from litlab.modules import filled_arguments, without_checks


def added_metrics(trained: Trained) -> dict[str, Metric]:
    """The metrics by name, as the training measured them.

    Raises:
        NotAllowed: if one is neither of torchmetrics nor of a trusted package.
    """
    return {name: _built(named, trained) for name, named in trained.added.items()}


def _built(named: Named, trained: Trained) -> Metric:
    name, args = _whole_name(named.name), named.args
    make = trusted.look_up(name, Metric, trusted.METRICS, trained.trust)
    if trained.data.class_names:
        args = filled_arguments(make, args, trained.data.num_classes, trained.task == "Multilabel")
    metric: Metric = trusted.build(name, args, Metric, trusted.METRICS, trained.trust)
    return without_checks(metric)


def _whole_name(name: str) -> str:
    """`torchmetrics.classification.F1Score` of `torchmetrics.F1Score`, which torchmetrics allows for short."""
    package, _, short = name.rpartition(".")
    if package == torchmetrics.__name__:
        return next((f"{room.__name__}.{short}" for room in (classification, regression) if hasattr(room, short)), name)
    return name
