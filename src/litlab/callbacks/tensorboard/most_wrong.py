"""Where the network is most confidently wrong."""

from typing import Any

import torch

from litlab.callbacks.outputs import outputs_of
from litlab.callbacks.tensorboard.panel import Panel, View
from litlab.figures.drawing import sheet, viewable


class MostWrong(Panel):
    """`wrong/val`: the validation images with the highest probability for a wrong class, each epoch.

    Args:
        count: how many.
    """

    def __init__(self, count: int = 24) -> None:
        self.count = count

    def applies(self, view: View) -> bool:
        return view.has_pictures and view.has_classes and view.is_validated

    def validated(self, view: View) -> None:
        outputs = outputs_of(view.trainer)
        confidences, predicted = outputs.predictions.float().softmax(1).max(1)
        wrong = confidences.masked_fill(predicted == outputs.targets, -1)
        best = wrong.topk(min(self.count, len(wrong)))
        batches: Any = view.trainer.val_dataloaders.batch_sampler  # type: ignore[union-attr]
        indices = [index for batch in batches for index in batch]
        rows: list[tuple[float, int, int, int]] = [
            (confidence, indices[row], int(predicted[row]), int(outputs.targets[row]))
            for confidence, row in zip(best.values.tolist(), best.indices.tolist(), strict=True)
            if confidence >= 0
        ]
        if view.trainer.world_size > 1:
            gathered: list[Any] = [None] * view.trainer.world_size
            torch.distributed.all_gather_object(gathered, rows)
            rows = [row for part in gathered for row in part]
        rows = sorted(rows, key=lambda row: -row[0])[: self.count]
        if not rows or not view.draws:
            return
        images, _ = view.evaluation_images([index for _, index, _, _ in rows])
        names = view.data.class_names
        captions = [f"says {names[said]}, {share:.0%}\nis {names[true]}" for share, _, said, true in rows]
        view.image("wrong/val", sheet(viewable(images, view.data.mean, view.data.std), captions))
