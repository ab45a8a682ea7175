"""The metrics that a checkpoint names are built only from torchmetrics, litlab and trusted packages."""

from types import SimpleNamespace

import pytest
from torchmetrics.classification import MulticlassF1Score, MultilabelF1Score
from torchmetrics.regression import MeanAbsolutePercentageError

from litlab.checkpoint import Named
from litlab.prediction.metrics import added_metrics


def trained(name, class_names=("a", "b", "c"), trust=(), task="Classification", **args):
    data = SimpleNamespace(class_names=class_names, num_classes=len(class_names))
    return SimpleNamespace(added={"it": Named(name, args)}, data=data, trust=trust, task=task)


@pytest.mark.parametrize("name", ["torchmetrics.F1Score", "torchmetrics.classification.MulticlassF1Score"])
def test_a_metric_is_built_with_the_classes_of_the_data(name):
    metric = added_metrics(trained(name, average="macro"))["it"]
    assert isinstance(metric, MulticlassF1Score)
    assert (metric.num_classes, metric.average, metric.validate_args) == (3, "macro", False)


def test_a_metric_is_told_that_there_are_several_labels():
    [metric] = added_metrics(trained("torchmetrics.F1Score", task="Multilabel")).values()
    assert (type(metric), metric.num_labels) == (MultilabelF1Score, 3)


def test_a_metric_of_a_regression():
    found = added_metrics(trained("torchmetrics.MeanAbsolutePercentageError", ()))
    assert isinstance(found["it"], MeanAbsolutePercentageError)


@pytest.mark.parametrize(
    "name",
    [
        "torchmetrics.text.BERTScore",  # would fetch a network
        "torchmetrics.image.FrechetInceptionDistance",
        "torchmetrics.os.system",
        "torchmetrics.classification.accuracy.Any",
        "os.system",
        "mylab.metrics.Kappa",
    ],
)
def test_nothing_else_is_built(name):
    with pytest.raises(ValueError, match=r"is not (in|a Metric of) torchmetrics.classification"):
        added_metrics(trained(name))


def test_a_trusted_package_may_define_a_metric():
    metric = added_metrics(trained("torchmetrics.aggregation.MeanMetric", trust=("torchmetrics.aggregation",)))["it"]
    assert type(metric).__name__ == "MeanMetric"
