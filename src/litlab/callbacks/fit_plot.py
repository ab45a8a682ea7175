"""Pictures of what a regression has learned, in the run folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import lightning
import torch
from torch import Tensor, nn

from litlab.console import say
from litlab.data import Landmarks, Points
from litlab.figures import Marks, Picture, as_png, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FitPlot(lightning.Callback):
    """Draws the points and the fitted curve to `fit.png` when training ends, and prints the formula.

    Args:
        save_dir: the folder of `fit.png`.
    """

    def __init__(self, save_dir: str | Path) -> None:
        self.path = Path(save_dir) / "fit.png"

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, Points):
            raise ValueError(f"callbacks.fit draws a curve through points, and {data.name} has none: leave it out")
        if not trainer.is_global_zero:
            return
        x, y = data.points()
        curve_x = torch.linspace(x.min().item(), x.max().item(), 200)
        with torch.no_grad():
            curve_y = pl_module(curve_x[:, None].to(pl_module.device))[:, 0].cpu()
        formula = fitted_formula(pl_module.network)  # type: ignore[arg-type]
        draw_fit(x, y, curve_x, curve_y, formula or type(pl_module.network).__name__).savefig(self.path)
        if formula:
            say(f"fit           {formula}")


class LandmarkPictures(lightning.Callback):
    """Draws the true points (green rings) and the predicted ones (red) on validation images to `landmarks.png`.

    Args:
        save_dir: the folder of `landmarks.png`.
        count: how many images at most.
    """

    def __init__(self, save_dir: str | Path, count: int = 16) -> None:
        self.path, self.count = Path(save_dir) / "landmarks.png", count

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, Landmarks):
            raise ValueError(f"callbacks.landmarks draws points on pictures, and {data.name} has none: leave it out")
        if not trainer.is_global_zero or not data.sizes.get("val"):
            return
        images, targets = data.val_set.__getitems__(list(range(min(self.count, data.sizes["val"]))))
        was_training = pl_module.training
        with torch.no_grad():
            predicted = pl_module.eval()(data.normalize(images.to(pl_module.device))).cpu()
        pl_module.train(was_training)
        pictures = [
            Picture(image, marks=[Marks(true, "lime", "ring"), Marks(found, "red")])
            for image, true, found in zip(images, targets, predicted, strict=True)
        ]
        self.path.write_bytes(as_png(sheet(pictures)))


def fitted_formula(network: nn.Module) -> str | None:
    """The formula of a network with one linear layer, one input and one output; None for another network."""
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if len(layers) != 1 or layers[0].weight.numel() != 1:
        return None
    slope, intercept = layers[0].weight.item(), layers[0].bias.item()
    line = f"{slope:.4f} x {'-' if intercept < 0 else '+'} {abs(intercept):.4f}"
    return f"y = sigmoid({line})" if any(isinstance(m, nn.Sigmoid) for m in network.modules()) else f"y = {line}"


def draw_fit(x: Tensor, y: Tensor, curve_x: Tensor, curve_y: Tensor, title: str) -> "Figure":
    """A plot of points x and y, [N] each, and of a curve, [M] each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.8), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.plot(curve_x.numpy(), curve_y.numpy(), linewidth=2)
    axes.plot(x.numpy(), y.numpy(), "o", color="tab:red")
    axes.set(title=title, xlabel="x", ylabel="y")
    axes.grid(alpha=0.3)
    return figure
