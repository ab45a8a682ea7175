"""All that a training step changes, copied, to put it back after a trial."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class RandomState:
    """The state of torch's default random number generators, on the CPU and on a device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.states = self._now()

    def restore(self) -> None:
        """Puts it back."""
        torch.set_rng_state(self.states[0])
        if self.states[1] is not None:
            torch.cuda.set_rng_state(self.states[1], self.device)

    def has_changed(self) -> bool:
        """Whether random numbers were drawn since."""
        pairs = zip(self.states, self._now(), strict=True)
        return any(a is not None and b is not None and not torch.equal(a, b) for a, b in pairs)

    def _now(self) -> tuple[Tensor, Tensor | None]:
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return torch.get_rng_state(), cuda


class Snapshot:
    """Copies of weights, buffers, an optimizer's state and the random number generators.

    Args:
        module: what is trained.
        optimizer: of it, if its state changes too.
        device: of its weights.
    """

    def __init__(self, module: nn.Module, optimizer: Optimizer | None, device: torch.device) -> None:
        states = optimizer.state.values() if optimizer else ()
        kept = (value for state in states for value in state.values() if isinstance(value, Tensor))
        self.tensors = [*module.parameters(), *module.buffers(), *kept]
        with torch.no_grad():
            self.values = [tensor.detach().clone() for tensor in self.tensors]
        self.random = RandomState(device)

    def restore(self) -> None:
        """Puts everything back."""
        with torch.no_grad():
            for tensor, value in zip(self.tensors, self.values, strict=True):
                tensor.copy_(value)
        self.random.restore()


def relative_difference(values: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    """The norm of the difference of two lists of tensors, relative to the norm of the second."""
    differences = [(a.float() - b.float()).norm() for a, b in zip(values, others, strict=True)]
    norms = [b.float().norm() for b in others]
    return float(torch.stack(differences).norm() / torch.stack(norms).norm().clamp_min(1e-30))
