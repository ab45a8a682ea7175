"""`model.compile=true`: the network compiled for the training steps, and tried before it is trained with."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from litlab.errors import RunFailed
from litlab.modules.snapshot import Snapshot, relative_difference

TOLERANCE = 0.05  # part of the gradients' norm, beyond twice what rounding changes in the eager step

TotalLoss = Callable[[Callable[[Tensor], Any]], Tensor]  # from a network to the loss of the batch at hand, []


class CompiledNetwork:
    """A network compiled by `torch.compile` for training batches of one size.

    A smaller last batch of an epoch, and evaluation, use the network as it is. To compile for them takes longer than it
    saves.

    Args:
        network: from images [B, C, H, W] to predictions.
        batch_size: of the training batches, in one process.
    """

    def __init__(self, network: nn.Module, batch_size: int) -> None:
        self.network, self.batch_size = network, batch_size
        self.renew()

    def renew(self) -> None:
        """Compiles anew at the next step, as after other parameters have begun to be trained."""
        self.forward = torch.compile(lambda images: self.network(images), dynamic=False)
        self.is_checked = False

    def network_for(self, images: Tensor, total_loss: TotalLoss) -> Callable[[Tensor], Any]:
        """The compiled network for a whole batch, the network itself for a smaller one.

        The first whole batch is a trial: its loss and gradients are computed both ways.

        Raises:
            RunFailed: if they differ by more than rounding explains.
        """
        if len(images) != self.batch_size:
            return self.network
        if not self.is_checked:
            self.is_checked = True
            self.check(total_loss, images.device)
        return self.forward

    def check(self, total_loss: TotalLoss, device: torch.device) -> None:
        """Compares the gradients of the compiled network with those of the network as it is.

        In mixed precision both are rounded, so the eager gradients in 32 bits say how much rounding changes. Where the
        network draws random numbers (dropout) the two draw others; then only the norms are compared.
        """
        before = Snapshot(self.network, None, device)
        eager = self.gradients(total_loss, self.network)
        draws = before.random.has_changed()
        before.restore()
        exact = eager
        if torch.is_autocast_enabled(device.type):
            with torch.autocast(device.type, enabled=False):
                exact = self.gradients(total_loss, self.network)
            before.restore()
        compiled = self.gradients(total_loss, self.forward)
        before.restore()
        if draws:
            compiled, eager, exact = ([total_norm(found)] for found in (compiled, eager, exact))
        limit = (0.5 if draws else TOLERANCE) + 2 * relative_difference(eager, exact)
        wrong = relative_difference(compiled, eager)
        if not wrong <= limit:  # it may be NaN
            how = f"differ by {wrong:.0%} from those of" if wrong < math.inf else "are not finite, unlike those of"
            raise RunFailed(
                f"model.compile=true: the gradients of the compiled network {how} the network as it is "
                f"(rounding explains {limit:.0%}); leave it out"
            )

    def gradients(self, total_loss: TotalLoss, network: Callable[[Tensor], Any]) -> list[Tensor]:
        """The gradient of each parameter that the loss depends on."""
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        with torch.enable_grad():
            found = torch.autograd.grad(total_loss(network), parameters, allow_unused=True)
        torch.clear_autocast_cache()  # it holds casts whose gradients are now used up
        return [gradient for gradient in found if gradient is not None]


def total_norm(gradients: list[Tensor]) -> Tensor:
    """The norm of all gradients, []."""
    return torch.stack([gradient.float().norm() for gradient in gradients]).norm()
