"""Measures a saved checkpoint again: `python predict.py ckpt=... evaluate=test`."""

import contextlib
import inspect
import json
import time
from pathlib import Path
from typing import Any

import lightning
from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import nn

from litlab import checkpoint, modules
from litlab.callbacks import Progress, epoch_metrics
from litlab.checkpoint import Trained
from litlab.checkpoint import trust as trusted
from litlab.config import Run, build
from litlab.console import console, printable, quieten
from litlab.data import DataModule, Normalize, PictureDataModule, SourcesFailedError
from litlab.distributed import Heartbeat, is_rank, ranks_wanted, start_ranks, tell
from litlab.distributed.strategies import distribution
from litlab.errors import ConfigError, one_line
from litlab.files import atomic
from litlab.modules import Supervised
from litlab.prediction.details import FILES, Details
from litlab.prediction.settings import output_folder, trust_list
from litlab.runs import finite

LOADING = (
    "device",
    "num_workers",
    "pin_memory",
    "persistent_workers",
    "prefetch_factor",
    "augment",
    "drop_last",
    "shuffle",
)


def evaluate_here_or_in_ranks(trained: Trained, run: Run) -> None:
    """Evaluates in this process, or in as many as `trainer.devices` asks for.

    Raises:
        ConfigError: for a wrong setting, or data that cannot be had.
    """
    data_module(trained, run)  # what is wrong shall be said before anything is started or written
    supervised(trained)
    output_folder(run, "evaluation")
    run = run.settled(ckpt=str(trained.path))
    count = ranks_wanted(run.cfg.trainer)
    if count > 1 and not is_rank():
        start_ranks({"job": "evaluate", "run": run.to_plain()}, count)
        return
    tell("evaluate", run=run.to_plain())
    with Heartbeat():
        evaluate(trained, run)


def evaluate(trained: Trained, run: Run) -> None:
    """Passes every image of the split through once; prints and writes what came of it.

    Raises:
        ConfigError: if the data cannot be had, or the Trainer refuses its settings.
    """
    quieten()
    started, split = time.perf_counter(), str(run.cfg.evaluate)
    data, outside = data_module(trained, run)
    try:
        if not outside:
            data.prepare_data()
        data.setup("test")
    except SourcesFailedError as error:
        raise ConfigError(str(error)) from error
    except (ValueError, OSError) as error:
        hint = f"; data.data_dir={trained.source.args['data_dir']} allows to write there" if outside else ""
        raise ConfigError(f"data={data.name}: {one_line(error)}{hint}") from error
    measured = data.test_set = data.evaluation_set(split)
    if measured is None:
        with contextlib.suppress(OSError):  # it may be there for another reason, and not be empty
            output_folder(run, "evaluation").rmdir()
        raise ConfigError(f"evaluate={split}: {data.name} has no such split")

    module = supervised(trained)
    details = Details(trained.data) if trained.task == "Classification" and trained.data.class_names else None
    trainer = make_trainer(trained, run, details)
    trainer.test(module, datamodule=data, verbose=False)
    metrics = {name.replace("test/", f"{split}/"): value for name, value in epoch_metrics(trainer).items()}
    found = details.compute(trainer) if details else None  # by all ranks together
    if not trainer.is_global_zero:
        return
    result = {
        "checkpoint": str(trained.path),
        "split": split,
        "dataset": data.name,
        "images": len(measured),
        "metrics": finite(metrics),
        **(found.values if found else {}),
        "seconds": round(time.perf_counter() - started, 3),
    }
    folder = output_folder(run, "evaluation")
    print_metrics(result)
    with atomic(folder / "evaluation.json") as temporary:
        temporary.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")
    if found:
        found.write(folder, trained.data, f"{data.name}, {split}: {len(measured):,} images")
    console.print(f"written to {folder}: evaluation.json" + (f", {', '.join(FILES)}" if found else ""))


def data_module(trained: Trained, run: Run) -> tuple[DataModule, bool]:
    """The data set that the checkpoint names, or the one that `data` chooses.

    Also whether the checkpoint alone says that it is outside the current folder: it is then only read. A file of
    somebody else's does not decide where things are written.

    Raises:
        ConfigError: if it is refused, or its images or classes are others than the network's.
    """
    given = {k: v for k, v in (run.plain()["data"] or {}).items() if v is not None}
    outside = False
    if "_target_" in given:
        data: DataModule = build({"data": given}, "data", run.chosen)
        if isinstance(data, PictureDataModule) and "resize" not in given and given.get("center_crop", True):
            data.resizing = trained.data.preprocess or data.resizing  # the network's own, as below
    else:
        recorded = {k: v for k, v in trained.source.args.items() if k not in LOADING}
        folder = Path(str(recorded.get("data_dir") or "."))
        outside = "data_dir" not in given and (folder.is_absolute() or ".." in folder.parts)
        data = trusted.build(trained.source.name, recorded | given, DataModule, trusted.DATA, trust_list(run))
    if list(data.input_shape) != list(trained.data.input_shape):
        raise ConfigError(
            f"data={data.name} has images {list(data.input_shape)}; the network was trained on "
            f"{list(trained.data.input_shape)} ({trained.data.name})"
        )
    if list(data.class_names) != list(trained.data.class_names):
        raise ConfigError(f"data={data.name} has other classes than {trained.data.name}, which the network knows")
    if "normalize" not in given or given["normalize"] is True:  # the network's own numbers, whatever the data
        data.normalize = Normalize(trained.data.mean, trained.data.std)
    return data, outside


def supervised(trained: Trained) -> Supervised:
    """The LightningModule in which the network was trained, with its loss."""
    loss = trusted.build(trained.loss.name, trained.loss.args, nn.Module, ("torch.nn", "litlab.modules"))
    make = getattr(modules, trained.task, None)
    if make is None:
        raise ConfigError(f"{trained.path}: this litlab cannot evaluate a {trained.task}")
    known = {
        "network": trained.network,
        "num_classes": trained.data.num_classes,
        "target_shape": trained.data.target_shape,
        "loss": loss,
    }
    module: Supervised = make(**{k: v for k, v in known.items() if k in inspect.signature(make).parameters})
    module.log_every_n_steps = trained.log_every_n_steps
    return module


def make_trainer(trained: Trained, run: Run, details: "Details | None") -> lightning.Trainer:
    """The Trainer, computing as it did in training, and writing nothing."""
    settings = run.plain()["trainer"]
    settings["precision"] = settings["precision"] or trained.precision
    live = console.is_terminal
    arguments: dict[str, Any] = {
        "callbacks": [*([details] if details else []), *([Progress(test=str(run.cfg.evaluate))] if live else [])],
        "logger": False,
        "use_distributed_sampler": False,  # litlab's own sampler deals every image once
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": live,
        **distribution(settings["strategy"], settings["devices"]),
    }
    trainer: lightning.Trainer = build({"trainer": settings}, "trainer", run.chosen, **arguments)
    return trainer


def print_metrics(result: dict[str, Any]) -> None:
    """Prints the metrics, and those of each class."""
    summary = Table(box=SIMPLE_HEAD)
    summary.add_column(f"{result['dataset']}, {result['split']}")
    summary.add_column(f"{result['images']:,} images", justify="right")
    for name, value in result["metrics"].items():
        summary.add_row(name, f"{value:.4f}")
    if "classes" in result:
        summary.add_row("expected calibration error", f"{result['expected_calibration_error']:.4f}")
    console.print(summary)
    if "classes" in result:
        table = Table(box=SIMPLE_HEAD)
        table.add_column("class")
        for heading in ("precision", "recall", "F1", "images"):
            table.add_column(heading, justify="right")
        for name, row in result["classes"].items():
            table.add_row(
                printable(name), *(f"{row[key]:.4f}" for key in ("precision", "recall", "f1")), f"{row['images']:,}"
            )
        console.print(table)


def evaluate_as_rank(run: Run) -> None:
    """The part of one rank, which `litlab.worker` calls."""
    evaluate(checkpoint.load(run.cfg.ckpt, trust_list(run)), run)
