"""Measures a network on a split of a data set: `python predict.py ckpt=... evaluate=test`."""

import inspect
import time
from functools import partial
from typing import Any

import lightning
from torch import nn

from litlab import modules
from litlab.callbacks import Progress, epoch_metrics
from litlab.checkpoint import Trained
from litlab.checkpoint import trust as trusted
from litlab.checkpoint.plain import plain_data
from litlab.config import Run, build, check_group
from litlab.console import console, quieten
from litlab.distributed import Heartbeat, is_rank, ranks_wanted, start_ranks, tell
from litlab.distributed.strategies import distribution
from litlab.errors import ConfigError
from litlab.machine import computed_precision
from litlab.modules import Supervised
from litlab.prediction import evaluation_result
from litlab.prediction.calibrate import Calibrated, calibrated, check_calibrate
from litlab.prediction.data import data_module, prepare_split, unreadable_files
from litlab.prediction.details import FILES, SHEET, Details
from litlab.prediction.ensemble import load_asked
from litlab.prediction.explain import check_explain, explained
from litlab.prediction.label_details import LabelDetails
from litlab.prediction.metrics import added_metrics
from litlab.prediction.settings import made_folder, output_folder, print_network, written_to
from litlab.runs import finite


def evaluate(trained: Trained, run: Run) -> None:
    """Evaluates in this process, or in as many as `trainer.devices` asks for.

    Raises:
        ConfigError: for a wrong setting, or data that cannot be had.
    """
    check_group("trainer", run.plain()["trainer"])
    if run.cfg.trainer.strategy == "fsdp":
        raise ConfigError("trainer.strategy=fsdp is for training; evaluate= takes ddp, gpu, cpu or ddp_cpu")
    data_module(trained, run)  # finds a mistake before a process is started or a folder made
    supervised(trained)
    check_calibrate(trained, run)
    with made_folder(run, "evaluation"):
        print_network(trained)
        run = run.settled(ckpt=str(trained.path))
        processes = ranks_wanted(run.cfg.trainer)
        if processes > 1 and not is_rank():
            start_ranks({"job": "evaluate", "run": run.to_plain()}, processes)
            return
        tell("evaluate", run)
        with Heartbeat():
            evaluate_in_this_process(run, trained)


def evaluate_in_this_process(run: Run, trained: Trained | None = None) -> None:
    """Evaluates in this process, which may be one of several. Rank 0 prints and writes the result.

    Args:
        trained: the network of the checkpoint `ckpt`; None: it is loaded here.

    Raises:
        ConfigError: if the data cannot be had, or the Trainer refuses its settings.
    """
    quieten()
    trained = trained or load_asked(run)
    explains = check_explain(trained, run)
    if explains and trained.task == "Multilabel":
        raise ConfigError("explain=gradcam: with several labels for a picture, only for input")
    started, split = time.perf_counter(), str(run.cfg.evaluate)
    data, images = prepare_split(trained, run)
    trained = calibrated(trained, run)
    module = supervised(trained)
    details = details_of(trained)
    trainer = make_trainer(trained, run, details)
    trainer.test(module, datamodule=data, verbose=False)
    metrics = {name.replace("test/", f"{split}/"): value for name, value in epoch_metrics(trainer).items()}
    found = details.compute(trainer) if details else None  # all ranks together
    if not trainer.is_global_zero:
        return
    result = {
        "checkpoint": str(trained.path),
        "split": split,
        "dataset": data.name,
        "images": len(images),
        **({"unreadable": bad} if (bad := unreadable_files(data)) else {}),
        **({"tta": run.cfg.tta} if run.get("tta", "none") != "none" else {}),
        **({"temperature": trained.network.temperature} if isinstance(trained.network, Calibrated) else {}),
        "metrics": finite(metrics),
        **(found.values if found else {}),
        "seconds": round(time.perf_counter() - started, 3),
    }
    folder = output_folder(run, "evaluation")
    evaluation_result.print_result(result, data.title)
    replaced = (folder / evaluation_result.JSON).exists()
    evaluation_result.write_result(result, folder)
    files = found.files if found else ()
    for name in {*FILES, SHEET} - {*files}:  # of an earlier evaluation: they would be taken for those of this one
        (folder / name).unlink(missing_ok=True)
    if found:
        title = f"{data.title}, {split}: {len(images):,} images{evaluation_result.how_measured(result)}"
        found.write(folder, title, partial(explained, trained) if explains else None)
    console.print(written_to(folder, [evaluation_result.JSON, *files], replaced))
    if explains and SHEET not in files:
        console.print(f"explain={run.cfg.explain}: no picture was wrong, so there is none to explain")


def details_of(trained: Trained) -> Details | LabelDetails | None:
    """What finds out more than the metrics; None for a regression."""
    if trained.task == "Multilabel":
        return LabelDetails(trained.data)
    return Details(trained.data) if trained.task == "Classification" and trained.data.class_names else None


def measure(trained: Trained, run: Run) -> dict[str, float]:
    """The metrics of a network on the split `evaluate`, in this process. It prints and writes nothing.

    Raises:
        ConfigError: if the data cannot be had, or have no such split.
    """
    data, _ = prepare_split(trained, run)
    trainer = make_trainer(trained, run, None)
    trainer.test(supervised(trained), datamodule=data, verbose=False)
    return finite({name.replace("test/", f"{run.cfg.evaluate}/"): v for name, v in epoch_metrics(trainer).items()})


def supervised(trained: Trained) -> Supervised:
    """The LightningModule in which the network was trained, with its loss.

    Raises:
        ConfigError: if this version of litlab has no such LightningModule, or the loss cannot be built.
    """
    loss = trusted.build(trained.loss.name, trained.loss.args, nn.Module, trusted.LOSSES, trained.trust)
    make = getattr(modules, trained.task, None)
    if make is None:
        raise ConfigError(f"{trained.path}: this litlab cannot evaluate a {trained.task}")
    arguments = {
        "network": trained.network,
        "num_classes": trained.data.num_classes,
        "target_shape": trained.data.target_shape,
        "thresholds": trained.data.thresholds,
        "loss": loss,
        "metrics": added_metrics(trained),
    }
    taken = inspect.signature(make).parameters
    arguments = {name: value for name, value in arguments.items() if name in taken}
    if own := trained.own_task:
        make = trusted.look_up(own.name, make, ("litlab.modules",), trained.trust)
        arguments |= plain_data(own.args, f"the arguments of {own.name}")
    module: Supervised = make(**arguments)
    module.flush_every_n_batches = trained.log_every_n_steps
    module.writes_rows = True
    return module


def make_trainer(trained: Trained, run: Run, details: Details | LabelDetails | None) -> lightning.Trainer:
    """Builds a Trainer that computes in the precision of the training, and writes no files."""
    settings = run.plain()["trainer"]
    precision = str(settings["precision"] or trained.precision)
    settings["precision"] = computed_precision(precision, settings["accelerator"])
    live = console.is_terminal
    arguments: dict[str, Any] = {
        "callbacks": [*([details] if details else []), *([Progress(test=str(run.cfg.evaluate))] if live else [])],
        "logger": False,
        "use_distributed_sampler": False,  # litlab's own sampler gives each image to one process
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": live,
        **distribution(settings["strategy"], settings["devices"], settings["accelerator"]),
    }
    trainer: lightning.Trainer = build({"trainer": settings}, "trainer", run.chosen, **arguments)
    return trainer
