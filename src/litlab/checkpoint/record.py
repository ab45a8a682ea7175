"""The record that litlab adds to a checkpoint, under the key `litlab`. It is plain data.

network   {"name": "litlab.networks.MLP", "args": {...}}
task      "Classification", "Multilabel" or "Regression"
loss      {"name": "torch.nn.CrossEntropyLoss", "args": {...}}
data      {"name", "input_shape", "num_classes", "class_names", "target_shape", "mean", "std", "background"};
          data sets of picture files add "preprocess" and "drawn"
source    {"name": "litlab.data.MNIST", "args": {...}}: the data set, to measure the checkpoint again
numerics  {"precision", "log_every_n_steps"}: measured with these, the metrics are the same to the last digit
own_task  {"name": "mylab.tasks.Steady", "args": {...}}: the class, if it is the user's own; then `task` is the one that
          it inherits from. Missing if it is not
added     {"f1": {"name": "torchmetrics.classification.MulticlassF1Score", "args": {...}}}: metrics beside those of the
          task; missing if there are none
metrics   of the epoch in which the checkpoint was saved, if they are finite
config    the composed config, resolved
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from litlab.config import own_model_keys

FORMAT = 1
TASKS = ("Classification", "Multilabel", "Regression")


@dataclass(frozen=True)
class Data:
    """The data that a network was trained on.

    Args:
        name: of the data set.
        input_shape: (C, H, W) of an image.
        num_classes: the number of classes, or of outputs in a regression.
        class_names: empty if there are no classes.
        target_shape: of one target of a regression.
        mean: of each channel, of pixels from 0 to 1.
        std: of each channel, of pixels from 0 to 1.
        background: the brightness (0 to 255) that the borders of all images have; None: they have no common one.
        preprocess: `resize` (pixels), `center_crop` (bool) and `resizer`, as in `litlab.data.fit`, if the pictures were
            not all of one size. Version 0.1 has no `resizer`: it was Pillow.
        drawn: how many pictures were drawn for each split, and a checksum of their names (`sha256`), if any were.
        thresholds: the probability from which on each label is predicted, if there may be several. The record does not
            have them: they are among the weights.
    """

    name: str
    input_shape: tuple[int, int, int]
    num_classes: int
    class_names: tuple[str, ...]
    target_shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    background: int | None = None
    preprocess: dict[str, Any] = field(default_factory=dict)
    drawn: dict[str, Any] = field(default_factory=dict)
    thresholds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Named:
    """The name of a class, and its arguments. Nothing has been looked up yet."""

    name: str
    args: dict[str, Any]


def record_of(
    config: Mapping[str, Any], data: Mapping[str, Any], task: str, input_shape: Sequence[int], num_classes: int
) -> dict[str, Any]:
    """The record of a run. Each checkpoint adds its own metrics.

    Args:
        config: the composed config, resolved, as plain data.
        data: what `DataModule.record` returns.
        task: the name of litlab's LightningModule, of which the user's own may be a subclass.
        input_shape: of one input, (C, H, W) of an image.
        num_classes: the number of outputs of the network.
    """
    network = _as_named(config["model"], own_model_keys(config["model"]))
    shapes = {"input_shape": list(input_shape), "num_classes": num_classes}
    added = {name: _as_named(node) for name, node in (config.get("metrics") or {}).items() if node}
    return {
        "format": FORMAT,
        "network": network | {"args": network["args"] | shapes},
        "task": task,
        "loss": _as_named(config["loss"]),
        "data": dict(data),
        "source": _as_named(config["data"]),
        "numerics": {name: config["trainer"][name] for name in ("precision", "log_every_n_steps")},
        **({"own_task": _as_named(config["task"])} if config.get("task") else {}),
        **({"added": added} if added else {}),
        "config": dict(config),
    }


def _as_named(group: Mapping[str, Any], without: Collection[str] = ()) -> dict[str, Any]:
    arguments = {k: v for k, v in group.items() if not k.startswith("_") and k not in without}
    return {"name": group["_target_"], "args": arguments}
