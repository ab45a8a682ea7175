"""Builds the metrics that the group `metrics` adds to those of a task."""

from inspect import signature

from torchmetrics import Metric

from litlab.config import Run, build, class_of
from litlab.data import DataModule
from litlab.errors import ConfigError, one_line
from litlab.modules import example, filled_arguments, tried, without_checks


def build_metrics(run: Run, data: DataModule) -> dict[str, Metric]:
    """The metrics by name. Each has counted a batch like those of the data, to find a mistake before the training.

    Raises:
        ConfigError: naming the key, if a class is no metric, refuses its arguments or the batch, or makes no number.
    """
    found = {}
    for name, node in (run.plain().get("metrics") or {}).items():
        if node is not None:
            found[name] = _checked(f"metrics.{name}", _built(f"metrics.{name}", node, data), data)
    return found


def _built(key: str, node: dict, data: DataModule) -> Metric:
    make = class_of({key: node}, key)
    if not isinstance(make, type):
        raise ConfigError(
            f"{key}._target_={node['_target_']}: a metric is a class that inherits from torchmetrics.Metric"
        )
    if data.task == "regression" and "num_classes" in signature(make).parameters:
        raise ConfigError(f"{key} is for classes, and data={data.name} has none")
    if data.task != "regression":
        node = filled_arguments(make, node, data.num_classes, data.task == "multilabel")
    metric = build({key: node}, key)
    if not isinstance(metric, Metric):
        raise ConfigError(f"{key}._target_={node['_target_']}: must be a metric of torchmetrics, or a class like them")
    return metric


def _checked(key: str, metric: Metric, data: DataModule) -> Metric:
    classes = None if data.task == "regression" else data.num_classes
    try:
        return without_checks(tried(metric, *example(data.target_shape, classes, data.task == "multilabel")))
    except Exception as error:  # of any kind: the metric may be a user's own
        kind = {"classification": "classes", "multilabel": "labels", "regression": "numbers"}[data.task]
        raise ConfigError(f"{key} cannot measure the {kind} of data={data.name}: {one_line(error)}") from error
