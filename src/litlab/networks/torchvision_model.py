"""Any classifier of torchvision's registry (https://pytorch.org/vision/stable/models.html), by its name."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from torch import nn
from torchvision import models

from litlab.networks.registered import Registered, for_channels
from litlab.networks.transfer import Freeze, Head

OUTPUTS = 1000  # of all published weights
WITH_AUXILIARY = ("googlenet", "inception_v3")  # built without their auxiliary outputs


class TorchvisionModel(Registered):
    """A classifier of torchvision by its name: images [B, C, H, W] to outputs [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images. A vision transformer is made for this size.
        num_classes: number of outputs.
        name: one of `torchvision.models.list_models(module=torchvision.models)`.
        head: how the 1000 outputs become `num_classes`, see `Transfer`.
        freeze: `backbone` to train the head alone, see `Transfer`.

    Raises:
        ValueError: there is no such name, or it cannot take the images; the message begins with the argument's name.
    """

    registry = "torchvision"
    optional = ("model.aux1.", "model.aux2.", "model.AuxLogits.")

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        name: str = "mobilenet_v3_small",
        head: Head = "replace",
        freeze: Freeze | None = None,
    ) -> None:
        super().__init__(input_shape, num_classes, name, head, freeze)

    @classmethod
    def names(cls, pattern: str = "*") -> list[str]:
        return models.list_models(module=models, include=pattern)

    def build(self, input_shape: tuple[int, ...]) -> nn.Module:
        options: dict[str, Any] = {}
        if self.name.startswith("vit_"):
            if input_shape[1] != input_shape[2]:
                raise ValueError("it takes square images only")
            options = {"image_size": input_shape[1]}
        elif self.name in WITH_AUXILIARY:
            options = {"aux_logits": False, "init_weights": False}
        return for_channels(models.get_model(self.name, weights=None, **options), input_shape[0])

    def heads_of(self, name: str, model: nn.Module) -> Sequence[str]:
        return [
            part
            for part, layer in model.named_modules()
            if OUTPUTS in (getattr(layer, "out_features", 0), getattr(layer, "out_channels", 0))
        ][-1:]

    @classmethod
    def published(cls, **arguments: Any) -> Any:
        cls.check_name(arguments["name"])
        weights: Any = models.get_model_weights(arguments["name"]).DEFAULT
        return _FirstNormalisation(weights) if arguments["name"] in WITH_AUXILIARY else weights


class _FirstNormalisation:
    """Published weights that were trained with pixels from -1 to 1, which torchvision's network makes by itself."""

    def __init__(self, weights: models.WeightsEnum) -> None:
        self.url, self.get_state_dict, self._weights = weights.url, weights.get_state_dict, weights

    def transforms(self) -> Any:
        preset = self._weights.transforms()
        same = {name: getattr(preset, name) for name in ("crop_size", "resize_size", "interpolation")}
        return SimpleNamespace(**same, mean=[0.5] * 3, std=[0.5] * 3)
