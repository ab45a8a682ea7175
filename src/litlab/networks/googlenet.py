"""GoogLeNet (Szegedy et al. 2014, https://arxiv.org/abs/1409.4842), from torchvision, for images of any size."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torchvision import models
from torchvision.models.googlenet import BasicConv2d, GoogLeNetOutputs

from litlab.networks.auxiliary import WithAuxiliary
from litlab.networks.transfer import Freeze, Head, Transfer, Variant, is_small


class GoogLeNet(Transfer, models.GoogLeNet):
    """Nine inception modules with batch norm, and two auxiliary classifiers: images [B, C, H, W] to [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images; at least 15 pixels per side if `variant` is imagenet.
        num_classes: number of outputs.
        variant: `imagenet` as published; `small`, for 28 or 32 pixels, with a first convolution of 3x3 and no pooling
            after it; `auto` is small below 64 pixels.
        auxiliary_weight: of the losses of the auxiliary classifiers in training (section 5); 0 leaves them out.
        transform_input: the published weights need it: it changes images with torchvision's normalisation to the
            normalisation of the original training.
        head: how the 1000 outputs become `num_classes`, see `Transfer`.
        freeze: `backbone` to train the heads alone, see `Transfer`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    published_arguments = {"variant": "imagenet", "transform_input": True}  # noqa: RUF012
    optional = ("aux1.", "aux2.")

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        variant: Variant = "auto",
        auxiliary_weight: float = 0.3,
        transform_input: bool = False,
        head: Head = "replace",
        freeze: Freeze | None = None,
    ) -> None:
        small = is_small(input_shape, variant)
        if auxiliary_weight < 0:
            raise ValueError(f"auxiliary_weight must be at least 0, not {auxiliary_weight}")
        if transform_input and input_shape[0] != 3:
            raise ValueError(f"transform_input needs images of 3 channels, not {input_shape[0]}")
        aux = auxiliary_weight > 0
        super().__init__(aux_logits=aux, transform_input=transform_input, init_weights=False)
        if small:
            self.conv1 = BasicConv2d(input_shape[0], 64, kernel_size=3, padding=1)
            self.maxpool1 = nn.Identity()
        elif input_shape[0] != 3:
            self.conv1 = BasicConv2d(input_shape[0], 64, kernel_size=7, stride=2, padding=3)
        self.auxiliary_weight = auxiliary_weight
        self.heads = ("fc", "aux1.fc2", "aux2.fc2") if aux else ("fc",)
        self.adapt(num_classes, head, freeze)

    @classmethod
    def published(cls, **arguments: Any) -> models.WeightsEnum:
        return models.GoogLeNet_Weights.DEFAULT

    def forward(self, images: Tensor) -> Tensor | WithAuxiliary:
        """Outputs [B, num_classes] of images [B, C, H, W]; in training, with the auxiliary outputs."""
        output = super().forward(images)
        if not isinstance(output, GoogLeNetOutputs):
            return output
        return WithAuxiliary(output.logits, (output.aux_logits2, output.aux_logits1), self.auxiliary_weight)
