"""The one door through which a checkpoint is written and read.

A checkpoint is Lightning's, plus a plain-data record under `litlab` from which the network can be rebuilt without the
config, the data set or the code that trained it:

    network   {"name": "litlab.networks.MLP", "args": {...}}
    task      "Classification" or "Regression"
    loss      {"name": "torch.nn.CrossEntropyLoss", "args": {...}}
    data      {"name", "input_shape", "num_classes", "class_names", "target_shape", "mean", "std", "background"};
              pictures from files add "preprocess"
    source    {"name": "litlab.data.MNIST", "args": {...}}: from which to measure it again
    numerics  {"precision", "log_every_n_steps"}: with which to measure it to the same last digit
    metrics   those of the epoch in which it was saved, if they are finite
    config    the composed config, resolved

`write` and `read` are for any checkpoint; `load` returns a network that is ready to use. Neither runs anything that
the file says: see `litlab.trust`.
"""

import contextlib
import io
import math
import os
import pickle
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import category

import torch
from lightning.fabric.plugins import CheckpointIO
from torch import Tensor, nn
from torch.nn.modules import module as registration

from litlab import ranks
from litlab import trust as trusted
from litlab.console import one_line
from litlab.trust import NotAllowed, plain, printable, shown

FORMAT = 1
TASKS = ("Classification", "Regression")
UNWRITABLE = {"Cc", "Cs", "Zl", "Zp"}  # in a name: control characters, surrogates, the ends of lines and paragraphs
LARGEST_INPUT = 2**24  # values in one image
LARGEST_SIDE = 2**13  # pixels to which a picture is resized before its centre is cut out
CONVERT = "where you trust it, torch.save(model.state_dict(), 'weights.pt'), and begin from that with model.weights="


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


@dataclass(frozen=True)
class Trained:
    """A network, ready to use, and all that its checkpoint says about it."""

    path: Path
    network: nn.Module  # on the CPU, in evaluation mode
    architecture: Named
    task: str
    loss: Named
    data: Data
    source: Named
    metrics: dict[str, float]
    precision: str
    log_every_n_steps: int


def write(checkpoint: dict[str, Any], path: str | Path, keep: str | Path | None = None) -> None:
    """Writes atomically: at any moment `path` holds either the old checkpoint or the whole new one.

    Args:
        keep: where the old checkpoint goes, once the new one is safe.

    Raises:
        OSError: if it cannot be written; whatever was at `path` and `keep` is still there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        try:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
        except RuntimeError as error:  # torch's name for a write that failed, and for much else
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        if keep is not None and path.exists():
            copy(path, Path(keep))


def read(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Reads tensors and plain data only, so that nothing in the file can run.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or holds anything else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        _check_archive(Path(path))
        verify(path)
        outline = torch.load(path, map_location="meta", weights_only=True)  # sizes only: nothing is allocated
        _check_sizes(outline, Path(path).stat().st_size)
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = f" ({shown(found[1])})" if found else ""
        raise ValueError(
            f"{path}: holds pickled objects{what}, which could run code when loaded, and so was not; {CONVERT}"
        ) from None
    except Exception as error:
        reason = printable(one_line(error))
        raise ValueError(f"{path}: not a whole checkpoint of tensors and plain data ({reason})") from None


def load(path: str | Path, trust: Sequence[str] = ()) -> Trained:
    """Reads a checkpoint that litlab wrote and rebuilds its network, through the allowlist of `litlab.trust`.

    The network is built on the meta device first, so that sizes which do not agree with the weights in the file are
    refused before anything of that size is allocated.

    Args:
        path: the file.
        trust: packages, beside litlab's own, torch.nn and torchvision.models, whose networks may be built.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file and what is wrong with it, in one line.
    """
    checkpoint = read(path)
    try:
        record, source = _record(checkpoint)
        data = _data(record)
        architecture = _named(record, "network")
        weights = _weights(checkpoint)
        network = _rebuild(architecture, weights, data, trust)
        numerics = _part(record, "numerics", dict)
        task = _part(record, "task", str)
        if task not in TASKS:
            raise NotAllowed(f"its task is {shown(task)}, not one of {', '.join(TASKS)}")
        return Trained(
            path=Path(path),
            network=network,
            architecture=architecture,
            task=task,
            loss=_named(record, "loss"),
            data=data,
            source=source,
            metrics=finite(_part(record, "metrics", dict)),
            precision=_part(numerics, "precision", str),
            log_every_n_steps=max(1, _part(numerics, "log_every_n_steps", int)),
        )
    except NotAllowed as error:
        raise ValueError(f"{path}: {error}") from None


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The weights in a file, by their names in the network: a `state_dict` (`.pt`, `.pth`, `.safetensors`), alone or as
    `model_state_dict` among other things, or one of litlab's checkpoints.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged or holds anything else, or the package that reads it is missing.
    """
    if Path(path).suffix == ".safetensors":
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such file")
        try:
            from safetensors.torch import load_file
        except ImportError:
            raise ValueError(f"{path}: needs safetensors: pip install safetensors") from None
        try:
            return load_file(path)
        except Exception as error:
            raise ValueError(f"{path}: not a whole safetensors file ({printable(one_line(error))})") from None
    found = read(path)
    try:
        if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
            return _weights(found)
        return _tensors(found.get("model_state_dict", found) if isinstance(found, Mapping) else found)
    except NotAllowed as error:
        raise ValueError(f"{path}: {error}") from None


def finite(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Those of the metrics that are numbers. R2 of one target is NaN, which neither a record nor JSON can hold."""
    return {name: value for name, value in metrics.items() if isinstance(value, float) and math.isfinite(value)}


def verify(path: str | Path) -> None:
    """Holds every byte that counts against the checksums (CRC-32) that `torch.save` writes and does not read.

    Raises:
        zipfile.BadZipFile: if the file is cut short or altered.
    """
    with zipfile.ZipFile(path) as file:
        if damaged := file.testzip():
            raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")


def copy(source: Path, target: Path) -> None:
    """Makes `target` the same checkpoint as `source`, atomically, and without a second copy where links work."""
    with atomic(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            temporary.write_bytes(source.read_bytes())


@contextlib.contextmanager
def atomic(path: Path) -> Any:
    """Yields a temporary path beside `path`, which takes its place if the block succeeds and vanishes if not."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files; a checkpoint is as open as its folder
        _to_disk(temporary)  # else a power cut could leave the new name with nothing in it
        temporary.replace(path)
        _to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


class PlainCheckpointIO(CheckpointIO):
    """Makes Lightning write and read its checkpoints through `write` and `read`.

    A failure to write does not end the training, in which other ranks would then wait for this one: it is kept in
    `failure`, and the checkpoint as bytes in `unwritten`, until a later one could be written. `storage_options` is the
    file that the old checkpoint becomes.
    """

    def __init__(self) -> None:
        self.failure: OSError | None = None
        self.unwritten: bytes | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        try:
            write(checkpoint, path, keep=storage_options)
        except OSError as error:
            content = io.BytesIO()
            torch.save(checkpoint, content)
            self.failure, self.unwritten = error, content.getvalue()
        else:
            self.failure = self.unwritten = None

    def load_checkpoint(
        self, path: Any, map_location: Callable | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        if ranks.world_size() > ranks.local_size():  # other hosts need not have the file
            return _of_rank_zero(path)
        return read(path, map_location or "cpu")

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def _of_rank_zero(path: Any) -> dict[str, Any]:
    """The checkpoint that rank 0 reads, in every process."""
    group: Any = torch.distributed.new_group(backend="gloo")  # through NCCL it would have to fit into the GPUs' memory
    checkpoints = [read(path) if ranks.rank() == 0 else None]
    torch.distributed.broadcast_object_list(checkpoints, src=0, group=group)
    checkpoint = checkpoints[0]
    assert checkpoint is not None
    return checkpoint


def try_to_disk(*paths: Path) -> None:
    """Waits until files, and the names in folders, would outlast a power cut, where that can be had."""
    for path in paths:
        with contextlib.suppress(OSError):
            _to_disk(path)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _check_archive(path: Path) -> None:
    """A zip file as `torch.save` writes it: nothing compressed, so nothing that grows, and plain names."""
    with path.open("rb") as file:
        start = file.read(2)
    if not start:
        raise ValueError("the file is empty")
    if start != b"PK":
        raise ValueError("it does not begin like one; files of PyTorch before 1.6 must be saved again")
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", entry.filename):
                raise ValueError(f"its entry {shown(entry.filename)} leads out of it")
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > path.stat().st_size:
                raise ValueError(f"its entry {shown(entry.filename)} is compressed, which torch.save never does")


def _check_sizes(outline: Any, file_size: int) -> None:
    """Tensors are no larger than the file: a view can claim a shape that its few bytes do not hold.

    All together they may be up to four times as large, since tied weights are counted once each.
    """
    seen, pending, left, total = set(), [outline], 4_000_000, 0
    while pending:
        value = pending.pop()
        left -= 1
        if left < 0:
            raise ValueError("it holds too many values")
        if isinstance(value, Tensor):
            if value.layout is not torch.strided or value.is_quantized:
                raise ValueError(f"it holds a tensor of layout {value.layout}")
            if value.numel() * value.element_size() > file_size:
                raise ValueError(f"a tensor of shape {list(value.shape)} is larger than the whole file")
            total += value.numel() * value.element_size()
            if total > 4 * file_size:
                raise ValueError("its tensors are larger than the file")
        elif isinstance(value, Mapping):
            if id(value) not in seen:
                seen.add(id(value))
                pending += value.values()
        elif isinstance(value, list | tuple) and id(value) not in seen:
            seen.add(id(value))
            pending += value


def _record(checkpoint: Any) -> tuple[dict[str, Any], Named]:
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
    checked = plain({key: value for key, value in record.items() if key != "source"}, "the values of its record")
    return checked, _named(record, "source")


def _part(record: Mapping[str, Any], key: str, kind: type) -> Any:
    if key not in record:
        raise NotAllowed(f"its record lacks {key}")
    if type(record[key]) is not kind:
        raise NotAllowed(f"{key} in its record is {shown(record[key])}, not of type {kind.__name__}")
    return record[key]


def _named(record: Mapping[str, Any], key: str) -> Named:
    part = _part(record, key, dict)
    return Named(_part(part, "name", str), _part(part, "args", dict))


def _data(record: Mapping[str, Any]) -> Data:
    part = _part(record, "data", dict)
    name, shape = _part(part, "name", str), _part(part, "input_shape", list)
    if len(shape) != 3 or any(type(n) is not int or n < 1 for n in shape) or math.prod(shape) > LARGEST_INPUT:
        raise NotAllowed(f"its input_shape is {shown(shape)}, not that of an image")
    count, classes = _part(part, "num_classes", int), _part(part, "class_names", list)
    if count < 1 or (classes and len(classes) != count):
        raise NotAllowed(f"it has {shown(count)} classes and {len(classes)} names for them")
    if not all(type(text) is str and text and not UNWRITABLE & set(map(category, text)) for text in (name, *classes)):
        raise NotAllowed("a name in its record is not printable text")
    mean, std = _numbers(part, "mean", shape[0]), _numbers(part, "std", shape[0])
    if min(std) <= 0:
        raise NotAllowed(f"its std is {shown(std)}, not above 0")
    background = part.get("background")
    if background is not None and (type(background) is not int or not 0 <= background <= 255):
        raise NotAllowed(f"its background is {shown(background)}, not from 0 to 255")
    preprocess = part.get("preprocess") or {}
    if not isinstance(preprocess, dict):
        raise NotAllowed(f"its preprocess is {shown(preprocess)}, not a mapping")
    if preprocess and (type(preprocess.get("resize")) is not int or type(preprocess.get("center_crop")) is not bool):
        raise NotAllowed(
            f"its preprocess is {shown(preprocess)}, not {{resize: an integer, center_crop: true or false}}"
        )
    if preprocess and not 1 <= preprocess["resize"] <= LARGEST_SIDE:
        raise NotAllowed(f"its preprocess resizes to {shown(preprocess['resize'])} pixels")
    targets = part.get("target_shape") or []
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


def _numbers(part: Mapping[str, Any], key: str, channels: int) -> list[float]:
    values = _part(part, key, list)
    if len(values) != channels or not all(type(v) in (int, float) and math.isfinite(v) for v in values):
        raise NotAllowed(f"its {key} is {shown(values)}, not {channels} numbers, one a channel")
    return values


def _weights(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    if "state_dict" not in checkpoint:
        raise NotAllowed("it lacks state_dict, the weights")
    weights = _tensors(checkpoint["state_dict"])
    prefix = "network."  # the LightningModule's attribute
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _tensors(found: Any) -> dict[str, Tensor]:
    if not isinstance(found, Mapping):
        raise NotAllowed(f"its weights are a {type(found).__name__}, not a mapping of names to tensors")
    for name, tensor in found.items():
        if type(name) is not str or type(tensor) not in (Tensor, nn.Parameter):
            raise NotAllowed(f"its weight {shown(name)} is a {type(tensor).__name__}, not a tensor")
    return dict(found)


def _rebuild(architecture: Named, weights: Mapping[str, Tensor], data: Data, trust: Sequence[str]) -> nn.Module:
    name, args = architecture.name, architecture.args
    for key, known in (("input_shape", list(data.input_shape)), ("num_classes", data.num_classes)):
        if key in args and args[key] != known:
            raise NotAllowed(f"the network's {key} is {shown(args[key])}, and that of its data {known}")
    with torch.device("meta"), _at_most(2 * len(weights) + 10_000, name):
        outline: nn.Module = trusted.build(name, args, nn.Module, trusted.NETWORKS, trust)
    _compare(outline.state_dict(), weights)
    _try(outline, name, data)
    network: nn.Module = trusted.build(name, args, nn.Module, trusted.NETWORKS, trust)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


@contextlib.contextmanager
def _at_most(count: int, name: str) -> Iterator[None]:
    """Stops a network that its arguments would make grow without end."""

    def registered(*_: Any) -> None:
        nonlocal count
        count -= 1
        if count < 0:
            raise NotAllowed(f"{name} has far more layers than there are weights for")

    hook = registration.register_module_parameter_registration_hook(registered)
    try:
        yield
    finally:
        hook.remove()


def _compare(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    if missing := [name for name in own if name not in weights]:
        raise NotAllowed(f"it lacks {len(missing)} of the network's weights, such as {shown(missing[0])}")
    if unexpected := [name for name in weights if name not in own]:
        raise NotAllowed(f"it has {len(unexpected)} weights the network has not, such as {shown(unexpected[0])}")
    for name, tensor in weights.items():
        wanted = own[name]
        if tensor.shape != wanted.shape:
            raise NotAllowed(f"its weight {name} is {list(tensor.shape)}; the network needs {list(wanted.shape)}")
        if tensor.dtype != wanted.dtype and not (tensor.is_floating_point() and wanted.is_floating_point()):
            raise NotAllowed(f"its weight {name} is {tensor.dtype}; the network needs {wanted.dtype}")


def _try(outline: nn.Module, name: str, data: Data) -> None:
    """Passes the outline of one image through the outline of a network, which costs nothing."""
    try:
        with torch.no_grad():
            output = outline.eval()(torch.zeros(1, *data.input_shape, device="meta"))
    except NotImplementedError:  # an operation without an outline: the first image will show
        return
    except Exception as error:
        raise NotAllowed(f"{name} cannot take images {list(data.input_shape)}: {shown(one_line(error))}") from None
    if (
        not isinstance(output, Tensor)
        or output.shape[0] != 1
        or (data.class_names and output.numel() != data.num_classes)
    ):
        made = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise NotAllowed(f"{name} makes {made} of one image, not the {data.num_classes} outputs of its classes")
