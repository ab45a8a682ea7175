"""Histograms of weights and gradients."""

import torch
from torch import Tensor

from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View

BINS = 64  # TensorBoard shows 30


class Histograms(Panel):
    """`weights/NAME` and `weights_gradients/NAME` of each parameter: after an epoch, and in its last step.

    TensorBoard sorts by name. These stand behind the scalars.

    Args:
        every_n_epochs: shown in the first epoch, and then every so many epochs.
    """

    whole_weights = True

    def __init__(self, every_n_epochs: int = 1) -> None:
        self.every_n_epochs = every_n_epochs

    def last_step(self, view: View) -> None:
        if view.draws and view.is_due(self.every_n_epochs):
            for name, parameter in view.network.named_parameters():
                if parameter.grad is not None:
                    self._show(view, f"weights_gradients/{name}", parameter.grad, view.step + 1)

    def end_epoch(self, view: View) -> None:
        if view.draws and view.is_due(self.every_n_epochs):
            for name, parameter in view.network.named_parameters():
                self._show(view, f"weights/{name}", parameter.detach(), view.step)

    def _show(self, view: View, tag: str, values: Tensor, step: int) -> None:
        if (found := histogram(values)) is not None:
            view.write(lambda writer: writer.add_histogram_raw(tag, **found, global_step=step))


def histogram(values: Tensor) -> dict[str, float | list[float]] | None:
    """The histogram of `values` in equal bins from the lowest to the highest; None if not all of them are finite.

    It is counted where the values are. `SummaryWriter.add_histogram` would copy them to the CPU, into 1,500 bins.
    """
    values = values.float().flatten()
    if not len(values):
        return None
    low, high, total, squares = torch.stack((*values.aminmax(), values.sum(), values.square().sum())).tolist()
    if not (abs(total) < float("inf") and squares < float("inf")):
        return None
    width = max(high - low, 1e-12, abs(low) * 1e-6) / BINS
    bins = ((values - low) / width).long().clamp_(0, BINS - 1)
    return {
        "min": low,
        "max": high,
        "num": len(values),
        "sum": total,
        "sum_squares": squares,
        "bucket_limits": [low + width * (i + 1) for i in range(BINS)],
        "bucket_counts": torch.bincount(bins, minlength=BINS).tolist(),
    }
