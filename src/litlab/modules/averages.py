"""Averages of a network's weights over the steps of a training."""

import torch
from torch import Tensor, nn


class Averages(nn.Module):
    """An average of all weights, and of the statistics of batch norm.

    With `decay` it is an exponential moving average. The first steps count more: step n, from 0, keeps
    (1 + n) / (10 + n) of the average, and at most `decay`. Without, all steps from `begin_at` on count the same, and
    until then the average is the weights of the latest step. That is SWA (Izmailov et al. 2018,
    https://arxiv.org/abs/1803.05407), which takes the weights at the ends of epochs.

    Args:
        network: any network; its tensors are changed in place only.
        decay: the part of the average that a step keeps, 0 to 1.
    """

    values: Tensor  # all averages in a row, float32 [N]
    steps: Tensor  # of the training, []
    first: Tensor  # step that counts, [], without `decay`

    def __init__(self, network: nn.Module, decay: float | None = None) -> None:
        super().__init__()
        self.decay = decay
        # In a tuple, so that the network's weights are not this module's, too. The buffers are not in a checkpoint.
        self._network = (network,)
        self._held: tuple[torch.device | None, dict[str, Tensor]] = (None, {})
        self.register_buffer("values", self._flat(), persistent=False)
        self.register_buffer("steps", torch.zeros(()), persistent=False)
        self.register_buffer("first", torch.zeros(()), persistent=False)
        self.shown = False  # whether the network has the averages, and `values` the weights that are trained

    @torch.no_grad()
    def restart(self) -> None:
        """Begins with the weights that the network has now."""
        self.values.copy_(self._flat())
        self.steps.zero_()

    def begin_at(self, step: int) -> None:
        """Says which step is the first that counts, if all count the same."""
        self.first.fill_(step)

    @torch.no_grad()
    def update(self) -> None:
        """Takes the weights into the average, after a step of the optimizer."""
        if self.decay is None:
            counted = (self.steps - self.first).clamp(min=0)
            keep = counted / (counted + 1)
        else:
            keep = ((1 + self.steps) / (10 + self.steps)).clamp(max=self.decay)
        self.values.lerp_(self._flat(), 1 - keep)
        self.steps += 1

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges the weights of the network and the averages."""
        trained = self._flat()
        for tensor, value in zip(self._tensors().values(), self._parts(self.values), strict=True):
            tensor.copy_(value)
        self.values.copy_(trained)
        self.shown = not self.shown

    def other(self) -> dict[str, Tensor]:
        """What the network does not have now, by name: the averages, or the weights that are trained."""
        own = self._tensors()
        return {
            name: part.to(tensor.dtype, copy=True)
            for (name, tensor), part in zip(own.items(), self._parts(self.values), strict=True)
        }

    def _tensors(self) -> dict[str, Tensor]:
        """The tensors of the network that are averaged, by name. To look them up in every step would take time."""
        device = next(self._network[0].parameters()).device
        if self._held[0] != device:
            state = self._network[0].state_dict()
            self._held = device, {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
        return self._held[1]

    def _flat(self) -> Tensor:
        return torch.cat([tensor.detach().flatten().float() for tensor in self._tensors().values()])

    def _parts(self, flat: Tensor) -> list[Tensor]:
        tensors = list(self._tensors().values())
        parts = flat.split([tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
