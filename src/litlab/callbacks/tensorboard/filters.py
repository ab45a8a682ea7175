"""The weights of the first layer."""

import torch
from torch import Tensor, nn

from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View
from litlab.figures import grid


class Filters(Panel):
    """`filters`: the weights of the first layer as pictures, each epoch. Grey is zero.

    Args:
        count: how many filters at most.
    """

    whole_weights = True

    def __init__(self, count: int = 64) -> None:
        self.count = count

    def applies(self, view: View) -> bool:
        return view.has_pictures and first_layer_weights(view.network, view.data.input_shape) is not None

    def end_epoch(self, view: View) -> None:
        weights = first_layer_weights(view.network, view.data.input_shape)
        if view.draws and weights is not None:
            weights = weights[: self.count].float()
            largest = weights.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
            shades = (127.5 * (1 + weights / largest)).nan_to_num().to(torch.uint8).cpu()
            view.image("filters", grid(shades, least=28, gap=4))


def first_layer_weights(network: nn.Module, input_shape: tuple[int, ...]) -> Tensor | None:
    """The weights of the layer that sees the image, [N, C, H, W], C = 1 or 3. None where they have no such shape."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            return layer.weight.detach() if layer.weight.shape[1] in (1, 3) else None
        if isinstance(layer, nn.Linear):
            fits = layer.in_features == torch.Size(input_shape).numel() and input_shape[0] in (1, 3)
            return layer.weight.detach().view(-1, *input_shape) if fits else None
    return None
