"""Precision against recall."""

import torch
from torch import Tensor

from litlab.callbacks.outputs import outputs_of
from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View

THRESHOLDS = 127  # TensorBoard's format has room for no more


class PRCurves(Panel):
    """`precision_recall/CLASS`: precision and recall of each class against all others in validation, each epoch.

    Args:
        max_classes: only the first so many classes have a curve.
    """

    def __init__(self, max_classes: int = 10) -> None:
        self.max_classes = max_classes

    def applies(self, view: View) -> bool:
        return view.has_classes and view.is_validated

    def validated(self, view: View) -> None:
        outputs, count = outputs_of(view.trainer), min(self.max_classes, view.data.num_classes)
        right_and_wrong = counts(outputs.predictions.float().softmax(1)[:, :count], outputs.targets)
        summed: Tensor = view.trainer.strategy.reduce(right_and_wrong, reduce_op="sum")  # by all ranks together
        if not view.draws:
            return
        for name, (tp, fp) in zip(view.data.class_names, summed.cpu().double(), strict=False):
            self._show(view, f"precision_recall/{name}", tp, fp)

    def _show(self, view: View, tag: str, tp: Tensor, fp: Tensor) -> None:
        tn, fn = fp[0] - fp, tp[0] - tp
        precision, recall = tp / (tp + fp).clamp_min(1e-7), tp / (tp + fn).clamp_min(1e-7)
        view.write(
            lambda writer: writer.add_pr_curve_raw(tag, tp, fp, tn, fn, precision, recall, view.step, THRESHOLDS)
        )


def counts(probabilities: Tensor, targets: Tensor) -> Tensor:
    """How many images at or above each threshold are of the class, and how many are not: int64 [K, 2, THRESHOLDS].

    Args:
        probabilities: [N, K], of the first K classes.
        targets: [N].
    """
    classes = probabilities.shape[1]
    bins = (probabilities * (THRESHOLDS - 1)).long()
    wrong = (targets[:, None] != torch.arange(classes, device=targets.device)).long()
    row = torch.arange(classes, device=targets.device) * 2 + wrong
    found = torch.bincount((row * THRESHOLDS + bins).flatten(), minlength=classes * 2 * THRESHOLDS)
    return found.view(classes, 2, THRESHOLDS).flip(2).cumsum(2).flip(2)
