"""Muon, an optimizer that torch has only for matrices; and a momentum for parameters that are trained later."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients with the steepest slope at 0 (Jordan 2024)


class Muon(Optimizer):
    """Muon for the filters of convolutions, and SGD with Nesterov momentum for all other parameters.

    The filters of a layer are a matrix, with one filter in each row. A step moves it by the matrix with orthogonal rows
    that is nearest to the momentum. Then the norm of the filters stays the square root of their number.
    (torch.optim.Muon takes matrices only.)

    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks",
    https://kellerjordan.github.io/posts/muon; for CIFAR-10, Jordan 2024, arXiv:2404.00498.

    Args:
        params: all parameters of a network.
        lr: learning rate of the filters.
        momentum: of the filters.
        sgd_momentum: of all other parameters.
        head_factor: learning rate of matrices (dense layers), as a multiple of `lr`.
        bias_factor: learning rate of vectors (biases, batch norm), as a multiple of `lr`.
        weight_decay: of all parameters except the filters: the part that a step takes off at these learning rates,
            before momentum. It falls with the learning rate.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.24,
        momentum: float = 0.6,
        sgd_momentum: float = 0.85,
        head_factor: float = 1.0,
        bias_factor: float = 1.0,
        weight_decay: float = 0.0,
    ) -> None:
        for name, value in (("momentum", momentum), ("sgd_momentum", sgd_momentum)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, not {value}")
        for name, value in (("lr", lr), ("head_factor", head_factor), ("bias_factor", bias_factor)):
            if value <= 0:
                raise ValueError(f"{name} must be above 0, not {value}")
        if weight_decay < 0:
            raise ValueError(f"weight_decay must be at least 0, not {weight_decay}")
        kinds: dict[str, list[nn.Parameter]] = {"filters": [], "matrices": [], "vectors": []}
        for parameter in params:
            kinds["filters" if parameter.ndim > 2 else "matrices" if parameter.ndim == 2 else "vectors"].append(
                parameter
            )
        settings: dict[str, dict[str, Any]] = {
            "filters": {"lr": lr, "momentum": momentum},
            "matrices": {"lr": lr * head_factor, "momentum": sgd_momentum},
            "vectors": {"lr": lr * bias_factor, "momentum": sgd_momentum},
        }
        for kind in ("matrices", "vectors"):
            settings[kind]["weight_decay"] = weight_decay / settings[kind]["lr"]  # so it falls with the learning rate
        groups = [{"params": kinds[kind], "kind": kind, **settings[kind]} for kind in kinds if kinds[kind]]
        super().__init__(groups, {})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step of the optimizer.

        Args:
            closure: computes the loss and the gradients, if given.

        Returns:
            The loss of `closure`, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            directions = self._nesterov(parameters, group["momentum"], group.get("weight_decay", 0.0))
            if group["kind"] == "filters":
                for parameter in parameters:
                    parameter.mul_(len(parameter) ** 0.5 / parameter.norm())
                directions = [orthogonal(direction.flatten(1)).view_as(direction) for direction in directions]
            # torch._foreach_*: see `_nesterov`. The learning rate may be a tensor, so it is no argument `alpha`.
            torch._foreach_sub_(parameters, torch._foreach_mul(directions, group["lr"]))
        return loss

    def _nesterov(self, parameters: list[nn.Parameter], momentum: float, weight_decay: float) -> list[Tensor]:
        """Updates the momentum of each parameter with its gradient; returns the directions of the step.

        Weight decay is part of the gradient, as in torch.optim.SGD, so it goes through the momentum.

        torch._foreach_* treats all tensors in one operation. Public: a loop over tensors needs an operation for each,
        and torch.optim.SGD has these operations but takes the step, too.
        """
        gradients: list[Tensor] = [p.grad for p in parameters if p.grad is not None]
        if weight_decay:
            gradients = list(torch._foreach_add(gradients, list(parameters), alpha=weight_decay))
        for parameter in parameters:
            if "momentum" not in self.state[parameter]:
                self.state[parameter]["momentum"] = torch.zeros_like(parameter)
        buffers = [self.state[parameter]["momentum"] for parameter in parameters]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, gradients)
        return list(torch._foreach_add(gradients, buffers, alpha=momentum))


def with_all_momenta(optimizer: Optimizer) -> Optimizer:
    """The optimizer, which may get the first gradient of some parameters later than that of others.

    torch's fused SGD ends in an error where some parameters of a group have a momentum and others, whose first gradient
    this is, have none yet. So those without a gradient get a momentum of zeros after the first step, and when an
    earlier state is loaded.
    """
    if isinstance(optimizer, torch.optim.SGD):

        def fill(*_: Any) -> None:
            for group in (group for group in optimizer.param_groups if group["momentum"]):
                states = [optimizer.state[parameter] for parameter in group["params"]]
                if any(state.get("momentum_buffer") is not None for state in states):
                    for parameter, state in zip(group["params"], states, strict=True):
                        if state.get("momentum_buffer") is None:
                            state["momentum_buffer"] = torch.zeros_like(parameter)

        stepped = False

        def fill_once(*_: Any) -> None:  # it stays: a hook that is removed while hooks are called is an error of torch
            nonlocal stepped
            if not stepped:
                stepped = True
                fill()

        optimizer.register_step_post_hook(fill_once)
        optimizer.register_load_state_dict_post_hook(fill)
    return optimizer


def orthogonal(matrix: Tensor, steps: int = 3) -> Tensor:
    """Approximately the nearest matrix with orthogonal rows (or columns, if n > m). Its singular values are near 1.

    A quintic Newton-Schulz iteration (Jordan et al. 2024), in bfloat16 on a GPU.

    Args:
        matrix: float [n, m].
        steps: of the iteration.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrix.bfloat16() if matrix.is_cuda else matrix.clone()
    x = x / (x.norm() + 1e-7)
    if tall := x.shape[0] > x.shape[1]:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)
