"""Any classifier of timm (https://github.com/huggingface/pytorch-image-models), by its name.

`pip install "litlab[timm]"`. Nothing but timm's own registry is asked: no name leads to a file, or to a host.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn
from torchvision.transforms import InterpolationMode

from litlab.networks.registered import Registered
from litlab.networks.transfer import Freeze, Head

OUTPUTS = 1000  # of networks without published outputs


class TimmModel(Registered):
    """A classifier of timm by its name: images [B, C, H, W] to outputs [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images. A network for one size only is made for this size.
        num_classes: number of outputs.
        name: one of `timm.list_models()`, also with the tag of its weights (`vit_tiny_patch16_224.augreg_in21k`).
        head: how the published outputs become `num_classes`, see `Transfer`.
        freeze: `backbone` to train the head alone, see `Transfer`.
        drop_rate: probability of dropout before the head.
        drop_path_rate: probability that a block is left out (Huang et al. 2016, https://arxiv.org/abs/1603.09382); 0
            leaves it to the network.

    Raises:
        ValueError: timm is missing, has no such name, or its network cannot take the images.
    """

    registry = "timm"

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        name: str = "resnet18",
        head: Head = "replace",
        freeze: Freeze | None = None,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        rates = {"drop_rate": drop_rate, "drop_path_rate": drop_path_rate}
        for key, rate in rates.items():
            if not 0 <= rate < 1:
                raise ValueError(f"{key} must be at least 0 and less than 1, not {rate}")
        options = {key: rate for key, rate in rates.items() if rate}
        super().__init__(input_shape, num_classes, name, head, freeze, **options)

    @classmethod
    def names(cls, pattern: str = "*") -> list[str]:
        return _timm().list_models(pattern)

    @classmethod
    def check_name(cls, name: str) -> None:
        super().check_name(name.split(".")[0])

    def build(self, input_shape: tuple[int, ...]) -> nn.Module:
        return _made(self.name, input_shape, self.options)

    def heads_of(self, name: str, model: nn.Module) -> Sequence[str]:
        found = model.pretrained_cfg["classifier"]  # type: ignore[index]
        heads = [found] if isinstance(found, str) else list(found or ())
        if not heads or not all(isinstance(model.get_submodule(head), nn.Linear | nn.Conv2d) for head in heads):
            raise ValueError(f"name {name!r}: it has no last layer that could be replaced")
        return heads

    @classmethod
    def published(cls, **arguments: Any) -> Any:
        cls.check_name(arguments["name"])
        return TimmWeights(arguments["name"])


class TimmWeights:
    """timm's published weights of one network, with the methods of torchvision's `WeightsEnum`.

    Args:
        name: of the network, with or without the tag of the weights.

    Raises:
        ValueError: there are none.
    """

    def __init__(self, name: str) -> None:
        found = _timm().models.get_pretrained_cfg(name)
        if found is None or not (found.url or found.hf_hub_id):
            raise ValueError(f"name {name!r}: timm has no weights for it")
        self.name, self.facts = name, found
        self.url = f"https://huggingface.co/{found.hf_hub_id}/resolve/main/model.safetensors"
        if not found.hf_hub_id:
            self.url = found.url

    def transforms(self) -> SimpleNamespace:
        """The preprocessing that the weights need."""
        side = self.facts.input_size[-1]
        return SimpleNamespace(
            crop_size=[side],
            resize_size=[int(side / (self.facts.crop_pct or 0.875))],
            mean=list(self.facts.mean),
            std=list(self.facts.std),
            interpolation=InterpolationMode("bicubic" if self.facts.interpolation == "bicubic" else "bilinear"),
        )

    def get_state_dict(self, **_: Any) -> Mapping[str, Tensor]:
        """Downloads the weights once, by timm, which also fits them to the network's names."""
        return _timm().create_model(self.name, pretrained=True).state_dict()

    def where(self) -> str:
        """What to do if they cannot be downloaded."""
        return f"fetch it by hand, and write model.weights=model.safetensors model.weights_skip_head=true: {self.url}"


def _made(name: str, input_shape: tuple[int, ...], options: Mapping[str, Any]) -> nn.Module:
    timm = _timm()
    found = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
    arguments = {"in_chans": input_shape[0], **options}
    if not (found and found.num_classes):
        arguments["num_classes"] = OUTPUTS
    if found and found.fixed_input_size:
        try:
            return timm.create_model(name, img_size=tuple(input_shape[1:]), **arguments)
        except TypeError as error:  # it is made for one size, and has no argument for another
            if "img_size" not in str(error):
                raise
    return timm.create_model(name, **arguments)


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise ValueError("timm is missing: pip install timm") from None
    return timm
