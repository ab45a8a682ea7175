"""Holds a run that was disturbed against the same run left in peace: bit for bit, everything but the clock."""

import csv
import hashlib
import math
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

CLOCKS = {"seconds", "images_per_second", "Throughput", "sizes"}
MACHINE = ("speed/", "memory/")  # TensorBoard's curves of what is not the training's
RESULT_CLOCKS = {"seconds", "images_per_second", "overrides", "last_checkpoint"}


def differences(disturbed: Path, undisturbed: Path) -> list[str]:
    """Where the two run folders differ: checkpoints, metrics.csv, TensorBoard's curves and result.json."""
    import json

    found = []
    for name in ("last", "best"):
        paths = [run / f"checkpoints/{name}.ckpt" for run in (disturbed, undisturbed)]
        if not all(path.exists() for path in paths):
            found.append(f"{name}.ckpt is missing")
            continue
        one, other = (torch.load(path, weights_only=True) for path in paths)
        for checkpoint in (one, other):
            checkpoint["litlab"].pop("config")
        found += [f"{name}.ckpt {d}" for d in unequal(one, other)]
    tables = [(run / "metrics.csv").read_bytes() for run in (disturbed, undisturbed)]
    if tables[0] != tables[1]:
        rows = [list(csv.reader(table.decode().splitlines())) for table in tables]
        first = next((i for i, (a, b) in enumerate(zip(*rows, strict=False)) if a != b), min(map(len, rows)))
        found.append(f"metrics.csv from row {first} on ({len(rows[0])} and {len(rows[1])} rows)")
    found += [f"TensorBoard's {d}" for d in unequal(curves(disturbed), curves(undisturbed))]
    found += [f"TensorBoard's {d}" for d in unequal(written(disturbed), written(undisturbed))]
    found += [f"projector's {d}" for d in unequal(projector(disturbed), projector(undisturbed))]
    results = [json.loads((run / "result.json").read_text()) for run in (disturbed, undisturbed)]
    found += [
        f"result.json {key}" for key in results[1] if key not in RESULT_CLOCKS and results[0][key] != results[1][key]
    ]
    return found


def curves(run: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a run folder."""
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if not tag.startswith(MACHINE)]
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags}


def written(run: Path) -> dict[str, list[tuple[int, str]]]:
    """Steps and digests of all that is in a run's event files: pictures, histograms, curves and so on."""
    found: dict[str, list[tuple[int, str]]] = {}
    for path in sorted(run.glob("events.out.tfevents.*")):
        for record in RawEventFileLoader(str(path)).Load():
            event = Event.FromString(record)
            values = [(value.tag, in_order(value)) for value in event.summary.value]
            values += [("graph", canonical(event.graph_def))] if event.graph_def else []
            for tag, content in values:
                if not tag.startswith(("config/", *MACHINE)):  # the config names the fault
                    found.setdefault(tag, []).append((event.step, hashlib.sha256(content).hexdigest()))
    return found


def in_order(value: Summary.Value) -> bytes:
    """A summary; the settings in a row of the HParams tab do not stand in the order in which a process wrote them."""
    plugin = value.metadata.plugin_data
    if plugin.plugin_name == "hparams":
        return HParamsPluginData.FromString(plugin.content).SerializeToString(deterministic=True)
    return value.SerializeToString(deterministic=True)


def canonical(graph: bytes) -> bytes:
    """A graph whose nodes and attributes do not stand in the order in which a process happened to write them."""
    return b"".join(sorted(node.SerializeToString(deterministic=True) for node in GraphDef.FromString(graph).node))


def projector(run: Path) -> dict[str, str]:
    """Digests of the embedding projector's files."""
    files = [*run.glob("projector*/*"), *run.glob("projector*.pbtxt")]
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def unequal(one: Any, other: Any, path: str = "") -> list[str]:
    """The paths at which two nested structures differ."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        same = one.dtype == other.dtype and one.shape == other.shape and bits(one) == bits(other)
        return [] if same else [path]
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [key for key in {**one, **other} if key not in CLOCKS]
        missing = [f"{path}/{key} (in one only)" for key in keys if (key in one) != (key in other)]
        return missing + [d for k in keys if k in one and k in other for d in unequal(one[k], other[k], f"{path}/{k}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return [f"{path} (lengths {len(one)} and {len(other)})"]
        return [d for i, (a, b) in enumerate(zip(one, other, strict=True)) for d in unequal(a, b, f"{path}/{i}")]
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return [] if one == other or both_nan else [f"{path} ({one!r} and {other!r})"]


def bits(tensor: torch.Tensor) -> bytes:
    if not tensor.dim():
        return repr(tensor.item()).encode()
    return tensor.cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes()
