"""`explain=gradcam`: where in a picture the network found what it says.

Grad-CAM: Selvaraju et al. 2017, "Grad-CAM: Visual explanations from deep networks via gradient-based localization".
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from litlab.checkpoint import Trained
from litlab.config import Run
from litlab.data import Normalize
from litlab.errors import ConfigError

COLOUR = (255, 140, 0)  # orange, which colour-blind people tell from grey
STRENGTH = 0.65  # the share of the colour where the map is 1
AT_ONCE = 8  # images: what a network keeps for its gradients takes much more memory than a prediction


def heat_maps(network: nn.Module, images: Tensor) -> Tensor:
    """For each image, where the features of the largest output are: [B, H, W], from 0 to 1.

    Args:
        network: in evaluation mode, from images to logits [B, num_classes].
        images: normalised, [B, C, H, W], on the device of the network.

    Raises:
        ValueError: if the network has no feature maps, such as an MLP or a vision transformer.
    """
    layer = last_maps(network, images[:1])
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # the layers after it may write into it

    handle = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            outputs = network(images.detach().clone().requires_grad_())
            (gradients,) = torch.autograd.grad(outputs.amax(1).sum(), kept[-1])
    finally:
        handle.remove()
    weights = gradients.float().mean((2, 3), keepdim=True)
    maps = (weights * kept[-1].detach().float()).sum(1, keepdim=True).relu()
    maps = F.interpolate(maps, images.shape[2:], mode="bilinear")[:, 0]
    return maps / maps.amax((1, 2), keepdim=True).clamp_min(1e-12)


def last_maps(network: nn.Module, images: Tensor) -> nn.Module:
    """The last part of a network that makes feature maps [B, C, H, W] of more than one pixel, with a convolution in it.

    Raises:
        ValueError: if there is none, or if the network has attention or mixes tokens: these are no feature maps.
    """
    if any("mixer" in type(module).__name__.lower() for module in network.modules()):
        raise ValueError("mixes tokens, which are no feature maps")
    if any("attention" in type(module).__name__.lower() for module in network.modules()):
        raise ValueError("is a transformer, whose tokens have no feature maps")
    found: list[nn.Module] = []

    def look(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
            found.append(module)

    parts = [m for m in network.modules() if any(isinstance(inner, nn.Conv2d) for inner in m.modules())]
    handles = [part.register_forward_hook(look) for part in parts]
    try:
        with torch.inference_mode():
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise ValueError("has no convolution whose feature maps have more than one pixel")
    return found[-1]


def overlaid(image: Tensor, heat: Tensor) -> Tensor:
    """An image uint8 [C, H, W] under its heat map [H, W]: uint8 [3, H, W]."""
    grey = image.float().mean(0, keepdim=True).expand(3, -1, -1)
    alpha = STRENGTH * heat.to(grey.device)
    colour = torch.tensor(COLOUR, dtype=torch.float32, device=grey.device).view(3, 1, 1)
    return (grey * (1 - alpha) + colour * alpha).round().to(torch.uint8)


def explained(trained: Trained, images: Tensor) -> Tensor:
    """Images under their heat maps, uint8 [B, 3, H, W], on the CPU.

    Args:
        images: uint8 [B, C, H, W], as the network sees them.
    """
    on = next(trained.network.parameters()).device
    normalize = Normalize(trained.data.mean, trained.data.std)
    parts = [heat_maps(trained.network, normalize(part.to(on))).cpu() for part in images.split(AT_ONCE)]
    heat = torch.cat(parts)
    return torch.stack([overlaid(image, h) for image, h in zip(images.cpu(), heat, strict=True)])


def check_explain(trained: Trained, run: Run) -> bool:
    """Whether `explain=gradcam` is asked for.

    Raises:
        ConfigError: if there is no such explanation, or none for this network.
    """
    name = str(run.get("explain") or "none").lower()
    if name == "none":
        return False
    if name != "gradcam":
        raise ConfigError(f"explain={name}: must be none or gradcam")
    if run.get("export.format"):
        raise ConfigError("explain=gradcam: not for export")
    if run.get("ensemble"):
        raise ConfigError("explain=gradcam: for one network; leave ensemble out")
    if str(run.get("tta") or "none").lower() != "none":
        raise ConfigError("explain=gradcam: for one view of a picture; leave tta out")
    if trained.task == "Regression":
        raise ConfigError("explain=gradcam: only for classes; a regression has no class to look for")
    try:
        last_maps(trained.network, torch.zeros(1, *trained.data.input_shape))
    except ValueError as error:
        raise ConfigError(f"explain=gradcam: {trained.architecture.name.rpartition('.')[2]} {error}") from None
    return True
