"""The record that litlab adds to a checkpoint, under `litlab`: plain data from which all is rebuilt.

network   {"name": "litlab.networks.MLP", "args": {...}}
task      "Classification" or "Regression"
loss      {"name": "torch.nn.CrossEntropyLoss", "args": {...}}
data      {"name", "input_shape", "num_classes", "class_names", "target_shape", "mean", "std", "background"};
          pictures from files add "preprocess"
source    {"name": "litlab.data.MNIST", "args": {...}}: from which to measure it again
numerics  {"precision", "log_every_n_steps"}: with which to measure it to the same last digit
metrics   those of the epoch in which it was saved, if they are finite
config    the composed config, resolved
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unicodedata import category

from litlab.checkpoint.archive import CONVERT
from litlab.checkpoint.trust import NotAllowed, plain_data, shown
from litlab.config import OWN_MODEL_KEYS
from litlab.runs import finite

FORMAT = 1
TASKS = ("Classification", "Regression")
UNWRITABLE = {"Cc", "Cs", "Zl", "Zp"}  # in a name: control characters, surrogates, the ends of lines and paragraphs
LARGEST_INPUT = 2**24  # values in one image
LARGEST_SIDE = 2**13  # pixels to which a picture is resized before its centre is cut out


@dataclass(frozen=True)
class Data:
    """What a network was trained on.

    `class_names` is empty where there are no classes; a regression's targets have `target_shape`. `background` is the
    brightness (0 to 255) that the borders of the images have in common, `None` where they have none. `preprocess` holds
    `resize` (pixels) and `center_crop` (whether) of `litlab.data.fit`, if the images were not of one
    size already.
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


@dataclass(frozen=True)
class Named:
    """A class by name, and its arguments: not looked up yet."""

    name: str
    args: dict[str, Any]


def record_of(
    config: Mapping[str, Any], data: Mapping[str, Any], task: str, input_shape: Sequence[int], num_classes: int
) -> dict[str, Any]:
    """The record of a run, but for the metrics, which each checkpoint adds.

    Args:
        config: the composed config, resolved, as plain data.
        data: what the data module says of itself (`DataModule.record`).
        task: the name of the LightningModule.
        input_shape: of one input, (C, H, W) of images.
        num_classes: width of the network's output.
    """
    network = _as_named(config["model"])
    shapes = {"input_shape": list(input_shape), "num_classes": num_classes}
    return {
        "format": FORMAT,
        "network": network | {"args": network["args"] | shapes},
        "task": task,
        "loss": _as_named(config["loss"]),
        "data": dict(data),
        "source": _as_named(config["data"]),
        "numerics": {name: config["trainer"][name] for name in ("precision", "log_every_n_steps")},
        "config": dict(config),
    }


def _as_named(group: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {k: v for k, v in group.items() if not k.startswith("_") and k not in OWN_MODEL_KEYS}
    return {"name": group["_target_"], "args": arguments}


def checked_record(checkpoint: Any) -> tuple[dict[str, Any], Named]:
    """The record in a checkpoint, checked to be plain data, and the data set that it names, not checked yet.

    Raises:
        NotAllowed: if there is none, or it holds anything else.
    """
    if not isinstance(checkpoint, Mapping):
        raise NotAllowed(f"holds a {type(checkpoint).__name__}, not a checkpoint; {CONVERT}")
    record = checkpoint.get("litlab")
    if record is None:
        if "pytorch-lightning_version" in checkpoint:
            raise NotAllowed(f"a checkpoint of Lightning's that litlab did not write; {CONVERT}")
        raise NotAllowed("weights without the record of a network: begin from them with train.py model.weights=")
    if not isinstance(record, Mapping):
        raise NotAllowed(f"its record is a {type(record).__name__}, not a mapping")
    if record.get("format") != FORMAT:
        raise NotAllowed(f"its format is {shown(record.get('format'))}; this litlab reads format {FORMAT}")
    # The config is shown at most, never built from; the source is checked when it is, for evaluation.
    record = {key: value for key, value in record.items() if key != "config"}
    if type(record.get("metrics")) is dict:  # which may be NaN in a checkpoint of an earlier litlab
        record["metrics"] = finite(record["metrics"])
    checked = plain_data({key: value for key, value in record.items() if key != "source"}, "the values of its record")
    return checked, named_class(record, "source")


def entry(record: Mapping[str, Any], key: str, kind: type) -> Any:
    """One value of a record; NotAllowed if it is missing, or not of this type."""
    if key not in record:
        raise NotAllowed(f"its record lacks {key}")
    if type(record[key]) is not kind:
        raise NotAllowed(f"{key} in its record is {shown(record[key])}, not of type {kind.__name__}")
    return record[key]


def named_class(record: Mapping[str, Any], key: str) -> Named:
    """A class that a record names; NotAllowed if the entry has another form."""
    found = entry(record, key, dict)
    return Named(entry(found, "name", str), entry(found, "args", dict))


def data_of(record: Mapping[str, Any]) -> Data:
    """What a record says of the data; NotAllowed if that cannot be."""
    found = entry(record, "data", dict)
    name, shape = entry(found, "name", str), entry(found, "input_shape", list)
    if len(shape) != 3 or any(type(n) is not int or n < 1 for n in shape) or math.prod(shape) > LARGEST_INPUT:
        raise NotAllowed(f"its input_shape is {shown(shape)}, not that of an image")
    count, classes = entry(found, "num_classes", int), entry(found, "class_names", list)
    if count < 1 or (classes and len(classes) != count):
        raise NotAllowed(f"it has {shown(count)} classes and {len(classes)} names for them")
    if not all(type(text) is str and text and not UNWRITABLE & set(map(category, text)) for text in (name, *classes)):
        raise NotAllowed("a name in its record is not printable text")
    mean, std = _numbers(found, "mean", shape[0]), _numbers(found, "std", shape[0])
    if min(std) <= 0:
        raise NotAllowed(f"its std is {shown(std)}, not above 0")
    background = found.get("background")
    if background is not None and (type(background) is not int or not 0 <= background <= 255):
        raise NotAllowed(f"its background is {shown(background)}, not from 0 to 255")
    preprocess = found.get("preprocess") or {}
    if not isinstance(preprocess, dict):
        raise NotAllowed(f"its preprocess is {shown(preprocess)}, not a mapping")
    if preprocess and (type(preprocess.get("resize")) is not int or type(preprocess.get("center_crop")) is not bool):
        raise NotAllowed(
            f"its preprocess is {shown(preprocess)}, not {{resize: an integer, center_crop: true or false}}"
        )
    if preprocess and not 1 <= preprocess["resize"] <= LARGEST_SIDE:
        raise NotAllowed(f"its preprocess resizes to {shown(preprocess['resize'])} pixels")
    targets = found.get("target_shape") or []
    if type(targets) is not list or any(type(n) is not int or n < 1 for n in targets):
        raise NotAllowed(f"its target_shape is {shown(targets)}")
    channels, height, width = shape
    return Data(
        name=name,
        input_shape=(channels, height, width),
        num_classes=count,
        class_names=tuple(classes),
        target_shape=tuple(targets),
        mean=tuple(mean),
        std=tuple(std),
        background=background,
        preprocess=preprocess,
    )


def _numbers(record: Mapping[str, Any], key: str, channels: int) -> list[float]:
    values = entry(record, key, list)
    if len(values) != channels or not all(type(v) in (int, float) and math.isfinite(v) for v in values):
        raise NotAllowed(f"its {key} is {shown(values)}, not {channels} numbers, one a channel")
    return values
