"""Names the layer that makes the first NaN or infinity of a training."""

from collections.abc import Callable
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from litlab.errors import RunFailed


class FirstNonFinite(lightning.Callback):
    """Ends the training where a number stops being finite, and says where that is.

    It looks at the pictures, the output of each layer, the gradients on the way back, and the weights after each step.
    It waits for the device each time, so it is slow.
    """

    def __init__(self) -> None:
        self._step = 0
        self._calls: list[str] = []  # layers of this step, in the order in which they were called

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        network: nn.Module = pl_module.network
        self._check_weights(network, "before any training: look at model.weights")
        for name, layer in network.named_modules():
            if not any(layer.children()):
                layer.register_forward_hook(self._watch(name or "the network"))
        network.register_forward_pre_hook(self._before_network)

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Any, *_: Any) -> None:
        self._check_weights(
            pl_module.network, f"in the update of step {self._step}: try a lower optimizer.lr, or a larger eps of Adam"
        )
        self._step += 1

    def _check_weights(self, network: nn.Module, when: str) -> None:
        for name, weight in network.named_parameters():
            if not is_finite(weight):
                raise RunFailed(f"debug=anomaly: the weights {name} became {kind(weight)} {when}")

    def _before_network(self, network: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._calls.clear()
        for tensor in tensors(inputs):
            if not is_finite(tensor):
                raise RunFailed(f"debug=anomaly: the pictures of step {self._step} have {kind(tensor)}: see the data")

    def _watch(self, name: str) -> Callable[..., None]:
        def after_layer(layer: nn.Module, inputs: Any, output: Any) -> None:
            number = len(self._calls)
            self._calls.append(f"{name} ({type(layer).__name__})")
            for tensor in tensors(output):
                if not is_finite(tensor):
                    made = f"{self._calls[number]} made {kind(tensor)} of finite inputs"
                    raise RunFailed(
                        f"debug=anomaly: {made} in step {self._step}: try a lower optimizer.lr, and look at this layer"
                    )
                if tensor.requires_grad:
                    tensor.register_hook(self._gradient_check(number))

        return after_layer

    def _gradient_check(self, number: int) -> Callable[[Tensor], None]:
        def check(gradient: Tensor) -> None:
            if not is_finite(gradient):
                later = self._calls[number + 1] if number + 1 < len(self._calls) else "the loss"
                raise RunFailed(
                    f"debug=anomaly: the gradient became {kind(gradient)} in step {self._step}, on the way back from "
                    f"{later} to {self._calls[number]}: look there for a root, a logarithm or a division, and "
                    "try a lower optimizer.lr"
                )

        return check


def tensors(value: Any) -> list[Tensor]:
    """The floating-point tensors in what a layer takes or returns."""
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    values = value.values() if isinstance(value, dict) else value
    return [tensor for item in values for tensor in tensors(item)] if isinstance(value, list | tuple | dict) else []


def is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def kind(tensor: Tensor) -> str:
    """NaN or infinity, whichever a tensor that is not finite has."""
    return "NaN" if bool(tensor.isnan().any()) else "infinity"
