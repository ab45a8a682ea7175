"""The layers of the network as a table."""

from collections.abc import Sequence

import lightning
from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import nn

from litlab.console import say
from litlab.networks import summarize


class ModelSummary(lightning.Callback):
    """Prints the layers with their input and output sizes and parameters when training begins.

    Lightning's own table lists the loss as a layer, and has no sizes unless the module has an example batch.

    Args:
        max_depth: how many levels of nested modules to open. A deeper module is one line.
    """

    def __init__(self, max_depth: int = 2) -> None:
        self.max_depth = max_depth

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        network = pl_module.network
        assert isinstance(network, nn.Module)
        # In every process: if a network is split among them, a forward pass needs them all.
        say(summary_table(network, trainer.datamodule.input_shape, self.max_depth))  # type: ignore[attr-defined]


def summary_table(network: nn.Module, input_shape: Sequence[int], max_depth: int) -> Table:
    """The layers of `network` for images of `input_shape` (C, H, W), with the number of all parameters at the end."""
    total = sum(p.numel() for p in network.parameters())
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    table = Table(box=SIMPLE_HEAD, show_footer=True)
    table.add_column("layer", type(network).__name__)
    table.add_column("type")
    table.add_column("input", justify="right")
    table.add_column("output", justify="right")
    footer = f"{total:,}" if total == trainable else f"{total:,} ({trainable:,} trainable)"
    table.add_column("parameters", footer, justify="right")
    for layer in summarize(network, input_shape, max_depth):
        shapes = (" x ".join(map(str, shape)) for shape in (layer.input_shape, layer.output_shape))
        table.add_row(layer.name, layer.kind, *shapes, f"{layer.parameters:,}" if layer.parameters else "")
    return table
