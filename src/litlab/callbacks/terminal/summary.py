"""The layers of the network as a table."""

from collections.abc import Sequence
from typing import Any

import lightning
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from torch import nn

from litlab.console import say
from litlab.modules import Grouped, layers_in_words
from litlab.networks import Layer, summarize

UNBOUNDED = 10_000  # columns: wider than any table


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


class LayersTable:
    """The layers as a table. Where the line is too short, it has no input sizes, and long names take two lines."""

    def __init__(self, layers: Sequence[Layer], network: str, total: str) -> None:
        """
        Args:
            network: its name, for the last line.
            total: the number of all parameters, for the last line.
        """
        self.layers, self.network, self.total = layers, network, total

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = self.table(inputs=True)
        fits = console.measure(table, options=options.update(width=UNBOUNDED)).maximum <= options.max_width
        yield table if fits else self.table(inputs=False)

    def table(self, inputs: bool) -> Table:
        """The table, with or without a column of the input sizes, which are mostly the output of the line above."""
        table = Table(box=SIMPLE_HEAD, show_footer=True)
        table.add_column("layer", self.network, overflow="fold")
        table.add_column("type", no_wrap=True)
        for heading in ("input", "output") if inputs else ("output",):
            table.add_column(heading, justify="right", no_wrap=True)
        total = self.total if inputs else self.total.replace(" (", "\n(")
        table.add_column("parameters", total, justify="right")
        for layer in self.layers:
            shapes = (layer.input_shape, layer.output_shape) if inputs else (layer.output_shape,)
            sizes = (" x ".join(map(str, shape)) for shape in shapes)
            table.add_row(layer.name, layer.kind, *sizes, f"{layer.parameters:,}" if layer.parameters else "")
        return table


def summary_table(network: nn.Module, input_shape: Sequence[int], max_depth: int) -> LayersTable:
    """The layers of `network` for images of `input_shape` (C, H, W), with the number of all parameters at the end."""
    total = sum(p.numel() for p in network.parameters())
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    footer = f"{total:,}" if total == trainable else f"{total:,} ({trainable:,} trainable)"
    return LayersTable(summarize(network, input_shape, max_depth), type(network).__name__, footer)
