"""What a classifier confuses, how sure it is, and where it is most confidently wrong."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

from litlab.callbacks.outputs import Mistake, most_confident_mistakes, of_all_processes
from litlab.checkpoint import Data
from litlab.data import file_of
from litlab.figures import Picture, as_png, as_uint8, confusion_matrix, sheet
from litlab.prediction.reliability import BINS, Reliability, draw_reliability

MOST_WRONG = 40  # images on the sheet
TABLE, MATRIX, RELIABILITY = FILES = ("confusion_matrix.csv", "confusion_matrix.png", "reliability.png")
SHEET = "most_wrong.png"


class CalibrationError(MulticlassCalibrationError):
    """torchmetrics' calibration error, for logits [B, C] in any range.

    torchmetrics takes logits for probabilities where all of them are within [0, 1].
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, n_bins=BINS, norm="l1", validate_args=False)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Adds a batch: logits [B, C], and class indices [B]."""
        super().update(preds.softmax(1), target)


class Details(lightning.Callback):
    """Collects, in a test pass, what a classifier confuses, how sure it is, and its most confident mistakes.

    Args:
        data: what the network was trained on, with the names of its classes.
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
                "ece": CalibrationError(count),
                "reliability": Reliability(),
            },
            compute_groups=False,
        )
        self.mistakes: list[Mistake] = []

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.metrics.to(pl_module.device)
        loader: Any = trainer.test_dataloaders
        self.batches = list(loader.batch_sampler)

    def on_test_batch_end(self, *arguments: Any) -> None:
        _, _, logits, (_, targets), batch_index = arguments[:5]
        self.metrics.update(logits.float(), targets)
        indices = self.batches[batch_index]
        self.mistakes = most_confident_mistakes(logits, targets, indices, MOST_WRONG, earlier=self.mistakes)

    def compute(self, trainer: lightning.Trainer) -> "Found":
        """Puts together what all processes have found. All of them must call this."""
        values = {name: value.cpu() for name, value in self.metrics.compute().items()}
        loader: Any = trainer.test_dataloaders
        return Found(values, of_all_processes(self.mistakes, trainer, MOST_WRONG), self.data, loader.dataset)


class Found:
    """What `Details` found, as plain values and as files.

    Args:
        data: what the network was trained on.
        images: the data set that was evaluated.
    """

    def __init__(self, metrics: dict[str, Tensor], mistakes: list[Mistake], data: Data, images: Any) -> None:
        self.images, self.mean, self.std = images, data.mean, data.std
        self.confusion, self.mistakes, self.names = metrics["confusion"], mistakes, list(data.class_names)
        self.bins = [
            (int(count), sure / max(1, count), right / max(1, count))
            for count, sure, right in metrics["reliability"].tolist()
        ]
        rows = zip(self.names, *(metrics[n].tolist() for n in ("precision", "recall", "f1")), strict=True)
        counts = self.confusion.sum(1).tolist()
        self.values: dict[str, Any] = {
            "expected_calibration_error": round(metrics["ece"].item(), 6),
            "reliability": [
                {"images": count, "probability": round(sure, 6), "right": round(right, 6)}
                for count, sure, right in self.bins
            ],
            "classes": {
                name: {"precision": round(p, 6), "recall": round(r, 6), "f1": round(f, 6), "images": count}
                for (name, p, r, f), count in zip(rows, counts, strict=True)
            },
            "most_wrong": [
                {
                    "index": mistake.index,
                    **({"file": file} if (file := file_of(images, mistake.index)) else {}),
                    "true": self.names[mistake.true],
                    "predicted": self.names[mistake.predicted],
                    "probability": round(mistake.probability, 6),
                }
                for mistake in mistakes
            ],
        }

    @property
    def files(self) -> list[str]:
        """The files that `write` leaves. If nothing was wrong, there is no sheet of mistakes."""
        return [*FILES, *([SHEET] if self.mistakes else [])]

    def write(self, folder: Path, title: str, explain: Callable[[Tensor], Tensor] | None = None) -> None:
        """Writes the files that `files` names.

        Args:
            title: stands above the pictures.
            explain: from images uint8 [B, C, H, W] to the pictures to show instead; None shows them as they are.
        """
        with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["true \\ predicted", *self.names])
            writer.writerows([name, *row] for name, row in zip(self.names, self.confusion.tolist(), strict=True))
        (folder / MATRIX).write_bytes(as_png(confusion_matrix(self.confusion, self.names, title)))
        draw_reliability(self.bins, self.values["expected_calibration_error"], title, folder / RELIABILITY)
        if self.mistakes:
            wrong, _ = self.images.__getitems__([mistake.index for mistake in self.mistakes])
            wrong = as_uint8(wrong, self.mean, self.std)
            if explain:
                wrong = explain(wrong)
            pictures = [
                Picture(image, self._caption(mistake), "firebrick")
                for image, mistake in zip(wrong, self.mistakes, strict=True)
            ]
            (folder / SHEET).write_bytes(as_png(sheet(pictures, f"most confidently wrong: {title}")))

    def _caption(self, mistake: Mistake) -> str:
        """What stands below a wrong picture: two lines, and its file if it has one."""
        file = file_of(self.images, mistake.index)
        return mistake.caption(self.names) + (f"\n{Path(file).name}" if file else "")
