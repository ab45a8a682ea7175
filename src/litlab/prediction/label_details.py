"""How well each label is predicted, where a picture may have several."""

from pathlib import Path
from typing import Any

import lightning
import torch
from torchmetrics import MetricCollection
from torchmetrics.classification import MultilabelStatScores

from litlab.checkpoint import Data
from litlab.modules import AveragePrecision


class LabelDetails(lightning.Callback):
    """Collects, in a test pass, how well each label is predicted at its threshold.

    Args:
        data: what the network was trained on, with its labels and their thresholds.
    """

    def __init__(self, data: Data) -> None:
        self.data = data
        counts = MultilabelStatScores(data.num_classes, average=None, validate_args=False)
        self.metrics = MetricCollection({"counts": counts, "ap": AveragePrecision()}, compute_groups=False)
        self.thresholds = torch.tensor(data.thresholds)

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.metrics.to(pl_module.device)
        self.thresholds = self.thresholds.to(pl_module.device)

    def on_test_batch_end(self, *arguments: Any) -> None:
        _, _, logits, (_, targets) = arguments[:4]
        self.metrics["counts"].update((logits.float().sigmoid() >= self.thresholds).long(), targets.long())
        self.metrics["ap"].update(logits, targets)

    def compute(self, trainer: lightning.Trainer) -> "FoundLabels":
        """Puts together what all processes have found. All of them must call this."""
        found = self.metrics.compute()
        return FoundLabels(self.data, found["counts"].tolist(), found["ap"].tolist())


class FoundLabels:
    """What `LabelDetails` found, as plain values.

    Args:
        data: what the network was trained on.
        counts: of each label the pictures that are rightly and wrongly said to have it, rightly and wrongly said to
            have it not, and those that have it.
        precisions: the average precision of each label; NaN if no picture has it.
    """

    files: tuple[str, ...] = ()

    def __init__(self, data: Data, counts: list[list[int]], precisions: list[float]) -> None:
        rows = zip(data.class_names, data.thresholds, counts, precisions, strict=True)
        self.values: dict[str, Any] = {
            "classes": {
                name: {
                    "threshold": round(threshold, 6),
                    "average_precision": None if ap != ap else round(ap, 6),
                    "precision": round(right / max(1, right + wrong), 6),
                    "recall": round(right / max(1, images), 6),
                    "f1": round(2 * right / max(1, right + wrong + images), 6),
                    "images": images,
                }
                for name, threshold, (right, wrong, _, _, images), ap in rows
            }
        }

    def write(self, folder: Path, title: str, explain: Any = None) -> None:
        """Writes nothing: a confusion matrix needs one class for each picture."""
