"""What a classifier confuses, how sure it is, and where it is most confidently wrong."""

import csv
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

from litlab.checkpoint import Data
from litlab.figures import sheets

MOST_WRONG = 40  # images on the sheet
BINS = 15  # of the calibration error
Wrong = tuple[float, int, int, int, Tensor]  # confidence, index in the split, predicted class, true class, image
FILES = ("confusion_matrix.csv", "confusion_matrix.png", "most_wrong.png")


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
                pixels = images[row].cpu()
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
        sheets.confusion(self.confusion, names, folder / FILES[1], title)
        pictures = [
            sheets.Picture(image, f"{names[predicted]} {share:.0%}\nis {names[true]}", good=False)
            for share, _, predicted, true, image in self.wrong
        ]
        if pictures:
            sheets.sheet(pictures, folder / FILES[2], f"most confidently wrong: {title}")
