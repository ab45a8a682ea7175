"""Reads the record of a checkpoint. Every value is checked: it may come from somebody else."""

import math
from collections.abc import Mapping
from typing import Any
from unicodedata import category

from litlab.checkpoint.archive import CONVERT
from litlab.checkpoint.plain import NotAllowed, excerpt, plain_data
from litlab.checkpoint.record import FORMAT, Data, Named
from litlab.runs import finite

UNWRITABLE = {"Cc", "Cs", "Zl", "Zp"}  # not in a name: control characters, surrogates, ends of lines and paragraphs
MAX_INPUT = 2**24  # values of one image
MAX_SIDE = 2**13  # pixels to which a picture is resized before its centre is cut out


def checked_record(checkpoint: Any) -> tuple[dict[str, Any], Named]:
    """The record in a checkpoint, which is plain data, and the data set that it names.

    The arguments of the data set are not checked here, but when it is built.

    Raises:
        NotAllowed: if there is no record, or it holds anything else.
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
        raise NotAllowed(f"its format is {excerpt(record.get('format'))}; this litlab reads format {FORMAT}")
    record = {key: value for key, value in record.items() if key != "config"}  # nothing is built from the config
    if type(record.get("metrics")) is dict:  # an earlier litlab wrote NaN, which is no plain data
        record["metrics"] = finite(record["metrics"])
    checked = plain_data({key: value for key, value in record.items() if key != "source"}, "the values of its record")
    return checked, named_class(record, "source")


def entry(record: Mapping[str, Any], key: str, kind: type) -> Any:
    """One value of a record.

    Raises:
        NotAllowed: if it is missing, or of another type than `kind`.
    """
    if key not in record:
        raise NotAllowed(f"its record lacks {key}")
    if type(record[key]) is not kind:
        raise NotAllowed(f"{key} in its record is {excerpt(record[key])}, not of type {kind.__name__}")
    return record[key]


def named_class(record: Mapping[str, Any], key: str) -> Named:
    """The class that a record names under `key`.

    Raises:
        NotAllowed: if the entry is not a name with arguments.
    """
    found = entry(record, key, dict)
    return Named(entry(found, "name", str), entry(found, "args", dict))


def added_of(record: Mapping[str, Any]) -> dict[str, Named]:
    """The classes of the metrics that a record names beside those of the task; none in a record from before them.

    Raises:
        NotAllowed: if an entry is not a name with arguments.
    """
    if "added" not in record:
        return {}
    found = entry(record, "added", dict)
    return {name: named_class(found, name) for name in found}


def data_of(record: Mapping[str, Any]) -> Data:
    """What a record says about the data.

    Raises:
        NotAllowed: if there are no such data.
    """
    found = entry(record, "data", dict)
    name = entry(found, "name", str)
    shape = _input_shape(found)
    count, classes = _classes(found)
    if not all(type(text) is str and text and not UNWRITABLE & set(map(category, text)) for text in (name, *classes)):
        raise NotAllowed("a name in its record is not printable text")
    mean, std = _numbers(found, "mean", shape[0]), _numbers(found, "std", shape[0])
    if min(std) <= 0:
        raise NotAllowed(f"its std is {excerpt(std)}, not above 0")
    return Data(
        name=name,
        input_shape=shape,
        num_classes=count,
        class_names=tuple(classes),
        target_shape=_target_shape(found),
        mean=tuple(mean),
        std=tuple(std),
        background=_background(found),
        preprocess=_preprocess(found),
        drawn=_drawn(found),
    )


def _input_shape(data: Mapping[str, Any]) -> tuple[int, int, int]:
    shape = entry(data, "input_shape", list)
    if len(shape) == 1:
        raise NotAllowed("its network takes points, and this works with images only")
    if len(shape) != 3 or any(type(n) is not int or n < 1 for n in shape) or math.prod(shape) > MAX_INPUT:
        raise NotAllowed(f"its input_shape is {excerpt(shape)}, not that of an image")
    channels, height, width = shape
    return channels, height, width


def _classes(data: Mapping[str, Any]) -> tuple[int, list[Any]]:
    count, classes = entry(data, "num_classes", int), entry(data, "class_names", list)
    if count < 1 or (classes and len(classes) != count):
        raise NotAllowed(f"it has {excerpt(count)} classes and {len(classes)} names for them")
    return count, classes


def _numbers(data: Mapping[str, Any], key: str, channels: int) -> list[float]:
    values = entry(data, key, list)
    if not values:
        raise NotAllowed("its data set has no mean and std, so pictures cannot be normalised as in its training")
    if len(values) != channels or not all(type(v) in (int, float) and math.isfinite(v) for v in values):
        raise NotAllowed(f"its {key} is {excerpt(values)}, not {channels} numbers, one a channel")
    return values


def _background(data: Mapping[str, Any]) -> int | None:
    background = data.get("background")
    if background is not None and (type(background) is not int or not 0 <= background <= 255):
        raise NotAllowed(f"its background is {excerpt(background)}, not from 0 to 255")
    return background


def _mapping(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key) or {}
    if not isinstance(found, dict):
        raise NotAllowed(f"its {key} is {excerpt(found)}, not a mapping")
    return found


def _preprocess(data: Mapping[str, Any]) -> dict[str, Any]:
    found = _mapping(data, "preprocess")
    if found and (type(found.get("resize")) is not int or type(found.get("center_crop")) is not bool):
        raise NotAllowed(f"its preprocess is {excerpt(found)}, not {{resize: an integer, center_crop: true or false}}")
    if found.get("interpolation", "bilinear") not in ("bilinear", "bicubic"):
        raise NotAllowed(f"its preprocess has the interpolation {excerpt(found['interpolation'])}")
    if found and not 1 <= found["resize"] <= MAX_SIDE:
        raise NotAllowed(f"its preprocess resizes to {excerpt(found['resize'])} pixels")
    if found and found.get("resizer", "pillow") not in ("torch", "pillow"):
        raise NotAllowed(f"its resizer is {excerpt(found['resizer'])}, not torch or pillow: a newer litlab may know it")
    return found


def _drawn(data: Mapping[str, Any]) -> dict[str, Any]:
    found = _mapping(data, "drawn")
    counts = [value for key, value in found.items() if key != "sha256"]
    if found and not (type(found.get("sha256")) is str and all(type(count) is int for count in counts)):
        raise NotAllowed(f"its drawn is {excerpt(found)}, not numbers of pictures and their sha256")
    return found


def _target_shape(data: Mapping[str, Any]) -> tuple[int, ...]:
    targets = data.get("target_shape") or []
    if type(targets) is not list or any(type(n) is not int or n < 1 for n in targets):
        raise NotAllowed(f"its target_shape is {excerpt(targets)}")
    return tuple(targets)
