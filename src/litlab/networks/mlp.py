"""The multilayer perceptron."""

import itertools
import math
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class MLP(nn.Module):
    """Dense layers over the flattened input, by default 784-100-10: inputs [B, *input_shape] to [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images, or any other shape of one input.
        num_classes: number of outputs.
        hidden: widths of the hidden layers; empty for a linear model.
        activation: after each hidden layer.
        dropout: probability with which a hidden unit becomes 0 in training.
        output: `linear`, or `sigmoid` for values between 0 and 1.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    def __init__(
        self,
        input_shape: Sequence[int] = (1, 28, 28),
        num_classes: int = 10,
        hidden: Sequence[int] = (100,),
        activation: Literal["relu", "gelu", "silu", "tanh", "sigmoid"] = "relu",
        dropout: float = 0.0,
        output: Literal["linear", "sigmoid"] = "linear",
    ) -> None:
        super().__init__()
        if any(width < 1 for width in hidden):
            raise ValueError(f"hidden must be positive widths, not {list(hidden)}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), not {dropout}")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
        if output not in ("linear", "sigmoid"):
            raise ValueError(f"output must be linear or sigmoid, not {output!r}")
        layers: list[nn.Module] = [nn.Flatten()]
        widths = [math.prod(input_shape), *hidden]
        for fan_in, fan_out in itertools.pairwise(widths):
            layers += [nn.Linear(fan_in, fan_out), ACTIVATIONS[activation]()]
            if dropout:
                layers.append(nn.Dropout(dropout))
        last = [nn.Linear(widths[-1], num_classes), *([nn.Sigmoid()] if output == "sigmoid" else [])]
        self.layers = nn.Sequential(*layers, *last)

    def forward(self, images: Tensor) -> Tensor:
        """Outputs [B, num_classes] of inputs [B, *input_shape]."""
        return self.layers(images)
