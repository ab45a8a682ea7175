"""Measures a saved checkpoint again: `python predict.py ckpt=... evaluate=test`."""

import contextlib
import csv
import inspect
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning
import torch
from omegaconf import DictConfig, OmegaConf
from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

from litlab import checkpoint, console, figures, launch, modules, ranks
from litlab import trust as trusted
from litlab.assembly import distribution
from litlab.callbacks import Progress, epoch_metrics
from litlab.checkpoint import Data, Trained, atomic
from litlab.config import CONFIG, ConfigError, build
from litlab.console import one_line
from litlab.data import DataModule, Normalize, PictureDataModule, SourcesFailedError
from litlab.modules import Supervised
from litlab.settings import output_folder, trust_list
from litlab.trust import printable

MOST_WRONG = 40  # images on the sheet
BINS = 15  # of the calibration error
LOADING = ("num_workers", "pin_memory", "persistent_workers", "prefetch_factor", "augment", "drop_last", "shuffle")


def run(trained: Trained, cfg: DictConfig) -> None:
    """Evaluates in this process, or in as many as `trainer.devices` asks for.

    Raises:
        ConfigError: for a wrong setting, or data that cannot be had.
    """
    data_module(trained, cfg)  # what is wrong shall be said before anything is started or written
    supervised(trained)
    output_folder(cfg, "evaluation")
    count = launch.ranks_wanted(cfg.trainer)
    described = OmegaConf.merge(cfg, {"ckpt": str(trained.path)})
    if count == 1 or ranks.is_rank():
        ranks.tell(**launch.message("evaluate", described))
        with ranks.Pulse():
            evaluate(trained, cfg)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CONFIG
        path.parent.mkdir()
        OmegaConf.save(described, path, resolve=True)
        launch.start_ranks(Path(folder), count, job="evaluate")


def evaluate(trained: Trained, cfg: DictConfig) -> None:
    """Passes every image of the split through once; prints and writes what came of it.

    Raises:
        ConfigError: if the data cannot be had, or the Trainer refuses its settings.
    """
    console.quieten()
    started, split = time.perf_counter(), str(cfg.evaluate)
    data, outside = data_module(trained, cfg)
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
            output_folder(cfg, "evaluation").rmdir()
        raise ConfigError(f"evaluate={split}: {data.name} has no such split")

    module = supervised(trained)
    details = Details(trained.data) if trained.task == "Classification" and trained.data.class_names else None
    trainer = make_trainer(trained, cfg, details)
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
        "metrics": checkpoint.finite(metrics),
        **(found.values if found else {}),
        "seconds": round(time.perf_counter() - started, 3),
    }
    folder = output_folder(cfg, "evaluation")
    report(result)
    with atomic(folder / "evaluation.json") as temporary:
        temporary.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")
    if found:
        found.write(folder, trained.data, f"{data.name}, {split}: {len(measured):,} images")
    console.console.print(f"written to {folder}: evaluation.json" + (f", {', '.join(FILES)}" if found else ""))


def data_module(trained: Trained, cfg: DictConfig) -> tuple[DataModule, bool]:
    """The data set that the checkpoint names, or the one that `data` chooses.

    Also whether the checkpoint alone says that it is outside the current folder: it is then only read. A file of
    somebody else's does not decide where things are written.

    Raises:
        ConfigError: if it is refused, or its images or classes are others than the network's.
    """
    given = {k: v for k, v in (OmegaConf.to_container(cfg.data, resolve=True) or {}).items() if v is not None}  # type: ignore[union-attr]
    outside = False
    if "_target_" in given:
        data: DataModule = build(OmegaConf.create({"data": given}), "data")
        if isinstance(data, PictureDataModule) and "resize" not in given and given.get("center_crop", True):
            data.preprocess = trained.data.preprocess or data.preprocess  # the network's own, as below
    else:
        recorded = {k: v for k, v in trained.source.args.items() if k not in LOADING}
        folder = Path(str(recorded.get("data_dir") or "."))
        outside = "data_dir" not in given and (folder.is_absolute() or ".." in folder.parts)
        data = trusted.build(trained.source.name, recorded | given, DataModule, trusted.DATA, trust_list(cfg))
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


def make_trainer(trained: Trained, cfg: DictConfig, details: "Details | None") -> lightning.Trainer:
    """The Trainer, computing as it did in training, and writing nothing."""
    settings = OmegaConf.merge(cfg.trainer, {"precision": cfg.trainer.precision or trained.precision})
    live = console.console.is_terminal
    arguments: dict[str, Any] = {
        "callbacks": [*([details] if details else []), *([Progress(test=str(cfg.evaluate))] if live else [])],
        "logger": False,
        "use_distributed_sampler": False,  # litlab's own sampler deals every image once
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": live,
        **distribution(settings),
    }
    trainer: lightning.Trainer = build(OmegaConf.create({"trainer": settings}), "trainer", **arguments)
    return trainer


class CalibrationError(MulticlassCalibrationError):
    """torchmetrics' of logits [B, C] in any range: it takes those that are all within [0, 1] for probabilities."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Takes a batch: logits, and class indices [B]."""
        super().update(preds.softmax(1), target)


class Details(lightning.Callback):
    """What a classifier confuses, how sure it is, and where it is most confidently wrong; over all ranks.

    Args:
        data: of whose classes the targets are.
    """

    def __init__(self, data: Data) -> None:
        self.data = data
        count = data.num_classes
        each: dict[str, Any] = {"num_classes": count, "average": None, "validate_args": False}
        self.metrics = MetricCollection(
            {
                "confusion": MulticlassConfusionMatrix(count, validate_args=False),
                "precision": MulticlassPrecision(**each),
                "recall": MulticlassRecall(**each),
                "f1": MulticlassF1Score(**each),
                "ece": CalibrationError(count, n_bins=BINS, norm="l1", validate_args=False),
            },
            compute_groups=False,
        )
        self.wrong: list[Wrong] = []

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.metrics.to(pl_module.device)
        loader: Any = trainer.test_dataloaders
        self.batches = list(loader.batch_sampler)

    def on_test_batch_end(self, *arguments: Any) -> None:
        _, _, logits, (images, targets), batch_index = arguments[:5]
        logits = logits.float()
        self.metrics.update(logits, targets)
        probabilities, predicted = logits.softmax(1).max(1)
        sure = probabilities.masked_fill(predicted == targets, -1)
        for row in sure.topk(min(MOST_WRONG, len(sure))).indices.tolist():
            if sure[row] >= 0:
                index = self.batches[batch_index][row]
                pixels = self._pixels(images[row])
                self.wrong.append((sure[row].item(), index, int(predicted[row]), int(targets[row]), pixels))
        self.wrong = sorted(self.wrong, key=lambda wrong: -wrong[0])[:MOST_WRONG]

    def compute(self, trainer: lightning.Trainer) -> "Found":
        """The metrics of all ranks, which must all call this."""
        values = {name: value.cpu() for name, value in self.metrics.compute().items()}
        if trainer.world_size > 1:
            gathered: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(gathered, self.wrong)
            self.wrong = sorted((w for part in gathered for w in part), key=lambda w: -w[0])[:MOST_WRONG]
        return Found(values, self.wrong, self.data)

    def _pixels(self, image: Tensor) -> Tensor:
        mean, std = (torch.tensor(v, device=image.device).view(-1, 1, 1) for v in (self.data.mean, self.data.std))
        return ((image.float() * std + mean) * 255).round().clamp(0, 255).to(torch.uint8).cpu()


Wrong = tuple[float, int, int, int, Tensor]  # confidence, index in the split, predicted class, true class, image


class Found:
    """What `Details` found, as plain values and as files."""

    def __init__(self, metrics: dict[str, Tensor], wrong: list[Wrong], data: Data) -> None:
        self.confusion, self.wrong = metrics["confusion"], wrong
        rows = zip(data.class_names, *(metrics[n].tolist() for n in ("precision", "recall", "f1")), strict=True)
        images = self.confusion.sum(1).tolist()
        self.values: dict[str, Any] = {
            "expected_calibration_error": round(metrics["ece"].item(), 6),
            "classes": {
                name: {"precision": round(p, 6), "recall": round(r, 6), "f1": round(f, 6), "images": count}
                for (name, p, r, f), count in zip(rows, images, strict=True)
            },
            "most_wrong": [
                {"index": i, "true": data.class_names[t], "predicted": data.class_names[p], "probability": round(c, 6)}
                for c, i, p, t, _ in wrong
            ],
        }

    def write(self, folder: Path, data: Data, title: str) -> None:
        """Writes the files that `FILES` names."""
        names = data.class_names
        with (folder / FILES[0]).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["true \\ predicted", *names])
            writer.writerows([name, *row] for name, row in zip(names, self.confusion.tolist(), strict=True))
        figures.confusion(self.confusion, names, folder / FILES[1], title)
        pictures = [
            figures.Picture(image, f"{names[predicted]} {share:.0%}\nis {names[true]}", good=False)
            for share, _, predicted, true, image in self.wrong
        ]
        if pictures:
            figures.sheet(pictures, folder / FILES[2], f"most confidently wrong: {title}")


FILES = ("confusion_matrix.csv", "confusion_matrix.png", "most_wrong.png")


def report(result: dict[str, Any]) -> None:
    """Prints the metrics, and those of each class."""
    summary = Table(box=SIMPLE_HEAD)
    summary.add_column(f"{result['dataset']}, {result['split']}")
    summary.add_column(f"{result['images']:,} images", justify="right")
    for name, value in result["metrics"].items():
        summary.add_row(name, f"{value:.4f}")
    if "classes" in result:
        summary.add_row("expected calibration error", f"{result['expected_calibration_error']:.4f}")
    console.console.print(summary)
    if "classes" in result:
        table = Table(box=SIMPLE_HEAD)
        table.add_column("class")
        for heading in ("precision", "recall", "F1", "images"):
            table.add_column(heading, justify="right")
        for name, row in result["classes"].items():
            table.add_row(
                printable(name), *(f"{row[key]:.4f}" for key in ("precision", "recall", "f1")), f"{row['images']:,}"
            )
        console.console.print(table)


def evaluate_as_rank(cfg: DictConfig) -> None:
    """The part of one rank, which `launch` starts."""
    evaluate(checkpoint.load(cfg.ckpt, trust_list(cfg)), cfg)
