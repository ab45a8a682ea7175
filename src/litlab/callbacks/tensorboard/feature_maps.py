"""The outputs of a layer for an image."""

from typing import Any

import torch
from torch import Tensor, nn

from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View
from litlab.figures import grid, scaled


class FeatureMaps(Panel):
    """`view/feature_maps/LAYER`: a layer's output for the first validation image, each epoch, one picture a channel.

    Args:
        layer: its name in the network, such as `features.3`; None: show nothing.
        count: how many channels at most.
    """

    whole_weights = True

    def __init__(self, layer: str | None = None, count: int = 64) -> None:
        self.layer, self.count = layer, count

    def check_network(self, network: nn.Module) -> None:
        names = [name for name, _ in network.named_modules() if name]
        if self.layer is not None and self.layer not in names:
            raise ValueError(
                f"layer={self.layer}: {type(network).__name__} has no such layer; it has {', '.join(names)}"
            )

    def applies(self, view: View) -> bool:
        return self.layer is not None and view.has_pictures and view.data.val_set is not None

    def end_epoch(self, view: View) -> None:
        if not view.draws or self.layer is None:
            return
        outputs: list[Any] = []
        hook = view.network.get_submodule(self.layer).register_forward_hook(lambda *call: outputs.append(call[2]))
        try:
            view.predict(view.evaluation_images([0])[0])
        finally:
            hook.remove()
        if outputs and isinstance(outputs[0], Tensor):
            view.image(f"feature_maps/{self.layer}", grid(scaled(maps_of(outputs[0])[: self.count]), least=48, gap=4))


def maps_of(output: Tensor) -> Tensor:
    """The output of a layer for one image as maps [K, 1, H, W]. An output [1, D] becomes one map of one row."""
    output = output.detach().float()
    return output[0][:, None] if output.dim() == 4 else torch.atleast_2d(output[0].flatten())[None, None]
