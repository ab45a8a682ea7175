"""The layers of the network as a table."""

from collections.abc import Sequence
from typing import Any

import lightning
from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import nn

from litlab.console import say
from litlab.modules import Grouped, layers_in_words
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
        if table := groups_table(pl_module):
            say(table)


def groups_table(module: Any) -> Table | None:
    """The groups of parameters with their learning rates and weight decay, at most 80 columns wide; None for one group.

    Args:
        module: a `Supervised`.
    """
    if not isinstance(module.make_optimizer, Grouped):
        return None
    groups = module.make_optimizer.groups(module.trained())
    if len(groups) < 2:
        return None
    table = Table(box=SIMPLE_HEAD)
    table.add_column("group")
    table.add_column("layers", max_width=28)
    for heading in ("parameters", "lr factor", "weight decay"):
        table.add_column(heading, justify="right")
    words = layers_in_words(groups, [name for name, _ in module.network.named_parameters()])
    for number, (group, layers) in enumerate(zip(groups, words, strict=True), 1):
        table.add_row(f"pg{number}", layers, f"{group.count:,}", f"{group.factor:.4g}", f"{group.weight_decay:g}")
    return table


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
